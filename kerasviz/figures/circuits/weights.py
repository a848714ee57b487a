"""Draw weights: red excites, blue inhibits, white is 0."""

from __future__ import annotations

import base64

import numpy as np
from PIL import Image

from kerasviz.io.images import encode
from kerasviz.types import Array

#: Colours of weights from -1 to 1, evenly spaced (ColorBrewer's RdBu, as in the articles).
COLOURS = ("#0571b0", "#92c5de", "#f7f7f7", "#f4a582", "#ca0020")
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
    pixels = np.rint(np.stack(channels, -1)).astype(np.uint8)
    factor = max(1, -(-SIDE // max(weights.shape)))
    return Image.fromarray(pixels).resize(
        (weights.shape[1] * factor, weights.shape[0] * factor), Image.Resampling.NEAREST
    )


def weight_url(weights: Array, scale: float) -> str:
    """Return the drawing as a data URL of a PNG."""
    data = encode(weight_image(weights, scale), "png")
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
