"""The key a on a whole cluster: what is chosen, what is shown, what is sent, and what takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kubepane.app import KubepaneApp
from kubepane_widgets import card as cards
from kubepane_widgets.card import Card
from kubepane_widgets.form import FormCard
from kubepane_widgets.listcard import ListCard
from living import CORE, Living, living
from screens.acted import acted, until

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: {value}}}\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster")) as made:
        made.deploy("web")
        yield made


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, cluster: Living) -> None:
    """A test presses as soon as it sees; that hasty keys do not confirm is tested with the card."""
    monkeypatch.setattr(cards, "SETTLE", 0.0)
    monkeypatch.setattr(cards, "BURST", 0.0)
    cluster.asked.clear()


def text(app: KubepaneApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def shows(app: KubepaneApp, *needles: str) -> None:
    try:
        await until(lambda: all(needle in text(app) for needle in needles))
    except TimeoutError:
        pytest.fail(f"{needles} are not on the screen:\n{text(app)}")


async def types(app: KubepaneApp, pilot: Pilot[int], what: str) -> None:
    for character in what:
        await pilot.press({"/": "slash", ".": "full_stop", "-": "minus", "_": "underscore"}.get(character, character))


async def choose(app: KubepaneApp, pilot: Pilot[int], what: str, key: str = "enter") -> None:
    await pilot.press("a")
    await until(lambda: isinstance(app.screen, ListCard))
    await types(app, pilot, what)
    await pilot.press(key)


async def choose_path(app: KubepaneApp, pilot: Pilot[int], path: Path, key: str = "enter") -> None:
    await pilot.press("a")
    await until(lambda: isinstance(app.screen, ListCard))
    for character in ("a", "space", "p", "a", "t", "h"):
        await pilot.press(character)
    await pilot.press(key)
    await until(lambda: isinstance(app.screen, FormCard))
    await types(app, pilot, str(path))
    await pilot.press("enter")


async def confirm(app: KubepaneApp, pilot: Pilot[int], button: str) -> None:
    await shows(app, button)
    await until(lambda: isinstance(app.screen, Card))
    await pilot.press("tab", "enter")


def written(tmp_path: Path, name: str, value: str = "x") -> Path:
    path = tmp_path / f"{name}.yaml"
    path.write_text(MAP.format(name=name, value=value))
    return path


async def test_the_sets_are_shown_with_what_they_are_for_and_leaving_sends_nothing(
    cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with acted(cluster, tmp_path, monkeypatch) as (app, pilot):
        await pilot.press("a")
        await shows(app, "story ", "the whole story: namespace, mysql", "faults/wrong-probe", "a path …", "^d deletes it")
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, ListCard))
    assert cluster.changes() == []


async def test_a_set_is_rehearsed_and_cancel_has_the_focus(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with acted(cluster, tmp_path, monkeypatch) as (app, pilot):
        await choose(app, pilot, "story")
        await shows(app, "14 to create", "new namespace: not rehearsed", "[ Cancel ]", "Apply 14 objects", "ns chatapp")
        await pilot.press("enter")
        await until(lambda: not isinstance(app.screen, Card))
    assert cluster.changes() == []


async def test_a_path_is_applied_changed_and_taken_back(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with acted(cluster, tmp_path / "state", monkeypatch) as (app, pilot):
        await choose_path(app, pilot, written(tmp_path, "made"))
        await confirm(app, pilot, "Apply 1 object")
        await shows(app, "Apply", "done")
        await until(lambda: cluster.changes() == [f"PATCH {CORE}/configmaps/made"])
        uid = cluster.get(f"{CORE}/configmaps/made")["metadata"]["uid"]
        await pilot.press("u")
        await shows(app, "- configmap shop/made", "Delete 1 object")
        await pilot.press("tab", "enter")
        await until(lambda: len(cluster.changes()) == 2)
        assert cluster.asked[-1].method == "GET" or cluster.asked[-1].body["preconditions"] == {"uid": uid}
        await shows(app, "it is gone")
    assert cluster.changes() == [f"PATCH {CORE}/configmaps/made", f"DELETE {CORE}/configmaps/made"]


async def test_fields_of_others_are_taken_over_only_by_a_button_and_another_card(
    cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.call("POST", f"{CORE}/configmaps?fieldManager=somebody", {"metadata": {"name": "theirs"}, "data": {"a": "old"}})
    async with acted(cluster, tmp_path / "state", monkeypatch) as (app, pilot):
        await choose_path(app, pilot, written(tmp_path, "theirs", "new"))
        await shows(app, "1 field of others in the way", ".data.a  somebody")
        await confirm(app, pilot, "Take over 1 field")
        await shows(app, "takes .data.a from somebody", "-  a: old", "+  a: new")
        assert cluster.changes() == []
        await confirm(app, pilot, "Apply 1 object")
        await until(lambda: cluster.get(f"{CORE}/configmaps/theirs")["data"] == {"a": "new"})
    assert cluster.changes() == [f"PATCH {CORE}/configmaps/theirs"]


async def test_ctrl_d_on_a_set_or_a_path_deletes_it_after_its_card(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "leaving")
    cluster.call("POST", f"{CORE}/configmaps", {"metadata": {"name": "leaving"}})
    async with acted(cluster, tmp_path / "state", monkeypatch) as (app, pilot):
        await choose(app, pilot, "faults/no-dns", "ctrl+d")
        await shows(app, "nothing to delete: none of it is there")
        await pilot.press("escape")
        await choose_path(app, pilot, path, "ctrl+d")
        await confirm(app, pilot, "Delete 1 object")
        await until(lambda: cluster.changes() == [f"DELETE {CORE}/configmaps/leaving"])
        await shows(app, "it is gone")


async def test_the_palette_has_deleting_a_set(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with acted(cluster, tmp_path, monkeypatch) as (app, pilot):
        await pilot.press("colon")
        await until(lambda: isinstance(app.screen, ListCard))
        for character in ("d", "e", "l", "e", "t", "e", "space", "s", "e", "t"):
            await pilot.press(character)
        await pilot.press("enter")
        await shows(app, "Delete a set", "faults/bad-image")


@pytest.mark.parametrize(("content", "says"), [("a: &a [*a]", "points to nothing"), ("kind: Pod", "apiVersion is missing")])
async def test_what_is_refused_is_told_and_nothing_is_asked(
    cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, says: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    async with acted(cluster, tmp_path / "state", monkeypatch) as (app, pilot):
        await choose_path(app, pilot, path)
        await until(lambda: any(says in notice.message for notice in app._notifications))
    assert not [asked for asked in cluster.asked if asked.method == "PATCH"]


async def test_the_namespace_of_what_is_applied_comes_into_view(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with acted(cluster, tmp_path / "state", monkeypatch) as (app, pilot):
        session: Any = app.session
        app.screen._set_namespaces(("kube-system",))  # type: ignore[attr-defined]
        await choose_path(app, pilot, written(tmp_path, "elsewhere"))
        await confirm(app, pilot, "Apply 1 object")
        await until(lambda: session.namespaces == ("kube-system", "shop"))
        await shows(app, "done")


async def test_read_only_shows_and_sends_nothing(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with acted(cluster, tmp_path / "state", monkeypatch, read_only=True) as (app, pilot):
        await choose_path(app, pilot, written(tmp_path, "never"))
        await shows(app, "configmap shop/never   is not there yet", "read-only: nothing can be sent")
        await pilot.press("tab", "enter")
    assert not [asked for asked in cluster.asked if asked.method != "GET" and "/authorization.k8s.io/" not in asked.path]
