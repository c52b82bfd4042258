"""What a reflector means to do next, what it is doing, and what is known of the server it talks to."""

from __future__ import annotations

from enum import Enum


class Plan(Enum):
    """What to start when the wait is over."""

    SYNC = "sync"  # the whole set, by WatchList or list
    LIST = "list"  # the whole set, by list
    FULL = "full"  # the whole set in one page
    PAGE = "page"  # the next page of a list
    RESUME = "resume"  # the watch, from the last version


class Phase(Enum):
    """What is going on."""

    WAITING = "waiting"
    LIST = "list"
    WATCH = "watch"


class Server:
    """What was learned about an API server; shared by all its reflectors."""

    def __init__(self) -> None:
        self.watch_list = True
