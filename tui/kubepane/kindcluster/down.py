"""`kubepane kind down`: removes a cluster that kubepane made, after a question."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kubepane.kindcluster import checks, contexts, failures, plan
from kubepane.kindcluster.ownership import Owner
from kubepane.kindcluster.site import Site, find, not_ours
from kubepane.kindcluster.trouble import DONE, Trouble

TIMEOUT = 300.0


def down(site: Site, name: str, kubeconfig: str, agreed: Callable[[str], None]) -> int:
    """Removes it.

    Args:
        site: where.
        name: of the cluster.
        kubeconfig: file whose context goes with it, "" for the one that `up` wrote to.
        agreed: asks the question; raises Trouble when the answer is no.

    Returns:
        The exit code.
    """
    checks.tools(site.programs)
    found = find(site, name)
    if found.owner is Owner.NOBODY:
        site.records.forget(name)
        site.progress.say(f"There is no Kind cluster {name}: nothing to remove.")
        return DONE
    if found.owner is Owner.OTHER:
        raise not_ours(name, found)
    assert found.record is not None
    agreed(f"Remove the Kind cluster {name} with its {len(found.containers)} nodes and all that is in it?")
    file = Path(kubeconfig or found.record.kubeconfig)
    had_context = contexts.mentions(file, f"kind-{name}")
    site.progress.begin("cluster")
    ran = site.programs.run(*plan.delete(name, str(file)), timeout=TIMEOUT, watch=lambda _: site.progress.now("removing its nodes"))
    if not ran.good:
        raise failures.explain(ran, "removing the cluster")
    left = found.engine.containers(name)
    if left:
        raise Trouble(f"kind left {len(left)} nodes", "run `kubepane kind down` again")
    site.records.forget(name)
    site.progress.done(f"removed, {len(found.containers)} nodes")
    if had_context:
        site.progress.say(f"context kind-{name} was removed from {file}; if it was the current one, none is now.")
    return DONE
