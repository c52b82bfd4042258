"""Small fluctuations that need no state: the same thing at the same second always deviates alike."""

from __future__ import annotations

from zlib import crc32

MASK = 0xFFFFFFFF


def deviation(name: str, second: int) -> float:
    """A number from 0 up to 1 for a name and a moment."""
    mixed = (crc32(name.encode()) + second * 0x9E3779B1) & MASK
    mixed = ((mixed ^ (mixed >> 15)) * 0x85EBCA6B) & MASK
    return ((mixed ^ (mixed >> 13)) & MASK) / (MASK + 1)
