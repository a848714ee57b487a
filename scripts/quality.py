"""The transfer score: how many pictures of one network are recognised by others.

    python scripts/quality.py [--networks NAME ...] [--recipes NAME[:STEPS] ...] [--classes N]
        [--only CLASS ...] [--seeds 0 1 2] [--size 160] [--precision P ...] [--units N]
        [--lucent FOLDER] [--models FOLDER] [--out DIR]
    python scripts/quality.py --networks googlenet --recipes fast vivid --classes 5 --seeds 0

Renders pictures of class logits by every recipe (a name or a .json file, with another number of
steps after a colon) on every network, and prints a table for each network. It has in how many
pictures the other networks, which had no part in them, see the class, as their first guess (top-1)
or among five (top-5), and the mean logarithm of the probability that they give it, which is less
noisy. The judges see the pictures as they are, in their size, as `kerasviz trust` shows them. The
network's own guesses are given beside, as an upper bound. Seconds are those of one picture, without
compiling: of the clock, and of the processor, which count less what else runs. The sheet of the
pictures is
OUT/sheet-NETWORK-RECIPE-STEPS-PRECISION.png. Pictures that are complete are not made again.

`--units N` renders N units of each of four layers too, and prints what they reach in float32, at
the tensor before the ReLU, as a share of what they reach by `article` in all of its 2560 steps.

`--lucent FOLDER` renders the same classes by lucent's defaults, its own 512 steps, from the same
weights of GoogLeNet, and adds its row. PyTorch and lucent are installed in an environment in FOLDER
if they are not there yet (as by `bench_peers.py`).

With several precisions (`--precision float32 bfloat16`) all of this is done in each, and then 64
units of four layers of GoogLeNet are rendered too, by the first recipe: a last table has what they
reach, evaluated in float32, as a share of what they reach in the first precision.

A stopped run continues where it was. The whole table takes hours on two cores; `--classes`,
`--seeds` and `--networks` make parts of it in the same folder. FOLDER of `--models` holds
googlenet.onnx and squeezenet1_1.onnx (default: KERASVIZ_TEST_MODELS).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from kerasviz.cli.progress import import_tensorflow

import_tensorflow()  # before what follows imports it, and without its notes
# ruff: noqa: E402

import numpy as np
import quality_lucent  # beside this file
from PIL import Image, ImageDraw, ImageFont

import kerasviz
from kerasviz.examples.finished_pictures import in_batches
from kerasviz.examples.measured import TOGETHER
from kerasviz.examples.trust.transfer import Guess, guesses
from kerasviz.io.files import write_atomically
from kerasviz.io.images import encode
from kerasviz.network.network import Network
from kerasviz.network.program import has_positions
from kerasviz.optvis.objectives.objective import channel, logit
from kerasviz.optvis.optimization.precision import AUTO, CHOICES, choose
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import RECIPES, recipe
from kerasviz.rendering.adapting import adapt_recipe
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
RECIPE_NAMES = ("article:384", "lucid", "fast", "vivid", "vivid:384", "maco")
#: Units of a layer, evenly spaced, that are compared between precisions.
UNITS = 16
#: Where the layers are whose units are compared, in the order of the main layers; of GoogLeNet they
#: are mixed3b, mixed4a, mixed4c and mixed5a.
LAYERS = (0.35, 0.45, 0.65, 0.9)


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
    def of(cls, guesses: Sequence[Guess]) -> Verdict:
        """The verdict of a judge's guesses, as `kerasviz trust` has them."""
        places = [guess.place - 1 for guess in guesses]
        return cls(np.array(places), np.array([guess.evidence for guess in guesses]))

    def describe(self) -> str:
        """Top-1, top-5 and the mean log probability."""
        top = [np.mean(self.places < n) for n in (1, 5)]
        return f"{top[0]:.2f} / {top[1]:.2f} ({self.evidence.mean():.2f})"


def judged(judge: Network, images: np.ndarray, classes: Sequence[int]) -> Verdict:
    """The verdict of a network on images [N, H, W, 3]."""
    batches = in_batches(len(images), TOGETHER, images.__getitem__)
    return Verdict.of(guesses(judge, batches, classes))


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


def made_of(folder: Path, net: Network, requests: list[Request]) -> tuple[list[Path], Pace]:
    """The files of the pictures of all requests, and their pace."""
    store, pace = Store(folder, net), Pace()
    render_into(store, requests, pace)
    return [store.folder / store.find(request)[0].file for request in requests], pace


