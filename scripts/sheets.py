"""A sheet of units over the depth of a network, by several recipes side by side.

    python scripts/sheets.py MODEL [--recipes NAME[:STEPS] ...] [--units 20] [--depths 5]
        [--layers NAME ...] [--size 128] [--preprocess NAME] [--seed 0] [--out DIR]
    python scripts/sheets.py efficientnet-lite0 --recipes fast vivid --units 10

MODEL is a name of the zoo or a file. Without --layers the main layers at evenly spaced depths are
taken, and evenly spaced units of each. OUT/sheet-MODEL.png has a row for each layer, and for each
unit one picture by every recipe, labelled. A table says for each recipe and layer what the scores
are as a share of the first recipe's, and three numbers that look for what spoils pictures: the
least contrast (standard deviation of grey values; grey pictures have below 0.05), the most unequal
border (contrast of the outer eighth by that of the inside; a frame of untouched noise has below
0.5), and the most deviant patch (distance of a patch's mean grey value from the median of all, in
median distances; outlier patches have above 12). Pictures that are complete are not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasviz.cli.progress import import_tensorflow

import_tensorflow()  # before what follows imports it, and without its notes
# ruff: noqa: E402

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kerasviz
from kerasviz.io.files import write_atomically
from kerasviz.io.images import encode
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe

#: Patches along each side of a picture, whose grey values are compared.
PATCHES = 16
#: The side of a picture on the sheet, in pixels.
SIDE = 112


@dataclass(frozen=True)
class Look:
    """What spoils a picture, as numbers: no contrast, a frame, an outlier patch."""

    contrast: float
    border: float
    deviant: float

    @classmethod
    def of(cls, image: np.ndarray) -> Look:
        """The numbers of an image [H, W, C] in [0, 1], at least 16 x 16 pixels."""
        grey = image.mean(axis=2).astype(np.float64)
        height, width = grey.shape
        inside = np.zeros(grey.shape, bool)
        inside[height // 8 : height - height // 8, width // 8 : width - width // 8] = True
        rows, columns = (np.array_split(np.arange(n), min(PATCHES, n)) for n in (height, width))
        means = np.array([[grey[np.ix_(r, c)].mean() for c in columns] for r in rows])
        away = np.abs(means - np.median(means))
        return cls(
            float(grey.std()),
            float(grey[~inside].std() / (grey[inside].std() + 1e-6)),
            float(away.max() / (np.median(away) + 1e-3)),
        )


def spaced(count: int, wanted: int) -> list[int]:
    """Evenly spaced numbers below ``count``, each once.

    >>> spaced(100, 4), spaced(2, 5)
    ([12, 37, 62, 87], [0, 1])
    """
    return sorted({(2 * i + 1) * count // (2 * wanted) for i in range(wanted)})


def layers_of(net: Network, names: Sequence[str], depths: int) -> list[str]:
    """The layers that were named, or main layers at evenly spaced depths."""
    main = list(names) or main_layers(net)
    return main if names else [main[i] for i in spaced(len(main), depths)]


def asked(text: str, size: int | None) -> Recipe:
    """The recipe of NAME, NAME:STEPS, FILE.json or FILE.json:STEPS."""
    name, _, steps = text.partition(":")
    chosen = recipe(name)
    chosen = chosen if size is None else chosen.replace(size=(size, size))
    return chosen.replace(steps=int(steps)) if steps else chosen


def drawn(
    pictures: dict[str, list[list[Image.Image]]], titles: list[list[str]], layers: list[str]
) -> Image.Image:
    """Lay out pictures by recipe, layer and unit: a row for a layer, recipes side by side."""
    font, line, gap = ImageFont.load_default(12), 15, 10
    most = max(map(len, titles))
    cell = len(pictures) * (SIDE + 2) + gap
    height = SIDE + 3 * line + gap
    canvas = Image.new("RGB", (most * cell + gap, len(layers) * height + gap), "white")
    draw = ImageDraw.Draw(canvas)
    for row, layer in enumerate(layers):
        y = gap + row * height
        draw.text((gap, y), layer, "black", font)
        for column, title in enumerate(titles[row]):
            x = gap + column * cell
            draw.text((x, y + line), title, "#555555", font)
            for i, (name, by_layer) in enumerate(pictures.items()):
                left = x + i * (SIDE + 2)
                canvas.paste(by_layer[row][column].resize((SIDE, SIDE)), (left, y + 2 * line))
                draw.text((left, y + 2 * line + SIDE), Path(name).name[:18], "black", font)
    return canvas


def on_white(image: Image.Image) -> Image.Image:
    """Lay a picture on white, which is seen where it is transparent."""
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))


def main() -> None:
    """Render, print the table and draw the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--recipes", nargs="+", default=["fast", "vivid"], metavar="NAME[:STEPS]")
    parser.add_argument("--units", type=int, default=20, help="of all layers together")
    parser.add_argument("--depths", type=int, default=5)
    parser.add_argument("--layers", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--size", type=int)
    parser.add_argument("--preprocess")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--out", type=Path, default=Path("out/sheets"))
    options = parser.parse_args()
    net = kerasviz.load(options.model, preprocess=options.preprocess)
    layers = layers_of(net, options.layers, options.depths)
    each = max(1, options.units // len(layers))
    units = [spaced(net.taps[layer].channels or 1, each) for layer in layers]
    pictures: dict[str, list[list[Image.Image]]] = {}
    first: list[np.ndarray] = []
    print("| recipe | layer | share of score | least contrast | border | deviant patch |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for text in options.recipes:
        pictures[text] = []
        for row, (layer, numbers) in enumerate(zip(layers, units, strict=True)):
            made = kerasviz.render(
                net,
                [f"{layer}:{unit}" for unit in numbers],
                recipe=asked(text, options.size),
                seed=options.seed,
                batch=options.batch,
                out=options.out / net.name,
            )
            looks = [Look.of(np.asarray(picture.image)) for picture in made.pictures]
            scores = np.array([picture.score for picture in made.pictures])
            first.append(scores)
            # of a layer as a whole: single units may score around zero
            share = scores.sum() / first[row].sum()
            pictures[text].append([on_white(picture.to_pil()) for picture in made.pictures])
            print(
                f"| {text} | {layer} | {share:.2f} | {min(k.contrast for k in looks):.3f} | "
                f"{min(k.border for k in looks):.2f} | {max(k.deviant for k in looks):.1f} |",
                flush=True,
            )
    titles = [[f"unit {unit}" for unit in numbers] for numbers in units]
    path = options.out / f"sheet-{net.name}.png"
    write_atomically(path, encode(drawn(pictures, titles, layers), "png"))
    print(f"\n{path}")


if __name__ == "__main__":
    main()
