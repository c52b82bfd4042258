"""Textual widgets that never heard of Kubernetes."""
