"""The dashboard as a user meets it: keys, panes, faults."""

from __future__ import annotations

import pytest
from textual.app import App

from kubepane.cluster import kinds as k
from kubepane.cluster.metrics import Usage
from kubepane.cluster.options import Options
from kubepane.screens.object import ObjectScreen
from screens.stage import dashboard, model


async def test_all_panes_are_there_and_the_sick_come_first() -> None:
    async with dashboard(model()) as stage:
        await stage.shows(
            "1 Pods", "2 Workloads", "3 Nodes", "4 Events", "5 HPA", "6 Storage", "7 Ingress", "8 Policies", "ImagePullBackOff", "● live"
        )
        pods = [line for line in stage.text().splitlines() if line.startswith("│") and "/1" in line]
        assert "broken" in pods[0]


async def test_a_change_in_the_cluster_is_on_screen() -> None:
    m = model()
    async with dashboard(m) as stage:
        await stage.shows("web-1-00000")
        m.delete(k.PODS, "web-1-00000")
        await stage.until(lambda: "web-1-00000" not in stage.text())
        m.make(k.PODS, "newcomer", spec={"containers": [{"name": "a"}]}, status={"phase": "Pending"})
        await stage.shows("newcomer")


async def test_numbers_jump_tab_cycles_and_z_zooms() -> None:
    async with dashboard(model()) as stage:
        await stage.keys("3")
        assert stage.screen.current == "nodes"
        await stage.keys("tab")
        assert stage.screen.current == "storage"
        await stage.keys("shift+tab", "z")
        await stage.until(lambda: "1 Pods" not in stage.text())
        await stage.shows("worker-1")
        await stage.keys("escape")
        await stage.shows("1 Pods", "8 Policies")


async def test_every_layout_can_be_shown_and_left() -> None:
    async with dashboard(model(), size=(160, 50)) as stage:
        for name, needle in (
            ("rollout", "2 Rollout"),
            ("autoscale", "5 HPA"),
            ("storage", "6 Storage"),
            ("network", "7 Ingress"),
            ("overview", "4 Events"),
        ):
            await stage.keys("L")
            await stage.until(lambda name=name: stage.screen.layout_name == name)
            await stage.shows(needle)
        await stage.keys("L", "escape")
        await stage.until(lambda: stage.screen.layout_name == "overview")


async def test_the_filter_narrows_as_it_is_typed_and_says_what_is_wrong() -> None:
    async with dashboard(model()) as stage:
        await stage.keys("slash", *"web")
        await stage.until(lambda: "broken" not in stage.text())
        await stage.shows("3 of 5", "web-1-00002")
        await stage.keys("enter")
        await stage.shows("/web")
        await stage.keys("slash", "ctrl+u", *"colour=red")
        await stage.shows("no column colour")
        await stage.keys("escape")
        await stage.shows("broken")


async def test_sorting_by_a_column() -> None:
    async with dashboard(model()) as stage:
        await stage.keys("o", *"name", "enter")
        await stage.shows("by name")
        names = [line.split()[2] for line in stage.text().splitlines() if " shop " in line and "/1" in line]
        assert names == sorted(names)


async def test_namespaces_are_chosen_at_run_time_and_given_up_with_0() -> None:
    async with dashboard(model()) as stage:
        await stage.shows("elsewhere")
        await stage.keys("n")
        await stage.shows("Namespaces", "all namespaces", "shop")
        await stage.keys(*"shop", "enter")
        await stage.until(lambda: "elsewhere" not in stage.text() and stage.session.namespaces == ("shop",))
        await stage.keys("0")
        await stage.shows("elsewhere", "ns all")


async def test_the_object_screen_tells_yaml_relations_and_the_end() -> None:
    m = model()
    async with dashboard(m) as stage:
        await stage.until(lambda: stage.screen.pane().cursor)
        await stage.keys("enter")
        await stage.until(lambda: isinstance(stage.app.screen, ObjectScreen))
        await stage.shows("Pod shop/broken", "image")
        await stage.keys("y")
        await stage.shows("kind: Pod", "image: shop/none:1")
        m.delete(k.PODS, "broken")
        await stage.shows("deleted: this is its last known state")
        await stage.keys("escape", "2", "enter", "r")
        await stage.shows("deployment/web", "owns replicaset/web-1")
        await stage.shows("owns pod/web-1-00001")


async def test_a_lost_server_is_said_and_nothing_is_lost_when_it_is_back() -> None:
    m = model()
    async with dashboard(m) as stage:
        await stage.shows("web-1-00000")
        stage.session.requests.kill()
        await stage.shows("reconnecting", "as of")
        assert "web-1-00000" in stage.text()
        m.delete(k.PODS, "web-1-00000")
        stage.session.requests.revive()
        pods = stage.session.stores.pods
        await stage.until(lambda: pods.freshness.complete and "web-1-00000" not in stage.text(), 40)


async def test_refused_kinds_name_the_missing_verb_and_the_others_live() -> None:
    m = model()
    m.may = lambda verb, plural, namespace: plural in ("pods", "events") and namespace in ("", "shop")
    async with dashboard(m) as stage:
        await stage.shows("broken", "forbidden: list nodes", "missing  list nodes", "you are  ann")


