"""Logs of containers: followed, taken up again where a cut left them, never more at once than a reader can use.

Source: the pod log subresource of core/v1 (PodLogOptions). Lines carry the kubelet's timestamps on the wire, so that a stream
that was cut goes on without a gap and without lines twice; they are taken off before anybody sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from kubepane.cluster import resources as r
from kubepane.cluster.errors import ClusterError, Refused
from kubepane.cluster.requests import Requests

TAIL = 500  # lines of the past that a follower begins with
LONGEST = 16_384  # characters of a line that are kept; containers may write without line breaks
PAUSES = (1.0, 2.0, 5.0, 10.0)  # seconds before a cut stream is taken up again


def containers(pod: r.Pod) -> list[str]:
    """The names of all containers that have logs: the ordinary ones first, then the init containers."""
    return [c.name for c in (*(pod.spec.containers or ()), *(pod.spec.init_containers or ()))]


class LogStream:
    """The log of one container.

    Args:
        requests: the door to the API.
        namespace, pod, container: whose log.
        previous: that of the container before this one; it ends and is not followed.

    Attributes:
        state: what the reader should know: "", or why nothing comes.
        ended: the log is complete: the container ended, or it was a previous one.
    """

    def __init__(self, requests: Requests, namespace: str, pod: str, container: str, *, previous: bool = False) -> None:
        self._requests = requests
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        self.pod, self.container, self.previous = pod, container, previous
        self.state = ""
        self.ended = False
        self._last = ""  # the timestamp of the newest line
        self._at_last: set[str] = set()  # the lines that carry it: a resumed stream sends them again

    async def lines(self) -> AsyncIterator[list[str]]:
        """Lines in bulk, as they come; ends with the log. Never raises for a fault of link or server: `state` says it."""
        failures = 0
        while not self.ended:
            try:
                async for some in self._once():
                    failures = 0
                    self.state = ""
                    yield some
                self.ended = True  # a followed stream ends in order when its container does
            except Refused as error:
                self.state = str(error)
                self.ended = error.status in (400, 403, 404)
                if self.ended and error.status == 400 and not self.previous and "waiting to start" in error.message:
                    self.ended = False
            except ClusterError as error:
                self.state = f"cut: {error}"
            if not self.ended:
                await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                failures += 1

    async def _once(self) -> AsyncIterator[list[str]]:
        query = {"container": self.container, "timestamps": "true"}
        query |= {"previous": "true"} if self.previous else {"follow": "true"}
        query |= {"sinceTime": self._last} if self._last else {"tailLines": str(TAIL)}
        rest = b""
        async with self._requests.stream(self._path, query, accept="*/*") as chunks:
            async for chunk in chunks:
                *whole, rest = (rest + chunk).split(b"\n")
                if len(rest) > LONGEST * 4:
                    whole, rest = [*whole, rest], b""
                if some := self._fresh(whole):
                    yield some
        if rest and (some := self._fresh([rest])):
            yield some

    def _fresh(self, raw: list[bytes]) -> list[str]:
        """The lines that were not seen before, without their timestamps."""
        out = []
        for line in raw:
            stamp, _, text = line.decode("utf-8", "replace").partition(" ")
            if stamp < self._last or (stamp == self._last and text in self._at_last):
                continue
            if stamp != self._last:
                self._last, self._at_last = stamp, set()
            self._at_last.add(text)
            out.append(text[:LONGEST].rstrip("\r"))
        return out
