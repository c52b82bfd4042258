"""The identity of a user: renewed when it is due and when the server refuses it, once for all who wait."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.authority import authority
from cluster.clocks import START, ManualClock
from kubepane.cluster import exec_plugin
from kubepane.cluster.context import Context, ExecPlugin, Pem, User
from kubepane.cluster.credentials import Credentials, Identity
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.exec_plugin import Issued
from kubepane.cluster.redaction import MASK, redact

PLUGIN = User(name="me", plugin=ExecPlugin("client.authentication.k8s.io/v1", "login"))


def of(user: User, clock: ManualClock) -> Credentials:
    return Credentials(Context(name="c", server="https://h", user=user), clock=clock, env={})


class Plugin:
    """Stands in for the program: issues what it is told, and counts."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.runs = clock, 0
        self.lifetime: float | None = None
        self.error = ""
        self.same = False
        self.gate: asyncio.Event | None = None

    async def run(self, *_: object) -> Issued:
        self.runs += 1
        number = self.runs
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise BadConfig(self.error)
        expires = self.clock.now() + timedelta(seconds=self.lifetime) if self.lifetime is not None else None
        return Issued("same" if self.same else f"token-{number}", expires=expires)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> Plugin:
    made = Plugin(clock)
    monkeypatch.setattr(exec_plugin, "run", made.run)
    return made


# ---- what stands in files ------------------------------------------------------------------------------------------------


async def test_a_token_is_sent_as_it_is(clock: ManualClock) -> None:
    credentials = of(User(token="abc"), clock)
    assert (await credentials.current()).headers() == {"Authorization": "Bearer abc"}
    assert not await credentials.refused(await credentials.current())


async def test_nobody_sends_nothing(clock: ManualClock) -> None:
    assert (await of(User(), clock).current()).headers() == {}


async def test_a_token_file_wins_is_stripped_and_read_again_each_minute(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "token"
    path.write_text("first-secret\n")
    credentials = of(User(token="inline", token_file=str(path)), clock)
    assert (await credentials.current()).token == "first-secret"
    path.write_text("second-secret\n")
    clock.seconds += 59
    assert (await credentials.current()).token == "first-secret"
    clock.seconds += 2
    assert (await credentials.current()).token == "second-secret"
    assert redact("x second-secret x") == f"x {MASK} x"


async def test_a_token_file_is_read_at_once_when_the_server_refuses(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    credentials = of(User(token_file=str(path)), clock)
    seen = await credentials.current()
    path.write_text("second")
    assert await credentials.refused(seen)
    assert (await credentials.current()).token == "second"


async def test_a_token_file_that_vanishes_leaves_the_token_it_held(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    credentials = of(User(token_file=str(path)), clock)
    await credentials.current()
    path.unlink()
    clock.seconds += 61
    assert (await credentials.current()).token == "first"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: None, "does not exist"),
        (lambda p: p.write_text("\n"), "is empty"),
        (lambda p: p.write_text("a b"), "holds blanks"),
        (lambda p: p.write_text("a\nb"), "holds blanks"),
        (lambda p: p.write_bytes(b"\xff\xfe"), "holds blanks or characters"),
        (lambda p: p.write_text("x" * (2 << 20)), "larger than"),
        (lambda p: os.mkfifo(p), "no ordinary file"),
        (lambda p: p.mkdir(), "no ordinary file"),
    ],
)
async def test_token_files_that_cannot_be_used(tmp_path: Path, clock: ManualClock, make: Callable[[Path], object], why: str) -> None:
    make(tmp_path / "token")
    with pytest.raises(BadConfig, match=why):
        await of(User(token_file=str(tmp_path / "token")), clock).current()


async def test_an_inline_token_stands_in_for_a_file_that_cannot_be_read(tmp_path: Path, clock: ManualClock) -> None:
    assert (await of(User(token="inline", token_file=str(tmp_path / "gone")), clock).current()).token == "inline"


async def test_certificate_files_are_read_again_each_minute(tmp_path: Path, clock: ManualClock) -> None:
    for name, content in (("c", "cert-1"), ("k", "key-1")):
        (tmp_path / name).write_text(content)
    user = User(certificate=Pem(path=str(tmp_path / "c")), key=Pem(path=str(tmp_path / "k")))
    credentials = of(user, clock)
    assert (await credentials.current()).certificate == b"cert-1"
    (tmp_path / "c").write_text("cert-2")
    clock.seconds += 61
    identity = await credentials.current()
    assert (identity.certificate, identity.key, identity.token) == (b"cert-2", b"key-1", "")


# ---- plugins -------------------------------------------------------------------------------------------------------------


async def test_nothing_runs_before_it_is_needed(clock: ManualClock, plugin: Plugin) -> None:
    of(PLUGIN, clock)
    assert plugin.runs == 0


async def test_without_an_end_a_plugin_runs_once(clock: ManualClock, plugin: Plugin) -> None:
    credentials = of(PLUGIN, clock)
    for _ in range(3):
        assert (await credentials.current()).token == "token-1"
        clock.seconds += 100_000
    assert plugin.runs == 1


async def test_a_plugin_runs_again_shortly_before_the_end(clock: ManualClock, plugin: Plugin) -> None:
    plugin.lifetime = 900
    credentials = of(PLUGIN, clock)
    await credentials.current()
    clock.seconds += 880
    assert (await credentials.current()).token == "token-1"
    clock.seconds += 12
    assert (await credentials.current()).token == "token-2"


