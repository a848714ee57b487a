"""Draw a sequence of tokens: how much depends on each, how sharp the choice is, and the front."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from kerasviz.io.tokenizers import ByteTokens
from kerasviz.optvis.tokens.replacements import NAMED, Replacement
from kerasviz.optvis.tokens.sequence import TokenSequence
from kerasviz.rendering.media.scales import font
from kerasviz.rendering.media.token_record import TokenRecord

#: The width of a picture in pixels, and its margin.
WIDTH = 720
MARGIN = 20
#: Heights of a token, of the bar below it, and of a line of other tokens.
BOX = 34
BAR = 16
LINE = 18
#: What colours and bars mean.
LEGEND = (
    "warm: much is lost by the worst other token   bar: even by the best   below: the best others"
)
#: Tokens that are drawn; of longer sequences the first ones.
DRAWN = 192
#: Tokens whose replacements are written below them; of more there is no room.
WRITTEN = 32
#: Sequences of the front that are written out.
LISTED = 6
#: Bytes in a line, and the side of one in pixels.
LINE_OF_BYTES = 16
CELL = 27
#: The plot of the front: its height, and its width.
PLOT = (190, 300)
INK = (34, 34, 40)
GREY = (120, 120, 128)
PALE = (226, 226, 232)
#: Tokens on which nothing depends, and everything.
COOL = (244, 244, 247)
WARM = (255, 176, 92)
ACCENT = (29, 110, 216)


def draw_tokens(record: TokenRecord) -> Image.Image:
    """Draw a record of tokens.

    The stronger the colour of a token, the more is lost by the worst other token in its place; the
    longer the bar below it, the more even by the best other one. The three best stand below.
    """
    canvas = _Canvas()
    best = record.best
    canvas.text(record.target, 20, INK)
    entropy = "" if best.cross_entropy is None else f",  cross-entropy {best.cross_entropy:.3g}"
    if not math.isnan(best.value):
        canvas.text(f"value {best.value:.4g}{entropy}", 15, GREY)
    if record.comes_back(best) is False:
        canvas.text("the text of these tokens has other ids", 13, GREY)
    canvas.skip(8)
    if isinstance(record.tokenizer, ByteTokens) and len(best.ids) > WRITTEN:
        _bytes(canvas, record)
    else:
        _tokens(canvas, record)
    if record.result.replacements:
        canvas.text(LEGEND, 12, GREY)
    if len(record.result.front) > 1:
        canvas.skip(14)
        _front(canvas, record)
    return canvas.image()


class _Canvas:
    """Draw from top to bottom on paper that is cut off at the end."""

    def __init__(self) -> None:
        self.paper = Image.new("RGB", (WIDTH, 4096), "white")
        self.draw = ImageDraw.Draw(self.paper)
        self.y = MARGIN

    def text(self, text: str, size: int, colour: tuple[int, int, int]) -> None:
        """Write a line, cut off at the margin."""
        line = fitted(text, size, WIDTH - 2 * MARGIN)
        self.draw.text((MARGIN, self.y), line, colour, font(size))
        self.y += round(size * 1.5)

    def skip(self, height: int) -> None:
        """Leave some pixels free."""
        self.y += height

    def image(self) -> Image.Image:
        """Return what was drawn."""
        return self.paper.crop((0, 0, WIDTH, min(self.y + MARGIN, self.paper.height)))


def fitted(text: str, size: int, width: float) -> str:
    """Return a text, cut off with dots where it is wider than ``width`` pixels."""
    if font(size).getlength(text) <= width:
        return text
    while text and font(size).getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def drawn(token: str) -> str:
    """Return a token in letters that the font has.

    >>> drawn(" the"), drawn("a\\n"), drawn("\\u240d"), drawn("")
    ('·the', 'a\\\\n', '0d', '∅')
    """
    if len(token) == 1 and 0x2400 <= ord(token) <= 0x2423:
        codes = {0x2421: 127, 0x2423: 32}
        return f"{codes.get(ord(token), ord(token) - 0x2400):02x}"
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in token)
    return escaped.replace(" ", "·") or "∅"


def _tokens(canvas: _Canvas, record: TokenRecord) -> None:
    """Draw the tokens in rows, with the bars and other tokens below them."""
    tokens, changes = record.tokens[:DRAWN], record.result.replacements
    names = [[record.tokenizer.token(k) for k, _ in change.best] for change in changes]
    writes = len(tokens) <= WRITTEN and bool(changes)
    largest = max((change.largest for change in changes), default=0.0)
    x = MARGIN
    height = BOX + (BAR if changes else 0) + (NAMED * LINE if writes else 0) + 8
    for k, token in enumerate(tokens):
        others = names[k] if writes and k < len(names) else []
        label = drawn(token)
        wide = max(
            font(16).getlength(label) + 16, *(font(12).getlength(drawn(o)) + 8 for o in others), 30
        )
        wide = min(round(wide), WIDTH - 2 * MARGIN)
        if x + wide > WIDTH - MARGIN:
            x, canvas.y = MARGIN, canvas.y + height
        change = changes[k] if k < len(changes) else None
        _token(canvas, (x, wide), label, change, largest)
        for line, other in enumerate(others):
            place = (x + wide / 2, canvas.y + BOX + BAR + line * LINE)
            canvas.draw.text(place, fitted(drawn(other), 12, wide), GREY, font(12), anchor="ma")
        x += wide + 4
    canvas.y += height
    rest = len(record.tokens) - len(tokens)
    if rest:
        canvas.text(f"and {rest} more tokens", 13, GREY)


def _bytes(canvas: _Canvas, record: TokenRecord) -> None:
    """Draw bytes as a hexadecimal view: places, bytes in the colours of tokens, and their text."""
    ids, changes = record.best.ids[:DRAWN], record.result.replacements
    largest = max((change.largest for change in changes), default=0.0)
    for k, number in enumerate(ids):
        column = k % LINE_OF_BYTES
        if column == 0:
            place = (MARGIN, canvas.y + CELL // 2)
            canvas.draw.text(place, f"{k:04x}", GREY, font(12), anchor="lm")
        x = MARGIN + 44 + column * (CELL + 2)
        box = (x, canvas.y, x + CELL - 1, canvas.y + CELL - 1)
        canvas.draw.rounded_rectangle(box, 3, fill=_colour(changes, k, largest))
        middle = (x + CELL / 2, canvas.y + CELL / 2)
        code = f"{number:02x}" if number < 256 else "--"
        canvas.draw.text(middle, code, INK, font(13), anchor="mm")
        text = chr(number) if 32 < number < 127 else "."
        left = MARGIN + 60 + LINE_OF_BYTES * (CELL + 2) + column * 10
        canvas.draw.text((left, middle[1]), text, INK, font(13), anchor="mm")
        if column == LINE_OF_BYTES - 1 or k == len(ids) - 1:
            canvas.y += CELL + 2
    rest = len(record.best.ids) - len(ids)
    if rest:
        canvas.skip(4)
        canvas.text(f"and {rest} more bytes", 13, GREY)


def _colour(changes: Sequence[Replacement], number: int, largest: float) -> tuple[int, ...]:
    """Return the colour of a token, the warmer the more is lost by the worst other one."""
    loss = changes[number].largest if number < len(changes) else 0.0
    share = 0.0 if largest <= 0 else max(0.0, loss) / largest
    return tuple(round(a + share * (b - a)) for a, b in zip(COOL, WARM, strict=True))


def _token(
    canvas: _Canvas,
    place: tuple[int, int],
    label: str,
    change: Replacement | None,
    largest: float,
) -> None:
    """Draw one token, coloured by the largest loss, with a bar of the smallest below."""
    x, wide = place
    colour = _colour(() if change is None else (change,), 0, largest)
    box = (x, canvas.y, x + wide - 1, canvas.y + BOX - 1)
    canvas.draw.rounded_rectangle(box, 5, fill=colour)
    text = fitted(label, 16, wide - 8)
    canvas.draw.text((x + wide / 2, canvas.y + BOX / 2), text, INK, font(16), anchor="mm")
    if change is None:
        return
    length = 0.0 if largest <= 0 else min(1.0, max(0.0, change.smallest) / largest)
    top = canvas.y + BOX + 4
    canvas.draw.rectangle((x, top, x + wide - 1, top + 4), fill=PALE)
    if length > 0:
        canvas.draw.rectangle((x, top, x + max(1, round(length * (wide - 1))), top + 4), ACCENT)


def _front(canvas: _Canvas, record: TokenRecord) -> None:
    """Plot value against cross-entropy, and write the sequences beside it."""
    front = record.result.front
    height, width = PLOT
    left, top = MARGIN + 46, canvas.y + 8
    canvas.draw.rectangle((left, top, left + width, top + height), outline=PALE)
    places = _places(front, (left, top), (width, height))
    canvas.draw.line(places, GREY, 1)
    for k, (x, y) in enumerate(places):
        radius = 5 if k == 0 else 3
        ends = (x - radius, y - radius, x + radius, y + radius)
        canvas.draw.ellipse(ends, fill=ACCENT if k == 0 else GREY)
    values = [each.value for each in front]
    entropies = [each.cross_entropy or 0.0 for each in front]
    small = font(12)
    canvas.draw.text((left - 6, top + 12), f"{max(values):.3g}", INK, small, anchor="rm")
    canvas.draw.text((left - 6, top + height - 12), f"{min(values):.3g}", INK, small, anchor="rm")
    below = top + height + 4
    canvas.draw.text((left + 12, below), f"{min(entropies):.3g}", INK, small, anchor="ma")
    canvas.draw.text((left + width - 12, below), f"{max(entropies):.3g}", INK, small, anchor="ma")
    canvas.draw.text((left + width / 2, below), "value by cross-entropy", GREY, small, anchor="ma")
    _listed(canvas, record, (left + width + 20, top))
    canvas.y = below + 20


def _places(
    front: Sequence[TokenSequence], corner: tuple[int, int], size: tuple[int, int]
) -> list[tuple[float, float]]:
    """Return where the sequences of a front lie in a plot."""

    def shares(numbers: Sequence[float]) -> list[float]:
        low, high = min(numbers), max(numbers)
        return [float(n) for n in (np.array(numbers) - low) / ((high - low) or 1.0)]

    across = shares([each.cross_entropy or 0.0 for each in front])
    up = shares([each.value for each in front])
    inner = 12
    return [
        (
            corner[0] + inner + x * (size[0] - 2 * inner),
            corner[1] + size[1] - inner - y * (size[1] - 2 * inner),
        )
        for x, y in zip(across, up, strict=True)
    ]


def _listed(canvas: _Canvas, record: TokenRecord, corner: tuple[int, int]) -> None:
    """Write sequences of the front, evenly chosen, with their two numbers."""
    front = record.result.front
    count = min(LISTED, len(front))
    chosen = np.unique(np.linspace(0, len(front) - 1, count).round().astype(int))
    x, y = corner
    for k in chosen:
        each = front[int(k)]
        numbers = f"{each.value:.4g}   cross-entropy {each.cross_entropy or 0.0:.3g}"
        canvas.draw.text((x, y), numbers, GREY, font(11))
        text = fitted(drawn(record.text(each)).replace("·", " "), 14, WIDTH - MARGIN - x)
        canvas.draw.text((x, y + 13), text, INK, font(14))
        y += 33
