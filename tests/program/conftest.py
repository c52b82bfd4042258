"""Fixtures of the program's tests."""

from program.kindstage import stage

__all__ = ["stage"]
