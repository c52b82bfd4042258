"""All kubelets of the cluster: one for every Node object, workers for the pods that are bound to it; logs and exec of their containers."""

from __future__ import annotations

from collections.abc import Callable

from kubepane_embedded.backend import Backend
from kubepane_embedded.faults import asked
from kubepane_embedded.kubelet.adopting import adopt, is_begun
from kubepane_embedded.kubelet.attaching import drive, show, waits_for_input
from kubepane_embedded.kubelet.execution import Execution
from kubepane_embedded.kubelet.guests import as_guest
from kubepane_embedded.kubelet.heartbeat import Heartbeat
from kubepane_embedded.kubelet.kubelet import Kubelet, Shared, kubelet_of
from kubepane_embedded.kubelet.logbook import Journal, Logbook
from kubepane_embedded.kubelet.memorywatch import MemoryWatch
from kubepane_embedded.kubelet.network import Listener, Network
from kubepane_embedded.kubelet.pages import serve
from kubepane_embedded.kubelet.podworker import PodWorker
from kubepane_embedded.kubelet.records import Run, Slot
from kubepane_embedded.kubelet.stopping import KILLED
from kubepane_embedded.kubelet.volumes import Volumes
from kubepane_embedded.meta import Key, Object, is_deleting, key_of, uid_of
from kubepane_embedded.podfacts import is_finished, node_of
from kubepane_embedded.podindexes import index_pods_by_node, is_synthetic, pods_on
from kubepane_embedded.runtime import ExecSession, Streams
from kubepane_embedded.workqueue import WorkQueue


