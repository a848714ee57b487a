"""The transfer score: how many pictures of one network are recognised by others.

    python scripts/quality.py [--networks NAME ...] [--recipes NAME[:STEPS] ...] [--classes N]
        [--seeds 0 1 2] [--size 160] [--precision P ...] [--models FOLDER] [--out DIR]
    python scripts/quality.py --networks googlenet --recipes fast vivid --classes 5 --seeds 0

Renders pictures of class logits by every recipe (a name or a .json file, with another number of
steps after a colon) on every network, and prints a table for each network. It has in how many
pictures the other networks, which had no part in them, see the class, as their first guess (top-1)
or among five (top-5), and the mean logarithm of the probability that they give it, which is less
noisy. The judges see the pictures as they are, in their size. The network's own guesses are given
beside, as an upper bound. Seconds are those of one picture, without compiling: of the clock, and of
the processor, which count less what else runs. The sheet of the pictures is
OUT/sheet-NETWORK-RECIPE-STEPS-PRECISION.png. Pictures that are complete are not made again.

With several precisions (`--precision float32 bfloat16`) all of this is done in each, and then 64
units of four layers of GoogLeNet are rendered too, by the first recipe: a last table has what they
reach, evaluated in float32, as a share of what they reach in the first precision.

FOLDER holds googlenet.onnx and squeezenet1_1.onnx (default: KERASVIZ_TEST_MODELS).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
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
#: The networks by name: their titles, and their files in the folder, if they are not of the zoo.
NETWORKS = {
    "googlenet": ("GoogLeNet", "googlenet.onnx"),
    "squeezenet": ("SqueezeNet 1.1", "squeezenet1_1.onnx"),
    "efficientnet-lite0": ("EfficientNet-Lite0", ""),
}
RECIPE_NAMES = ("article:384", "lucid", "fast", "vivid")
#: Layers and units, evenly spaced, whose pictures are compared between precisions.
LAYERS = ("mixed3b", "mixed4a", "mixed4c", "mixed5a")
UNITS = 16


@dataclass
class Pace:
    """The time that pictures take, from the first report of a run to the last."""

    reports: list[tuple[float, float, float]] = field(default_factory=list)

    def __call__(self, report: RenderProgress) -> None:
        """Take the time, and say on stderr which pictures are done."""
        made = report.fraction * report.pictures
        self.reports.append((made, time.perf_counter(), time.process_time()))
        if report.step == report.steps:
            done = report.done + report.running
            print(f"{done} of {report.pictures} pictures", file=sys.stderr)

    def describe(self) -> str:
        """Seconds of the clock and of the processor a picture; nothing if none was made."""
        if len(self.reports) < 2:
            return "-"
        first, *_, last = self.reports
        clock, cpu = (
            (b - a) / (last[0] - first[0]) for a, b in zip(first[1:], last[1:], strict=True)
        )
        return f"{clock:.2f} / {cpu:.2f}"


@dataclass(frozen=True)
class Verdict:
    """What a judge thinks of pictures: the ``places`` of their classes, and log probabilities."""

    places: np.ndarray
    evidence: np.ndarray

    @classmethod
    def of(cls, logits: np.ndarray, classes: Sequence[int]) -> Verdict:
        """The verdict of logits [pictures, all classes]; place 0 is the first guess."""
        rows = logits.astype(np.float64)
        own = rows[np.arange(len(rows)), list(classes)]
        largest = rows.max(axis=1)
        total = largest + np.log(np.exp(rows - largest[:, None]).sum(axis=1))
        return cls((rows > own[:, None]).sum(axis=1), own - total)

    def describe(self) -> str:
        """Top-1, top-5 and the mean log probability."""
        top = [np.mean(self.places < n) for n in (1, 5)]
        return f"{top[0]:.2f} / {top[1]:.2f} ({self.evidence.mean():.2f})"


def judged(judge: Network, images: np.ndarray, classes: Sequence[int]) -> Verdict:
    """The verdict of a network on images [N, H, W, 3]."""
    tap = judge.require_logits().name
    parts = np.array_split(images, max(1, len(images) // 10))
    scores = np.concatenate([judge.activations(some, [tap])[tap] for some in parts])
    return Verdict.of(scores.reshape(len(images), -1), classes)


def sheet(
    images: np.ndarray, classes: Sequence[int], found: dict[str, Verdict], net: Network
) -> Image.Image:
    """All pictures, five in a row, with the class and each judge's verdict under them."""
    across, line, gap = 5, 14, 8
    font = ImageFont.load_default(12)
    side = images.shape[1]
    cell = (max(side, 190) + gap, side + gap + line * (1 + len(found)))
    rows = -(-len(images) // across)
    canvas = Image.new("RGB", (cell[0] * across + gap, cell[1] * rows + gap), "white")
    draw = ImageDraw.Draw(canvas)
    for i, image in enumerate(images):
        x, y = gap + i % across * cell[0], gap + i // across * cell[1]
        canvas.paste(Image.fromarray(np.rint(image * 255).astype(np.uint8)), (x, y))
        label = net.labels[classes[i]].split(",")[0] if net.labels else ""
        draw.text((x, y + side + 1), f"{classes[i]} {label}"[:26], "black", font)
        for n, (judge, verdict) in enumerate(found.items(), start=1):
            place = int(verdict.places[i]) + 1
            colour = "#1a7f37" if place == 1 else "#9a6700" if place <= 5 else "#cf222e"
            text = f"{judge}: {'first guess' if place == 1 else f'place {place}'}"
            draw.text((x, y + side + 1 + line * n), text, colour, font)
    return canvas


def made_of(folder: Path, net: Network, requests: list[Request]) -> tuple[Store, Pace]:
    """The store with the pictures of all requests, and their pace."""
    store, pace = Store(folder, net), Pace()
    render_into(store, requests, pace)
    return store, pace


def transfer(
    nets: dict[str, Network], name: str, chosen: Recipe, options: argparse.Namespace
) -> str:
    """Render the classes on the network ``name``, judge, write the sheet, return a table's row."""
    net, classes = nets[name], CLASSES[: options.classes] * len(options.seeds)
    requests = [
        Request(f"logit:{k}", logit(k), chosen, seed, batch=options.batch)
        for seed in options.seeds
        for k in CLASSES[: options.classes]
    ]
    store, pace = made_of(options.out / name, net, requests)
    files = [store.find(request)[0].file for request in requests]
    images = np.stack([np.asarray(Image.open(store.folder / f), np.float32) / 255 for f in files])
    order = [other for other in nets if other != name] + [name]
    found = {NETWORKS[n][0]: judged(nets[n], images, classes) for n in order}
    words = f"{name}-{Path(chosen.name).stem}-{chosen.steps}-{chosen.precision}"
    path = options.out / f"sheet-{words}.png"
    write_atomically(path, encode(sheet(images, classes, found, net), "png"))
    verdicts = " | ".join(verdict.describe() for verdict in found.values())
    return f"| {chosen.name} | {chosen.steps} | {pace.describe()} | {verdicts} |"


def print_table(
    nets: dict[str, Network], name: str, chosen: list[Recipe], options: argparse.Namespace
) -> None:
    """Print what the recipes do on one network, each row as soon as it is known."""
    seeds = " ".join(map(str, options.seeds))
    judges = [NETWORKS[other][0] for other in nets if other != name]
    print(
        f"{NETWORKS[name][0]}: {options.classes} classes, seeds {seeds}, {options.size}x"
        f"{options.size}, {chosen[0].precision}: top-1 / top-5 (mean log probability)\n"
    )
    heads = ("recipe", "steps", "seconds a picture / of CPU", *judges, "itself")
    print("| " + " | ".join(heads) + " |\n| --- |" + " ---: |" * (len(heads) - 1))
    for each in chosen:
        print(transfer(nets, name, each, options), flush=True)
    print()


def reached(net: Network, chosen: list[Recipe], out: Path) -> None:
    """Print what units reach in each precision as a share of what they reach in the first."""
    spaced = {layer: net.taps[layer].channels or 0 for layer in LAYERS}
    units = [
        (layer, (2 * i + 1) * n // (2 * UNITS)) for layer, n in spaced.items() for i in range(UNITS)
    ]
    scores = []
    for each in chosen:
        requests = [Request(f"{tap}:{unit}", channel(tap, unit), each) for tap, unit in units]
        entries = made_of(out / "units", net, requests)[0].finished(requests)
        scores.append(np.array([entry.score for entry in entries]).reshape(len(LAYERS), UNITS))
    print(f"{UNITS} units of each layer, {chosen[0].steps} steps: share of {chosen[0].precision}\n")
    print("| precision | all | least | " + " | ".join(LAYERS) + " |")
    print("| --- |" + " ---: |" * (2 + len(LAYERS)))
    for each, found in zip(chosen[1:], scores[1:], strict=True):
        share = found / scores[0]
        layers = " | ".join(f"{row.mean():.3f}" for row in share)
        print(f"| {each.precision} | {share.mean():.3f} | {share.min():.3f} | {layers} |")


def asked(text: str, size: int) -> Recipe:
    """The recipe of NAME, NAME:STEPS, FILE.json or FILE.json:STEPS."""
    name, _, steps = text.partition(":")
    chosen = recipe(name).replace(size=(size, size))
    if name.endswith(".json") and chosen.name == "custom":
        chosen = chosen.replace(name=Path(name).stem)
    return chosen.replace(steps=int(steps)) if steps else chosen


def load(name: str, folder: Path) -> Network:
    """The network of a name."""
    file = NETWORKS[name][1]
    if file and not (folder / file).exists():
        sys.exit(f"no {file} in {str(folder)!r}; name its folder with --models")
    return kerasviz.load(str(folder / file) if file else name)


def main() -> None:
    """Do it in every precision that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--models", default=os.environ.get("KERASVIZ_TEST_MODELS"))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--recipes", nargs="+", default=RECIPE_NAMES, metavar="NAME[:STEPS]")
    parser.add_argument("--classes", type=int, default=len(CLASSES), help="the first N of the 20")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=CHOICES)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    options = parser.parse_args()
    if not 1 <= options.classes <= len(CLASSES):
        sys.exit(f"--classes {options.classes}: expected 1 to {len(CLASSES)}")
    recipes = [asked(text, options.size) for text in options.recipes]
    folder = Path(options.models or "../shared/models")
    nets = {name: load(name, folder) for name in NETWORKS}
    for name in options.networks:
        net, logits = nets[name], [nets[name].require_logits().name]
        precisions = [choose(net, logits).precision if p == AUTO else p for p in options.precision]
        for precision in dict.fromkeys(precisions):
            chosen = [each.replace(precision=precision) for each in recipes]
            print_table(nets, name, chosen, options)
        if len(set(precisions)) > 1 and name == "googlenet":
            units = [recipes[0].replace(precision=p) for p in dict.fromkeys(precisions)]
            reached(net, units, options.out)


if __name__ == "__main__":
    main()