def pixels(files: Sequence[Path]) -> np.ndarray:
    """The pictures of files, [N, H, W, 3] in [0, 1]."""
    read = [np.asarray(Image.open(file).convert("RGB"), np.float32) for file in files]
    return np.stack(read) / 255


@dataclass(frozen=True)
class Jury:
    """The networks by name; those that did not make a picture judge it."""

    nets: dict[str, Network]
    options: argparse.Namespace

    @property
    def classes(self) -> list[int]:
        """The classes of each seed."""
        return list(chosen_classes(self.options))

    def row(self, maker: str, files: Sequence[Path], title: str, steps: int, words: str) -> str:
        """Judge the pictures of all classes and seeds, write their sheet, return a table's row."""
        images, classes = pixels(files), self.classes * len(self.options.seeds)
        order = [other for other in self.nets if other != maker] + [maker]
        found = {NETWORKS[n][0]: judged(self.nets[n], images, classes) for n in order}
        drawn = sheet(images, classes, found, self.nets[maker])
        write_atomically(self.options.out / f"sheet-{maker}-{words}.png", encode(drawn, "png"))
        verdicts = " | ".join(verdict.describe() for verdict in found.values())
        return f"| {title} | {steps} | {{pace}} | {verdicts} |"


def transfer(jury: Jury, name: str, chosen: Recipe) -> str:
    """Render the classes on the network ``name`` and return a table's row."""
    net, options = jury.nets[name], jury.options
    requests = [
        Request(f"logit:{k}", logit(k), adapt_recipe(chosen, logit(k), net), seed)
        for seed in options.seeds
        for k in jury.classes
    ]
    requests = [replace(request, batch=options.batch) for request in requests]
    files, pace = made_of(options.out / name, net, requests)
    words = f"{Path(chosen.name).stem}-{chosen.steps}-{chosen.precision}"
    return jury.row(name, files, chosen.name, chosen.steps, words).format(pace=pace.describe())


def print_table(jury: Jury, name: str, chosen: list[Recipe]) -> None:
    """Print what the recipes do on one network, each row as soon as it is known."""
    options = jury.options
    seeds = " ".join(map(str, options.seeds))
    judges = [NETWORKS[other][0] for other in jury.nets if other != name]
    print(
        f"{NETWORKS[name][0]}: {len(jury.classes)} classes, seeds {seeds}, {options.size}x"
        f"{options.size}, {chosen[0].precision}: top-1 / top-5 (mean log probability)\n"
    )
    heads = ("recipe", "steps", "seconds a picture / of CPU", *judges, "itself")
    print("| " + " | ".join(heads) + " |\n| --- |" + " ---: |" * (len(heads) - 1))
    for each in chosen:
        print(transfer(jury, name, each), flush=True)
    if options.lucent and name == "googlenet":
        print(lucent_row(jury, name), flush=True)
    print()


def lucent_row(jury: Jury, name: str) -> str:
    """Render the classes by lucent in its own environment and return a table's row."""
    options = jury.options
    steps, folder = options.lucent_steps, options.out / "lucent"
    pictures = [
        (k, seed, folder / f"{k}-{seed}-{options.size}-{steps}.png")
        for seed in options.seeds
        for k in jury.classes
    ]
    made = quality_lucent.Lucent(options.lucent, options.torch, steps, options.size)
    try:
        title, pace = made.render(jury.nets[name], model_file(name, options), pictures)
    except RuntimeError as error:
        return f"left out: lucent: {error}"
    files = [file for *_, file in pictures]
    return jury.row(name, files, title, steps, f"lucent-{steps}").format(pace=pace)


# -- units ------------------------------------------------------------------------------------


def layers_of(net: Network) -> list[str]:
    """The layers whose units are compared."""
    main = [name for name in net.main_taps if has_positions(net.taps[name].shape)]
    return [main[round(share * (len(main) - 1))] for share in LAYERS]


