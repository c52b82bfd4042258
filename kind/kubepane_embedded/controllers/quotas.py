"""ResourceQuota status: counted again when something goes, ends or changes (kubernetes/pkg/controller/resourcequota).

What comes is counted at once by the API server's admission (`quota.charge`).
"""

from __future__ import annotations

from functools import partial

from kubepane_embedded import quota
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, clone, key_of
from kubepane_embedded.podfacts import is_finished
from kubepane_embedded.storage import Change
from kubepane_embedded.workqueue import WorkQueue

QUOTAS = "resourcequotas"
RESYNC = 300.0
"""Seconds between looks at all quotas (--resource-quota-sync-period)."""
UNCOUNTED = frozenset({"events", QUOTAS})
RECOUNTED = frozenset({"services", "persistentvolumeclaims"})
"""Kinds whose cost may change while they live."""


class QuotaController:
    """Keeps hard and used of every ResourceQuota.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._api = core.api
        self._storage = core.storage
        self._clock = core.clock
        self._client = core.client("kube-controller-manager")
        self._queue = WorkQueue(core.clock, self._reconcile, "resourcequota-controller")
        self._kinds = {item.storage for item in core.registry.resources if item.storage and item.namespaced} - UNCOUNTED

    def start(self) -> None:
        """Follow quotas, and every kind that may be counted."""
        self._storage.subscribe(QUOTAS, self._queue.add)
        for kind in sorted(self._kinds):
            self._storage.watch(kind, partial(self._notice, kind))
        self._resync()

    def _resync(self) -> None:
        for one in self._storage.objects(QUOTAS):
            self._queue.add(key_of(one))
        self._clock.call_later(RESYNC, self._resync)

    def _notice(self, kind: str, change: Change) -> None:
        ended = kind == "pods" and change.previous is not None and is_finished(change.now.obj) != is_finished(change.previous.obj)
        if change.type == "DELETED" or ended or (kind in RECOUNTED and change.type == "MODIFIED"):
            for one in self._storage.objects(QUOTAS, key_of(change.now.obj)[0]):
                self._queue.add(key_of(one))

    def _reconcile(self, key: Key) -> None:
        found = self._storage.read(QUOTAS, *key)
        if found is None:
            return
        status = quota.counted(self._api, found)
        if status != (found.get("status") or {}):
            self._client.update_status(QUOTAS, {**clone(found), "status": status})
