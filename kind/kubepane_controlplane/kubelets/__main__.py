"""`python -m kubepane_controlplane.kubelets`: simulated kubelets for the nodes of an API server, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp

from kubepane_controlplane.kubelets.backend import FOLLOWED, RemoteBackend
from kubepane_controlplane.kubelets.endpoint import Endpoint, serve, server_tls
from kubepane_controlplane.kubelets.figures import Figures
from kubepane_controlplane.kubelets.following import PAUSE, Follower
from kubepane_controlplane.kubelets.registering import register
from kubepane_controlplane.kubelets.server import Server, server_of
from kubepane_embedded.controllers.ingresses import IngressController
from kubepane_embedded.controllers.provisioner import ExternalProvisioner
from kubepane_embedded.errors import ApiError
from kubepane_embedded.kubelet.kubelets import Kubelets
from kubepane_embedded.kubelet.logbook import Logbook
from kubepane_embedded.load.demand import Demand
from kubepane_embedded.load.sessions import Sessions
from kubepane_embedded.load.usage import Usage
from kubepane_embedded.seed import Seed

AGENT = "kubepane-kubelets"
log = logging.getLogger(AGENT)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m kubepane_controlplane.kubelets", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="leads to the API server")
    parser.add_argument("--nodes", type=int, default=4, help="nodes to register, the first a control-plane node (4)")
    parser.add_argument("--port", type=int, required=True, help="where all of them answer, on 127.0.0.1")
    parser.add_argument("--folder", type=Path, required=True, help="ca.crt, leaf.crt and leaf.key to answer with")
    parser.add_argument("--seed", type=int, default=1, help="of the kubelets' chance (1)")
    return parser


async def registered(backend: RemoteBackend, workers: int, port: int) -> None:
    """Create nodes and add-ons, however long the server takes to come."""
    while True:
        try:
            register(backend, workers, port)
            return
        except ApiError as refusal:
            log.info("not registered yet: %s", refusal)
            await asyncio.sleep(PAUSE)


@asynccontextmanager
async def following(server: Server, backend: RemoteBackend) -> AsyncIterator[None]:
    """The mirror, complete and kept up to date."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=server.tls or True)) as session:
        followers = [Follower(session, server, backend.registry.stored(name), backend.mirror) for name in FOLLOWED]
        tasks = [asyncio.create_task(follower.run()) for follower in followers]
        try:
            await asyncio.gather(*(follower.listed.wait() for follower in followers))
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def begin(backend: RemoteBackend) -> Endpoint:
    """Start everything that happens on nodes; returns what others ask of it."""
    logbook = Logbook(backend.clock)
    demand = Demand(backend)
    usage = Usage(backend, demand)
    kubelets = Kubelets(backend, logbook, usage.memory)
    others = (demand, usage, Sessions(backend, demand, logbook.write), ExternalProvisioner(backend), IngressController(backend))
    for part in (kubelets, *others):
        part.start()
    return Endpoint(backend, kubelets, Figures(backend, usage))


async def run(given: argparse.Namespace, stop: asyncio.Event) -> None:
    """Kubelets on the server of a kubeconfig, until told to stop."""
    server = server_of(given.kubeconfig, AGENT)
    backend = RemoteBackend(server, Seed(given.seed))
    with closing(backend):
        await play(server, backend, given, stop)


async def play(server: Server, backend: RemoteBackend, given: argparse.Namespace, stop: asyncio.Event) -> None:
    """Register, follow, serve."""
    await registered(backend, given.nodes - 1, given.port)
    async with following(server, backend):
        backend.clock.attach(asyncio.get_running_loop())
        runner = await serve(begin(backend).application(), given.port, server_tls(given.folder))
        log.info("kubelets of %d nodes answer on port %d", given.nodes, given.port)
        try:
            await stop.wait()
        finally:
            backend.clock.detach()
            await runner.cleanup()


async def main() -> None:
    """Entry point."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(arguments().parse_args(), stop)


if __name__ == "__main__":
    asyncio.run(main())
