"""Indexes of Indexed Jobs: written as `0,2-5`, which are pending, which pods have one twice (pkg/controller/job/indexed_job_utils.go)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import count, groupby, islice

from kubepane_embedded.controllers.job_facts import completions_of, ended_at, has_failed, index_limit, index_of, is_tracked
from kubepane_embedded.controllers.job_policies import FAIL_INDEX, judge_failure
from kubepane_embedded.meta import Object, annotations_of

FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"


def parse_indexes(text: str | None, completions: int) -> set[int]:
    """The indexes of `0,2-5` that are below `completions`; parts that cannot be read are passed over."""
    found: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.update(range(int(first), min(int(last or first) + 1, completions)))
    return found


def format_indexes(indexes: Iterable[int]) -> str:
    """Indexes as the status has them: `0,2-5`; two in a row are written one by one."""
    parts = []
    for _, run in groupby(enumerate(sorted(indexes)), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        parts.append(f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 2 else ",".join(map(str, numbers)))
    return ",".join(parts)


def valid_index(job: Object, pod: Object) -> int | None:
    """The index of a pod when the Job has it."""
    index, completions = index_of(pod), completions_of(job)
    return index if index is not None and completions is not None and index < completions else None


def indexes_of(pods: Iterable[Object]) -> set[int]:
    """All indexes that pods have."""
    return {index for index in map(index_of, pods) if index is not None}


def first_pending(taken: Collection[int], wanted: int, completions: int) -> list[int]:
    """The lowest free indexes."""
    free = (index for index in count() if index not in taken)
    return [index for index in islice(free, wanted) if index < completions]


def failures_of(pod: Object) -> int:
    """How many pods of the index had failed before this one."""
    return _number(annotations_of(pod).get(FAILURES))


def all_failures_of(pod: Object) -> int:
    """The same with failures that the policy ignores."""
    return failures_of(pod) + _number(annotations_of(pod).get(IGNORED_FAILURES))


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and int(text) < 2**31 else 0


def has_index_failed(job: Object, pod: Object) -> bool:
    """Whether a failed pod means that its index has failed for good."""
    if not has_failed(pod, job):
        return False
    verdict = judge_failure(job, pod)
    return verdict.action == FAIL_INDEX or (verdict.counts and failures_of(pod) >= (index_limit(job) or 0))


def failure_annotations(job: Object, replaced: Object | None) -> dict[str, str]:
    """What a new pod carries about the failures of its index."""
    if replaced is None:
        return {FAILURES: "0"}
    counts = judge_failure(job, replaced).counts
    ignored = _number(annotations_of(replaced).get(IGNORED_FAILURES)) + (not counts)
    return {FAILURES: str(failures_of(replaced) + counts), **({IGNORED_FAILURES: str(ignored)} if ignored else {})}


def last_failed(job: Object, pods: Iterable[Object], settled: Collection[int]) -> dict[int, Object]:
    """Per index that is neither settled nor running: the failed pod that is kept until its successor is made."""
    found: dict[int, Object] = {}
    for pod in pods:
        index = valid_index(job, pod)
        if index is None or index in settled or not is_tracked(pod) or not has_failed(pod, job):
            continue
        last = found.get(index)
        if last is None or (all_failures_of(last) <= all_failures_of(pod) and ended_at(last) <= ended_at(pod)):
            found[index] = pod
    return found
