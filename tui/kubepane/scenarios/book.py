"""All chapters, in the order in which they are played one after another."""

from __future__ import annotations

from kubepane.scenarios import claim, hpa, policy, rollback, sticky, taint
from kubepane.scenarios.chapter import Chapter

CHAPTERS: dict[str, Chapter] = {
    one.name: one for one in (taint.CHAPTER, hpa.CHAPTER, claim.CHAPTER, sticky.CHAPTER, policy.CHAPTER, rollback.CHAPTER)
}
ALL = "all"


def chosen(name: str) -> tuple[Chapter, ...]:
    """The chapters that a name on the command line means; KeyError for none."""
    return tuple(CHAPTERS.values()) if name == ALL else (CHAPTERS[name],)
