"""Figures as pictures: every tile and every word is there, nothing overlaps, nothing is cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.figures.drawing import sheet as sheet_module
from kerasviz.figures.drawing.drawing import draw, shown_rows
from kerasviz.figures.drawing.icons import GREY, ICON_SIZE, ORANGE, icon, svg
from kerasviz.figures.drawing.separate_rows import alone, is_separate
from kerasviz.figures.drawing.sheet import BOLD, PLAIN, SCALE, SMALL, Sheet, measure, wrap
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import FigureLayout, Tile
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe

Box = tuple[float, float, float, float]
LONG = "a_scope/with/quite_a_long_name/of_a_layer/that_does_not_fit/"


class Measuring(Sheet):
    """A sheet that also remembers where everything was put."""

    made: list[Measuring]

    def __init__(self, width: float):
        super().__init__(width)
        self.texts: list[tuple[str, Box]] = []
        self.tiles: list[Box] = []
        self.made.append(self)

    def text(self, x, y, lines, style, centred=0):  # type: ignore[no-untyped-def]
        for i, line in enumerate(lines):
            wide = measure(line, style)
            left = x + max(0.0, (centred - wide) / 2) if centred else x
            top = y + i * style.line
            self.texts.append((line, (left, top, left + wide, top + style.line)))
        return super().text(x, y, lines, style, centred)

    def picture(self, x, y, size, picture, *, sharp=False):  # type: ignore[no-untyped-def]
        self.tiles.append((x, y, x + size[0], y + size[1]))
        return super().picture(x, y, size, picture, sharp=sharp)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Measuring]:
    Measuring.made = []
    monkeypatch.setattr("kerasviz.figures.drawing.drawing.Sheet", Measuring)
    return Measuring.made


def apart(a: Box, b: Box) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def plain_pictures(choice: FigureLayout, size: tuple[int, int]) -> dict[Tile, Image.Image]:
    """A picture of one colour for every cell; the colours differ."""
    return {
        cell: Image.new("RGB", size, (7 * i % 256, 40 + 5 * i % 200, 255 - 3 * i))
        for i, cell in enumerate(choice.tiles)
    }


def networks(network_of: Callable[..., Network]) -> dict[str, Network]:
    many = {f"stage{i}": 64 + i for i in range(13)}
    return {
        "many": network_of(many, classes=1000, labels=["a very long class name"] * 1000),
        "long names": network_of({LONG + str(i): 9 for i in range(13)}, classes=3),
        "two layers": network_of({"conv": 4, "conv_1": 8}),
    }


@pytest.mark.parametrize(
    ("kind", "slug"),
    [
        (kind, slug)
        for kind in ("many", "long names", "two layers")
        for slug in CATALOGUE
        # A network without classes cannot have it.
        if (kind, slug) != ("two layers", "fv-vs-attribution")
    ],
)
@pytest.mark.parametrize("size", [(64, 64), (160, 96), (33, 70)])
def test_nothing_overlaps_and_nothing_is_cut(
    slug: str,
    kind: str,
    size: tuple[int, int],
    network_of: Callable[..., Network],
    measured: list[Measuring],
) -> None:
    choice = choose(
        CATALOGUE[slug], FigureOptions(networks(network_of)[kind], recipe("fast"), quick=True)
    )
    pictures = plain_pictures(choice, size)
    image = draw(choice, pictures)
    sheet = measured[0]
    shown = [cell for block in shown_rows(choice) for cell in block.tiles]
    if is_separate(choice):
        shown = [row.tiles[-1] for _, rows in alone(choice) for row in rows]
    if choice.figure.layout != "table":
        assert shown == list(choice.tiles)
    assert len(sheet.tiles) == len(shown)
    boxes = sheet.tiles + [box for _, box in sheet.texts]
    for i, box in enumerate(boxes):
        assert box[0] >= 0 and box[1] >= 0
        assert box[2] * SCALE <= image.width and box[3] * SCALE <= image.height
        assert all(apart(box, other) for other in boxes[i + 1 :])
    for (left, top, right, bottom), cell in zip(sheet.tiles, shown, strict=True):
        picture = pictures[cell]
        assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1])
        middle = (round((left + right) / 2 * SCALE), round((top + bottom) / 2 * SCALE))
        assert image.getpixel(middle) == picture.getpixel((0, 0))


def test_the_words_of_the_figures_are_drawn(
    network_of: Callable[..., Network], measured: list[Measuring]
) -> None:
    net = networks(network_of)["many"]
    wanted = {
        "hero": ["Edges", "Objects", "(layer stage1)"],
        "optimization-progress": ["Step 0", "Step 48", "Step 128"],
        "objectives": ["layer_n[x,y,z]", "softmax[k]", "channel index"],
        "appendix-overview": ["stage3", "Unit 8"],
    }
    for slug, words in wanted.items():
        choice = choose(CATALOGUE[slug], FigureOptions(net, recipe("fast")))
        draw(choice, plain_pictures(choice, (64, 64)))
        texts = [line for line, _ in measured[-1].texts]
        assert set(words) <= set(texts), slug
        assert choice.figure.title in texts
        # The notes on the choice are at the foot, whole.
        assert " ".join(choice.notes) in " ".join(texts)


def test_each_penalty_is_drawn_alone_and_units_of_two_pictures_stand_side_by_side(
    network_of: Callable[..., Network], measured: list[Measuring]
) -> None:
    net = networks(network_of)["many"]
    for slug, titles in (
        ("frequency-penalization", ["L1", "Total variation", "Blur"]),
        ("transformation-robustness", ["Jitter", "Rotate", "Scale"]),
    ):
        choice = choose(CATALOGUE[slug], FigureOptions(net, recipe("fast"), quick=True))
        rows = alone(choice)
        assert [control.title for control, _ in rows] == titles
        assert all(len(control.values) == len(row) for control, row in rows)
        for k, (_, row) in enumerate(rows):
            assert [b.setting for b in row] == [
                (0, *(i if j == k else 0 for j in range(3))) for i in range(len(row))
            ]
        draw(choice, plain_pictures(choice, (64, 64)))
        assert set(titles) <= {line for line, _ in measured[-1].texts}
    choice = choose(CATALOGUE["activation-spectrum"], FigureOptions(net, recipe("fast")))
    draw(choice, plain_pictures(choice, (64, 64)))
    tops = [round(top) for _, top, _, _ in measured[-1].tiles]
    assert len(tops) == 22 and len(set(tops)) == 4  # three units in a row


def test_hero_is_laid_out_as_in_the_article(
    network_of: Callable[..., Network], measured: list[Measuring]
) -> None:
    choice = choose(CATALOGUE["hero"], FigureOptions(networks(network_of)["many"], recipe("fast")))
    draw(choice, plain_pictures(choice, (200, 200)))
    block = measured[0].tiles[:6]
    assert {right - left for left, _, right, _ in block} == {100}
    x, y = block[0][:2]
    assert [(left - x, top - y) for left, top, _, _ in block] == [
        (0, 0), (105, 0), (0, 105), (105, 105), (0, 210), (105, 210),
    ]  # fmt: skip


@pytest.mark.parametrize("style", [PLAIN, BOLD, SMALL])
@pytest.mark.parametrize("width", [9, 40, 111, 1000])
def test_wrapped_lines_fit_and_lose_no_letter(style: sheet_module.Style, width: float) -> None:
    text = "The units of inception_4a/output_that_is_rather_long: 1, 2 & 3 (w i d e)"
    lines = wrap(text, style, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    # A single letter may be wider than the column; nothing else may.
    assert all(measure(line, style) <= width or len(line) == 1 for line in lines)


def test_text_is_drawn_where_it_was_measured() -> None:
    sheet = Sheet(200)
    bottom = sheet.text(20, 10, ["Wide words"], BOLD)
    dark = np.asarray(sheet.finish(10).convert("L")) < 128
    rows, columns = np.nonzero(dark)
    assert rows.min() >= 10 * SCALE and rows.max() < bottom * SCALE
    assert columns.min() >= 20 * SCALE - 1
    assert columns.max() <= (20 + measure("Wide words", BOLD)) * SCALE + 1


def orange_share(kind: str) -> tuple[float, float]:
    """How much of an icon is orange, and where (mean of x)."""
    sheet = Sheet(ICON_SIZE[0])
    sheet.shapes(0, 0, icon(kind))
    sheet.bottom = ICON_SIZE[1]
    pixels = np.asarray(sheet.finish(0), np.int16)
    orange = pixels[..., 0] - pixels[..., 2] > 60
    return float(orange.mean()), float(np.nonzero(orange)[1].mean() / SCALE)


def test_icons_mark_what_is_optimized() -> None:
    neuron, channel, layer = (orange_share(k)[0] for k in ("neuron", "channel", "layer"))
    assert 0 < neuron < channel / 4 < layer / 4
    assert layer > 2 * channel
    before, after = orange_share("logit")[1], orange_share("probability")[1]
    assert before < 55 < 97 < after  # left and right of the box


def test_icons_are_the_same_in_svg() -> None:
    for kind in ("neuron", "channel", "layer", "logit", "probability"):
        words = svg(icon(kind), 'a "title"')
        assert words.count("<polygon") == sum(s.kind == "polygon" for s in icon(kind))
        assert words.count("<circle") == sum(s.kind == "circle" for s in icon(kind))
        assert ORANGE in words and GREY in words
        assert 'aria-label="a &#34;title&#34;"' in words
