"""`kubepane kind`: a Kind cluster with network, metrics and ingress, made, looked at and removed; never one that somebody else made."""
