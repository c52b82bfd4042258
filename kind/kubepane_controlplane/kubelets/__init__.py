"""The simulated kubelets on a real API server: the same code as in the embedded cluster, over HTTP, in a process of its own."""
