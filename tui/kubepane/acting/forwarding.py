"""The port-forwards of a session: opened, followed from pod to pod, stopped. All end with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from kubepane.acting import aiming
from kubepane.acting.aiming import Aim
from kubepane.acting.plan import Unfit
from kubepane.acting.visiting import checked, missing
from kubepane.cluster.errors import ClusterError, Forbidden, NotFound, ReadOnly
from kubepane.cluster.forward import PROTOCOLS, Listener, Way
from kubepane.cluster.session import Session
from kubepane.cluster.writing import Ref


class State(Enum):
    """How a forward is."""

    OPEN = "open"
    WAITING = "waiting"  # its pod is gone, and no other is ready yet
    ENDED = "ended"


@dataclass
class Forward:
    """One port of this machine that leads into the cluster.

    Attributes:
        pod: where it leads now.
        port: there.
        text: what there is to say of its state.
    """

    aim: Aim
    pod: Ref
    port: int
    listener: Listener
    since: datetime
    state: State = State.OPEN
    text: str = ""

    @property
    def says(self) -> str:
        """`127.0.0.1:8080 → chatapp-0:8080`."""
        return f"127.0.0.1:{self.listener.port} → {self.pod.name}:{self.port}"


class Forwards:
    """All forwards of one session.

    Args:
        changed: called when a line of one reads differently.
        say: tells the user what happened to one, and whether that is bad.
    """

    def __init__(self, session: Session, changed: Callable[[], None], say: Callable[[Forward, str, bool], None]) -> None:
        self._session, self._changed, self._say = session, changed, say
        self.all: list[Forward] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: set[int] = set()
        self._pods = session.stores.pods.subscribe(self._look)
        self._pods.drain()  # it wakes only when it was empty

    @property
    def open(self) -> list[Forward]:
        """Those that listen."""
        return [one for one in self.all if one.state is not State.ENDED]

    async def begin(self, aim: Aim, pod: Ref, port: int, local: int) -> Forward:
        """Opens one.

        Raises:
            Unfit: the pod is gone.
            ClusterError: it may not be, the pod cannot be read, or the local port is taken.
        """
        if self._session.options.read_only:
            raise ReadOnly("read-only: what goes through a forward could change anything")
        await checked(self._session, pod)
        forward = Forward(aim, pod, port, Listener(lambda: self._way(forward), self._changed), self._session.clock.now())
        await forward.listener.listen(local)
        self.all.append(forward)
        self._tell(forward, "opened")
        self._changed()
        return forward

    async def _way(self, forward: Forward) -> Way:
        """A way to the pod that the forward leads to now."""
        if forward.state is not State.OPEN:
            raise Unfitting(forward.text)
        ref, api = forward.pod, self._session.api
        assert api is not None
        held = self._session.stores.pods.get(ref.uid)
        if held is None:
            await self._sure(forward)
        try:
            return await api.socket(f"{ref.path}/portforward", [("ports", str(forward.port))], PROTOCOLS)
        except Forbidden as error:
            raise ClusterError(missing(error, ref, "portforward")) from None
        except NotFound:
            self._begin(self._gone(forward))
            raise

    async def _sure(self, forward: Forward) -> None:
        """The pod is not held: it may be gone, or its namespace is not shown any more. Only the server knows."""
        try:
            await checked(self._session, forward.pod)
        except Unfit as error:
            self._begin(self._gone(forward))
            raise Unfitting(str(error)) from None

    # ---- pods come and go

    def _look(self) -> None:
        asyncio.get_running_loop().call_soon(self._look_now)

    def _look_now(self) -> None:
        touched = self._pods.drain()
        for forward in self.open:
            held = self._session.stores.pods.get(forward.pod.uid)
            if forward.state is State.WAITING:
                self._rebind(forward)
            elif forward.pod.uid in touched and (held is None or aiming.over(held)):
                self._begin(self._gone(forward))

    async def _gone(self, forward: Forward) -> None:
        """A pod that is not held any more may only be out of sight; one that is said to be going is."""
        if id(forward) in self._looking or forward.state is not State.OPEN:
            return
        self._looking.add(id(forward))
        try:
            if self._session.stores.pods.get(forward.pod.uid) is None:
                await checked(self._session, forward.pod)
                return
        except Unfit:
            pass
        except ClusterError:
            return  # nobody knows: the next connection asks again
        finally:
            self._looking.discard(id(forward))
        if not self._rebind(forward):
            await self._wait_or_end(forward)

    def _rebind(self, forward: Forward) -> bool:
        """Whether another pod has taken the place of the one that is gone."""
        found = aiming.doors(forward.aim, self._session.stores, without=forward.pod.uid)
        if not found:
            return False
        before, forward.pod = forward.pod, found[0].pod
        forward.state, forward.text = State.OPEN, f"pod {before.name} was replaced: re-bound to {forward.pod.name}"
        self._tell(forward, "re-bound", f"from {before.name}")
        self._say(forward, forward.text, False)
        self._changed()
        return True

    async def _wait_or_end(self, forward: Forward) -> None:
        if forward.aim.lasting:
            forward.state, forward.text = State.WAITING, f"pod {forward.pod.name} is gone: waiting for one that is ready"
            self._say(forward, forward.text, True)
            self._changed()
        else:
            await self._end(forward, f"pod {forward.pod.name} is gone: stopped")
            self._say(forward, forward.text, True)

    # ---- the end

    async def stop(self, forward: Forward) -> None:
        """Ends one."""
        await self._end(forward, "stopped")

    async def _end(self, forward: Forward, text: str) -> None:
        if forward.state is State.ENDED:
            return
        forward.state, forward.text = State.ENDED, text
        self.all.remove(forward)
        await forward.listener.close()
        numbers = f"{forward.listener.served} connections, {forward.listener.inward} bytes in, {forward.listener.outward} bytes out"
        self._tell(forward, "ended", f"{text}: {numbers}")
        self._changed()

    async def close(self) -> None:
        """Ends all."""
        self._session.stores.pods.unsubscribe(self._pods)
        for task in tuple(self._tasks):
            task.cancel()
        for forward in tuple(self.all):
            await self._end(forward, "the program or its session ended")

    def _tell(self, forward: Forward, end: str, text: str = "") -> None:
        self._session.visited(forward.pod, f"port-forward {forward.says}", f"{forward.pod.path}/portforward", end, text)

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(what, name="forward")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Unfitting(ClusterError):
    """There is no pod to connect to; the message says why."""
