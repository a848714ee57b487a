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
#: The squares behind transparent pictures: the side in pixels, and their two greys.
SQUARE = 8
LIGHT = 255
DARK = 204
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


def to_image(
    array: np.ndarray[Any, Any], opacity: np.ndarray[Any, Any] | None = None
) -> Image.Image:
    """Convert an array [H, W, C] in [0, 1] to an 8-bit picture, with ``opacity`` [H, W] if given.

    One channel is grey and three are RGB. Other counts are shown as RGB, each the root mean square
    of a third of the channels (after the reference library's notebook on any number of channels).
    Colours are kept where a picture is transparent.

    >>> to_image(np.zeros((2, 3, 1))).size
    (3, 2)
    """
    channels = array.shape[-1]
    if channels not in (1, 3):
        thirds = np.array_split(array, 3, axis=-1) if channels > 2 else [array] * 3
        array = np.stack([np.sqrt(np.mean(np.square(t), axis=-1)) for t in thirds], axis=-1)
    pixels = _bytes_of(array)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    if opacity is not None:
        image.putalpha(Image.fromarray(_bytes_of(opacity)))
    return image


def _bytes_of(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Round numbers in [0, 1] to bytes from 0 to 255."""
    pixels = np.empty(array.shape, np.uint8)
    for top in range(0, len(array), ROWS):
        part = np.asarray(array[top : top + ROWS], np.float64)
        pixels[top : top + ROWS] = np.clip(np.rint(part * 255), 0, 255)
    return pixels


def image_array(image: Image.Image) -> Array:
    """Convert a grey or RGB picture to an array [H, W, C] float32 in [0, 1], without its opacity.

    >>> image_array(Image.new("L", (3, 2), 255)).shape
    (2, 3, 1)
    """
    colours = image.convert(image.mode.removesuffix("A")) if _is_transparent(image) else image
    pixels = np.asarray(colours, np.float32) / 255
    return pixels[..., None] if pixels.ndim == 2 else pixels


def opacity_of(image: Image.Image) -> Array | None:
    """Return the opacity [H, W] float32 in [0, 1] of a picture, ``None`` if it has none."""
    if not _is_transparent(image):
        return None
    return np.asarray(image.getchannel("A"), np.float32) / 255


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in ("LA", "RGBA")


def on_checkerboard(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on grey squares; others are returned as RGB.

    >>> on_checkerboard(Image.new("RGBA", (9, 9))).getpixel((8, 0))
    (204, 204, 204)
    """
    if not _is_transparent(image):
        return image.convert("RGB")
    width, height = image.size
    rows, columns = np.arange(height) // SQUARE, np.arange(width) // SQUARE
    odd = (rows[:, None] + columns) % 2 == 1
    return _laid_on(image, Image.fromarray(np.where(odd, DARK, LIGHT).astype(np.uint8)))


def on_colour(image: Image.Image, colour: str) -> Image.Image:
    """Lay a transparent picture on one colour; others are returned as they are."""
    if not _is_transparent(image):
        return image
    return _laid_on(image, Image.new("RGB", image.size, colour))


def _laid_on(image: Image.Image, ground: Image.Image) -> Image.Image:
    ground = ground.convert("RGB")
    ground.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return ground


def contact_sheet(
    images: Sequence[Image.Image], columns: int | None = None, gap: int = 4
) -> Image.Image:
    """Arrange images in rows on white, each at its own size, ``gap`` pixels apart.

    Transparent ones lie on a checkerboard. Without ``columns`` there are about as many as rows. A
    single image is returned as it is.

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
        sheet.paste(on_checkerboard(image), (column * width, row * height))
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
    """Encode a picture as file bytes; equal pictures and provenance give equal bytes.

    As JPEG a transparent picture lies on white.
    """
    buffer = io.BytesIO()
    if file_format == "png":
        text = PngImagePlugin.PngInfo()
        if provenance is not None:
            line = json.dumps(provenance, sort_keys=True, ensure_ascii=True)
            text.add_itxt(KEYWORD, line, zip=True)
        image.save(buffer, "PNG", pnginfo=text)
    elif file_format == "jpg":
        on_colour(image, "white").save(buffer, "JPEG", quality=92, subsampling=0)
    elif file_format == "webp":  # with the colours of transparent pixels too
        image.save(buffer, "WEBP", quality=92, method=4, exact=_is_transparent(image))
    else:
        raise UsageError(f"unknown format {file_format!r}; choose from {', '.join(FORMATS)}")
    return buffer.getvalue()


def decode(data: bytes) -> tuple[Image.Image, dict[str, Any] | None]:
    """Decode a picture from file bytes, with its provenance if it has one."""
    image = Image.open(io.BytesIO(data))
    image.load()
    text = getattr(image, "text", {}).get(KEYWORD)
    return image, json.loads(text) if text else None
