"""A small simulated shell: what containers run with `sh -c`, what probes and hooks execute, what `kubectl exec` talks to."""
