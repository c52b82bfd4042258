"""Why an image does not come: the cause out of a registry's and a runtime's long message.

Source: reasons of pkg/kubelet/images/types.go; the messages are those of containerd and CRI-O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubepane.cluster import resources as r
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.rules.case import Case, short

REASONS = frozenset((
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable",
    "SignatureValidationFailed",
))  # fmt: skip
_CAUSES = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), words, cure)
    for pattern, words, cure in (
        (r"insufficient_scope|pull access denied|requested access to the resource is denied", "unauthorized, or no such repository", "pull secret"),
        (r"no basic auth|401|unauthorized|authentication required", "unauthorized", "pull secret"),
        (r"403|forbidden", "forbidden", "pull secret"),
        (r"toomanyrequests|429|rate limit", "rate limit of the registry reached", "wait, pull with an account, or use a mirror"),
        (r"no match for platform|no matching manifest|exec format", "not made for the node's platform", "build it for the platform of the node"),
        (r"invalid reference format|couldn't parse image", "no valid image name", "mend the image's name in {workload}"),
        (r"manifest unknown|not found|does not exist|NotFound", "not found", "name an image and tag that exist in {workload}"),
        (r"lookup (\S+?)(?: on [\d.:\[\]a-f]+)?: (no such host)", "no such host {0}", "mend the registry's name, or DNS on the node"),
        (r"lookup (\S+?)(?: on [\d.:\[\]a-f]+)?: ", "name {0} not resolved", "see to DNS on the node"),
        (r"connection refused", "connection refused", "see whether the registry runs"),
        (r"x509: ([^\"]+)", "certificate: {0}", "give the node the registry's CA"),
        (r"server gave HTTP response to HTTPS client", "the registry speaks plain HTTP", "allow it as insecure on the node, or give it TLS"),
        (r"no space left on device", "no space left on the node", "free the node's disk"),
        (r"i/o timeout|deadline exceeded|timed out|TLS handshake timeout", "timeout", "see to the node's way to the registry"),
        (r"not present with pull policy of Never", "not on the node, and pulling is Never", "load it on the node, or let it be pulled"),
        (r"connection reset|unexpected EOF|: EOF", "connection cut", "see to the node's way to the registry"),
    )
)


def image_cause(case: Case, s: r.ContainerStatus, waiting: r.Waiting) -> Iterator[Finding]:
    """A container whose image cannot be had."""
    image = case.container(s.name).image or s.image
    message, source = _message(case, s, waiting)
    words, cure = cause(message)
    clause = f"{_lead(case, s)}image {image}: {words}" if words else f"{_lead(case, s)}image {image} cannot be pulled"
    facts = [Evidence(case.ref, case.declared(s, "image"), image), Evidence(case.ref, case.path(s, "state.waiting.reason"), waiting.reason)]
    if message:
        facts.append(Evidence(case.ref, source, short(message, 400)))
    if cure == "pull secret":
        cure = f"give {case.workload} an imagePullSecret that may pull {image}, or mend the image's name"
    yield Finding(Level.BAD, clause, tuple(facts), cure.format(workload=case.workload))


def _lead(case: Case, s: r.ContainerStatus) -> str:
    """The image names the container well enough, unless it holds up the others."""
    return case.lead(s) if case.initial(s) else ""


def _message(case: Case, s: r.ContainerStatus, waiting: r.Waiting) -> tuple[str, str]:
    """What was said about the cause, and where: while it backs off, only an event may still have it."""
    told = waiting.message
    if waiting.reason == "ImagePullBackOff" and not cause(told.partition('": ')[2])[0]:
        failed = next((e for e in case.events if e.reason == "Failed" and "pull image" in e.message), None)
        if failed is not None:
            return failed.message, "event Failed"
    return told, case.path(s, "state.waiting.message")


def cause(message: str) -> tuple[str, str]:
    """The cause in a few words, and what to do; the end of the message where it is of no known kind, two empty texts for none."""
    for pattern, words, cure in _CAUSES:
        if found := pattern.search(message):
            return short(words.format(*found.groups()), 80), cure
    tail = message.rpartition(": ")[2] if ": " in message else ""
    return short(tail, 80), "see the message" if tail else ""
