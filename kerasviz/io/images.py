"""Image files: arrays in [0, 1] as PNG, JPEG or WebP bytes, PNG with its provenance inside."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from kerasviz.errors import UsageError

__all__ = ["FORMATS", "decode", "encode", "pixels_of", "to_image"]

FORMATS = ("png", "jpg", "webp")
#: So many rows become bytes at once: the numbers on the way take several times the array's memory.
ROWS = 256
#: The keyword of the PNG text chunk that holds the provenance.
KEYWORD = "kerasviz"


def to_image(array: np.ndarray[Any, Any]) -> Image.Image:
    """An array [H, W, C] in [0, 1] as an 8-bit picture.

    One channel is grey and three are RGB. Other counts are shown as RGB, each the root mean square
    of a third of the channels (after the reference library's notebook on any number of channels).

    >>> to_image(np.zeros((2, 3, 1))).size
    (3, 2)
    """
    channels = array.shape[-1]
    if channels not in (1, 3):
        thirds = np.array_split(array, 3, axis=-1) if channels > 2 else [array] * 3
        array = np.stack([np.sqrt(np.mean(np.square(t), axis=-1)) for t in thirds], axis=-1)
    pixels = np.empty(array.shape, np.uint8)
    for top in range(0, len(array), ROWS):
        part = np.asarray(array[top : top + ROWS], np.float64)
        pixels[top : top + ROWS] = np.clip(np.rint(part * 255), 0, 255)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)


def pixels_of(image: Image.Image, channels: int) -> np.ndarray[Any, Any]:
    """A picture as bytes [H, W, channels] from 0 to 255.

    One channel is the brightness. For other counts than 3 the colours are repeated in turn.

    >>> pixels_of(Image.new("RGB", (3, 2), (255, 0, 51)), 5)[0, 0].tolist()
    [255, 0, 51, 255, 0]
    """
    if channels == 1:
        return np.asarray(image.convert("L"))[..., None]
    repeated: np.ndarray[Any, Any] = np.asarray(image.convert("RGB"))[..., np.arange(channels) % 3]
    return repeated


def encode(image: Image.Image, file_format: str, provenance: dict[str, Any] | None = None) -> bytes:
    """A picture as file bytes; the same picture and provenance give the same bytes."""
    buffer = io.BytesIO()
    if file_format == "png":
        text = PngImagePlugin.PngInfo()
        if provenance is not None:
            line = json.dumps(provenance, sort_keys=True, ensure_ascii=True)
            text.add_itxt(KEYWORD, line, zip=True)
        image.save(buffer, "PNG", pnginfo=text)
    elif file_format == "jpg":
        image.save(buffer, "JPEG", quality=92, subsampling=0)
    elif file_format == "webp":
        image.save(buffer, "WEBP", quality=92, method=4)
    else:
        raise UsageError(f"unknown format {file_format!r}; choose from {', '.join(FORMATS)}")
    return buffer.getvalue()


def decode(data: bytes) -> tuple[Image.Image, dict[str, Any] | None]:
    """A picture from file bytes, with the provenance if it carries one."""
    image = Image.open(io.BytesIO(data))
    image.load()
    text = getattr(image, "text", {}).get(KEYWORD)
    return image, json.loads(text) if text else None
