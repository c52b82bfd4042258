"""The simulated kubelets: pods on nodes, images, probes, logs, and the applications in the containers."""
