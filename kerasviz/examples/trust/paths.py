"""Compare the way of a picture through the layers of a network with that of photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError
from kerasviz.examples.datasets import Source
from kerasviz.examples.finished_pictures import photo_pixels
from kerasviz.examples.measured import compiled
from kerasviz.examples.trust.numbers import (
    PathSimilarity,
    path_similarity,
    spectrum_slope,
    standard_ranks,
)
from kerasviz.network.network import Network
from kerasviz.types import Array, Size

#: The photos of a kind, and those of others, that a picture is compared with, at most.
PHOTOS = 8
#: The fewest photos of a kind.
FEWEST = 3
#: The entries of a layer that are compared, at most: drawn once for each layer.
ENTRIES = 1 << 14


@dataclass(frozen=True)
class PhotoSets:
    """Choose the photos that are like a picture, and others, by their numbers in a source.

    Photos that lie in folders with names of classes are of these classes; pictures of other targets
    are compared with the photos that excite their unit most. ``usable`` are the numbers of photos.
    """

    net: Network
    source: Source
    usable: tuple[int, ...]

    @cached_property
    def by_class(self) -> Mapping[int, tuple[int, ...]]:
        """The numbers of photos in the folders of classes."""
        found: dict[int, list[int]] = {}
        for number in self.usable:
            folder, slash, _ = self.source.name(number).rpartition("/")
            of = self._class(folder.rpartition("/")[2]) if slash else None
            if of is not None:
                found.setdefault(of, []).append(number)
        return {of: tuple(numbers) for of, numbers in found.items()}

    def _class(self, folder: str) -> int | None:
        classes = self.net.classes
        if folder.isdecimal() and classes.labels:
            return int(folder) if int(folder) < len(classes.labels) else None
        return classes.index(folder, None) if classes.is_label(folder) else None

    def of(self, number: int | None, strongest: Sequence[int]) -> tuple[str, list[int], list[int]]:
        """Return the kind of the photos, those of it and others, for a picture of a class or unit.

        Both lists are empty where there are too few photos.
        """
        kind, same = "of the class", [*self.by_class.get(-1 if number is None else number, ())]
        inside = set(same)
        if not same:
            kind, same = "that excite it most", [n for n in strongest if n >= 0]
            same = same[: len(self.usable) // 2]
            inside = set(same)
        elsewhere = [n for n in self.usable if n not in inside]
        draw = np.random.default_rng(0)
        others = sorted(draw.permutation(elsewhere)[:PHOTOS].tolist())
        if len(same) < FEWEST or len(others) < FEWEST:
            return kind, [], []
        return kind, same[:PHOTOS], others


class LayerPaths:
    """Compute the standard ranks of layers for images of one size; those of photos are kept."""

    def __init__(self, net: Network, layers: Sequence[str], source: Source, size: Size):
        self.net = net.focused(layers)
        self.layers, self.source, self.size = list(layers), source, size
        self._photos: dict[int, dict[str, Array]] = {}
        self._slopes: dict[int, float | None] = {}
        self._places: dict[str, Array] = {}
        self._compiled: Any = compiled(self._activations)

    def _activations(self, images: Any) -> Any:
        names = {layer: self.net.taps[layer].name for layer in self.layers}
        activations = self.net.activations(images, list(names.values()))
        return {layer: tf.cast(activations[name], tf.float32) for layer, name in names.items()}

    def ranks(self, image: Array) -> dict[str, Array]:
        """Return the ranks of every layer for an image [H, W, C] in [0, 1]."""
        activations = self._compiled(tf.constant(image[None]))
        return {layer: self._ranked(layer, np.asarray(a)) for layer, a in activations.items()}

    def _ranked(self, layer: str, activations: Array) -> Array:
        flat = activations.reshape(-1)
        if layer not in self._places:
            draw = np.random.default_rng(0)
            self._places[layer] = draw.permutation(len(flat))[:ENTRIES]
        return standard_ranks(flat[self._places[layer]])

    def pixels(self, number: int) -> Array | None:
        """Return a photo as [H, W, C] in [0, 1], ``None`` where it cannot be read."""
        return photo_pixels(self.source, number, self.size, self.net.channels)

    def photo(self, number: int) -> dict[str, Array] | None:
        """Return the ranks of every layer for a photo, ``None`` where it cannot be read."""
        if number not in self._photos:
            image = self.pixels(number)
            self._photos[number] = {} if image is None else self.ranks(image)
            self._slopes[number] = None if image is None else spectrum_slope(image)
        return self._photos[number] or None

    def slopes(self, numbers: Sequence[int]) -> list[float]:
        """Return the slopes of the spectra of photos that have one."""
        found = [self._slopes.get(n) for n in numbers if self.photo(n) is not None]
        return [slope for slope in found if slope is not None]

    def forget(self, numbers: Sequence[int]) -> None:
        """Forget photos that no later picture is compared with."""
        for number in numbers:
            self._photos.pop(number, None)

    def compare(
        self, image: Array, same: Sequence[int], others: Sequence[int]
    ) -> dict[str, PathSimilarity]:
        """Compare an image with photos of its kind and with others, at every layer."""
        of_kind = [p for n in same if (p := self.photo(n)) is not None]
        unlike = [p for n in others if (p := self.photo(n)) is not None]
        if len(of_kind) < FEWEST or not unlike:
            return {}
        own = self.ranks(image)
        return {
            layer: path_similarity(
                own[layer],
                np.stack([photo[layer] for photo in of_kind]),
                np.stack([photo[layer] for photo in unlike]),
            )
            for layer in self.layers
        }


def layer_vectors(net: Network, tap: str, images: Callable[[], Any]) -> Array:
    """Return the means over positions [N, C] of a tap for batches of images."""
    focused, name = net.focused((tap,)), net.taps[tap].name

    def means(pixels: Any) -> Any:
        a = tf.cast(focused.activations(pixels, [name])[name], tf.float32)
        return tf.reduce_mean(tf.reshape(a, [a.shape[0], -1, a.shape[-1]]), axis=1)

    compute = compiled(means)
    found: dict[int, Array] = {}
    for numbers, pixels in images():
        values = np.asarray(compute(tf.constant(pixels)))
        found.update({number: values[k] for k, number in enumerate(numbers)})
    return np.stack([found[number] for number in range(len(found))])


def path_layers(net: Network, size: Size) -> list[str]:
    """Return the layers at which paths are compared: the main ones that images of a size reach."""
    try:
        shape = tf.TensorSpec([1, *size, net.channels], tf.float32)
        trace = tf.function(lambda x: net.activations(x, net.main_taps), autograph=False)
        trace.get_concrete_function(shape)
    except (ModelError, UsageError):  # too small for some, or several images
        return [name for name in net.main_taps if net.computes(name, *size)]
    return [*net.main_taps]
