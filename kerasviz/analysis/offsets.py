"""Differentiate by taps, wherever they are computed and however they are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Edit, Kernels
from kerasviz.types import Tensor


class Offsets:
    """Add zeros to taps, so that the derivatives by the zeros are those by the taps.

    A tap itself may be a copy, in another layout, of what later layers take; it would have
    no derivative. Every run under :attr:`kernels` starts anew.

    Args:
        net: The network.
        taps: The names of the taps.
        tape: The tape that records the run.
        kernels: How to compute the network. Edits of the taps themselves are left out.
        scale: The factor of the values of the taps, for integrated attribution.

    Example:
        >>> images = tf.zeros([2, 16, 16, 3])
        >>> with tf.GradientTape(watch_accessed_variables=False) as tape:
        ...     offsets = Offsets(net, ["stem"], tape)
        ...     score = net.activations(images, ["block3b"], kernels=offsets.kernels)["block3b"]
        >>> offsets.derivatives(score)["stem"].shape
        TensorShape([2, 14, 14, 8])
    """

    def __init__(
        self,
        net: Network,
        taps: Sequence[str],
        tape: tf.GradientTape,
        kernels: Kernels = PLAIN,
        scale: float | Tensor = 1.0,
    ):
        self.parts = {name: net.taps[name].parts for name in taps}
        self.tape, self.scale = tape, scale
        self._zeros: dict[str, Tensor] = {}
        self._values: dict[str, Tensor] = {}
        edits: dict[str, Edit] = dict(kernels.edits)
        edits.update({part: self._edit(part) for parts in self.parts.values() for part in parts})
        self.kernels = replace(kernels, edits=edits)

    def _edit(self, part: str) -> Edit:
        def shifted(value: Tensor, read: Callable[[str], Tensor]) -> Tensor:
            zeros = tf.zeros_like(value)
            self.tape.watch(zeros)
            self._zeros[part], self._values[part] = zeros, value
            return value * tf.cast(self.scale, value.dtype) + zeros

        return shifted

    @property
    def values(self) -> dict[str, Tensor]:
        """The taps in the last run, before the scale."""
        return self._joined(self._values)

    def derivatives(self, score: Tensor, upstream: Tensor | None = None) -> dict[str, Tensor]:
        """Return the derivatives of a score by the taps; 0 where it does not depend on them."""
        found = self.tape.gradient(
            score, self._zeros, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return self._joined(found)

    def _joined(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: tf.concat([parts[part] for part in own], -1) if len(own) > 1 else parts[own[0]]
            for name, own in self.parts.items()
        }
