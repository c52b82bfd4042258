"""Speaks Kubernetes: connection, requests, watches, stores. Knows nothing of a screen."""