async def test_one_sick_pane_leaves_the_others_alone() -> None:
    m = model()
    async with dashboard(m) as stage:
        await stage.shows("worker-1")
        view = stage.screen.table("nodes").view

        def broken(*_: object) -> None:
            raise RuntimeError("canary")

        view.row = broken  # type: ignore[method-assign,assignment]
        stage.screen.pane().refresh()
        m.put(k.NODES, {"metadata": {"name": "worker-1", "labels": {"a": "b"}}})
        await stage.shows("RuntimeError in this pane")
        m.make(k.PODS, "still-alive", spec={"containers": []}, status={"phase": "Pending"})
        await stage.shows("still-alive")
        await stage.keys("exclamation_mark")
        await stage.shows("RuntimeError: canary")


HOSTILE = (
    "[red]x[/red]",
    "[@click=app.quit]q[/]",
    "a\x1b[2Jb",
    "\x9b31m",
    "x[/y]",
    "\u202edcba",
    "wide世界",
    "[link=http://e]l[/link]",
    "\x1b]52;c;aGk=\x07",
)


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_shown_and_not_obeyed(text: str) -> None:
    m = model(0)
    m.make(
        k.EVENTS,
        "e1",
        involvedObject={"kind": "Pod", "name": text, "uid": "u"},
        reason=text,
        message=text,
        type="Warning",
        lastTimestamp="2026-06-01T11:00:00Z",
    )
    m.make(
        k.PODS, "p1", spec={"nodeName": text, "containers": [{"name": text, "image": text}]}, status={"phase": text, "reason": text, "message": text}
    )
    async with dashboard(m) as stage:
        await stage.shows("p1")
        shown = stage.text()
        assert all(ch.isprintable() or ch == "\n" for ch in shown)
        await stage.pilot.click(offset=(40, 5))
        await stage.keys("enter")
        await stage.until(lambda: isinstance(stage.app.screen, ObjectScreen))
        await stage.shows("summary  events")
        assert isinstance(stage.app, App)
        assert stage.app.return_code is None
        assert all(ch.isprintable() or ch == "\n" for ch in stage.text())


@pytest.mark.parametrize("size", [(1, 1), (8, 2), (20, 6), (60, 20), (79, 23), (109, 40), (110, 21), (150, 60), (220, 60)])
async def test_every_size_is_drawn(size: tuple[int, int]) -> None:
    async with dashboard(model(), size=size) as stage:
        assert len(stage.text().split("\n")) == size[1]
        if size[0] >= 60:
            await stage.shows("1 Pods")


async def test_help_lists_every_action_and_the_palette_runs_one() -> None:
    async with dashboard(model(), size=(120, 60)) as stage:
        await stage.keys("question_mark")
        await stage.shows("Help", "Panes", "this pane on the whole screen", "what the program did and met")
        await stage.keys("escape", "colon", *"whole screen", "enter")
        await stage.until(lambda: "8 Policies" not in stage.text())


async def test_switching_the_context_starts_anew() -> None:
    async with dashboard(model()) as stage:
        await stage.keys("C")
        await stage.shows("Contexts", "other")
        await stage.keys("escape")


async def test_read_only_is_said_in_the_header() -> None:
    async with dashboard(model(), options=Options(all_namespaces=True, read_only=True)) as stage:
        await stage.shows("READ-ONLY")


async def test_logs_that_rbac_denies_name_the_verb() -> None:
    m = model()
    m.may = lambda verb, plural, namespace: plural != "pods/log"
    async with dashboard(m) as stage:
        await stage.keys("l")
        await stage.pilot.pause()
        await stage.keys("escape")


async def test_usage_that_comes_later_is_shown_without_another_change() -> None:
    async with dashboard(model()) as stage:
        await stage.shows("web-1-00000")
        usage = Usage(cpu=371, memory=268 << 20)
        stage.session.metrics.took_pods({"shop/web-1-00000": usage}, {})
        await stage.shows("371m", "268Mi")
        stage.session.metrics.took_pods({"shop/web-1-00000": usage, "shop/web-1-00002": Usage(cpu=999, memory=1 << 20)}, {})
        await stage.shows("999m")
        await stage.keys("o", *"cpu", "enter")
        await stage.until(lambda: next(line for line in stage.text().splitlines() if "web-1-" in line).count("00002") == 1)


async def test_a_pane_that_was_hidden_shows_what_there_is() -> None:
    async with dashboard(model(), size=(80, 24)) as stage:
        await stage.keys("3")
        await stage.shows("worker-1")
        await stage.keys("2")
        await stage.shows("deploy/web")


async def test_who_asks_for_all_namespaces_and_may_see_one_is_told_that_the_rest_is_not_shown() -> None:
    m = model()
    m.make(k.PODS, "mine", "default", spec={"containers": []}, status={"phase": "Pending"})
    m.may = lambda verb, plural, namespace: namespace == "default"
    async with dashboard(m) as stage:
        await stage.shows("mine", "other namespaces may not be seen")
        assert "web-1-00000" not in stage.text()
