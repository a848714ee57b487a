"""What units are built from and what they feed, computed when a page asks and kept for the next."""

from __future__ import annotations

import asyncio
from functools import lru_cache

import numpy as np

from kerasviz.analysis.circuit import Circuit, find_circuit, layers_back, layers_onward
from kerasviz.analysis.connections import connections, connections_onward
from kerasviz.errors import UsageError
from kerasviz.service.networks import Networks
from kerasviz.types import Array

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
        self._shares = lru_cache(maxsize=KEPT)(self._find_shares)

    def of(self, name: str, tap: str, unit: int) -> Circuit:
        """Return the strongest partners of a unit, in two layers back and one onward."""
        return self._found(name, tap, unit)

    def _find(self, name: str, tap: str, unit: int) -> Circuit:
        net = self.networks.get(name)
        if not layers_back(net, tap) and not layers_onward(net, tap):
            return Circuit(tap, unit, (), ())
        return find_circuit(net, tap, unit, partners=PARTNERS)

    def shares(self, name: str, tap: str, other: str, unit: int) -> Array:
        """Return the weights between a unit of another layer and each unit of a layer.

        They are [units] shares of all, as norms; below 0 where the weights sum to less than 0.
        Raises :class:`UsageError` where nothing leads from one layer to the other.
        """
        return self._shares(name, tap, other, unit)

    def _find_shares(self, name: str, tap: str, other: str, unit: int) -> Array:
        net = self.networks.get(name)
        order = {each: k for k, each in enumerate(net.taps)}
        if net.taps[tap].name == net.taps[other].name:
            raise UsageError(f"{other}:{unit} is of this layer; name a unit of another one")
        if order[net.taps[other].name] < order[net.taps[tap].name]:
            rows = connections_onward(net, other, unit, tap).weights
        else:
            rows = np.moveaxis(connections(net, tap, other, [unit]).weights[0], -1, 0)
        flat = rows.reshape(len(rows), -1).astype(np.float64)
        strengths: Array = np.sqrt((flat**2).sum(1))
        signs = np.where(flat.sum(1) < 0, -1.0, 1.0)
        return signs * strengths / max(float(strengths.sum()), 1e-300)
