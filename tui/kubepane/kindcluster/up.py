"""`kubepane kind up`: makes what is missing of the cluster, in order, and says what was there already."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from kubepane.kindcluster import checks, contexts, failures, plan
from kubepane.kindcluster.facts import ABSENT, READY, Facts
from kubepane.kindcluster.ownership import Owner, Record
from kubepane.kindcluster.plan import Wanted
from kubepane.kindcluster.programs import TookTooLong
from kubepane.kindcluster.reach import Reach, reach
from kubepane.kindcluster.site import Found, Site, find, not_ours
from kubepane.kindcluster.trouble import DONE, REFUSED, Trouble
from kubepane_manifests import kustomization, places

PAUSE = 2.0  # seconds between two looks at the cluster
_TRIES = 4  # an API server that has just begun drops a request now and then
_AGAIN = re.compile(
    r"no matches for kind|ensure CRDs are installed first|connection refused|was refused|EOF|etcdserver|try again later|TLS handshake timeout"
)
_PHASE = re.compile(r"^ • ([^\n]*?)\s+\.\.\.\s*$", re.MULTILINE)  # kind: pkg/internal/cli/status.go


class Up:
    """One run of it.

    Attributes:
        left: what is left behind when the run ends here.
    """

    def __init__(self, site: Site, wanted: Wanted) -> None:
        self._site, self._wanted = site, wanted
        self._progress = site.progress
        self.left = "nothing was changed"

    def run(self) -> int:
        """Does it.

        Returns:
            The exit code.

        Raises:
            Trouble: it cannot go on.
        """
        checks.tools(self._site.programs)
        found = find(self._site, self._wanted.name)
        checks.engine_fit(found.engine.name, found.engine.about)
        if found.owner is Owner.OTHER:
            raise not_ours(self._wanted.name, found)
        if found.owner is Owner.UNFINISHED:
            found = self._finish_or_remove(found)
        if found.owner is Owner.NOBODY:
            self._create(found)
        else:
            self._continue(found)
        again = "`kubepane kind up` continues, `kubepane kind down` removes it"
        self.left = f"the cluster {self._wanted.name} is there, but not complete: {again}"
        with reach(self._site.programs, self._wanted.name) as cluster:
            file = self._context(cluster)
            self._addons(cluster)
        self._tell(file)
        return DONE

    # ---- the cluster itself

    def _finish_or_remove(self, found: Found) -> Found:
        """A cluster that was left in the midst of its making: kept when Kubernetes answers with all nodes, else removed."""
        assert found.record is not None
        try:
            with reach(self._site.programs, self._wanted.name) as cluster:
                complete = len(cluster.look().nodes) == found.record.workers + 1 == len(found.containers)
        except Trouble:
            complete = False
        if complete:
            self._site.records.save(msgspec.structs.replace(found.record, finished=True))
            return find(self._site, self._wanted.name)
        self._progress.begin("cluster")
        self._progress.now("removing what an interrupted run left")
        ran = self._site.programs.run(*plan.delete(self._wanted.name, found.record.kubeconfig), timeout=self._wanted.timeout)
        if not ran.good:
            raise failures.explain(ran, "removing what an interrupted run left")
        self._progress.done("removed what an interrupted run left")
        self._site.records.forget(self._wanted.name)
        return find(self._site, self._wanted.name)

    def _create(self, found: Found) -> None:
        wanted = self._wanted
        checks.ports_free(found.engine, wanted)
        for doubt in checks.doubts(self._site.programs, found.engine.about):
            self._progress.note(doubt)
        config = plan.configuration(wanted)
        workers = sum(node["role"] == "worker" for node in config["nodes"])
        created = f"{self._site.time.now():%Y-%m-%dT%H:%M:%SZ}"
        record = Record(
            name=wanted.name,
            engine=found.engine.name,
            created=created,
            workers=workers,
            http_port=wanted.http_port,
            https_port=wanted.https_port,
            kubeconfig=str(contexts.written(wanted.kubeconfig, self._site.programs.environ).absolute()),
        )
        self._site.records.save(record)
        self._progress.begin("cluster")
        try:
            self._kind_create(found, record, plan.text(config))
        except BaseException:
            self._take_stock(found, record)
            raise
        record = self._remember(found, record)
        self._site.records.save(msgspec.structs.replace(record, finished=True))
        self._progress.done(f"made, {len(record.containers)} nodes")

    def _kind_create(self, found: Found, record: Record, config: str) -> None:
        def watch(err: str) -> None:
            phases = _PHASE.findall(err)
            self._progress.now(phases[-1].encode("ascii", "ignore").decode().strip() if phases else "")
            self._remember(found, record)

        try:
            ran = self._site.programs.run(*plan.create(self._wanted), timeout=self._wanted.timeout, stdin=config, watch=watch)
        except TookTooLong as late:
            raise failures.overdue(late, "making the cluster") from late
        if not ran.good:
            raise failures.explain(ran, "making the cluster")

    def _remember(self, found: Found, record: Record) -> Record:
        """Writes down the ids of the containers as they come: they prove that the cluster is ours, should we be killed."""
        ids = {one.name: one.id for one in found.engine.containers(self._wanted.name)}
        if ids != record.containers:
            record.containers = ids
            self._site.records.save(record)
        return record

    def _take_stock(self, found: Found, record: Record) -> None:
        """After a failure: what is left. kind removes what it has begun, unless it was ended itself."""
        name = self._wanted.name
        try:
            self._remember(found, record)
        except (Trouble, OSError):
            self.left = f"nodes of the cluster {name} may be left: see `kubepane kind status`"
            return
        if record.containers:
            self.left = f"{len(record.containers)} unfinished nodes are left: `kubepane kind up` begins anew, `kubepane kind down` removes them"
        else:
            self._site.records.forget(name)
            self.left = "nothing is left behind"

    def _continue(self, found: Found) -> None:
        record, wanted = found.record, self._wanted
        assert record is not None
        if len(found.containers) < len(record.containers):
            gone = sorted(set(record.containers) - {one.name for one in found.containers})
            raise Trouble(f"nodes of the cluster are gone: {', '.join(gone)}", "kubepane kind down, then up: kind cannot add nodes")
        for what, asked, have in (
            ("workers", wanted.workers, record.workers),
            ("HTTP port", wanted.http, record.http_port),
            ("HTTPS port", wanted.https, record.https_port),
        ):
            if asked is not None and asked != have:
                raise Trouble(f"the cluster has {what} {have}, not {asked}", "kubepane kind down, then up: kind cannot change it", REFUSED)
        stopped = [one for one in found.containers if one.state != "running"]
        self._progress.begin("cluster")
        if stopped:
            found.engine.start(stopped)
        there = f"was there already, {len(found.containers)} nodes"
        self._progress.done(f"{there}, {len(stopped)} of them started" if stopped else there)

    # ---- what runs in it

    def _context(self, cluster: Reach) -> str:
        """Sees to it that the kubeconfig has the context; gives the file and what became of it."""
        wanted, environ = self._wanted, self._site.programs.environ
        file = contexts.written(wanted.kubeconfig, environ)
        if contexts.holds(wanted.kubeconfig, environ, cluster.text):
            return f"context {wanted.context} is in {file}"
        ran = self._site.programs.run(*plan.export(wanted), timeout=60.0)
        if not ran.good:
            raise failures.explain(ran, f"writing the context to {file}")
        if record := self._site.records.load(wanted.name):
            self._site.records.save(msgspec.structs.replace(record, kubeconfig=str(file.absolute())))
        return f"context {wanted.context} was written to {file} and is the current one now"

    def _addons(self, cluster: Reach) -> None:
        now = self._first_look(cluster)
        for name in self._names(now):
            self._progress.begin(name)
            about = kustomization.read(places.KIND / "addons" / name)["metadata"]["annotations"]
            what = about["kubepane.io/description"].partition(",")[0]
            if _is_ready(name, now):
                self._progress.done(f"was there already: {what}")
            else:
                self._install(cluster, name)
                now = self._wait(lambda: cluster.look(), name)
                self._progress.done(what)
            if notice := about.get("kubepane.io/notice"):
                self._progress.note(notice)

    def _first_look(self, cluster: Reach) -> Facts:
        """Nodes that were started a moment ago take some time to answer."""
        for _ in range(_TRIES * 4):
            try:
                return cluster.look()
            except Trouble:
                self._site.time.sleep(PAUSE)
        return cluster.look()

    def _names(self, now: Facts) -> tuple[str, ...]:
        """The add-ons of this run: an ingress controller that is there stays, and excludes another one."""
        asked, there = self._wanted.ingress, now.ingress
        if there and asked is not None and plan.INGRESSES[asked] not in ("", there):
            raise Trouble(f"{there} has the ports already", "kubepane kind down, then up: two ingress controllers take each other's ports", REFUSED)
        names = [name for name in self._wanted.addons if name not in plan.INGRESSES.values()]
        ingress = there if asked is None and there else plan.INGRESSES[asked or "nginx"]
        return (*names, *((ingress,) if ingress else ()))

    def _install(self, cluster: Reach, name: str) -> None:
        self._progress.now("fetching its release")
        for left in reversed(range(_TRIES)):
            try:
                ran = cluster.apply(name, self._wanted.timeout, lambda _: self._progress.now("fetching its release"))
            except TookTooLong as late:
                raise failures.overdue(late, f"installing {name}") from late
            if ran.good:
                return
            if not left or not _AGAIN.search(ran.err):
                raise failures.explain(ran, f"installing {name}")
            self._site.time.sleep(PAUSE)

    def _wait(self, look: Callable[[], Facts], name: str) -> Facts:
        """Looks until the add-on is ready; with the network, until the nodes are."""
        end = self._site.time.monotonic() + self._wanted.timeout
        while True:
            try:
                now = look()
                text = now.addons[name].text if now.addons[name].state != ABSENT else ""
                if name == "calico" and not now.nodes_ready:
                    text = f"{now.nodes_text}, {text}" if text and text != READY else now.nodes_text
                if _is_ready(name, now):
                    return now
            except Trouble as trouble:
                text = trouble.what
            self._progress.now(text)
            if self._site.time.monotonic() >= end:
                do = "see what `kubepane why` says of it; `kubepane kind up` waits on"
                raise Trouble(f"{name} is not ready after {self._wanted.timeout:.0f} s: {text}", do)
            self._site.time.sleep(PAUSE)

    def _tell(self, context: str) -> None:
        wanted = self._wanted
        record = self._site.records.load(wanted.name)
        port = record.http_port if record else wanted.http_port
        there = f"--context {wanted.context}" + (f" --kubeconfig {wanted.kubeconfig}" if wanted.kubeconfig else "")
        self._progress.say(f"{context}.")
        self._progress.say(f"  kubepane {there}")
        self._progress.say(f"  kubepane apply story {there}    # then open http://chatapp.localhost{'' if port == 80 else f':{port}'}")


def _is_ready(name: str, now: Facts) -> bool:
    return now.addons[name].state == READY and (name != "calico" or now.nodes_ready)
