"""A recording holds what was held, in order, and gives it back; nothing secret is in it; broken files are said to be broken."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import decode
from kubepane.cluster.metrics import Scale, Usage
from kubepane.cluster.options import Options
from kubepane.cluster.recording import Frame, Recorder, Recording, apply
from kubepane.cluster.session import Session

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.passed


def pod(name: str, phase: str = "Running", uid: str = "") -> Any:
    env = [{"name": "TOKEN", "value": "hunter2"}, {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}}]
    notes = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}
    raw = {
        "metadata": {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}", "resourceVersion": "1", "annotations": notes},
        "spec": {"containers": [{"name": "c", "env": env}]},
        "status": {"phase": phase},
    }
    return decode(k.PODS, msgspec.json.encode(raw))


@pytest.fixture
def session() -> Session:
    return Session(Options(), clock=Clock())


def recorded(session: Session, path: Path) -> Recorder:
    recorder = Recorder(session, path)
    recorder.head()
    return recorder


def replayed(path: Path) -> tuple[Session, list[float]]:
    fresh = Session(Options(), clock=Clock())
    recording = Recording(path)
    times = []
    for frame in recording.frames():
        apply(frame, fresh)
        times.append(frame.at)
    recording.close()
    return fresh, times


def frames(path: Path) -> list[Frame]:
    recording = Recording(path)
    try:
        return list(recording.frames())
    finally:
        recording.close()


def test_what_was_held_is_given_back_in_order(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "r"
    recorder = recorded(session, path)
    session.stores.pods.put(pod("a"))
    session.stores.pods.put(pod("b", "Pending"))
    session.stores.pods.set_freshness(Freshness(State.LIVE, since=NOW))
    recorder.look()
    session.clock.passed = 2.5  # type: ignore[attr-defined]
    session.stores.pods.put(pod("b"))
    session.stores.pods.drop("uid-a")
    session.stores.pods.put(pod("c", uid="other"))
    recorder.look()
    recorder.close()
    again, times = replayed(path)
    assert {each.metadata.name: each for each in again.stores.pods} == {each.metadata.name: each for each in session.stores.pods}
    assert again.stores.pods.freshness == Freshness(State.LIVE, since=NOW)
    assert times[-1] == 2.5
    assert [frame.gone for frame in frames(path) if frame.gone] == [("uid-a",)]


def test_nothing_is_written_when_nothing_changed(session: Session, tmp_path: Path) -> None:
    recorder = recorded(session, tmp_path / "r")
    session.stores.pods.put(pod("a"))
    recorder.look()
    lines = recorder.frames
    recorder.look()
    assert recorder.frames == lines
    recorder.close()


def test_no_secret_and_no_environment_value_is_in_it(session: Session, tmp_path: Path) -> None:
    recorder = recorded(session, tmp_path / "r")
    session.stores.pods.put(pod("a"))
    config = {"metadata": {"name": "c", "uid": "u"}, "data": {"colour": "hunter2"}}
    session.stores.configmaps.put(decode(k.CONFIGMAPS, msgspec.json.encode(config)))  # type: ignore[arg-type]
    recorder.look()
    recorder.close()
    text = (tmp_path / "r").read_text()
    assert "hunter2" not in text
    assert "password" in text  # the name of a key is no secret
    again, _ = replayed(tmp_path / "r")
    assert [each.keys for each in again.stores.configmaps] == [("colour",)]


def test_figures_come_with_their_histories(session: Session, tmp_path: Path) -> None:
    recorder = recorded(session, tmp_path / "r")
    hpa = r.Autoscaler(metadata=r.Metadata(name="h", namespace="shop", uid="h"))
    session.stores.autoscalers.put(hpa)
    for cpu in (10, 20):
        session.metrics.took_pods({"shop/a": Usage(cpu, 5, NOW.replace(second=cpu))}, {})
        session.metrics.saw_scale("h", Scale(NOW.replace(second=cpu), float(cpu), 50.0, 1, 1))
        recorder.look()
    recorder.close()
    again, _ = replayed(tmp_path / "r")
    assert [usage.cpu for usage in again.metrics.pod_history("shop", "a")] == [10, 20]
    assert [scale.current for scale in again.metrics.scales("h")] == [10.0, 20.0]


def test_the_file_is_the_owners_alone_and_never_written_over(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "r"
    recorded(session, path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(BadConfig, match=r"cannot record to .*: File exists"):
        Recorder(session, path)
    with pytest.raises(BadConfig, match="No such file"):
        Recorder(session, tmp_path / "no" / "r")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no recording of kubepane"),
        ("hello\n", "is no recording of kubepane"),
        ('{"kubepane":9,"taken":"2026-01-01T00:00:00Z"}\n', "another format"),
    ],
)
def test_what_is_no_recording_is_said_to_be_none(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(BadConfig, match=said):
        Recording(tmp_path / "r")


def test_a_line_that_was_cut_off_is_left_out_and_a_broken_one_is_told(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "r"
    recorder = recorded(session, path)
    session.stores.pods.put(pod("a"))
    recorder.look()
    recorder.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at":3,"kind":"po')
    assert len(frames(path)) == recorder.frames - 1
    path.write_bytes(whole + b'{"at":"x"}\n' + whole.splitlines()[1] + b"\n")
    with pytest.raises(BadConfig, match=f"line {recorder.frames + 1}"):
        frames(path)
