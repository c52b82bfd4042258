"""Faults that can be asked for by annotation: the words, in one place, so that a reader finds them all.

Every annotation of the simulation begins with `sim.kubepane.io/`; a real cluster ignores them.

| annotation | on | value | what happens |
| --- | --- | --- | --- |
| `provision` | PersistentVolumeClaim, StorageClass | `fail`, `never` | a known provisioner fails, or is silent as if it were down |
| `demand` | Service | `500m` | users ask for that much CPU, spread over its ready endpoints |
| `sessions` | Service | `40` | how many users that is; by default one per 12m when an Ingress leads to the Service |
| `load-service`, `load-demand` | Pod | `chatapp` or `ns/chatapp`, `250m` | while ready, the pod makes that much load on the Service |
| `memory` | Pod | `600Mi@over=60s` | each container's memory grows to that amount within the time |
| `kubelet` | Node | `stopped` | no heartbeat, and everything on the node stands still until the annotation goes |
| `pull` | Pod | `not-found`, `unauthorized`, `slow=60s` | its images are refused by the registry, or take that long |
| `probe-startup`, `probe-liveness`, `probe-readiness` | Pod | `503`, `404`, `timeout`, `refused`, each with `@after=30s` | that probe fails |
| `start` | Pod | `60s` | its applications take that long to come up |
| `exit` | Pod | `1@after=5s` | its containers end with that code so long after each start |
| `stop` | Pod | `20s` | its containers take no notice of SIGTERM for so long |
"""

from __future__ import annotations

from kubepane_embedded.meta import Object, annotations_of

PREFIX = "sim.kubepane.io/"


def asked(obj: Object, name: str) -> str | None:
    """The value of `sim.kubepane.io/<name>` on an object, or None."""
    return annotations_of(obj).get(PREFIX + name)
