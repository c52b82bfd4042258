"""Many similar events: those beyond the tenth are combined, the first ones stay their own, the same way every time."""

from __future__ import annotations

from kubepane_embedded.core import Core
from kubepane_embedded.recorder import NORMAL, Recorder


def test_the_first_nine_messages_keep_their_own_events(core: Core) -> None:
    client = core.client("kube-controller-manager")
    about = client.create("configmaps", {"metadata": {"name": "c", "namespace": "default"}})
    recorder = Recorder(client, "some-controller")
    for number in [*range(12), *range(9)]:
        recorder.event(about, NORMAL, "Said", f"message {number}")
    told = {event["message"]: event["count"] for event in core.storage.objects("events", "default")}
    assert told == {**{f"message {number}": 2 for number in range(9)}, "(combined from similar events): message 11": 3}
