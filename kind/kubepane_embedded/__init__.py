"""A simulated Kubernetes cluster that speaks the real REST protocol on loopback."""