async def test_a_day_of_minute_tokens(clock: ManualClock, plugin: Plugin) -> None:
    plugin.lifetime = 60
    credentials = of(PLUGIN, clock)
    for _ in range(24 * 60 * 6):
        identity = await credentials.current()
        assert identity.expires is not None
        assert identity.expires > clock.now()
        clock.seconds += 10
    assert plugin.runs <= 24 * 60 * 60 / 50 + 1


async def test_a_plugin_that_issues_what_has_expired_is_not_run_for_every_request(clock: ManualClock, plugin: Plugin) -> None:
    plugin.lifetime = -5
    credentials = of(PLUGIN, clock)
    for _ in range(100):
        await credentials.current()
        clock.seconds += 0.2
    assert plugin.runs <= 2


async def test_one_run_serves_all_who_wait(clock: ManualClock, plugin: Plugin) -> None:
    plugin.gate = asyncio.Event()
    credentials = of(PLUGIN, clock)
    waiting = [asyncio.ensure_future(credentials.current()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # the one who began it leaves
    await asyncio.sleep(0)
    plugin.gate.set()
    assert {(await one).token for one in waiting[1:]} == {"token-1"}
    assert plugin.runs == 1
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]


async def test_a_refusal_renews_once_for_all(clock: ManualClock, plugin: Plugin) -> None:
    credentials = of(PLUGIN, clock)
    seen = await credentials.current()
    assert await asyncio.gather(*(credentials.refused(seen) for _ in range(20))) == [True] * 20
    assert await credentials.refused(seen)  # one who was late
    assert plugin.runs == 2


async def test_repeated_refusals_renew_once_a_minute(clock: ManualClock, plugin: Plugin) -> None:
    credentials = of(PLUGIN, clock)
    renewed = 0
    for _ in range(600):
        renewed += await credentials.refused(await credentials.current())
        clock.seconds += 1
    assert renewed == 10
    assert plugin.runs == 11


async def test_the_same_token_again_is_no_reason_to_try_again(clock: ManualClock, plugin: Plugin) -> None:
    plugin.same = True
    credentials = of(PLUGIN, clock)
    assert not await credentials.refused(await credentials.current())


async def test_a_plugin_that_fails_is_left_alone_for_a_minute(clock: ManualClock, plugin: Plugin) -> None:
    plugin.error = "log in again"
    credentials = of(PLUGIN, clock)
    for _ in range(600):
        with pytest.raises(BadConfig, match="log in again"):
            await credentials.current()
        clock.seconds += 1
    assert plugin.runs == 10
    clock.seconds -= 1
    plugin.error = ""
    with pytest.raises(BadConfig):
        await credentials.current()
    credentials.retry()  # the user presses a key
    assert (await credentials.current()).token == "token-11"


async def test_a_failed_renewal_does_not_matter_while_the_token_lives(clock: ManualClock, plugin: Plugin) -> None:
    plugin.lifetime = 100
    credentials = of(PLUGIN, clock)
    await credentials.current()
    plugin.error = "no network"
    clock.seconds += 95
    assert (await credentials.current()).token == "token-1"
    clock.seconds += 25
    with pytest.raises(BadConfig, match="no network"):
        await credentials.current()


async def test_a_failed_renewal_after_a_refusal_is_told(clock: ManualClock, plugin: Plugin) -> None:
    credentials = of(PLUGIN, clock)
    seen = await credentials.current()
    plugin.error = "log in again"
    with pytest.raises(BadConfig, match="log in again"):
        await credentials.refused(seen)


async def test_closing_stops_a_renewal(clock: ManualClock, plugin: Plugin) -> None:
    plugin.gate = asyncio.Event()
    credentials = of(PLUGIN, clock)
    waiting = asyncio.ensure_future(credentials.current())
    await asyncio.sleep(0)
    await credentials.close()
    with pytest.raises(BadConfig, match="closed"):
        await waiting


async def test_a_token_that_fits_no_header_is_not_sent(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: object) -> Issued:
        return Issued("two\r\nlines")

    monkeypatch.setattr(exec_plugin, "run", run)
    with pytest.raises(BadConfig, match="the token of the exec plugin login holds blanks"):
        await of(PLUGIN, clock).current()


# ---- what is known against it --------------------------------------------------------------------------------------------


def jwt(ends: datetime) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(ends.timestamp())}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{claims}.c2ln"


async def test_an_expired_token_or_certificate_explains_a_refusal(clock: ManualClock) -> None:
    assert of(User(), clock).doubt() == ""
    for user, doubt in (
        (User(token=jwt(START - timedelta(minutes=1))), "its token expired at 2026-01-02 03:03 UTC"),
        (User(token=jwt(START + timedelta(days=1))), ""),
        (User(token="opaque"), ""),
        (User(token="a.b.c"), ""),
        (User(certificate=_certificate(START - timedelta(days=2)), key=Pem(data=b"k")), "its certificate expired at 2025-12-31 03:04 UTC"),
    ):
        credentials = of(user, clock)
        await credentials.current()
        assert credentials.doubt() == doubt


def _certificate(ends: datetime) -> Pem:
    return Pem(data=authority().issue("me", begins=datetime(2025, 1, 1, tzinfo=UTC), ends=ends).certificate)


def test_an_identity_prints_no_secret() -> None:
    assert "s3cr3t" not in repr(Identity("s3cr3t", b"s3cr3t", b"s3cr3t"))
