"""Which positions and units of a layer decide what a network says to a photo that a user sends."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from kerasviz.analysis.attribution import STEPS
from kerasviz.analysis.explanation import LayerShare, explain, pass_for
from kerasviz.analysis.photo_pass import PhotoPass
from kerasviz.errors import UsageError
from kerasviz.io.files import checksum
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import logit
from kerasviz.rendering.sizes import usual_size
from kerasviz.service.activations import read_body
from kerasviz.service.networks import Networks

#: Classes that are listed, the largest logits first.
GUESSES = 10
#: Units of each sign.
UNITS = 4
#: Photos whose values are kept: layers are asked for one after another.
KEPT = 2


@dataclass(frozen=True)
class PhotoGuess:
    """Hold a class that a network sees, with its logit and its share of all, 0 to 1."""

    number: int
    label: str | None
    score: float
    share: float


class PhotoExplanations:
    """Explains what networks say to photos; callers enter ``slots`` before."""

    def __init__(self, networks: Networks, at_once: int = 1):
        self.networks = networks
        self.slots = asyncio.Semaphore(at_once)
        self._passes: OrderedDict[tuple[str, str], PhotoPass] = OrderedDict()
        self._lock = threading.Lock()

    def guesses(self, name: str, data: bytes) -> list[PhotoGuess]:
        """Return the classes that a network sees in a photo (PNG or JPEG), the first ones.

        Raises :class:`UsageError` for a network without classes, and for no photo.
        """
        net, run = self._pass(name, data)
        logits = run.values(net.require_logits().name).astype(np.float64)
        scores = logits.reshape(-1, logits.shape[-1]).mean(0)[net.classes.first :]
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        order = np.argsort(-scores, kind="stable")[:GUESSES]
        return [
            PhotoGuess(int(k), label_of_class(net, int(k)), float(scores[k]), float(shares[k]))
            for k in order
        ]

    def layers(self, name: str, data: bytes) -> tuple[str, ...]:
        """Return the layers that the classes are computed from, in order."""
        return self._pass(name, data)[1].taps

    def of(self, name: str, tap: str, number: int, data: bytes) -> LayerShare:
        """Return what the positions and units of a layer contribute to the logit of a class.

        Raises :class:`UsageError` for a layer that is not before the classes, and for a number of
        no class.
        """
        net, run = self._pass(name, data)
        own = next((t for t in run.taps if net.taps[t].name == net.taps[tap].name), None)
        if own is None:
            raise UsageError(
                f"{tap} is not before the classes; name one of {', '.join(run.taps[:4])} ..."
            )
        count = (net.require_logits().channels or 0) - net.classes.first
        if number >= count:
            raise UsageError(f"class {number}: {net.name} has the classes 0 to {count - 1}")
        found = explain(run, f"logit:{number}", logit(number), [own], units=UNITS, steps=STEPS)
        return found.layers[0]

    def _pass(self, name: str, data: bytes) -> tuple[Network, PhotoPass]:
        net = self.networks.get(name)
        net.require_logits()
        key = (name, checksum(data))
        with self._lock:
            if key not in self._passes:
                image = read_body(data, usual_size(net), net.channels)
                self._passes[key] = pass_for(net, image, logit(0))
                while len(self._passes) > KEPT:
                    self._passes.popitem(last=False)
            self._passes.move_to_end(key)
            return net, self._passes[key]


def label_of_class(net: Network, number: int) -> str | None:
    """Return the label of a class, ``None`` where there are none."""
    return net.labels[number] if number < len(net.labels) else None
