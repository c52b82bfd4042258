"""What can go wrong with a request, as types.

ClusterError
├── Unreachable            no HTTP answer: refused, DNS, TLS, timeout, cut
├── NotKubernetes          an answer that is not the API's: a proxy's page, garbage
├── BadConfig              the kubeconfig, or a plugin it names, cannot be used
├── ReadOnly               a change was asked for in read-only mode; nothing was sent
├── OtherCluster           another cluster has taken the place of the one that was connected to; nothing was sent
└── Refused                the server answered with an error
    ├── Unauthorized       401
    ├── Forbidden          403
    ├── NotFound           404 of an object
    ├── NotServed          404 of the resource or its group, 405 of a verb
    ├── Conflict           409
    ├── Expired            410, Expired or Gone: list again
    ├── Invalid            400, 415, 422
    ├── TooManyRequests    429
    ├── FutureVersion      504 with cause ResourceVersionTooLarge
    └── ServerFault        any other 5xx
"""

from __future__ import annotations

import msgspec


class Cause(msgspec.Struct, frozen=True):
    """One entry of Status.details.causes."""

    reason: str = ""
    message: str = ""
    field: str = ""


class ClusterError(Exception):
    """The base: `str()` is one line that can be shown to the user."""


class Unreachable(ClusterError):
    """No HTTP answer came."""


class NotKubernetes(ClusterError):
    """Something answered that does not speak the Kubernetes API."""


class BadConfig(ClusterError):
    """The kubeconfig or what it names cannot be used; the message says what to do."""


class ReadOnly(ClusterError):
    """A change was refused by the program itself."""


class OtherCluster(ClusterError):
    """What answers is another cluster than before."""


class Refused(ClusterError):
    """The server said no.

    Attributes:
        status: the HTTP code, or the code of an ERROR event.
        reason: Status.reason, "" when the server gave none.
        message: Status.message or the first line of a plain text body.
        retry_after: seconds the server asked to wait, None when it did not.
        causes: Status.details.causes.
    """

    def __init__(self, status: int, reason: str = "", message: str = "", retry_after: float | None = None, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message or reason or f"HTTP {status}")
        self.status, self.reason, self.message, self.retry_after, self.causes = status, reason, message, retry_after, causes


class Unauthorized(Refused):
    """401."""


class Forbidden(Refused):
    """403."""


class NotFound(Refused):
    """404 of one object."""


class NotServed(Refused):
    """The server does not know this resource, or not this verb on it."""


class Conflict(Refused):
    """409."""


class Expired(Refused):
    """410: this resourceVersion or continue token is too old."""


class Invalid(Refused):
    """The request itself is wrong."""


class TooManyRequests(Refused):
    """429, from flow control or from a disruption budget."""


class FutureVersion(Refused):
    """504: the server has not reached this resourceVersion (it was restored, or is another one)."""


class ServerFault(Refused):
    """Any other 5xx."""


_BY_STATUS: dict[int, type[Refused]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotServed,
    405: NotServed,
    409: Conflict,
    410: Expired,
    415: Invalid,
    422: Invalid,
    429: TooManyRequests,
}


def refusal(status: int, reason: str = "", message: str = "", retry_after: float | None = None, causes: tuple[Cause, ...] = ()) -> Refused:
    """The error for a code and a Status body, whether it came as an HTTP answer or as an ERROR event of a watch.

    A 404 is `NotServed` here; only who asked for one object by name knows that it means `NotFound`.
    Source: k8s.io/apimachinery pkg/api/errors (IsResourceExpired, IsGone, IsTooLargeResourceVersion).
    """
    if any(c.reason == "ResourceVersionTooLarge" for c in causes) or (status == 504 and "Too large resource version" in message):
        return FutureVersion(status, reason, message, retry_after, causes)
    if reason in ("Expired", "Gone"):
        return Expired(status, reason, message, retry_after, causes)
    kind = _BY_STATUS.get(status) or (ServerFault if status >= 500 else Refused)
    return kind(status, reason, message, retry_after, causes)
