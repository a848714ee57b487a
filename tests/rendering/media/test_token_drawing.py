"""Pictures of tokens: everything that was found is on them, and they fit any number of tokens."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.words import token_record

from kerasviz.io.tokenizers import ByteTokens
from kerasviz.rendering.media.token_drawing import (
    ACCENT,
    COOL,
    WARM,
    WIDTH,
    draw_tokens,
    drawn,
    fitted,
    font,
)


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    return {tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()}


def test_the_token_that_most_depends_on_is_the_warmest() -> None:
    image = draw_tokens(token_record(largest=(4.0, 0.0), smallest=(1.0, 0.0)))
    assert image.width == WIDTH and {WARM, COOL, ACCENT} <= colours(image)
    flat = draw_tokens(token_record(largest=(0.0, 0.0), smallest=(-1.0, -1.0)))
    assert WARM not in colours(flat) and ACCENT not in colours(flat)


def test_a_front_is_plotted_below() -> None:
    one = draw_tokens(token_record(entropies=(None,)))
    several = draw_tokens(token_record(entropies=(5.0, 3.0, 1.0)))
    assert several.height > one.height + 150


@pytest.mark.parametrize("length", [1, 12, 33, 500])
def test_any_number_of_tokens_fits(length: int) -> None:
    record = token_record(ids=tuple(range(length)))
    image = draw_tokens(record)
    assert image.width == WIDTH and 60 < image.height < 2000
    margins = np.asarray(image)[:, [0, 1, -2, -1]]
    assert (margins == 255).all()


def test_long_words_are_cut_off() -> None:
    assert fitted("word", 16, 100) == "word"
    short = fitted("w" * 400, 16, 100)
    assert short.endswith("…") and font(16).getlength(short) <= 100


def test_what_the_font_lacks_is_written_in_letters_that_it_has() -> None:
    assert [drawn(t) for t in ("\u2420"[:0], " a", "\t", "\u2421", "é")] == [
        "∅",
        "·a",
        "\\t",
        "7f",
        "é",
    ]


@pytest.mark.parametrize("length", [33, 200])
def test_many_bytes_are_a_hexadecimal_view(length: int) -> None:
    ids = tuple(k % 257 for k in range(length))
    image = draw_tokens(token_record(ids=ids, tokenizer=ByteTokens(257)))
    assert image.width == WIDTH and COOL in colours(image)
    rows = min(length, 192) / 16
    assert 100 + 29 * rows < image.height < 160 + 29 * (rows + 1)
    assert (np.asarray(image)[:, [0, -1]] == 255).all()
