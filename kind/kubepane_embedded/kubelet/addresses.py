"""Addresses of pods on one node, out of its podCIDR (the host-local plug-in: the next free one)."""

from __future__ import annotations

from ipaddress import IPv4Network

DEFAULT = "10.244.255.0/24"
"""For a node without a podCIDR."""


class NoAddress(Exception):
    """All addresses are taken; the text is the plug-in's."""


class Addresses:
    """Hands out addresses; the network's own and the gateway's are never given."""

    def __init__(self, cidr: str) -> None:
        try:
            network = IPv4Network(cidr or DEFAULT, strict=False)
        except ValueError:
            network = IPv4Network(DEFAULT)
        self._network = network
        self._size = max(0, min(network.num_addresses - 3, 65536))
        self._taken: set[int] = set()
        self._next = 0

    def take(self) -> str:
        """The next free address; raises NoAddress."""
        for _ in range(self._size):
            offset = self._next
            self._next = (self._next + 1) % self._size
            if offset not in self._taken:
                self._taken.add(offset)
                return str(self._network.network_address + 2 + offset)
        first, last = self._network.network_address + 1, self._network.broadcast_address - 1
        raise NoAddress(f"failed to allocate for range 0: no IP addresses available in range set: {first}-{last}")

    def hold(self, address: str) -> None:
        """An address is in use already."""
        offset = self._offset(address)
        if offset is not None:
            self._taken.add(offset)

    def free(self, address: str) -> None:
        """Give an address back."""
        offset = self._offset(address)
        if offset is not None:
            self._taken.discard(offset)

    def _offset(self, address: str) -> int | None:
        try:
            found = int.from_bytes(bytes(int(part) for part in address.split(".")), "big") - int(self._network.network_address) - 2
        except ValueError:
            return None
        return found if 0 <= found < self._size else None
