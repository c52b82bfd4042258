"""All verbs by name: what keys and command line both go through."""

from __future__ import annotations

from kubepane.acting import deleting, nodes, rollouts, scale
from kubepane.acting.plan import Verb

VERBS: dict[str, Verb] = {verb.name: verb for verb in (scale.VERB, *nodes.VERBS, *rollouts.VERBS, deleting.VERB)}
