"""Time on one node: calls that are due wait while the node stands still."""

from __future__ import annotations

from collections.abc import Callable

from kubepane_embedded.clock import Clock, Timer


class Later:
    """A call that is due on a node; `cancel()` is free and may be repeated."""

    __slots__ = ("_callback", "_timer")

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback
        self._timer: Timer | None = None

    def arm(self, timer: Timer) -> None:
        """Remember what runs it."""
        self._timer = timer

    def run(self) -> None:
        """Make the call, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def cancel(self) -> None:
        """Forget the call."""
        self._callback = None
        if self._timer is not None:
            self._timer.cancel()


class NodeTime:
    """The cluster's clock as the things on one node see it: a stopped node does nothing until it goes on."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stopped = False
        self._held: list[Later] = []

    def later(self, seconds: float, callback: Callable[[], None]) -> Later:
        """Run `callback` after so many seconds, or when the node goes on."""
        later = Later(callback)
        later.arm(self.clock.call_later(seconds, lambda: self._due(later)))
        return later

    def _due(self, later: Later) -> None:
        if self.stopped:
            self._held.append(later)
        else:
            later.run()

    def stop(self) -> None:
        """Stand still."""
        self.stopped = True

    def resume(self) -> None:
        """Go on: what fell due meanwhile runs now."""
        self.stopped = False
        held, self._held = self._held, []
        for later in held:
            later.run()
