"""Sprites: the pictures of ten units in one JPEG file, of which a page shows parts."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, UnidentifiedImageError

from kerasviz.figures.layout.example_panels import EXAMPLES
from kerasviz.io.files import digest
from kerasviz.io.images import on_checkerboard
from kerasviz.rendering.pages import PIXEL_ART

#: Units in a file, the side of an optimized picture in pixels, and of an example (the article's).
PER_SHEET, TILE, EXAMPLE = 10, 147, 73
#: From one example to the next, in pixels.
PITCH = 74
#: Optimized pictures of a unit: neuron, channel, negative, four facets.
TILES = 7
#: The colour behind the pictures and between the examples.
BEHIND = (128, 128, 128)
#: That of the JPEG files, with colours at half the resolution: about 40 KB for a unit. The pictures
#: themselves are one click away.
QUALITY = 80
#: Increased when the same pictures give another file.
VERSION = 2


@dataclass(frozen=True)
class Strip:
    """Hold the pictures of a unit: ``tiles`` are neuron, channel, negative and four diverse ones.

    ``positive`` and ``negative`` are examples from a dataset, at most ten each.
    """

    tiles: tuple[Image.Image, ...]
    positive: tuple[Image.Image, ...] = ()
    negative: tuple[Image.Image, ...] = ()


def corner(row: int, column: int, examples: str = "") -> tuple[int, int]:
    """Return left and top of a picture in its file, in pixels.

    ``row`` counts the units, ``column`` the pictures or, with ``examples`` ``positive`` or
    ``negative``, the examples of a unit.

    >>> corner(2, 6), corner(0, 1, "positive"), corner(0, 1, "negative")
    ((882, 294), (1103, 0), (1103, 74))
    """
    if not examples:
        return column * TILE, row * TILE
    down = PITCH if examples == "negative" else 0
    return TILES * TILE + column * PITCH, row * TILE + down


def sheet_size(rows: int, *, examples: bool) -> tuple[int, int]:
    """Return width and height of a file in pixels.

    >>> sheet_size(10, examples=False), sheet_size(3, examples=True)
    ((1029, 1470), (1769, 441))
    """
    return TILES * TILE + examples * EXAMPLES * PITCH, rows * TILE


def sheet(strips: Sequence[Strip], *, examples: bool = False, side: int = TILE) -> Image.Image:
    """Paste the pictures of units below each other, each unit a row, with room for ``examples``.

    The longer side of an optimized picture becomes 147 pixels; very small ones keep
    their single pixels. Examples become 73 x 73. With another ``side`` than 147 all lengths
    are shorter in proportion, and there is no room for examples.
    """
    width, height = sheet_size(len(strips), examples=examples)
    image = Image.new("RGB", (width * side // TILE, height * side // TILE), BEHIND)
    for row, strip in enumerate(strips):
        for column, tile in enumerate(strip.tiles):
            left, top = corner(row, column)
            image.paste(scaled(tile, side), (left * side // TILE, top * side // TILE))
        for kind, crops in (("positive", strip.positive), ("negative", strip.negative)):
            for column, crop in enumerate(crops[:EXAMPLES]):
                image.paste(scaled(crop, EXAMPLE), corner(row, column, kind))
    return image


def scaled(image: Image.Image, side: int) -> Image.Image:
    """Scale a picture to a longer side of ``side`` pixels; very small ones stay sharp.

    Transparent pictures lie on a checkerboard.
    """
    longest = max(image.size)
    size = (
        max(1, round(image.width * side / longest)),
        max(1, round(image.height * side / longest)),
    )
    sharp = longest < PIXEL_ART
    way = Image.Resampling.NEAREST if sharp else Image.Resampling.LANCZOS
    return on_checkerboard(image).resize(size, way)


def sheet_file(
    there: bytes,
    sources: Sequence[str],
    strips: Callable[[], list[Strip]],
    *,
    examples: bool = False,
    side: int = TILE,
) -> bytes:
    """Make a file of sprites, or return ``there`` if it was made from the same pictures.

    ``sources`` are the checksums of the pictures. The file carries their digest, so that it can
    be compared without making it again.
    """
    made_of: dict[str, Any] = {"pictures": list(sources), "examples": examples}
    if side != TILE:
        made_of["side"] = side
    return sprite_file(there, made_of, lambda: sheet(strips(), examples=examples, side=side))


def sprite_file(there: bytes, made_of: Mapping[str, Any], draw: Callable[[], Image.Image]) -> bytes:
    """Draw a JPEG file, or return ``there`` if it was drawn from the same ``made_of``.

    The file carries the digest of ``made_of``.
    """
    key = digest({"version": VERSION, "quality": QUALITY, **made_of})
    if _key(there) == key:
        return there
    buffer = io.BytesIO()
    draw().save(buffer, "JPEG", quality=QUALITY, subsampling=2, comment=key)
    return buffer.getvalue()


def _key(data: bytes) -> str:
    """Return the digest that a file carries; "" for a truncated file."""
    try:
        comment = Image.open(io.BytesIO(data)).info.get("comment", b"")
    except (UnidentifiedImageError, OSError, SyntaxError):
        return ""
    whole = data.endswith(b"\xff\xd9")  # the end of every JPEG file
    return str(comment.decode("ascii", "replace")) if whole else ""
