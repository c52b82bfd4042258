"""All verbs by name: what keys and command line both go through."""

from __future__ import annotations

from kubepane.acting import nodes, scale
from kubepane.acting.plan import Verb

VERBS: dict[str, Verb] = {verb.name: verb for verb in (scale.VERB, *nodes.VERBS)}
