"""What watches, polls and reviews need of the one door for requests (`api.Api`), as a Protocol, so that tests can script it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

JSON = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class Requests(Protocol):
    """Sends requests under one budget. Every method raises a `errors.ClusterError` and nothing else (but cancellation)."""

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON, timeout: float = 30.0) -> bytes:
        """The body of a GET with a 2xx answer.

        Args:
            timeout: seconds of silence, the wait for the answer's head included; a body that keeps coming may take longer.
        """

    async def post(self, path: str, body: Any, query: Mapping[str, str] | None = None, *, timeout: float = 30.0) -> bytes:
        """Creates a review (SelfSubjectAccessReview and its like): allowed in read-only mode, for it changes nothing."""

    def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON, idle: float | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A GET whose body is read as it comes: a watch or a followed log.

        Entering sends the request and checks the status. The iterator gives chunks as they arrive and ends at a clean end of
        the body; `Unreachable` is raised when the connection is cut. Leaving closes the socket within 100 ms.

        Args:
            idle: seconds without a byte after which the stream counts as dead (`Unreachable`), None for no limit.
        """
