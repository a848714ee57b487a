"""What units are built from and what they feed, computed when a page asks and kept for the next."""

from __future__ import annotations

import asyncio
from functools import lru_cache

from kerasviz.analysis.circuit import Circuit, find_circuit, layers_back, layers_onward
from kerasviz.service.networks import Networks

#: Partners of each sign in each layer.
PARTNERS = 4
#: Circuits that are kept.
KEPT = 256


class UnitConnections:
    """Finds the circuits of units; callers enter ``slots`` before."""

    def __init__(self, networks: Networks, at_once: int = 1):
        self.networks = networks
        self.slots = asyncio.Semaphore(at_once)
        self._found = lru_cache(maxsize=KEPT)(self._find)

    def of(self, name: str, tap: str, unit: int) -> Circuit:
        """Return the strongest partners of a unit, in two layers back and one onward."""
        return self._found(name, tap, unit)

    def _find(self, name: str, tap: str, unit: int) -> Circuit:
        net = self.networks.get(name)
        if not layers_back(net, tap) and not layers_onward(net, tap):
            return Circuit(tap, unit, (), ())
        return find_circuit(net, tap, unit, partners=PARTNERS)
