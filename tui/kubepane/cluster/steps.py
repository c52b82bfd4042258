"""What a reflector asks its shell to do next, and the queries that go with it."""

from __future__ import annotations

import msgspec

PAGE = "500"


class List(msgspec.Struct, frozen=True):
    """GET one page of the collection."""

    query: dict[str, str]


class Watch(msgspec.Struct, frozen=True):
    """Open a watch and read it until it ends."""

    query: dict[str, str]


class Wait(msgspec.Struct, frozen=True):
    """Do nothing for a while; `link`: nor as long as the server is known to be out of reach, and go on at once when it is back."""

    seconds: float
    link: bool = False


Step = List | Watch | Wait


def watch_list(version: str, seconds: int) -> Watch:
    """A watch that sends the whole set first, and an end mark after it (KEP-3157); version "" asks for a consistent one."""
    query = {
        "watch": "1",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(seconds),
    }
    return Watch(query | {"resourceVersion": version} if version else query)


def watch(version: str, seconds: int) -> Watch:
    """A watch of what happens after a version. Never without one: that would read etcd directly."""
    return Watch({"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)})


def first_page(version: str, *, paged: bool) -> List:
    """The list, or its first page; version "0" takes any state that the server has at hand, "" a consistent one (rule R3)."""
    query = {"limit": PAGE} if paged else {}
    return List(query | {"resourceVersion": version} if version else query)


def next_page(token: str) -> List:
    """A later page: the server refuses a version beside a token (rule R2)."""
    return List({"limit": PAGE, "continue": token})
