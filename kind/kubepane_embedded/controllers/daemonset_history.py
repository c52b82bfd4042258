"""Revisions of DaemonSets: the present one, the earlier ones, how many are kept (pkg/controller/daemon/update.go, constructHistory)."""

from __future__ import annotations

from kubepane_embedded.client import Client
from kubepane_embedded.controllers.deployment_revisions import template_hash
from kubepane_embedded.controllers.revisions import POD_HASH, History, name_of, number_of, template_patch
from kubepane_embedded.errors import ApiError, conflict
from kubepane_embedded.meta import Object, key_of, labels_of


class DaemonHistory:
    """The revisions of DaemonSets.

    Args:
        client: Who reads and writes.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._history = History(client)

    def sorted_out(self, daemon_set: Object, pods: list[Object]) -> tuple[Object, list[Object]]:
        """The revision of the present template, made or numbered as the newest where needed, and the earlier ones, oldest first."""
        data = template_patch(daemon_set)
        revisions = [self._history.label(one, POD_HASH, name_of(one)) for one in self._history.of(daemon_set)]
        current = [one for one in revisions if one.get("data") == data]
        old = [one for one in revisions if one.get("data") != data]
        number = max(map(number_of, old), default=0) + 1
        if not current:
            return self._create(daemon_set, number), old
        kept = self._only_one(current, pods)
        return (self._history.renumber(kept, number) if number_of(kept) < number else kept), old

    def forget(self, daemon_set: Object, old: list[Object], pods: list[Object]) -> None:
        """Delete the oldest revisions beyond the limit that no pod has (cleanupHistory)."""
        limit = daemon_set["spec"].get("revisionHistoryLimit")
        surplus = len(old) - (10 if limit is None else int(limit))
        if surplus <= 0:
            return
        live = {labels_of(pod).get(POD_HASH) for pod in pods}
        for one in [one for one in old if labels_of(one).get(POD_HASH) not in live][:surplus]:
            self._history.delete(one)

    def _create(self, daemon_set: Object, number: int) -> Object:
        collisions = (daemon_set.get("status") or {}).get("collisionCount")
        digest = template_hash(daemon_set["spec"]["template"], collisions)
        created = self._history.create(self._history.wanted(daemon_set, number, digest, POD_HASH))
        if created is not None:
            return created
        namespace, name = key_of(daemon_set)
        self._client.patch_status("daemonsets.apps", namespace, name, {"collisionCount": (collisions or 0) + 1})
        raise _collision(daemon_set, digest)

    def _only_one(self, current: list[Object], pods: list[Object]) -> Object:
        """Of several revisions with the present template the newest; pods of the others become its own (dedupCurHistories)."""
        kept = current[-1]
        if len(current) == 1:
            return kept
        digest = labels_of(kept).get(POD_HASH)
        for pod in pods:
            if labels_of(pod).get(POD_HASH) != digest:
                self._client.patch("pods", *key_of(pod), {"metadata": {"labels": {POD_HASH: digest}}})
        for one in current[:-1]:
            self._history.delete(one)
        return kept


def _collision(daemon_set: Object, digest: str) -> ApiError:
    """Tried again at once: the next name differs by the collision count."""
    return conflict("apps", "controllerrevisions", f"{key_of(daemon_set)[1]}-{digest}")
