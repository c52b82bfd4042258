"""Who we are to the server, kept up to date: tokens, token files, certificates and exec plugins. One renewal at a time, for all."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from kubepane.cluster import exec_plugin
from kubepane.cluster.certificates import expiry
from kubepane.cluster.clock import Clock, SystemClock
from kubepane.cluster.context import Context, User, read_small_file
from kubepane.cluster.errors import BadConfig, ClusterError
from kubepane.cluster.redaction import remember

REREAD = 60.0  # seconds between two looks at files, as client-go transport/token_source.go
AFTER_REFUSAL = 60.0  # seconds between two renewals that a 401 asks for
AFTER_FAILURE = 60.0  # seconds a failed plugin is not run again
BETWEEN_RUNS = 20.0  # seconds between two runs for expiry, for plugins that issue what has expired already
EARLY = timedelta(seconds=10)  # renewed this long before it expires, so that no request carries a token on its last second


@dataclass(frozen=True, slots=True)
class Identity:
    """What is sent with a request, or shown in the TLS handshake. Two that are equal make no difference to the server."""

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    expires: datetime | None = field(default=None, compare=False)

    def headers(self) -> dict[str, str]:
        """The Authorization header, or none."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


Source = Callable[[], Awaitable[Identity]]


class Credentials:
    """The identity of one user, renewed when it is due and when the server refuses it.

    Nothing is read or run before the first call. Every method raises `BadConfig` when there is no identity to be had; a plugin
    that failed is then left alone for a minute, whoever asks.
    """

    def __init__(self, context: Context, *, clock: Clock | None = None, env: Mapping[str, str] = os.environ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._user = context.user
        plugin = context.user.plugin
        self._read: Source = _FromPlugin(context, env) if plugin else _FromFiles(context.user)
        self._reread = 0.0 if plugin or not _has_files(context.user) else REREAD  # 0: only when it expires
        self._identity: Identity | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._renewed = self._refused = self._failed_at = float("-inf")
        self._failure: str | None = None

    @property
    def renewable(self) -> bool:
        """Whether a refused identity may be replaced by asking again: it comes from files or a plugin."""
        return self._user.plugin is not None or _has_files(self._user)

    async def current(self) -> Identity:
        """The identity to use now."""
        if self._identity is None or self._due():
            await self._renew()
        assert self._identity is not None
        return self._identity

    async def refused(self, seen: Identity) -> bool:
        """Asks for another identity because the server answered 401 to `seen`.

        Returns:
            Whether there is another one now, so that the request should be tried again. Repeated refusals renew at most once a
            minute.
        """
        if self._identity is not None and self._identity != seen:
            return True
        if not self.renewable:
            return False
        if self._renewal is None and self._clock.monotonic() - self._refused < AFTER_REFUSAL:
            return False
        if self._renewal is None:
            self._refused = self._clock.monotonic()
        await self._renew()
        return self._identity != seen

    def retry(self) -> None:
        """Forgets that a plugin failed or a renewal was refused: the next call asks again. For a key that the user presses."""
        self._failure = None
        self._refused = self._renewed = float("-inf")

    def doubt(self) -> str:
        """What is known against the identity, for a 401: `its token expired at 2026-01-02 03:04 UTC`, "" for nothing."""
        if self._identity is None:
            return ""
        for what, until in (("certificate", expiry(self._identity.certificate)), ("token", _token_expiry(self._identity.token))):
            if until is not None and until <= self._clock.now():
                return f"its {what} expired at {until:%Y-%m-%d %H:%M} UTC"
        return ""

    async def close(self) -> None:
        """Stops a plugin that is running."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    def _due(self) -> bool:
        assert self._identity is not None
        since = self._clock.monotonic() - self._renewed
        if self._reread:
            return since >= self._reread
        expires = self._identity.expires
        return expires is not None and self._clock.now() >= expires - EARLY and since >= BETWEEN_RUNS

    async def _renew(self) -> None:
        if self._failure is not None and self._clock.monotonic() - self._failed_at < AFTER_FAILURE:
            raise BadConfig(self._failure)
        task = self._renewal
        if task is None:
            task = self._renewal = asyncio.get_running_loop().create_task(self._fetch(), name="renew credentials")
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, though every caller may be gone
        try:
            await asyncio.shield(task)  # one caller's cancellation is not the others'
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            raise BadConfig("the connection was closed while its credentials were being renewed") from None

    async def _fetch(self) -> None:
        try:
            try:
                self._identity = await self._read()
            except ClusterError as error:
                # What is held goes on being used as long as it lives: a file may be in the middle of its rotation.
                if not self._usable():
                    if self._user.plugin:
                        self._failure, self._failed_at = str(error), self._clock.monotonic()
                    raise
            else:
                self._failure = None
            self._renewed = self._clock.monotonic()
        finally:
            self._renewal = None

    def _usable(self) -> bool:
        held = self._identity
        if held is None or self._clock.monotonic() - self._refused < AFTER_REFUSAL:
            return False
        return held.expires is None or held.expires > self._clock.now()


class _FromPlugin:
    """The identity that a plugin prints."""

    def __init__(self, context: Context, env: Mapping[str, str]) -> None:
        assert context.user.plugin
        self._context, self._plugin, self._env = context, context.user.plugin, env

    async def __call__(self) -> Identity:
        info = exec_plugin.exec_info(self._plugin, self._context, self._env)
        issued = await exec_plugin.run(self._plugin, info, self._env)
        token = _sendable(issued.token, f"the token of the exec plugin {os.path.basename(self._plugin.command)}")
        return Identity(token, issued.certificate, issued.key, issued.expires)


class _FromFiles:
    """The identity that stands in the kubeconfig and in the files it names."""

    def __init__(self, user: User) -> None:
        self._user = user

    async def __call__(self) -> Identity:
        user = self._user
        found = Identity(self._token())
        if user.certificate:
            found = replace(found, certificate=user.certificate.read("client certificate"), key=user.key.read("client key"))
            remember(found.key.decode(errors="ignore"))
        return found

    def _token(self) -> str:
        user = self._user
        if not user.token_file:
            return _sendable(user.token, f"the token of user {user.name}")
        try:
            token = read_small_file(user.token_file, "token").decode(errors="replace").strip()
            if not token:
                raise BadConfig(f"token file {user.token_file} is empty")
        except BadConfig:
            if not user.token:  # the token beside it is what the file held once
                raise
            token = user.token
        remember(token)
        return _sendable(token, f"the token in {user.token_file}")


def _has_files(user: User) -> bool:
    return bool(user.token_file or user.certificate.path or user.key.path)


def _sendable(token: str, what: str) -> str:
    """The token, which must fit into a header (RFC 6750 allows even less)."""
    if any(not "!" <= ch <= "~" for ch in token):
        raise BadConfig(f"{what} holds blanks or characters that no token has")
    return token


def _token_expiry(token: str) -> datetime | None:
    """The `exp` of a JWT; nothing is verified, for it only serves a message."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], tz=UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
