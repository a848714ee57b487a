"""Image files: arrays in [0, 1] as PNG, JPEG or WebP bytes, PNG with its provenance inside."""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from kerasviz.errors import UsageError
from kerasviz.types import Array, FileFormat, Size


class ImageFileError(UsageError):
    """A file that is no picture, or a damaged one; the message is Pillow's reason only."""


FORMATS = get_args(FileFormat)
#: What is raised for files that are no pictures or damaged, by Pillow and here.
UNREADABLE = (
    ImageFileError,
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where a filter makes it an error
)
#: Rows that become bytes at once: the intermediate numbers take several times the array's memory.
ROWS = 256
#: The keyword of the PNG text chunk that holds the provenance.
KEYWORD = "kerasviz"


@contextmanager
def open_image(file: Path | bytes, formats: tuple[str, ...] | None = None) -> Iterator[Image.Image]:
    """Open a picture file in some of Pillow's formats, by default in all.

    Raises :class:`ImageFileError` also for what Pillow finds wrong in the block.
    """
    try:
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        with Image.open(source, formats=formats) as image:
            yield image
    except UNREADABLE as error:
        raise ImageFileError(str(error)) from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a picture to RGB; transparency is dropped."""
    return image.convert("RGB")


def read_image(
    file: Path | bytes,
    size: Size,
    channels: int,
    *,
    formats: tuple[str, ...] | None = None,
    draft: int | None = None,
    convert: Callable[[Image.Image], Image.Image] = to_rgb,
) -> Array:
    """Read a picture file as bytes [H, W, channels] from 0 to 255, upright as its EXIF data say.

    The shorter side is scaled to that of ``size``, the longer one cropped at the centre. A JPEG
    may be decoded smaller, with sides of at least ``draft`` times ``size``. ``convert`` makes it
    RGB. Raises :class:`ImageFileError`.
    """
    height, width = size
    with open_image(file, formats) as image:
        if draft is not None:
            image.draft(None, (draft * width, draft * height))
        upright = convert(ImageOps.exif_transpose(image))
        cropped = ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
        return pixels_of(cropped, channels)


def to_image(array: np.ndarray[Any, Any]) -> Image.Image:
    """Convert an array [H, W, C] in [0, 1] to an 8-bit picture.

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


def image_array(image: Image.Image) -> Array:
    """Convert a grey or RGB picture to an array [H, W, C] float32 in [0, 1].

    >>> image_array(Image.new("L", (3, 2), 255)).shape
    (2, 3, 1)
    """
    pixels = np.asarray(image, np.float32) / 255
    return pixels[..., None] if pixels.ndim == 2 else pixels


def contact_sheet(
    images: Sequence[Image.Image], columns: int | None = None, gap: int = 4
) -> Image.Image:
    """Arrange images in rows on white, each at its own size, ``gap`` pixels apart.

    Without ``columns`` there are about as many as rows. A single image is returned as it is.

    >>> contact_sheet([Image.new("L", (8, 6))] * 5).size
    (32, 16)
    """
    if not images:
        raise UsageError("there is no picture to show")
    if len(images) == 1:
        return images[0]
    columns = max(1, min(columns or math.ceil(math.sqrt(len(images))), len(images)))
    width, height = (max(image.size[axis] for image in images) + gap for axis in (0, 1))
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * width - gap, rows * height - gap), "white")
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        sheet.paste(image.convert("RGB"), (column * width, row * height))
    return sheet


def pixels_of(image: Image.Image, channels: int) -> np.ndarray[Any, Any]:
    """Convert a picture to bytes [H, W, channels] from 0 to 255.

    One channel is the brightness. For other counts than 3 the colours are repeated in turn.

    >>> pixels_of(Image.new("RGB", (3, 2), (255, 0, 51)), 5)[0, 0].tolist()
    [255, 0, 51, 255, 0]
    """
    if channels == 1:
        return np.asarray(image.convert("L"))[..., None]
    repeated: np.ndarray[Any, Any] = np.asarray(image.convert("RGB"))[..., np.arange(channels) % 3]
    return repeated


def encode(image: Image.Image, file_format: str, provenance: dict[str, Any] | None = None) -> bytes:
    """Encode a picture as file bytes; equal pictures and provenance give equal bytes."""
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
    """Decode a picture from file bytes, with its provenance if it has one."""
    image = Image.open(io.BytesIO(data))
    image.load()
    text = getattr(image, "text", {}).get(KEYWORD)
    return image, json.loads(text) if text else None