class Kubelets:
    """The kubelets of all nodes (`parts.Part`), and what the API server asks of them (`runtime.PodRuntime`).

    Args:
        core: The cluster.
        logbook: Where containers' output goes; the load model writes there, too.
        memory: Bytes that a container of a pod uses now.
    """

    def __init__(self, core: Backend, logbook: Logbook, memory: Callable[[Object, str], int]) -> None:
        self._client = core.client("kubelet")
        self._storage = core.storage
        self._clock = core.clock
        self._logbook = logbook
        self._pods = WorkQueue(core.clock, self._sync_pod, "kubelet")
        self._nodes = WorkQueue(core.clock, self._sync_node, "kubelet nodes")
        self._kubelets: dict[str, Kubelet] = {}
        self._hearts: dict[str, Heartbeat] = {}
        self._workers: dict[Key, PodWorker] = {}
        self._addresses: dict[str, PodWorker] = {}
        self._shared = Shared(
            client=self._client,
            seed=core.seed.fork(),
            logbook=logbook,
            volumes=Volumes(core.storage),
            network=Network(core.storage, self._listener_at),
            watch=MemoryWatch(core.clock, memory),
            look=self._pods.add_after,
        )

    def start(self) -> None:
        """Take on all nodes, and the pods on them."""
        index_pods_by_node(self._storage)
        self._storage.subscribe("nodes", self._nodes.add)
        self._storage.subscribe("pods", self._pods.add, _bound)
        for node in self._storage.objects("nodes"):
            self._nodes.add(key_of(node))

    # nodes

    def _sync_node(self, key: Key) -> None:
        name = key[1]
        node = self._storage.read("nodes", "", name)
        if node is None:
            self._lose(name)
            return
        kubelet = self._kubelets.get(name)
        if kubelet is None:
            kubelet = self._kubelets[name] = kubelet_of(node, self._shared)
            heart = self._hearts[name] = Heartbeat(kubelet, self._clock)
            if asked(node, "kubelet") == "stopped":
                kubelet.time.stop()
            heart.start()
            self._look_at_all(name)
        elif (asked(node, "kubelet") == "stopped") != kubelet.time.stopped:
            self._stop_or_go(kubelet, node)

    def _stop_or_go(self, kubelet: Kubelet, node: Object) -> None:
        if not kubelet.time.stopped:
            kubelet.time.stop()
            return
        kubelet.time.resume()
        self._hearts[kubelet.name].report(node)
        self._look_at_all(kubelet.name)

    def _look_at_all(self, node: str) -> None:
        for pod in pods_on(self._storage, node):
            if next(iter(_bound(pod)), None) is not None:
                self._pods.add(key_of(pod))

    def _lose(self, name: str) -> None:
        """A node is gone: so are its kubelet and everything that ran there."""
        heart = self._hearts.pop(name, None)
        if heart is not None:
            heart.end()
        kubelet = self._kubelets.pop(name, None)
        for key, worker in list(self._workers.items()):
            if worker.kubelet is kubelet:
                self._forget(key)

    # pods

    def _sync_pod(self, key: Key) -> None:
        pod = self._storage.read("pods", *key)
        worker = self._workers.get(key)
        if worker is not None and (pod is None or uid_of(pod) != worker.uid):
            self._forget(key)
            worker = None
        if pod is None:
            return
        kubelet = self._kubelets.get(node_of(pod))
        if kubelet is None or kubelet.time.stopped:
            return
        if is_synthetic(pod):
            self._end_synthetic(pod)
            return
        if worker is None:
            worker = self._take_on(kubelet, pod)
        if worker is not None:
            worker.sync(pod)
            if worker.address:
                self._addresses[worker.address] = worker

    def _take_on(self, kubelet: Kubelet, pod: Object) -> PodWorker | None:
        if is_finished(pod):
            if is_deleting(pod):
                self._client.delete("pods", *key_of(pod), grace=0, uid=uid_of(pod))
            return None
        worker = self._workers[key_of(pod)] = PodWorker(kubelet, pod)
        if is_begun(pod):
            adopt(worker)
        return worker

    def _end_synthetic(self, pod: Object) -> None:
        """Pods of a load test only go when they are deleted."""
        if is_deleting(pod):
            namespace, name = key_of(pod)
            uid = uid_of(pod)
            self._client.delete("pods", namespace, name, grace=0, uid=uid)

    def _forget(self, key: Key) -> None:
        worker = self._workers.pop(key)
        if self._addresses.get(worker.address) is worker:
            del self._addresses[worker.address]
        worker.drop()

    def _listener_at(self, address: str) -> Listener | None:
        worker = self._addresses.get(address)
        return worker if worker is not None and not worker.finished and not worker.time.stopped else None

    # what the API server asks

    def log(self, pod: Object, container: str, previous: bool) -> Journal | None:
        """The log of a container's present (or last) or previous run; None when there is none."""
        slot = self._slot(pod, container)
        if slot is None or slot.run is None:
            return Journal() if is_synthetic(pod) and not previous else None
        if previous and slot.waiting is not None and slot.ending is not None:
            previous = False  # it waits to be started again: the run that has ended is the previous one
        return self._logbook.read(uid_of(pod), container, previous)

    async def exec(self, pod: Object, container: str, command: list[str], tty: bool, session: ExecSession) -> int:
        """Run a command in a container; returns its exit code."""
        run = self._run(pod, container)
        worker = self._workers.get(key_of(pod))
        if run is None or worker is None:
            await session.write_error(f'container not found ("{container}")\n'.encode())
            return 1
        return await as_guest(run, Execution(run.around, worker.time, session, tty).run(command), KILLED)

    async def forward(self, pod: Object, port: int, streams: Streams) -> str:
        """Connect a client to a port of a pod; returns what went wrong, in containerd's words."""
        worker = self._workers.get(key_of(pod))
        if worker is None or worker.uid != uid_of(pod) or worker.finished:
            return f"error forwarding port {port} to pod {uid_of(pod)}, uid : sandbox container is not running"
        run = worker.listening(port)
        if run is None:
            why = f"IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address"
            inside = "failed to execute portforward in network namespace"
            return f"error forwarding port {port} to pod {worker.uid}, uid : {inside}: failed to connect to localhost:{port} inside namespace, {why}"
        return await as_guest(run, _served(streams, worker, port), "")

    async def attach(self, pod: Object, container: str, tty: bool, session: ExecSession) -> int:
        """The streams of a container's main process, until it has ended."""
        run = self._run(pod, container)
        worker = self._workers.get(key_of(pod))
        if run is None or worker is None:
            await session.write_error(f'container not found ("{container}")\n'.encode())
            return 1
        if waits_for_input(run.around):
            return await drive(run.around, worker.time, session, tty)
        journal = self._logbook.read(uid_of(pod), container)
        return await show(journal, session, tty) if journal is not None else 1

    def _slot(self, pod: Object, container: str) -> Slot | None:
        worker = self._workers.get(key_of(pod))
        if worker is None or worker.uid != uid_of(pod):
            return None
        return next((slot for slot in worker.slots if slot.name == container), None)

    def _run(self, pod: Object, container: str) -> Run | None:
        slot = self._slot(pod, container)
        return slot.run if slot is not None and slot.run is not None and slot.run.alive else None


async def _served(streams: Streams, worker: PodWorker, port: int) -> str:
    await serve(streams, worker, port, worker.address)
    return ""


def _bound(pod: Object) -> tuple[Key, ...]:
    """Pods that a kubelet looks at: bound ones; synthetic ones only when they are deleted."""
    if not node_of(pod) or (is_synthetic(pod) and not is_deleting(pod)):
        return ()
    return (key_of(pod),)
