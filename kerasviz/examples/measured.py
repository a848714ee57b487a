"""Measure images by what finished pictures were optimized for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.examples.finished_pictures import FinishedPicture, by_size
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import own_scores
from kerasviz.optvis.objectives.structure import IMAGE, Structure, structure_of, taps_in
from kerasviz.types import Array, PreActivation, Size, Tensor

#: Pictures that are computed at once.
TOGETHER = 8
#: Reductions that sum channels of one tap: what they give is compared at every position.
LINEAR = ("mean", "point")


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function of images, once for each size and batch, without a warning of TensorFlow.

    It warns of functions that are traced again and again, which those of several layers seem to be.
    """
    traced = tf.function(function, autograph=False)
    traced._omit_frequent_tracing_warning = True
    return traced


@dataclass(frozen=True)
class Measured:
    """Measure images by the objectives of some pictures, which have one structure.

    Where they sum channels of one tap it is the largest sum over all positions, as ``kerasviz
    examples`` ranks photos; else the objective's own score. ``size`` is that of photos.
    """

    net: Network
    structure: Structure
    pre_activation: PreActivation
    size: Size
    pictures: tuple[FinishedPicture, ...]
    rows: tuple[int, ...]

    @property
    def at_positions(self) -> bool:
        """Whether the largest value over all positions is measured."""
        return len(self.structure) == 1 and self.structure[0].reduction in LINEAR

    @cached_property
    def data(self) -> dict[str, Array]:
        """The tensors of the objectives."""
        objectives = [picture.objective for picture in self.pictures]
        size = None if self.at_positions else self.size
        return pack_objectives(self.structure, objectives, self.net, self.pre_activation, size)

    def values(self, images: Tensor) -> Tensor:
        """Return the values [B, R] of images [B, H, W, C] in [0, 1] for every picture."""
        activations = self.net.activations(images, list(taps_in(self.structure)))
        data = {name: tf.constant(array) for name, array in self.data.items()}
        count = images.shape[0]
        if self.at_positions:
            a = tf.cast(activations[self.structure[0].tap], tf.float32)
            a = tf.reshape(a, [count, -1, a.shape[-1]])
            along = tf.matmul(a, data["vector0"], transpose_b=True)
            return tf.reduce_max(along, axis=1)
        seen = {**activations, IMAGE: images}
        groups = tf.range(count)

        def of_row(row: dict[str, Tensor]) -> Tensor:
            shapes = {name: [count, *[1] * (t.shape.rank)] for name, t in row.items()}
            repeated = {name: tf.tile(t[None], shapes[name]) for name, t in row.items()}
            return own_scores(self.structure, seen, repeated, groups)

        scores = tf.map_fn(of_row, data, fn_output_signature=tf.TensorSpec([count], tf.float32))
        return tf.transpose(scores)

    @cached_property
    def computed(self) -> Callable[[Tensor], Tensor]:
        """The compiled :meth:`values`."""
        function: Callable[[Tensor], Tensor] = compiled(self.values)
        return function

    def of_pictures(self) -> Array:
        """Return the value [R] of every picture for its own objective."""
        found = np.zeros(len(self.pictures))
        for numbers, images in by_size(self.pictures, self.net.channels, TOGETHER):
            values = np.asarray(self.computed(tf.constant(images)))
            for row, number in enumerate(numbers):
                found[number] = values[row, number]
        return found


def measured(
    net: Network, pictures: Sequence[FinishedPicture], size: Size | None, usual: Size
) -> list[Measured]:
    """Sort pictures by how they are measured; those that nothing here can score are left out.

    Photos have ``size``, by default ``usual``; where the objective's score is measured that is the
    pictures' own size.
    """
    groups: dict[tuple[Structure, PreActivation, Size], list[int]] = {}
    for number, picture in enumerate(pictures):
        objective = picture.objective
        if picture.by_function or objective.reproduces or not objective.terms:
            continue  # by a function that is not here, or of a photo
        recipe = picture.request.recipe
        structure = structure_of(picture.objective, net, recipe.pre_activation)
        linear = len(structure) == 1 and structure[0].reduction in LINEAR
        photos = (size or usual) if linear else recipe.seen_size
        key = structure, recipe.pre_activation, photos
        groups.setdefault(key, []).append(number)
    return [
        Measured(
            net.focused(taps_in(structure)),
            structure,
            pre_activation,
            photos,
            tuple(pictures[n] for n in numbers),
            tuple(numbers),
        )
        for (structure, pre_activation, photos), numbers in groups.items()
    ]
