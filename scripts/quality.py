"""The transfer score: how many pictures of one network are recognised by others.

    python scripts/quality.py [--models FOLDER] [--seeds 0 1 2] [--out out/quality]

Renders the class-logit pictures of GoogLeNet (160 x 160, the `article` recipe, 384 steps) and
prints in how many SqueezeNet and EfficientNet-Lite0 see the class, as their first guess (top-1) or
among five (top-5). The judges see the pictures as they are, at 160 x 160. GoogLeNet's own guesses
are given beside, as an upper bound. The sheet of all pictures is OUT/sheet.png. Pictures that are
there already are not made again.

FOLDER holds googlenet.onnx and squeezenet1_1.onnx (default: KERASVIZ_TEST_MODELS).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from kerasviz.cli.quiet import import_tensorflow

import_tensorflow()  # before what follows imports it, and without its notes
# ruff: noqa: E402

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kerasviz
from kerasviz.files import write_atomically
from kerasviz.images import encode
from kerasviz.network import Network
from kerasviz.objectives import logit
from kerasviz.recipes import recipe
from kerasviz.rendering import Report, Request
from kerasviz.store import Store

CLASSES = (9, 33, 71, 100, 130, 281, 340, 388, 402, 417)
CLASSES += (444, 483, 508, 530, 574, 701, 755, 817, 949, 963)
SIZE = 160


def ranks(judge: Network, images: np.ndarray, classes: list[int]) -> np.ndarray:
    """For every image [H, W, 3] the place of its class among the judge's guesses, 0 the first."""
    tap = judge.require_logits().name
    parts = np.array_split(images, max(1, len(images) // 10))
    scores = np.concatenate([judge.activations(some, [tap])[tap] for some in parts])
    scores = scores.reshape(len(images), -1)
    return np.array([(row > row[k]).sum() for row, k in zip(scores, classes, strict=True)])


def sheet(
    images: np.ndarray, classes: list[int], found: dict[str, np.ndarray], net: Network
) -> Image.Image:
    """All pictures, five in a row, with the class and each judge's verdict under them."""
    across, line, gap = 5, 14, 8
    font = ImageFont.load_default(12)
    cell = (SIZE + gap, SIZE + gap + line * (1 + len(found)))
    rows = -(-len(images) // across)
    canvas = Image.new("RGB", (cell[0] * across + gap, cell[1] * rows + gap), "white")
    draw = ImageDraw.Draw(canvas)
    for i, image in enumerate(images):
        x, y = gap + i % across * cell[0], gap + i // across * cell[1]
        canvas.paste(Image.fromarray(np.rint(image * 255).astype(np.uint8)), (x, y))
        label = net.labels[classes[i]].split(",")[0] if net.labels else ""
        draw.text((x, y + SIZE + 1), f"{classes[i]} {label}"[:26], "black", font)
        for n, (judge, places) in enumerate(found.items(), start=1):
            place = int(places[i]) + 1
            colour = "#1a7f37" if place == 1 else "#9a6700" if place <= 5 else "#cf222e"
            text = f"{judge}: {'first guess' if place == 1 else f'place {place}'}"
            draw.text((x, y + SIZE + 1 + line * n), text, colour, font)
    return canvas


def main() -> None:
    """Render, judge, print the table and write the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--models", default=os.environ.get("KERASVIZ_TEST_MODELS"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipe", default="article")
    parser.add_argument("--steps", type=int, default=384)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    options = parser.parse_args()
    folder = Path(options.models or "../shared/models")
    if not (folder / "googlenet.onnx").exists():
        sys.exit(f"no googlenet.onnx in {str(folder)!r}; name its folder with --models")

    net = kerasviz.load(str(folder / "googlenet.onnx"))
    chosen = recipe(options.recipe).replace(steps=options.steps, size=(SIZE, SIZE))
    requests = [
        Request(f"logit:{k}", logit(k), chosen, seed, batch=options.batch)
        for seed in options.seeds
        for k in CLASSES
    ]

    def progress(report: Report) -> None:
        if report.step == report.steps:
            done = report.done + report.running
            print(f"{done} of {report.pictures} pictures", file=sys.stderr)

    store = Store(options.out / "pictures", net)
    store.make(requests, progress)
    files = [store.find(request)[0].file for request in requests]
    images = np.stack([np.asarray(Image.open(store.folder / f), np.float32) / 255 for f in files])
    classes = [k for _ in options.seeds for k in CLASSES]

    judges = {
        "SqueezeNet 1.1": kerasviz.load(str(folder / "squeezenet1_1.onnx")),
        "EfficientNet-Lite0": kerasviz.load("efficientnet-lite0"),
        "GoogLeNet itself": net,
    }
    found = {name: ranks(judge, images, classes) for name, judge in judges.items()}
    print(
        f"{len(CLASSES)} classes, seeds {' '.join(map(str, options.seeds))}, {SIZE}x{SIZE}, "
        f"recipe {chosen.name}, {options.steps} steps\n"
    )
    seeds = " | ".join(f"seed {s}" for s in options.seeds)
    print(f"| judge | top-1 | top-5 | top-1 / top-5 by {seeds} |")
    print("| --- | ---: | ---: |" + " ---: |" * len(options.seeds))
    for name, places in found.items():
        each = [
            f"{np.mean(p < 1):.2f} / {np.mean(p < 5):.2f}"
            for p in np.split(places, len(options.seeds))
        ]
        total = f"{np.mean(places < 1):.2f} | {np.mean(places < 5):.2f}"
        print(f"| {name} | {total} | {' | '.join(each)} |")
    path = options.out / "sheet.png"
    write_atomically(path, encode(sheet(images, classes, found, net), "png"))
    print(f"\nsheet: {path}")


if __name__ == "__main__":
    main()
