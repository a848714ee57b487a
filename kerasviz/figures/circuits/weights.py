"""Draw weights: red excites, blue inhibits, white is 0."""

from __future__ import annotations

import base64

import numpy as np
from PIL import Image

from kerasviz.io.images import encode
from kerasviz.types import Array

#: Colours of weights from -1 to 1, evenly spaced (ColorBrewer's RdBu, as in the articles).
COLOURS = ("#0571b0", "#92c5de", "#f7f7f7", "#f4a582", "#ca0020")
#: Colours of the factors of weights: red, green and blue, as in the articles, and others.
FACTOR_COLOURS = ("#e8432f", "#2fae4e", "#3a78e8", "#d99a00", "#a04fd0", "#13a0a0")
#: The least side of a drawing in pixels: smaller weights are enlarged without smoothing.
SIDE = 64


def weight_image(weights: Array, scale: float) -> Image.Image:
    """Draw weights [h, w] between -``scale`` and ``scale``, a square of pixels for each.

    >>> image = weight_image(np.array([[1.0, 0.0, -1.0]]), 1.0)
    >>> image.size, image.getpixel((0, 0)), image.getpixel((image.width - 1, 0))
    ((66, 22), (202, 0, 32), (5, 113, 176))
    """
    stops = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in COLOURS], float)
    places = np.clip(weights / (scale or 1.0), -1, 1)
    channels = [np.interp(places, np.linspace(-1, 1, len(stops)), stop) for stop in stops.T]
    return _enlarged(np.stack(channels, -1))


def pattern_image(patterns: Array, first: int = 0) -> Image.Image:
    """Draw spatial patterns [factors, h, w] on black, each in its colour of ``FACTOR_COLOURS``.

    >>> pattern_image(np.array([[[1.0, 0.0]], [[0.0, 0.5]]])).getpixel((63, 0))
    (24, 87, 39)
    """
    colours = [FACTOR_COLOURS[(first + k) % len(FACTOR_COLOURS)] for k in range(len(patterns))]
    numbers = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in colours], float)
    shares = patterns / (patterns.max() or 1.0)
    return _enlarged(np.clip(np.einsum("khw,kc->hwc", shares, numbers), 0, 255))


def _enlarged(colours: Array) -> Image.Image:
    """Return colours [h, w, 3] in 0 .. 255 as an image, a square of pixels for each."""
    pixels = np.rint(colours).astype(np.uint8)
    height, width = pixels.shape[:2]
    factor = max(1, -(-SIDE // max(height, width)))
    return Image.fromarray(pixels).resize(
        (width * factor, height * factor), Image.Resampling.NEAREST
    )


def weight_url(weights: Array, scale: float) -> str:
    """Return the drawing of weights as a data URL of a PNG."""
    return _url(weight_image(weights, scale))


def pattern_url(patterns: Array, first: int = 0) -> str:
    """Return the drawing of spatial patterns as a data URL of a PNG."""
    return _url(pattern_image(patterns, first))


def _url(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode(image, 'png')).decode()}"
