"""kubepane: a terminal dashboard for watching a Kubernetes cluster and acting on it."""

__version__ = "0.1.0"
