"""Images on a node: pulled one at a time, kept, refused (pkg/kubelet/images/image_manager.go; texts of the registry are containerd's)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kubepane_embedded.faults import asked
from kubepane_embedded.kubelet.backoff import Backoff, go_duration
from kubepane_embedded.kubelet.images import KNOWN, Application, application, parsed, repository_of
from kubepane_embedded.kubelet.settings import seconds_of
from kubepane_embedded.meta import Object, uid_of
from kubepane_embedded.recorder import NORMAL, WARNING
from kubepane_embedded.seed import Seed

FIRST_WAIT, LONGEST_WAIT = 10.0, 300.0
REFUSAL_SECONDS = 0.9
"""How long a registry takes to say no."""
KNOWN_SECONDS = 0.3
"""How long a pull takes of what another pod has just pulled."""
Say = Callable[[str, str, str], None]
"""Records an event about the container: type, reason, message."""


class Refusal(NamedTuple):
    """Why a container has no image: reason and message of its waiting state."""

    reason: str
    message: str


@dataclass(slots=True)
class Pull:
    """A pull that is under way."""

    asked: float
    begins: float
    ends: float
    failure: str = ""


@dataclass(slots=True)
class Puller:
    """The image manager of one node.

    Args:
        now: Cluster seconds.
        seed: Chance, for how long things take.
    """

    now: Callable[[], float]
    seed: Seed
    present: dict[str, int] = field(default_factory=dict)
    """Full image name → bytes, of what was pulled."""
    changed: bool = False
    """Whether `present` has grown since the node's status was written."""
    _free: float = 0.0
    _pulls: dict[tuple[str, str], Pull] = field(default_factory=dict)
    _failures: dict[tuple[str, str], str] = field(default_factory=dict)
    _backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_WAIT, LONGEST_WAIT))

    def ensure(self, pod: Object, container: dict[str, Any], say: Say) -> float | Refusal:
        """Have the image of a container here: 0 when it is, seconds to wait for a pull, or why there is none."""
        image = container.get("image") or ""
        key = (uid_of(pod), f"{container.get('name')}/{image}")
        if key in self._pulls:
            return self._go_on(key, image, say)
        reference = parsed(image)
        if reference is None:
            trouble = f'couldn\'t parse image name "{image}": {_misnamed(image)}'
            message = f'Failed to apply default image tag "{image}": {trouble}'
            say(WARNING, "InspectFailed", message)
            return Refusal("InvalidImageName", message)
        policy = container.get("imagePullPolicy") or "IfNotPresent"
        if policy != "Always" and self._has(image):
            say(NORMAL, "Pulled", f'Container image "{image}" already present on machine and can be accessed by the pod')
            return 0.0
        if policy == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            say(WARNING, "ErrImageNeverPull", message)
            return Refusal("ErrImageNeverPull", message)
        return self._begin(key, pod, image, say)

    def left(self, pod: Object, container: dict[str, Any]) -> float:
        """Seconds until a refused image is asked for again."""
        return self._backoff.left((uid_of(pod), container.get("image") or ""), self.now())

    def forget(self, uid: str) -> None:
        """A pod is gone: its pulls are given up."""
        self._pulls = {key: pull for key, pull in self._pulls.items() if key[0] != uid}
        self._failures = {key: text for key, text in self._failures.items() if key[0] != uid}

    def _has(self, image: str) -> bool:
        reference = parsed(image)
        return reference is not None and reference.full in self.present

    def _begin(self, key: tuple[str, str], pod: Object, image: str, say: Say) -> float | Refusal:
        again = (key[0], image)
        if self._backoff.left(again, self.now()) > 0:
            message = f'Back-off pulling image "{image}"'
            say(NORMAL, "BackOff", message)
            before = self._failures.get(again)
            return Refusal("ImagePullBackOff", f"{message}: {before}" if before else message)
        self._failures.pop(again, None)
        say(NORMAL, "Pulling", f'Pulling image "{image}"')
        failure, seconds = self._outcome(pod, image)
        begins = max(self.now(), self._free)
        self._free = begins + seconds
        self._pulls[key] = Pull(self.now(), begins, self._free, failure)
        return self._free - self.now()

    def _outcome(self, pod: Object, image: str) -> tuple[str, float]:
        """What the registry will say, and when."""
        fault, _, amount = (asked(pod, "pull") or "").partition("=")
        known = application(image)
        if fault in ("not-found", "unauthorized") or known is None:
            return refusal(image, fault), self.seed.jitter(REFUSAL_SECONDS, 0.5)
        if fault == "slow":
            return "", seconds_of(amount, 60.0)
        if self._has(image) or any(name.partition("/")[2] == image and not pull.failure for (_, name), pull in self._pulls.items()):
            return "", self.seed.jitter(KNOWN_SECONDS, 0.5)
        return "", self.seed.jitter(known.pull_seconds, 0.2)

    def _go_on(self, key: tuple[str, str], image: str, say: Say) -> float | Refusal:
        pull = self._pulls[key]
        if self.now() < pull.ends:
            return pull.ends - self.now()
        del self._pulls[key]
        if pull.failure:
            say(WARNING, "Failed", f'Failed to pull image "{image}": {pull.failure}')
            again = (key[0], image)
            self._backoff.step(again, self.now(), self.now())
            self._failures[again] = f"ErrImagePull: {pull.failure}"
            return Refusal("ErrImagePull", pull.failure)
        size = (application(image) or Application()).size
        reference = parsed(image)
        if reference is not None and reference.full not in self.present:
            self.present[reference.full] = size
            self.changed = True
        took, waited = go_duration(pull.ends - pull.begins), go_duration(pull.ends - pull.asked)
        say(NORMAL, "Pulled", f'Successfully pulled image "{image}" in {took} ({waited} including waiting). Image size: {size} bytes.')
        return 0.0


def _misnamed(image: str) -> str:
    """What is wrong with an image name (distribution/reference)."""
    if parsed(image.lower()) is not None:
        path = repository_of(image)
        return f"invalid reference format: repository name ({path if '/' in path else f'library/{path}'}) must be lowercase"
    return "invalid reference format"


def refusal(image: str, fault: str = "") -> str:
    """A registry's refusal as containerd passes it on; `fault` is what was asked for by annotation."""
    reference = parsed(image)
    full = reference.full if reference is not None else image
    lead = f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": '
    if fault == "unauthorized":
        return f"{lead}failed to authorize: failed to fetch oauth token: unexpected status from GET request: 401 Unauthorized"
    if fault == "not-found" or repository_of(image) in KNOWN:
        return f"rpc error: code = NotFound desc = {lead}{full}: not found"
    if reference is not None and reference.host not in ("docker.io", "registry.k8s.io", "ghcr.io", "quay.io"):
        url = f"https://{reference.host}/v2/{reference.path}/manifests/{reference.digest or reference.tag}"
        return f'{lead}failed to do request: Head "{url}": dial tcp: lookup {reference.host.partition(":")[0]}: no such host'
    denied = "pull access denied, repository does not exist or may require authorization: "
    return f"{lead}{denied}server message: insufficient_scope: authorization failed"
