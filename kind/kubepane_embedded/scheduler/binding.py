"""From a chosen node to a bound pod: volumes first, then the pod itself, with what is told about it (bindingCycle in schedule_one.go)."""

from __future__ import annotations

from collections.abc import Callable

from kubepane_embedded.client import Client
from kubepane_embedded.errors import ApiError
from kubepane_embedded.recorder import NORMAL
from kubepane_embedded.scheduler.cache import Cache
from kubepane_embedded.scheduler.events import EventRecorder
from kubepane_embedded.scheduler.framework import PodVolumes
from kubepane_embedded.scheduler.pending import Waiting
from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.scheduler.volume_binder import POLL_SECONDS, TIMED_OUT, TIMEOUT_SECONDS, BindingFailed, VolumeBinder

Failed = Callable[[Waiting, str], None]


class Binder:
    """Binds pods that have been given a node and hold their place in the cache.

    Args:
        client: Who writes.
        cache: Where the pods hold their places.
        recorder: Where events about them go.
        failed: Told when a pod could not be bound, and why.
    """

    def __init__(self, client: Client, cache: Cache, recorder: EventRecorder, failed: Failed) -> None:
        self._client = client
        self._cache = cache
        self._recorder = recorder
        self._failed = failed
        self._volumes = VolumeBinder(client)

    def bind(self, waiting: Waiting, node: str, volumes: PodVolumes | None) -> None:
        """Bind a pod, at once or when its claims are bound."""
        if volumes is None:
            self._bind_pod(waiting, waiting.pod, node)
            return
        try:
            self._volumes.write(volumes, node)
        except ApiError as refusal:
            self._fail(waiting, waiting.pod, f'running PreBind plugin "VolumeBinding": {refusal}')
            return
        deadline = self._client.clock.seconds() + TIMEOUT_SECONDS
        self._wait(waiting, waiting.pod, node, volumes, deadline)

    def _wait(self, waiting: Waiting, pod: PodInfo, node: str, volumes: PodVolumes, deadline: float) -> None:
        self._client.clock.call_later(POLL_SECONDS, lambda: self._poll(waiting, pod, node, volumes, deadline))

    def _poll(self, waiting: Waiting, pod: PodInfo, node: str, volumes: PodVolumes, deadline: float) -> None:
        try:
            bound = self._volumes.are_bound(pod, volumes, node)
            if not bound and self._client.clock.seconds() >= deadline:
                raise BindingFailed(TIMED_OUT)
        except BindingFailed as failure:
            self._fail(waiting, pod, f'running PreBind plugin "VolumeBinding": binding volumes: {failure}')
            return
        if bound:
            self._bind_pod(waiting, pod, node)
        else:
            self._wait(waiting, pod, node, volumes, deadline)

    def _bind_pod(self, waiting: Waiting, pod: PodInfo, node: str) -> None:
        try:
            self._client.bind(pod.namespace, pod.name, node)
        except ApiError as refusal:
            self._fail(waiting, pod, f'running Bind plugin "DefaultBinder": {refusal}')
            return
        self._recorder.event(pod.object, NORMAL, "Scheduled", "Binding", f"Successfully assigned {pod.namespace}/{pod.name} to {node}")

    def _fail(self, waiting: Waiting, pod: PodInfo, message: str) -> None:
        self._cache.forget(pod.key)
        self._failed(waiting, message)
