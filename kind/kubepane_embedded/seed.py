"""The one source of chance: names' suffixes, uids, addresses, jitter. Same seed and same calls, same objects."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from typing import TypeVar

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters and digits that make no words (apimachinery/pkg/util/rand)."""
T = TypeVar("T")


class Seed:
    """A seeded generator. Never for secrets: path tokens and credentials come from the `secrets` module."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 - chance in a simulation, meant to be repeatable

    def suffix(self, length: int = 5) -> str:
        """A random name part as generateName appends it."""
        return "".join(self._random.choices(ALPHABET, k=length))

    def uid(self) -> str:
        """A version 4 UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""
        return self._random.uniform(low, high)

    def jitter(self, seconds: float, factor: float = 0.1) -> float:
        """`seconds`, lengthened by up to `factor` of itself (wait.Jitter)."""
        return seconds * (1.0 + factor * self._random.random())

    def choice(self, options: Sequence[T]) -> T:
        """One of them."""
        return self._random.choice(options)

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return self._random.randrange(limit)

    def fork(self) -> Seed:
        """A generator of its own for a part whose number of draws must not disturb the others."""
        return Seed(self._random.getrandbits(64))
