"""Events about nodes and about objects known by name only."""

from __future__ import annotations

from kubepane_embedded.core import Core
from kubepane_embedded.recorder import BURST, NORMAL, Recorder

NODE = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n", "uid": "real"}}


def test_only_a_kubelet_says_the_name_of_a_node_for_its_uid(core: Core) -> None:
    Recorder(core.client("kubelet"), "kubelet", "n").event(NODE, NORMAL, "Starting", "")
    Recorder(core.client("kube-controller-manager"), "node-controller").event(NODE, NORMAL, "RegisteredNode", "")
    uids = {event["source"]["component"]: event["involvedObject"]["uid"] for event in core.storage.objects("events")}
    assert uids == {"kubelet": "n", "node-controller": "real"}


def test_objects_known_by_name_only_have_an_allowance_each(core: Core) -> None:
    recorder = Recorder(core.client("kube-controller-manager"), "taint-eviction-controller")
    for number in range(BURST + 5):
        about = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": f"p{number}", "namespace": "default"}}
        recorder.event(about, NORMAL, "TaintManagerEviction", "the same text")
    events = core.storage.objects("events")
    assert len({event["involvedObject"]["name"] for event in events}) == BURST + 5
