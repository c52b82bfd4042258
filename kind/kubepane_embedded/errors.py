"""Refusals of the API server, each with the reason, code and wording of Kubernetes.

Shapes follow `apimachinery/pkg/api/errors/errors.go`; texts are those a 1.35 server sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
EXPIRED_WATCH = "The resourceVersion for the provided watch is too old."
EXPIRED_LIST = "The resourceVersion for the provided list is too old."
EXPIRED_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
    "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token "
    "results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and "
    "now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `details.causes`: a field, its reason, a message."""

    reason: str
    message: str
    field: str = ""

    def as_dict(self) -> dict[str, str]:
        """The cause as a Status carries it: empty parts left out."""
        parts = {"reason": self.reason, "message": self.message, "field": self.field}
        return {key: value for key, value in parts.items() if value}


@dataclass(slots=True)
class ApiError(Exception):
    """A request that the API server refuses; becomes a `Status` object.

    Args:
        code: HTTP status.
        reason: Kubernetes' reason (`NotFound`, `Conflict` …), or "" as for some errors of the real server.
        message: The text for people.
        details: `status.details`, or None when the real server sends none.
        meta: What goes into `metadata` (a continue token after an expired page).
        retry_after: Seconds for the Retry-After header, or None.
        warnings: What was found strange before the refusal; Warning headers.
    """

    code: int
    reason: str
    message: str
    details: dict[str, Any] | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    retry_after: int | None = None
    warnings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.message

    def status(self) -> dict[str, Any]:
        """The error as a `Status` object."""
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": self.meta, "status": "Failure", "message": self.message}
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def details(name: str = "", group: str = "", kind: str = "", **more: Any) -> dict[str, Any]:
    """`status.details` with the empty parts left out."""
    parts: dict[str, Any] = {"name": name, "group": group, "kind": kind, **more}
    return {key: value for key, value in parts.items() if value}


def group_resource(group: str, resource: str) -> str:
    """`deployments.apps`, or `pods` in the core group."""
    return f"{resource}.{group}" if group else resource


def not_found(group: str, resource: str, name: str) -> ApiError:
    """404: the object does not exist."""
    return ApiError(404, "NotFound", f'{group_resource(group, resource)} "{name}" not found', details(name, group, resource))


def no_such_resource() -> ApiError:
    """404: a known group has no such resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, resource: str, name: str, going: bool = False) -> ApiError:
    """409: created twice; `going`: the other one is being deleted."""
    text = f'{"object is being deleted: " if going else ""}{group_resource(group, resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, details(name, group, resource))


def conflict(group: str, resource: str, name: str, why: str = MODIFIED) -> ApiError:
    """409: a precondition (resourceVersion, uid) does not hold."""
    text = f'Operation cannot be fulfilled on {group_resource(group, resource)} "{name}": {why}'
    return ApiError(409, "Conflict", text, details(name, group, resource))


def wrong_uid(group: str, resource: str, namespace: str, name: str, asked: str, present: str) -> ApiError:
    """409: a replace that names another uid."""
    place = "/".join(part for part in ("/registry", resource, namespace, name) if part)
    why = f"Precondition failed: UID in precondition: {asked}, UID in object meta: {present}"
    text = f"StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
    return conflict(group, resource, name, text)


def invalid(group: str, kind: str, name: str, causes: Iterable[Cause]) -> ApiError:
    """422: validation failed; the message joins all causes, each once, as the real server's aggregate does."""
    listed = list(causes)
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in listed))
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    text = f'{group_resource(group, kind)} "{name}" is invalid: {joined}'
    return ApiError(422, "Invalid", text, details(name, group, kind, causes=[cause.as_dict() for cause in listed]))


def forbidden(group: str, resource: str, name: str, why: str) -> ApiError:
    """403: rights, quota or admission refuse."""
    subject = group_resource(group, resource) + (f' "{name}"' if name else "")
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details(name, group, resource))


def bad_request(message: str) -> ApiError:
    """400: the request itself is wrong."""
    return ApiError(400, "BadRequest", message)


def rejected() -> ApiError:
    """422 without a cause: a JSON patch that does not apply."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def method_not_allowed() -> ApiError:
    """405: the path knows no such method."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unsupported_media(message: str) -> ApiError:
    """415: a body in a media type that is not read here."""
    return ApiError(415, "UnsupportedMediaType", message)


def expired(message: str, meta: dict[str, Any] | None = None) -> ApiError:
    """410: the resourceVersion or continue token has left the history."""
    return ApiError(410, "Expired", message, None, meta or {})


def too_large_version(asked: int, current: int, retry: int | None) -> ApiError:
    """504: a resourceVersion that the server has not reached."""
    more: dict[str, Any] = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
    if retry is not None:
        more["retryAfterSeconds"] = retry
    return ApiError(504, "Timeout", f"Timeout: Too large resource version: {asked}, current: {current}", more, {}, retry)
