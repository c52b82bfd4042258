"""Fixtures for all rooms."""
