"""Ablate units and weights, and say what that changes on photos: the public function."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from kerasviz.analysis.edits import unit_edits, without_weights
from kerasviz.errors import UsageError, check_choice, whole_number
from kerasviz.examples.datasets import Source, open_source
from kerasviz.figures.ablation.measure import EditEffect, ImagePass, measure, unit_means
from kerasviz.figures.ablation.page import write_page
from kerasviz.figures.named_units import named_units
from kerasviz.io.digits import rounded
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.io.terminal import Update, reporting, stepping
from kerasviz.network.network import Network
from kerasviz.network.program import Edit
from kerasviz.network.size import size_of
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Size, UnitLevel, WeightSign
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network

#: The version of the data of an ablation.
VERSION = 1
#: Weights that are left out: those of a sign between two taps.
Cut = tuple[str, str, WeightSign]


@dataclass(frozen=True, eq=False)
class Ablation:
    """Hold what edits of a network change on images.

    Args:
        levels: The numbers that units were set to, by tap and unit.
        cut: The weights that were left out: (source, target, sign).
        measured: The effect.
        record: All numbers as plain data, as in the JSON file.
        page: The page that shows them.
    """

    levels: dict[tuple[str, int], float]
    cut: tuple[Cut, ...]
    measured: EditEffect
    record: dict[str, Any]
    page: Path


@named_arguments()
def ablate(  # noqa: PLR0913 - the options of the command
    net: Model,
    units: str | Iterable[str],
    images: str | os.PathLike[str] | Source,
    *,
    level: UnitLevel = "zero",
    cut: Sequence[Cut] = (),
    batch: int = 32,
    limit: int | None = None,
    size: int | Size | str | None = None,
    out: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    progress: bool | Update | None = None,
) -> Ablation:
    """Silence units, or leave out weights, and say what that changes on photos.

    Like ``kerasviz ablate``, this writes a page with the changes of logits and of the accuracy,
    and all numbers as JSON.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        units: Units to silence, such as ``"block4a:11"`` or ``"block4a:0-7"``.
        images: A folder of image files, a TFRecord file, or ``"tfds:NAME@SPLIT"``. Folders that
            are named after classes give the accuracy.
        level: What units are set to at all positions: "zero", or their "mean" over the images.
        cut: Weights to leave out: (earlier tap, later tap, sign), with the sign "positive",
            "negative" or "all", between layers with a linear way between.
        batch: Images that are computed at once.
        limit: The number of images, the first ones; ``None`` for all.
        size: Pixels of the images, a number or (height, width); by default what the network was
            trained for, else 224.
        out: The folder, by default ``out/NAME-ablation``.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: As for :func:`kerasviz.find_examples`.

    Returns:
        The effect, and the page.

    Raises:
        UsageError: For units, weights and images that are not there, and networks without logits.

    Example:
        >>> made = kerasviz.ablate(net, "block3b:5", "photos", size=32)
        >>> len(made.measured.tally.answers), made.page.name
        (4, 'index.html')
    """
    check_choice("level", level, get_args(UnitLevel))
    net = as_network(net, data).require_images("ablate")
    net.require_logits()
    named = list(dict.fromkeys(named_units(net, units, "an edit")))
    if not named and not cut:
        raise UsageError("nothing to change; give units, such as block4a:11, or weights to cut")
    if isinstance(images, str | os.PathLike):
        if not os.fspath(images):
            raise UsageError("no images; name a folder of photos")
        images = open_source(os.fspath(images))
    run = ImagePass(
        net,
        images,
        usual_size(net) if size is None else size_of(size),
        whole_number("batch", batch),
        None if limit is None else whole_number("limit", limit),
    )
    cuts = tuple((source, target, sign) for source, target, sign in cut)
    edits = _cuts(net, cuts)
    passes = 1 + (level == "mean" and bool(named))
    with reporting(progress, partial(stepping, "compiling")) as report:
        seen = [0]

        def count(more: int) -> None:
            seen[0] += more
            total = passes * run.count
            report(seen[0] / total, f"{seen[0]} of {total} images")

        levels = unit_means(run, named, count) if passes == 2 else dict.fromkeys(named, 0.0)
        values: dict[str, dict[int, float]] = {}
        for (tap, unit), number in levels.items():
            values.setdefault(tap, {})[unit] = number
        measured = measure(run, _both(edits, unit_edits(net, values)), count)
    folder = ablation_folder(net, out)
    make_folder(folder)
    record = _record(run, levels, level, cuts, measured)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_atomically(folder / "ablation.json", text.encode())
    return Ablation(levels, cuts, measured, record, write_page(folder, record, images))


def ablation_folder(net: Network, out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a network's ablation: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-ablation" if out is None else Path(out)


def _cuts(net: Network, cuts: Sequence[Cut]) -> dict[str, Edit]:
    edits: dict[str, Edit] = {}
    for source, target, sign in cuts:
        edits = _both(edits, without_weights(net, source, target, sign))
    return edits


def _both(first: dict[str, Edit], second: dict[str, Edit]) -> dict[str, Edit]:
    """Return the edits of both, those of the second applied after those of the first."""

    def joined(one: Edit, other: Edit) -> Edit:
        return lambda value, read: other(one(value, read), read)

    shared = {name: joined(first[name], second[name]) for name in first.keys() & second.keys()}
    return {**first, **second, **shared}


def _record(
    run: ImagePass,
    levels: dict[tuple[str, int], float],
    level: str,
    cuts: Sequence[Cut],
    measured: EditEffect,
) -> dict[str, Any]:
    """Return all numbers as plain data."""
    tally, classes = measured.tally, run.net.classes
    accuracy = {f"top{k}": tally.accuracy(k) for k in tally.hits}

    def changes(numbers: list[int]) -> list[dict[str, Any]]:
        return [
            {"class": k, "label": classes.describe(k), "change": rounded(tally.mean_change[k])}
            for k in numbers
        ]

    falling, rising = tally.classes()
    return {
        "maker": "kerasviz ablate",
        "version": VERSION,
        "network": network_provenance(run.net),
        "images": {"source": run.source.label, "count": len(tally.answers), "size": run.size},
        "units": [{"tap": t, "unit": u, "level": rounded(n)} for (t, u), n in levels.items()],
        "level": level,
        "cut": [dict(zip(("from", "to", "sign"), c, strict=True)) for c in cuts],
        "labelled": tally.labelled,
        "accuracy": {k: pair and [rounded(n) for n in pair] for k, pair in accuracy.items()},
        "switched": tally.switched,
        "mean_absolute_change": rounded(tally.mean_size),
        "falling": changes(falling),
        "rising": changes(rising),
        "unreadable": measured.unreadable,
        "folders_without_class": measured.unknown,
        "answers": [
            {
                **answer.to_json(),
                "before_label": classes.describe(answer.before),
                "after_label": classes.describe(answer.after),
            }
            for answer in tally.answers
        ],
    }