def reached(
    net: Network, chosen: list[Recipe], count: int, out: Path, heads: Sequence[str]
) -> None:
    """Print what ``count`` units of each layer reach as a share of what they reach by the first.

    That is their mean before the ReLU in float32, for the picture as it is.
    """
    layers = layers_of(net)
    spaced = {layer: net.taps[layer].channels or 0 for layer in layers}
    units = [
        (layer, (2 * i + 1) * n // (2 * count)) for layer, n in spaced.items() for i in range(count)
    ]
    print(f"{count} units of each layer: share of {heads[0]}\n")
    print("| | all | least | " + " | ".join(layers) + " |")
    print("| --- |" + " ---: |" * (2 + len(layers)))
    scores = []
    for each, head in zip(chosen, heads, strict=True):
        objectives = [channel(tap, unit) for tap, unit in units]
        requests = [
            Request(f"{tap}:{unit}", objective, adapt_recipe(each, objective, net))
            for (tap, unit), objective in zip(units, objectives, strict=True)
        ]
        images = pixels(made_of(out, net, requests)[0])
        score = [
            mean_before_relu(net, image[None], *unit)
            for image, unit in zip(images, units, strict=True)
        ]
        scores.append(np.array(score).reshape(len(layers), count))
        share = scores[-1] / scores[0]
        columns = " | ".join(f"{row.mean():.3f}" for row in share)
        print(f"| {head} | {share.mean():.3f} | {share.min():.3f} | {columns} |", flush=True)
    print()


def mean_before_relu(net: Network, image: np.ndarray, tap: str, unit: int) -> float:
    """The mean over positions of a unit for an image [1, H, W, 3]."""
    name = net.taps[tap].pre_relu or tap
    return float(np.asarray(net.activations(image, [name])[name])[..., unit].mean())


# -- the command ------------------------------------------------------------------------------


def asked(text: str, size: int) -> Recipe:
    """The recipe of NAME, NAME:STEPS, FILE.json or FILE.json:STEPS."""
    name, _, steps = text.partition(":")
    chosen = recipe(name).replace(size=(size, size))
    if name.endswith(".json") and chosen.name == "custom":
        chosen = chosen.replace(name=Path(name).stem)
    return chosen.replace(steps=int(steps)) if steps else chosen


def chosen_classes(options: argparse.Namespace) -> tuple[int, ...]:
    """The classes that are asked for: by number, or the first of the 20."""
    return tuple(options.only) if options.only else CLASSES[: options.classes]


def model_file(name: str, options: argparse.Namespace) -> Path | str:
    """The file of a network, or its name in the zoo."""
    file, folder = NETWORKS[name][1], Path(options.models or "../shared/models")
    if file and not (folder / file).exists():
        sys.exit(f"no {file} in {str(folder)!r}; name its folder with --models")
    return folder / file if file else name


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    known = [each for each in RECIPE_NAMES if each.partition(":")[0] in RECIPES]
    parser.add_argument("--models", default=os.environ.get("KERASVIZ_TEST_MODELS"))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--recipes", nargs="+", default=known, metavar="NAME[:STEPS]")
    parser.add_argument("--classes", type=int, default=len(CLASSES), help="the first N of the 20")
    parser.add_argument("--only", type=int, nargs="+", help="these classes instead of the 20")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=CHOICES)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--units", type=int, default=0, help="units of each layer to compare")
    parser.add_argument("--lucent", type=Path, help="folder of lucent's environment, kept")
    parser.add_argument("--lucent-steps", type=int, default=512, help="lucent's own are 512")
    parser.add_argument("--torch", default="torch", help="what pip is asked for")
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    options = parser.parse_args(arguments)
    if not 1 <= options.classes <= len(CLASSES):
        sys.exit(f"--classes {options.classes}: expected 1 to {len(CLASSES)}")
    return options


def main() -> None:
    """Do it in every precision that is asked for."""
    options = parsed()
    recipes = [asked(text, options.size) for text in options.recipes]
    nets = {name: kerasviz.load(str(model_file(name, options))) for name in NETWORKS}
    jury = Jury(nets, options)
    for name in options.networks:
        net, logits = nets[name], [nets[name].require_logits().name]
        precisions = [choose(net, logits).precision if p == AUTO else p for p in options.precision]
        precisions = list(dict.fromkeys(precisions))
        for precision in precisions:
            chosen = [each.replace(precision=precision) for each in recipes]
            print_table(jury, name, chosen)
        if len(precisions) > 1 and name == "googlenet":
            units = [recipes[0].replace(precision=p) for p in precisions]
            reached(net, units, UNITS, options.out / "units", precisions)
        if options.units:
            compared = [asked("article", options.size), *recipes]
            heads = [f"{each.name}, {each.steps} steps" for each in compared]
            reached(net, compared, options.units, options.out / f"units-{name}", heads)


if __name__ == "__main__":
    main()
