"""The real control plane on loopback, as a peer and judge in tests: etcd, API server, controllers, scheduler, KWOK, metrics-server."""
