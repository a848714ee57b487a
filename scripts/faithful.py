"""Do the figures show what the article says of them? In numbers, for GoogLeNet.

    python scripts/faithful.py [--models FOLDER] [--steps N] [--out out/faithful]

Makes seven figures (the `article` recipe; of those with hundreds of settings the ones that
`--quick` shows), measures their pictures and prints a line for each claim. The exit status is 1
where one does not hold. Complete pictures are not made again.

FOLDER holds googlenet.onnx and squeezenet1_1.onnx (default: KERASVIZ_TEST_MODELS).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kerasviz.cli.progress import import_tensorflow

import_tensorflow()  # before what follows imports it, and without its notes
# ruff: noqa: E402

import numpy as np
from figure_measures import distances, gram_cosines, surround_share
from PIL import Image

import kerasviz
from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import FigureLayout, GradientTile, OptimizedTile
from kerasviz.figures.make import PICTURES
from kerasviz.network.network import Network
from kerasviz.optvis.gradients import high_frequency_share
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.photos import find_photos
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.store import Store

SLUGS = (
    "hero",
    "objectives",
    "diversity-4a97",
    "interpolation",
    "naive-noise",
    "steepest-descent",
    "preconditioning",
)


@dataclass(frozen=True)
class Check:
    """A claim of the article on a figure, what was measured, and whether it holds."""

    figure: str
    claim: str
    measured: str
    holds: bool


class Pictures:
    """The pictures of a set of figures, as arrays [H, W, 3] in [0, 1]."""

    def __init__(self, folder: Path, order: FigureOptions):
        self.net = order.net
        self.store = Store(folder / PICTURES, order.net)
        self.choices = {slug: choose(CATALOGUE[slug], order) for slug in SLUGS}

    def read(self, cell: OptimizedTile | GradientTile) -> np.ndarray:
        if isinstance(cell, GradientTile):
            file = f"{cell.file}.png"
        else:
            file = self.store.entry(cell.request, cell.step, cell.row).file
        with Image.open(self.store.folder / file) as image:
            return np.asarray(image.convert("RGB"), np.float32) / 255

    def stack(
        self, cells: tuple[OptimizedTile | GradientTile, ...] | list[OptimizedTile]
    ) -> np.ndarray:
        return np.stack([self.read(cell) for cell in cells])

    def activations(self, images: np.ndarray, tap: str) -> np.ndarray:
        """Of a tap, before its ReLU where it has one, each image by itself."""
        name = self.net.taps[tap].pre_activation or tap
        return np.concatenate([self.net.activations(i[None], [name])[name] for i in images])


def variety(judge: Network, images: np.ndarray) -> np.ndarray:
    """How unlike the quarters of each image are to another network: 0 where all are the same.

    One less the cosine of the mean activations of two quarters, averaged over their pairs and over
    the modules of the network (SqueezeNet's concatenations).
    """
    taps = [n for n, t in judge.taps.items() if t.op == "Concat" and not n.endswith("_pre_relu")]
    pairs = np.triu_indices(4, 1)
    found = []
    for image in images:
        unlike = []
        for maps in judge.activations(image[None], taps).values():
            half, across = (side // 2 for side in maps.shape[1:3])
            corners = [
                maps[0, y, x]
                for y in (slice(half), slice(-half, None))
                for x in (slice(across), slice(-across, None))
            ]
            means = np.stack([np.mean(corner, (0, 1)) for corner in corners])
            means /= np.linalg.norm(means, axis=1, keepdims=True)
            unlike.append(1 - (means @ means.T)[pairs].mean())
        found.append(np.mean(unlike))
    return np.array(found)


def _words(values: np.ndarray | list[float], digits: int = 2) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def _hero(pictures: Pictures, judge: Network) -> Iterator[Check]:
    groups = [pictures.stack(block.optimized) for block in pictures.choices["hero"].blocks]
    edges, textures, *rest = (float(np.mean(variety(judge, images))) for images in groups)
    yield Check(
        "hero",
        "edges and textures are the same everywhere, then more and more is somewhere "
        "(unlikeness of a picture's quarters to SqueezeNet, group by group)",
        _words([edges, textures, *rest], 3),
        max(edges, textures) < rest[0] and rest == sorted(rest),
    )


def _objectives(pictures: Pictures) -> Iterator[Check]:
    cells = pictures.choices["objectives"].optimized
    kinds = {c.column.kind: pictures.read(c) for c in cells if c.column is not None}
    neuron, channel = surround_share(np.stack([kinds["neuron"], kinds["channel"]]))
    yield Check(
        "objectives",
        "the neuron's picture is in the centre, the channel's fills the canvas (surround's share)",
        f"{neuron:.3f} and {channel:.3f}",
        neuron < channel / 3 and channel > 0.35,
    )


def _diversity(pictures: Pictures) -> Iterator[Check]:
    simple, *facets = pictures.choices["diversity-4a97"].optimized
    term = simple.request.objective.terms[0]
    images = pictures.stack([simple, *facets])
    found = pictures.activations(images, term.tap)
    reached = found[..., term.unit].mean((1, 2))
    yield Check(
        "diversity",
        "all four make the unit active (share of the simple picture's activation)",
        _words(reached[1:] / reached[0]),
        bool((reached[1:] > 0.5 * reached[0]).all()),
    )
    pairs = np.triu_indices(len(facets), 1)
    cosines = gram_cosines(np.maximum(found[1:], 0))[pairs]
    apart = distances(images[1:])[pairs]
    yield Check(
        "diversity",
        "they differ: Gram matrices (cosines) and pixels (root mean square difference)",
        f"{_words(cosines)}; {_words(apart)}",
        bool((cosines < 0.9).all() and (apart > 0.1).all()),
    )


def _interpolation(pictures: Pictures) -> Iterator[Check]:
    near, far, steps = [], [], []
    climbs, ends = [], []
    for block in pictures.choices["interpolation"].blocks:
        images = pictures.stack(block.optimized)
        apart = distances(images)
        near.append(float(np.mean(np.diagonal(apart, 1))))
        steps.append(float(np.max(np.diagonal(apart, 1))))
        ends += [images[0], images[-1]]
        far.append(float(apart[0, -1]))
        first, last = (t for t in block.optimized[0].request.objective.terms if t.kind == "channel")
        for term, sign in ((first, -1), (last, 1)):
            reached = pictures.activations(images, term.tap)[..., term.unit].mean((1, 2))
            climbs.append(float(np.corrcoef(np.arange(len(images)), reached)[0, 1]) * sign)
    unlike = float(np.mean(distances(np.stack(ends))[np.triu_indices(len(ends), 1)]))
    yield Check(
        "interpolation",
        "frames morph: neighbours are nearer than the ends, and no step is as far as from one unit "
        "to any other (root mean square difference)",
        f"{_words(near, 3)} and {_words(far, 3)}; largest step {max(steps):.3f} of {unlike:.3f}",
        all(n < f for n, f in zip(near, far, strict=True)) and max(steps) < unlike,
    )
    yield Check(
        "interpolation",
        "from frame to frame one unit fades and the other comes (correlation, by end)",
        _words(climbs),
        min(climbs) > 0.5,
    )


def by_setting(choice: FigureLayout) -> dict[tuple[int, ...], OptimizedTile]:
    """The finished picture of the first unit for every setting of the other controls."""
    return {b.setting[1:]: b.optimized[-1] for b in choice.blocks if b.setting[0] == 0}


def _noise(pictures: Pictures) -> Iterator[Check]:
    naive = pictures.stack(list(by_setting(pictures.choices["naive-noise"]).values()))
    switched = by_setting(pictures.choices["preconditioning"])
    rate = pictures.choices["preconditioning"].initial[-1]
    shares = {
        switches: float(high_frequency_share(pictures.read(switched[*switches, rate])[None])[0])
        for switches in ((0, 0), (0, 1), (1, 0), (1, 1))
    }
    high = high_frequency_share(naive)
    grains = np.random.default_rng(0).uniform(size=naive.shape).astype(np.float32)
    white = float(np.mean(high_frequency_share(grains)))
    yield Check(
        "naive-noise",
        "pixels without regularization are nearer to white noise than to what is preconditioned "
        "and robust, at every rate (share of high frequencies)",
        f"{_words(high)}; white noise {white:.2f}, preconditioned and robust {shares[1, 1]:.2f}",
        bool((high > (white + shares[1, 1]) / 2).all()),
    )
    yield Check(
        "preconditioning",
        "high frequencies: pixels alone most, decorrelated and robust least "
        "(neither, robust, decorrelated, both)",
        _words([shares[0, 0], shares[0, 1], shares[1, 0], shares[1, 1]]),
        shares[0, 0] == max(shares.values()) and shares[1, 1] == min(shares.values()),
    )


def _steepest(pictures: Pictures) -> Iterator[Check]:
    shares: dict[str, list[float]] = {"decorrelated": [], "l2": [], "linf": []}
    for cell in pictures.choices["steepest-descent"].computed:
        if cell.kind in shares:
            shares[cell.kind].append(float(high_frequency_share(pictures.read(cell)[None])[0]))
    rows = list(zip(*shares.values(), strict=True))
    yield Check(
        "steepest-descent",
        "high frequencies: decorrelated < L2 < L-infinity, for every photo",
        "; ".join(_words(row) for row in rows),
        bool(rows) and all(a < b < c for a, b, c in rows),
    )


def checks(pictures: Pictures, judge: Network) -> Iterator[Check]:
    """All claims, in the article's order."""
    yield from _hero(pictures, judge)
    yield from _objectives(pictures)
    yield from _diversity(pictures)
    yield from _interpolation(pictures)
    yield from _noise(pictures)
    yield from _steepest(pictures)


def main() -> None:
    """Make the figures, measure, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--models", default=os.environ.get("KERASVIZ_TEST_MODELS"))
    parser.add_argument("--steps", type=int, default=recipe("article").steps)
    parser.add_argument("--photos", help="a folder of photos [default: two of scikit-image]")
    parser.add_argument("--out", type=Path, default=Path("out/faithful"))
    options = parser.parse_args()
    folder = Path(options.models or "../shared/models")
    if not (folder / "googlenet.onnx").exists():
        sys.exit(f"no googlenet.onnx in {str(folder)!r}; name its folder with --models")
    net = kerasviz.load(str(folder / "googlenet.onnx"))
    judge = kerasviz.load(str(folder / "squeezenet1_1.onnx"))
    photos = Path(options.photos) if options.photos else _bundled(options.out / "photos")
    chosen = recipe("article").replace(steps=options.steps)

    def progress(report: RenderProgress) -> None:
        if report.step == report.steps:
            done = report.done + report.running
            print(f"{done} of {report.pictures} pictures", file=sys.stderr)

    make_figures(net, SLUGS, chosen, options.out, quick=True, photos=photos, progress=progress)
    order = FigureOptions(net, chosen, quick=True, photos=find_photos(photos))
    found = list(checks(Pictures(options.out, order), judge))
    print(f"GoogLeNet, recipe {chosen.name}, {options.steps} steps\n")
    print("| figure | claim | measured | holds |")
    print("| --- | --- | --- | --- |")
    for c in found:
        print(f"| {c.figure} | {c.claim} | {c.measured} | {'yes' if c.holds else 'NO'} |")
    sys.exit(not all(c.holds for c in found))


def _bundled(folder: Path) -> Path:
    from skimage import data

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("chelsea", "coffee"):
        Image.fromarray(getattr(data, name)()).save(folder / f"{name}.png")
    return folder


if __name__ == "__main__":
    main()
