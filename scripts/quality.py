"""The transfer score: how many pictures of one network are recognised by others.

    python scripts/quality.py [--models FOLDER] [--seeds 0 1 2] [--precision P ...] [--out DIR]

Renders the class-logit pictures of GoogLeNet (160 x 160, the `article` recipe, 384 steps) and
prints in how many SqueezeNet and EfficientNet-Lite0 see the class, as their first guess (top-1) or
among five (top-5). The judges see the pictures as they are, at 160 x 160. GoogLeNet's own guesses
are given beside, as an upper bound. The sheet of all pictures is OUT/sheet-PRECISION.png. Pictures
that are complete are not made again.

With several precisions (`--precision float32 bfloat16`) all of this is done in each, and then 64
units of four layers are rendered too: a second table has what they reach, evaluated in float32, as
a share of what they reach in the first precision.

FOLDER holds googlenet.onnx and squeezenet1_1.onnx (default: KERASVIZ_TEST_MODELS).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from kerasviz.cli.progress import import_tensorflow

import_tensorflow()  # before what follows imports it, and without its notes
# ruff: noqa: E402

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kerasviz
from kerasviz.io.files import write_atomically
from kerasviz.io.images import encode
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import channel, logit
from kerasviz.optvis.optimization.precision import AUTO, CHOICES, choose
from kerasviz.optvis.recipes import Recipe, recipe
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store

CLASSES = (9, 33, 71, 100, 130, 281, 340, 388, 402, 417)
CLASSES += (444, 483, 508, 530, 574, 701, 755, 817, 949, 963)
SIZE = 160
#: Layers and units, evenly spaced, whose pictures are compared between precisions.
LAYERS = ("mixed3b", "mixed4a", "mixed4c", "mixed5a")
UNITS = 16


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


def made_of(folder: Path, net: Network, requests: list[Request]) -> Store:
    """The store with the pictures of all requests; progress goes to stderr."""

    def progress(report: RenderProgress) -> None:
        if report.step == report.steps:
            done = report.done + report.running
            print(f"{done} of {report.pictures} pictures", file=sys.stderr)

    store = Store(folder, net)
    render_into(store, requests, progress)
    return store


def transfer(folder: Path, net: Network, chosen: Recipe, options: argparse.Namespace) -> None:
    """Render the classes, judge, print the table and write the sheet."""
    requests = [
        Request(f"logit:{k}", logit(k), chosen, seed, batch=options.batch)
        for seed in options.seeds
        for k in CLASSES
    ]
    store = made_of(options.out / "pictures", net, requests)
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
        f"recipe {chosen.name}, {chosen.steps} steps, {chosen.precision}\n"
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
    path = options.out / f"sheet-{chosen.precision}.png"
    write_atomically(path, encode(sheet(images, classes, found, net), "png"))
    print(f"\nsheet: {path}\n")


def reached(net: Network, chosen: list[Recipe], out: Path) -> None:
    """Print what units reach in each precision as a share of what they reach in the first."""
    spaced = {layer: net.taps[layer].channels or 0 for layer in LAYERS}
    units = [
        (layer, (2 * i + 1) * n // (2 * UNITS)) for layer, n in spaced.items() for i in range(UNITS)
    ]
    scores = []
    for each in chosen:
        requests = [Request(f"{tap}:{unit}", channel(tap, unit), each) for tap, unit in units]
        entries = made_of(out / "units", net, requests).finished(requests)
        scores.append(np.array([entry.score for entry in entries]).reshape(len(LAYERS), UNITS))
    print(f"{UNITS} units of each layer, {chosen[0].steps} steps: share of {chosen[0].precision}\n")
    print("| precision | all | least | " + " | ".join(LAYERS) + " |")
    print("| --- |" + " ---: |" * (2 + len(LAYERS)))
    for each, found in zip(chosen[1:], scores[1:], strict=True):
        share = found / scores[0]
        layers = " | ".join(f"{row.mean():.3f}" for row in share)
        print(f"| {each.precision} | {share.mean():.3f} | {share.min():.3f} | {layers} |")


def main() -> None:
    """Do it in every precision that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--models", default=os.environ.get("KERASVIZ_TEST_MODELS"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipe", default="article")
    parser.add_argument("--steps", type=int, default=384)
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=CHOICES)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    options = parser.parse_args()
    folder = Path(options.models or "../shared/models")
    if not (folder / "googlenet.onnx").exists():
        sys.exit(f"no googlenet.onnx in {str(folder)!r}; name its folder with --models")

    net = kerasviz.load(str(folder / "googlenet.onnx"))
    base = recipe(options.recipe).replace(steps=options.steps)
    logits = [net.require_logits().name]
    precisions = [choose(net, logits).precision if p == AUTO else p for p in options.precision]
    chosen = [base.replace(precision=p) for p in dict.fromkeys(precisions)]
    for each in chosen:
        transfer(folder, net, each.replace(size=(SIZE, SIZE)), options)
    if len(chosen) > 1:
        reached(net, chosen, options.out)


if __name__ == "__main__":
    main()
