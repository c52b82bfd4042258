"""Simulated kubelets: pods that start, answer probes, log, fail and end, without containers."""
