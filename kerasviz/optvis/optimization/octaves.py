"""Optimize pictures of photos in octaves: small first, then larger with what was found so far."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.optvis.optimization.ascent import Ascent
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.loop import Loop
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.run import PHOTO, LoopInputs
from kerasviz.optvis.recipe import Recipe
from kerasviz.types import Array, Size, Tensor


def resized(images: Tensor, size: Size) -> Tensor:
    """Resize images [B, H, W, C] bilinearly, pixel centres on pixel centres.

    Where they shrink each new pixel is a mean over all that it covers, weighted by a triangle.
    """
    if tuple(images.shape[1:3]) == size:
        return images
    return tf.image.resize(images, size, method="bilinear", antialias=True)


def octave_ends(steps: int, octaves: int) -> tuple[int, ...]:
    """Return the number of steps after which each octave ends: equal shares, rounded.

    >>> octave_ends(10, 4)
    (2, 5, 8, 10)
    """
    return tuple(round(steps * (octave + 1) / octaves) for octave in range(octaves))


class OctaveAscent(Ascent):
    """A run in octaves, from small images to large ones.

    The first octave starts from the photo in its size. Each later one starts from the photo in the
    new size, plus the enlarged difference between picture and photo of the octave before: so that
    the photo stays sharp. The moments of the optimizer begin anew. Source: DeepDream (Mordvintsev,
    Olah, Tyka: "Inceptionism", 2015), whose enlargement is a spline.
    """

    def __init__(self, net: Network, recipe: Recipe, batch: LoopInputs, resume: Checkpoint | None):
        self.net, self.recipe, self.batch = net, recipe, batch
        self.sizes = recipe.octave_sizes
        self.ends = octave_ends(recipe.steps, len(self.sizes))
        self.octave = bisect_left(self.ends, resume.step) if resume is not None else 0
        super().__init__(*self._octave(), resume)

    def _octave(self) -> tuple[Loop, int, LoopInputs]:
        """Return the loop, the steps and the rows of the present octave."""
        size = self.sizes[self.octave]
        recipe = self.recipe.replace(size=size, octaves=1)
        photos = np.asarray(resized(tf.constant(self.batch.data[PHOTO]), size))
        batch = replace(self.batch, data={**self.batch.data, PHOTO: photos})
        return loop_for(self.net, batch.structure, recipe, batch.data), self.recipe.steps, batch

    @property
    def marks(self) -> Sequence[int]:
        """The steps at which an octave ends."""
        return self.ends

    def advance(self, last: int) -> None:
        """Take the steps up to ``last``, of one octave."""
        while self.step >= self.ends[self.octave]:
            self._enter_next()
        super().advance(last)

    def _enter_next(self) -> None:
        before = self._of_octave() - self.data[PHOTO]
        self.octave += 1
        self.loop, _, batch = self._octave()
        data, *_ = batch.tensors()
        self.data = self.loop.prepared(data, self.seeds, self.groups)
        start = self.data[PHOTO] + resized(before, self.sizes[self.octave])
        self.state = self.loop.start(self.seeds, tf.clip_by_value(start, 0.0, 1.0))

    def _of_octave(self) -> Tensor:
        """Return the images in the size of the present octave."""
        return self.loop.image(self.state[0], self.groups)

    def images(self) -> Tensor:
        """Return the current images in the size of the last octave, [B, H, W, C] in [0, 1]."""
        images = self._of_octave()
        if self.octave == len(self.sizes) - 1:
            return images
        found = resized(images - self.data[PHOTO], self.sizes[-1])
        return tf.clip_by_value(self.batch.data[PHOTO] + found, 0.0, 1.0)

    def _scores(self, images: Tensor) -> Array:
        """Score images of the size of the last octave, also where a run ends before it."""
        if self.octave == len(self.sizes) - 1:
            return super()._scores(images)
        last = loop_for(
            self.net, self.batch.structure, self.recipe.replace(octaves=1), self.batch.data
        )
        data, *_ = self.batch.tensors()
        data = last.prepared(data, self.seeds, self.groups)
        return np.asarray(last.score_terms(images, data, self.groups, self.terms))
