"""What an answer means: error bodies as typed errors, Warning headers as texts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from kubepane.cluster import errors
from kubepane.cluster.errors import Cause, ClusterError, Invalid, NotFound, NotKubernetes, Refused, Unreachable
from kubepane.cluster.redaction import one_line

MAX_WAIT = 60.0  # seconds: the longest Retry-After that is obeyed
MESSAGE_LIMIT = 1000
_PLAIN_HTTP = "client sent an http request to an https server"
# A strict merge patch quotes the whole object, which may be a Secret.
_QUOTED_OBJECT = re.compile(r'"(?:\{|map\[)(?:[^"\\]|\\.){60,}(?:"|$)')
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """Status.details."""

    name: str | None = None
    causes: tuple[Cause, ...] | None = None
    retry_after_seconds: int | None = None


class Status(msgspec.Struct, frozen=True):
    """meta/v1 Status: the body of an error, and the object of an ERROR event of a watch."""

    kind: str | None = None
    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: Details | None = None


_decode = msgspec.json.Decoder(Status).decode


def status_of(body: bytes | msgspec.Raw) -> Status | None:
    """The Status in a body, None when it holds something else."""
    try:
        status = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return status if status.kind == "Status" else None


def error_of(status: Status, http: int, retry_after: float | None = None) -> Refused:
    """The typed error that a Status describes.

    Args:
        http: the HTTP code it came with.
        retry_after: what the Retry-After header said, in seconds.
    """
    details = status.details or Details()
    wait = retry_after if retry_after is not None else _bounded(details.retry_after_seconds)
    error = errors.refusal(http, status.reason or "", _fit(status.message or ""), wait, details.causes or ())
    if http == 404 and details.name:
        return NotFound(http, error.reason, error.message, wait, error.causes)
    return _settled(error)


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: datetime | None = None) -> ClusterError:
    """The error that an answer outside 2xx means.

    Args:
        headers: case-insensitive.
        body: its first 64 KiB are enough.
        now: for a Retry-After that is a date.
    """
    wait = retry_after(headers.get("Retry-After", ""), now)
    if (known := status_of(body)) is not None:
        return error_of(known, status, wait)
    if 300 <= status < 400:
        where = one_line(headers.get("Location", "").partition("?")[0], 120)
        return NotKubernetes(
            f"the address answers with a redirect{' to ' + where if where else ''}: it is no API server, or wants a login in front of it"
        )
    text = one_line(body.decode(errors="replace"), MESSAGE_LIMIT)
    if not _is_text(headers, body):
        return stranger(status, headers, body)
    if _PLAIN_HTTP in text.lower():
        return NotKubernetes("the server wants TLS: its address must begin with https://")
    return _settled(errors.refusal(status, "", text or f"HTTP {status}", wait))


def check_json(headers: Mapping[str, str], body: bytes) -> None:
    """Looks at the two ends of a 2xx answer that should be JSON; what is between them is the decoder's business.

    Raises:
        NotKubernetes: it is a page of something in between.
        Unreachable: its end is missing.
    """
    if body[:64].lstrip()[:1] not in (b"{", b"["):
        raise stranger(200, headers, body)
    if body[-64:].rstrip()[-1:] not in (b"}", b"]"):
        raise Unreachable("the end of the answer is missing")


def is_page(headers: Mapping[str, str], *, json: bool) -> bool:
    """Whether a 2xx answer is no stream of an API server: a web page, or no JSON where that was asked for."""
    kind = headers.get("Content-Type", "").lower()
    return "html" in kind or (json and bool(kind) and "json" not in kind)


def stranger(status: int, headers: Mapping[str, str], body: bytes) -> NotKubernetes:
    """The error for an answer that no API server gives; a page's title often says who did."""
    found = _TITLE.search(body)
    title = one_line(found[1].decode(errors="replace"), 80) if found else ""
    kind = one_line(headers.get("Content-Type", "").partition(";")[0], 40) or "no type"
    return NotKubernetes(f"HTTP {status} with {kind} from something that is not the API server" + (f": “{title}”" if title else ""))


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait, at most `MAX_WAIT`; None when it says nothing."""
    if value.strip().isdigit():
        return _bounded(int(value))
    moment = http_date(value)
    return _bounded((moment - (now or datetime.now(UTC))).total_seconds()) if moment else None


def http_date(value: str) -> datetime | None:
    """A date as headers write it, None when it is none."""
    from email.utils import parsedate_to_datetime  # late: the email package takes 6 ms, and the first paint needs no date

    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def warnings_of(values: Iterable[str]) -> list[str]:
    """The texts of Warning headers (`299 - "text"`), each on one line."""
    return [one_line(re.sub(r"\\(.)", r"\1", found), MESSAGE_LIMIT) for value in values for found in _WARNING.findall(value)]


def _settled(error: Refused) -> Refused:
    """406, 413 and their like mean that the request is wrong, as 400 does."""
    if type(error) is Refused and 400 <= error.status < 500:
        return Invalid(error.status, error.reason, error.message, error.retry_after, error.causes)
    return error


def _fit(message: str) -> str:
    return one_line(_QUOTED_OBJECT.sub('"{…}"', message), MESSAGE_LIMIT)


def _bounded(seconds: Any) -> float | None:
    return min(max(float(seconds), 0.0), MAX_WAIT) if seconds is not None else None


def _is_text(headers: Mapping[str, str], body: bytes) -> bool:
    """Plain text is what Go's http.Error writes, so it may be the API server; a page or nothing known is somebody else."""
    kind = headers.get("Content-Type", "").lower()
    return ("text/plain" in kind or "json" in kind or not kind) and body.lstrip()[:1] != b"<"
