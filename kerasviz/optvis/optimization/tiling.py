"""Tiles: the score of a very large image and its gradient, one tile after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.structure import Structure
from kerasviz.optvis.python_function import PythonFunction
from kerasviz.types import Size, Tensor

Score = Callable[[Tensor], Tensor]

#: Reductions over all positions that equal the mean over the tiles.
_MEANS = ("mean", "square")


def check_tiles(
    structure: Structure, size: Size, side: int, penalties: Sequence[PythonFunction] = ()
) -> None:
    """Raise :class:`UsageError` where an objective or a size cannot be computed in tiles."""
    if any(length % side for length in size):
        height, width = size
        raise UsageError(
            f"tiles of {side}: the size {height}x{width} is no multiple; "
            f"give --size {-(-height // side) * side}x{-(-width // side) * side}"
        )
    functions = [slot.function for slot in structure if slot.function is not None]
    for function in (*functions, *penalties):
        raise UsageError(
            f"tiles: function {function.name!r} needs the whole image; render without --tile"
        )
    for slot in structure:
        if slot.reduction not in _MEANS:
            raise UsageError(
                f"tiles: a {slot.reduction} of {slot.tap or 'the image'} needs the whole image; "
                "channels, directions and layers can be computed in tiles"
            )


def tiled(score: Score, images: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Compute the gradient [B, H, W, C] and the scores [B] of images as means over their tiles.

    ``score`` computes the scores [B] of images [B, side, side, C]. Only one tile is in the network
    at a time. Receptive fields end at the border of a tile, so the transforms must translate the
    image: then the borders lie elsewhere in every step (as in DeepDream).
    """
    tiles = _cut(images, side)

    def with_gradient(tile: Tensor) -> tuple[Tensor, Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tile)
            totals = score(tile)
        return tape.gradient(totals, tile), totals

    gradients, totals = _one_by_one(with_gradient, tiles)
    return _joined(gradients, images, side) / tiles.shape[0], tf.reduce_mean(totals, 0)


def scores_of_tiles(score: Score, images: Tensor, side: int) -> Tensor:
    """Compute scores [B] of images, or several [B, n], as means over their tiles."""
    return tf.reduce_mean(_one_by_one(score, _cut(images, side)), 0)


def _one_by_one(function: Callable[[Tensor], Any], tiles: Tensor) -> Any:
    # Never inlined: in a graph with cycles TensorFlow leaves some gradients to slow kernels.
    single = tf.function(function, autograph=False, experimental_attributes={"_noinline": True})
    shape = tiles.shape[1:]
    outputs = single.get_concrete_function(tf.TensorSpec(shape, tiles.dtype)).structured_outputs
    spec = tf.nest.map_structure(lambda o: tf.TensorSpec(o.shape, tf.float32), outputs)
    return tf.map_fn(single, tiles, fn_output_signature=spec, parallel_iterations=1)


def _cut(images: Tensor, side: int) -> Tensor:
    """Cut images [B, H, W, C] into tiles [T, B, side, side, C], row by row."""
    batch, height, width, channels = images.shape
    rows, columns = height // side, width // side
    cut = tf.reshape(images, [batch, rows, side, columns, side, channels])
    cut = tf.transpose(cut, [1, 3, 0, 2, 4, 5])
    return tf.reshape(cut, [rows * columns, batch, side, side, channels])


def _joined(tiles: Tensor, images: Tensor, side: int) -> Tensor:
    """Join the tiles of :func:`_cut` to the shape of ``images``."""
    batch, height, width, channels = images.shape
    rows, columns = height // side, width // side
    grid = tf.reshape(tiles, [rows, columns, batch, side, side, channels])
    return tf.reshape(tf.transpose(grid, [2, 0, 3, 1, 4, 5]), images.shape)
