"""The mirror of a server's objects: news come by list, watch and as answers to writes, in any order that can happen; the newest stays."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from kubepane_controlplane.kubelets.mirror import KEPT, Mirror
from kubepane_embedded.storage import Storage

Object = dict[str, Any]


def pod(name: str, revision: int, uid: str = "u", **more: Any) -> Object:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "n", "uid": uid, "resourceVersion": str(revision)}, **more}


def mirror() -> Mirror:
    return Mirror(Storage(), ("pods",))


def known(of: Mirror) -> dict[str, tuple[str, str]]:
    """Name → uid and resourceVersion."""
    return {one["metadata"]["name"]: (one["metadata"]["uid"], one["metadata"]["resourceVersion"]) for one in of.storage.objects("pods")}


class Server:
    """A server with a history, and a client that is behind in its watch."""

    def __init__(self) -> None:
        self.revision = 0
        self.objects: dict[str, Object] = {}
        self.history: list[tuple[int, str, Object]] = []
        self.client = mirror()
        self.seen = 0

    def put(self, name: str, ours: bool) -> None:
        self.revision += 1
        uid = self.objects[name]["metadata"]["uid"] if name in self.objects else f"u{self.revision}"
        obj = self.objects[name] = pod(name, self.revision, uid)
        self.history.append((self.revision, "MODIFIED", obj))
        if ours:  # what is written is answered at once
            self.client.take("pods", pod(name, self.revision, uid))

    def delete(self, name: str) -> None:
        if name in self.objects:
            self.revision += 1
            last = self.objects.pop(name)
            self.history.append((self.revision, "DELETED", pod(name, self.revision, last["metadata"]["uid"])))

    def watch(self, count: int) -> None:
        for revision, kind, obj in [event for event in self.history if event[0] > self.seen][:count]:
            copy = pod(obj["metadata"]["name"], revision, obj["metadata"]["uid"])
            if kind == "DELETED":
                self.client.drop("pods", copy)
            else:
                self.client.take("pods", copy)
            self.client.reached("pods", revision)
            self.seen = revision

    def list(self) -> None:
        copies = [pod(name, int(obj["metadata"]["resourceVersion"]), obj["metadata"]["uid"]) for name, obj in self.objects.items()]
        self.client.replace("pods", copies, self.revision)
        self.seen = self.revision


NAMES = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, st.booleans()),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("watch"), st.integers(1, 4)),
    st.tuples(st.just("list")),
)


@given(st.lists(STEPS, max_size=40))
def test_however_far_the_watch_is_behind_the_end_is_what_the_server_has(steps: list[tuple[Any, ...]]) -> None:
    server = Server()
    newest: dict[str, int] = {}
    for verb, *arguments in steps:
        getattr(server, verb)(*arguments)
        for name, (_, revision) in known(server.client).items():
            assert int(revision) >= newest.get(name, 0), "it went back in time"
            newest[name] = int(revision)
    server.watch(len(server.history))
    assert known(server.client) == {name: (obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]) for name, obj in server.objects.items()}


def test_an_older_version_never_replaces_a_newer_one() -> None:
    client = mirror()
    client.take("pods", pod("a", 7, spec=1))
    client.take("pods", pod("a", 5, spec=2))
    assert known(client) == {"a": ("u", "7")}


def test_what_was_written_after_a_list_was_made_stays() -> None:
    client = mirror()
    client.take("pods", pod("old", 3))
    client.take("pods", pod("new", 9))
    client.replace("pods", [pod("listed", 4)], 8)
    assert known(client) == {"listed": ("u", "4"), "new": ("u", "9")}


def test_the_end_of_an_earlier_object_is_not_the_end_of_its_successor() -> None:
    client = mirror()
    client.take("pods", pod("a", 9, uid="second"))
    client.drop("pods", pod("a", 8, uid="first"))
    assert known(client) == {"a": ("second", "9")}


def test_after_a_restored_etcd_nothing_known_counts() -> None:
    client = mirror()
    client.replace("pods", [pod("a", 90), pod("b", 95)], 100)
    client.replace("pods", [pod("a", 40)], 50)
    assert known(client) == {"a": ("u", "40")}


def test_managed_fields_are_not_kept() -> None:
    client = mirror()
    obj = pod("a", 1)
    obj["metadata"]["managedFields"] = [{}]
    client.take("pods", obj)
    assert "managedFields" not in client.storage.objects("pods")[0]["metadata"]


def test_of_what_is_only_written_the_newest_is_kept() -> None:
    client = mirror()
    for number in range(KEPT + 3):
        client.take("events", pod(f"e{number}", number + 1))
    client.take("events", pod("e3", KEPT + 10))
    client.take("events", pod("last", KEPT + 11))
    names = {one["metadata"]["name"] for one in client.storage.objects("events")}
    assert len(names) == KEPT
    assert names >= {"e3", "last"}
    assert not names & {"e0", "e1", "e2", "e4"}
