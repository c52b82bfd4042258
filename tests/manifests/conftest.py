"""A served embedded cluster for the manifests' tests."""

from embedded.conftest import wire

__all__ = ["wire"]
