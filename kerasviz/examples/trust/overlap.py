"""Compare the inputs that excite a unit in its pictures with those that do so in photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.analysis.offsets import Offsets
from kerasviz.examples.datasets import Source
from kerasviz.examples.finished_pictures import in_batches, photo_pixels
from kerasviz.examples.measured import TOGETHER, Measured, compiled
from kerasviz.examples.trust.numbers import InputOverlap, input_overlap
from kerasviz.examples.trust.paths import FEWEST, PhotoSets
from kerasviz.network.dataflow import Dataflow
from kerasviz.network.network import Network
from kerasviz.types import Array, Tensor


def layer_before(net: Network, tap: str) -> str | None:
    """Return the main layer that a tap is computed from next, ``None`` without one."""
    main = {net.taps[name].name: name for name in net.main_taps}
    known = [name for name in main if name in net.program.values]
    parts = [part for part in net.taps[tap].parts if part in net.program.values]
    flow = Dataflow(net.program.values)
    chosen = [name for name in {*known, *parts} if name in flow.order]
    nearest = flow.nearest(chosen)
    before = {name for part in parts for name in nearest.get(part, ()) if name in known}
    before = {name for name in before if net.taps[name].channels is not None}
    return main[max(before, key=flow.order.__getitem__)] if before else None


@dataclass(frozen=True)
class Contributions:
    """Compute how much the channels of an earlier layer contribute to units of a group.

    It is the layer times the derivative of the unit at its strongest position, summed over the
    positions of the layer: exact between neighbouring layers.
    """

    group: Measured
    net: Network
    layer: str
    _compute: list[Any] = field(default_factory=list)

    def of_images(self, images: Sequence[Array], vector: Array) -> Array:
        """Return the contributions [N, C] in images [H, W, C] of one size for a unit's vector."""
        if not self._compute:
            self._compute.append(compiled(self._contributions))
        found = []
        for numbers, pixels in in_batches(len(images), TOGETHER, images.__getitem__):
            values = self._compute[0](tf.constant(pixels), tf.constant(vector))
            found.append(np.asarray(values, np.float64)[: len(numbers)])
        return np.concatenate(found)

    def _contributions(self, images: Tensor, vector: Tensor) -> Tensor:
        tap = self.group.structure[0].tap
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            offsets = Offsets(self.net, [self.layer], tape)
            a = self.net.activations(images, [tap], kernels=offsets.kernels)[tap]
            a = tf.reshape(tf.cast(a, tf.float32), [images.shape[0], -1, a.shape[-1]])
            total = tf.reduce_sum(tf.reduce_max(tf.linalg.matvec(a, vector), axis=1))
        slopes, values = offsets.derivatives(total)[self.layer], offsets.values[self.layer]
        each = tf.cast(slopes, tf.float32) * tf.cast(values, tf.float32)
        return tf.reduce_sum(tf.reshape(each, [each.shape[0], -1, each.shape[-1]]), axis=1)


@dataclass(frozen=True)
class Overlap:
    """Hold the overlap of the inputs of a picture: their layer, and the number of photos."""

    layer: str
    inputs: InputOverlap
    photos: int


def overlaps(
    net: Network,
    group: Measured,
    source: Source,
    sets: PhotoSets,
    strongest: Mapping[int, Sequence[int]],
) -> dict[int, Overlap]:
    """Return the overlaps of the pictures of a group, by their numbers.

    ``strongest`` has the photos that excite the unit of each picture most. Pictures are left out
    whose unit is no sum of channels of one layer, or has no main layer before it, and those with
    too few photos.
    """
    layer = layer_before(net, group.structure[0].tap) if group.at_positions else None
    if layer is None:
        return {}
    focused = net.focused([group.structure[0].tap, layer])
    contributions = Contributions(group, focused, layer)
    of_photos: dict[bytes, tuple[Array, Array]] = {}
    found = {}
    for row, number in enumerate(group.rows):
        vector = group.data["vector0"][row]
        key = vector.tobytes()
        if key not in of_photos:
            _, same, others = sets.of(None, strongest[number])
            read = [
                [photo_pixels(source, n, group.size, net.channels) for n in numbers]
                for numbers in (same, others)
            ]
            images = [[image for image in side if image is not None] for side in read]
            if min(map(len, images)) < FEWEST:
                continue
            both = (contributions.of_images(side, vector) for side in images)
            of_photos[key] = next(both), next(both)
        strong, unrelated = of_photos[key]
        own = contributions.of_images([group.pictures[row].pixels(net.channels)], vector)[0]
        inputs = input_overlap(own, strong, unrelated)
        if inputs is not None:
            found[number] = Overlap(layer, inputs, len(strong))
    return found
