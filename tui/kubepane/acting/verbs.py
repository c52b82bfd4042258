"""All verbs by name: what keys and command line both go through."""

from __future__ import annotations

from kubepane.acting import applying, deleting, draining, loading, nodes, removing, rollouts, scale, tolerating
from kubepane.acting.plan import Verb

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        scale.VERB,
        *nodes.VERBS,
        draining.VERB,
        *rollouts.VERBS,
        deleting.VERB,
        tolerating.VERB,
        loading.VERB,
        applying.VERB,
        removing.VERB,
    )
}
