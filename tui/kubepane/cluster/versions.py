"""The order of resourceVersions.

They are opaque text in requests. Between two objects of one kind their order may be used: decimal numbers without leading
zeros, compared by length, then by text (KEP-5504, stable in 1.35). What is not decimal (some aggregated APIs) has no order.
"""

from __future__ import annotations


def older(a: str, b: str) -> bool:
    """Whether version `a` is known to be older than `b`; False when the two cannot be compared."""
    return (len(a), a) < (len(b), b) and ordered(a) and ordered(b)


def before(version: str) -> str:
    """What a watch starts from that shall bring this version first."""
    return str(int(version) - 1)


def ordered(version: str) -> bool:
    """Whether a version takes part in the order."""
    return version.isascii() and version.isdecimal()
