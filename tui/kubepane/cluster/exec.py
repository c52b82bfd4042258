"""One command in a container, with its terminal: the channels of pods/exec over a WebSocket.

Source: k8s.io/apimachinery pkg/util/remotecommand (channel numbers, protocol names), client-go tools/remotecommand/v4.go (the
Status on the error channel).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from kubepane.cluster.api import Api
from kubepane.cluster.errors import NotKubernetes, Unreachable
from kubepane.cluster.redaction import one_line

if TYPE_CHECKING:
    from kubepane.cluster.transport import Socket  # only its type: importing it takes a tenth of a second

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS, RESIZE = range(5)
CHUNK = 32 << 10  # bytes of input in one message


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended.

    Attributes:
        code: its exit code, None when it never ran or nobody knows.
        text: why, where there is no code.
    """

    code: int | None
    text: str = ""


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[_Cause, ...] | None = None


class _Status(msgspec.Struct, frozen=True):
    status: str = ""
    message: str = ""
    reason: str = ""
    details: _Details | None = None


class Execution:
    """A command that runs. Must be closed.

    Attributes:
        ending: how it ended, None while it runs.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self.ending: Ending | None = None

    async def output(self) -> AsyncIterator[bytes]:
        """What it writes to its terminal, as it comes, until it has ended: `ending` says then how.

        A link that is cut is an ending without a code.
        """
        try:
            while self.ending is None and (message := await self._socket.receive()) is not None:
                channel, data = message[:1], message[1:]
                if channel == bytes([STATUS]):
                    self.ending = ending_of(data)
                elif channel in (bytes([STDOUT]), bytes([STDERR])) and data:
                    yield data
        except Unreachable as error:
            self.ending = Ending(None, f"the link was cut: {error}")
        if self.ending is None:
            self.ending = Ending(None, "the server closed the session without a word: the container or its node may be gone")

    async def type(self, data: bytes) -> None:
        """Sends keys to it.

        Raises:
            Unreachable: the link is cut, or it has ended: `output` tells which.
        """
        for start in range(0, len(data), CHUNK):
            await self._send(STDIN, data[start : start + CHUNK])

    async def resize(self, columns: int, rows: int) -> None:
        """Tells it the size of the terminal; raises as `type` does."""
        await self._send(RESIZE, msgspec.json.encode({"Width": columns, "Height": rows}))

    async def _send(self, channel: int, data: bytes) -> None:
        await self._socket.send(bytes([channel]) + data)

    async def close(self) -> None:
        """Ends the session; a program that still runs gets a hang-up from its node."""
        await self._socket.close()


async def begin(api: Api, namespace: str, pod: str, container: str, command: Sequence[str]) -> Execution:
    """Starts a command with a terminal.

    Raises:
        ClusterError: it could not be started; `Refused` with the server's words where it said why.
    """
    query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("tty", "true"), *(("command", word) for word in command)]
    socket = await api.socket(f"/api/v1/namespaces/{namespace}/pods/{pod}/exec", query, PROTOCOLS)
    if socket.protocol not in PROTOCOLS:
        await socket.close()
        raise NotKubernetes("the server speaks no exec protocol that is known here")
    return Execution(socket)


def ending_of(data: bytes) -> Ending:
    """What the Status on the error channel means."""
    try:
        status = msgspec.json.decode(data, type=_Status)
    except msgspec.DecodeError:
        return Ending(None, one_line(data.decode("utf-8", "replace"), 300) or "no reason was given")
    if status.status == "Success":
        return Ending(0)
    causes = status.details.causes or () if status.details is not None else ()
    code = next((cause.message for cause in causes if cause.reason == "ExitCode"), "")
    if status.reason == "NonZeroExitCode" and code.isascii() and code.isdigit():
        return Ending(int(code))
    return Ending(None, one_line(status.message, 300) or status.reason or "no reason was given")
