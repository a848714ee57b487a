"""Draw a film strip: how pictures of some units changed, one row a unit, one column a moment."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from kerasviz.io.images import on_checkerboard

#: Pixels between pictures, and around all.
GAP = 4
#: Pixels of the height of a line of text.
LINE = 16
#: The colours of the ground and of the text, readable on light and dark pages.
GROUND = (24, 24, 27)
TEXT = (228, 228, 231)


def film_strip(
    rows: Sequence[Sequence[Image.Image]], names: Sequence[str], columns: Sequence[str]
) -> Image.Image:
    """Draw pictures in rows with their names above them, and the names of the columns on top.

    All pictures have one size. A name that is wider than its row is cut off.

    >>> one = Image.new("RGB", (40, 30))
    >>> film_strip([[one, one]], ["conv:3"], ["1", "2"]).size
    (92, 70)
    """
    width, height = rows[0][0].size
    count = max(map(len, rows))
    whole = (GAP + count * (width + GAP), LINE + GAP + len(rows) * (LINE + height + GAP))
    strip = Image.new("RGB", whole, GROUND)
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(11)
    for column, name in enumerate(columns):
        left = GAP + column * (width + GAP)
        draw.text((left + width / 2, 2), name, TEXT, font, anchor="ma")
    for number, (name, row) in enumerate(zip(names, rows, strict=True)):
        top = LINE + GAP + number * (LINE + height + GAP)
        draw.text((GAP, top + 1), name, TEXT, font)
        for column, picture in enumerate(row):
            strip.paste(on_checkerboard(picture), (GAP + column * (width + GAP), top + LINE))
    return strip
