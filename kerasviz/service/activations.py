"""The activations of a layer for an image that a user uploads."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.io.digits import rounded
from kerasviz.io.images import ImageFileError, open_image, read_image
from kerasviz.network.positions import positions_of
from kerasviz.rendering.sizes import usual_size
from kerasviz.service.description import label_of
from kerasviz.service.networks import Networks
from kerasviz.types import Array, Size

#: The most pixels of an image: a small file may hold very many.
PIXELS = 50_000_000
#: Units that are listed, the most active first.
TOP = 20
#: Functions that are kept, each for one layer.
KEPT = 32
FORMATS = ("PNG", "JPEG")


class ImageActivations:
    """Computes activations of images; callers enter ``slots`` before."""

    def __init__(self, networks: Networks, at_once: int = 2):
        self.networks = networks
        self.slots = asyncio.Semaphore(at_once)
        self._function = lru_cache(maxsize=KEPT)(self._traced)

    def of(self, name: str, tap: str, unit: int | None, data: bytes) -> dict[str, Any]:
        """Return the most active units (mean over all positions) and the map of ``unit``.

        The map of tokens is that of the patches, without special tokens.
        """
        net = self.networks.get(name)
        image, found = self._response(name, tap, data)
        means = found.reshape(-1, found.shape[-1]).mean(axis=0)
        order = np.argsort(-means, kind="stable")[:TOP]
        positions = positions_of(net, tap, (image.shape[0], image.shape[1]))
        drawn = np.asarray(positions.on_map(found[None]))[0]
        return {
            "shape": list(drawn.shape),
            "top": [
                {"unit": int(k), "value": rounded(means[k]), "label": label_of(net, tap, int(k))}
                for k in order
            ],
            "map": None
            if unit is None
            else [[rounded(v) for v in row] for row in drawn[..., unit]],
        }

    def means(self, name: str, tap: str, data: bytes) -> Array:
        """Return the mean activation [units] of each unit over all positions."""
        found = self._response(name, tap, data)[1]
        means: Array = found.reshape(-1, found.shape[-1]).mean(axis=0)
        return means

    def _response(self, name: str, tap: str, data: bytes) -> tuple[Array, Array]:
        """Return the image as the network sees it, and the activations of a tap."""
        net = self.networks.get(name)
        image = read_body(data, usual_size(net), net.channels)
        return image, np.asarray(self._function(name, tap)(image[None]))[0]

    def _traced(self, name: str, tap: str) -> Any:
        net = self.networks.get(name)
        return tf.function(lambda images: net.activations(images, [tap])[tap], autograph=False)


def read_body(data: bytes, size: Size, channels: int) -> Array:
    """Read PNG or JPEG bytes as an array [H, W, channels] in [0, 1] of ``size``.

    Raises :class:`UsageError` for what is no such image and for one of more than :data:`PIXELS`
    pixels, of which nothing is decoded.
    """
    try:
        with opened_body(data):
            pass
        return read_image(data, size, channels, formats=FORMATS, draft=1).astype(np.float32) / 255
    except ImageFileError as error:
        raise UsageError(f"the body is no PNG or JPEG image that can be read: {error}") from error


@contextmanager
def opened_body(data: bytes) -> Iterator[Image.Image]:
    """Open PNG or JPEG bytes, without decoding them.

    Raises :class:`ImageFileError` for others, and :class:`UsageError` for more than :data:`PIXELS`
    pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with open_image(data, FORMATS) as image:
            width, height = image.size
            if width * height > PIXELS:
                raise UsageError(
                    f"the image has {width}x{height} pixels; at most {PIXELS} are read"
                )
            yield image
