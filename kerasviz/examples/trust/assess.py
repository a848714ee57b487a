"""Compute the numbers that say how far the pictures of a folder can be trusted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kerasviz.errors import whole_number
from kerasviz.examples.datasets import Source, open_source
from kerasviz.examples.finished_pictures import with_held_inputs
from kerasviz.examples.trust.assessment import Assessment, TrustOptions
from kerasviz.examples.trust.summary import Record, summary_of
from kerasviz.io.terminal import Update, reporting, stepping
from kerasviz.network.size import size_of
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.pages import write_index
from kerasviz.rendering.recorded import network_of
from kerasviz.rendering.store import Store
from kerasviz.rendering.trust_records import merged, read_trust, trust_rows, write_trust
from kerasviz.types import Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network, with_data


@dataclass(frozen=True)
class TrustReport:
    """Hold the trust numbers of the pictures of a folder.

    Args:
        pictures: The numbers by picture file, as ``trust.json`` has them.
        summary: Means over the pictures, each with its baseline.
        notes: Numbers that could not be computed, with the reason of each.
        file: ``trust.json`` beside the pictures.
        page: The page that shows the numbers, ``None`` where the folder has none.
    """

    pictures: dict[str, Record]
    summary: Record
    notes: tuple[str, ...]
    file: Path
    page: Path | None

    def rows(self, file: str) -> list[tuple[str, str]]:
        """Return the numbers of a picture as names and texts."""
        return trust_rows(self.pictures[file])


@named_arguments()
def trust(  # noqa: PLR0913 - the options of the command
    folder: str | os.PathLike[str],
    model: Model | None = None,
    *,
    images: str | os.PathLike[str] | Source | None = None,
    judge: Model | None = None,
    judge_tap: str | None = None,
    tap: str | None = None,
    limit: int | None = None,
    batch: int = 32,
    size: int | Size | str | None = None,
    data: Data | None = None,
    progress: bool | Update | None = None,
) -> TrustReport:
    """Say how far the pictures of a folder can be trusted, as ``kerasviz trust`` does.

    It writes ``trust.json`` beside the pictures, and shows the numbers on their page. Numbers of
    earlier calls stay unless they are computed again. They say something of pictures, and nothing
    of what a unit does with photos: see "How far to trust a picture" in the documentation.

    Args:
        folder: A folder of pictures that ``render`` made.
        model: The network, or what :func:`kerasviz.load` takes; by default the one that the folder
            names.
        images: Photos: a folder of image files, a TFRecord file, or ``"tfds:NAME@SPLIT"``. Those in
            subfolders with the names of classes are taken as photos of these classes.
        judge: A second network, or what :func:`kerasviz.load` takes, that is asked which class it
            sees in pictures of classes, and with ``images`` which of two photos excites a unit,
            judging by its pictures and those of its opposite.
        judge_tap: The layer of the judge that says how alike a photo and a picture are, by default
            the last one with positions.
        tap: The layer in which pictures of one target are compared with each other, by default the
            last one with positions.
        limit: The number of photos, the first ones; ``None`` for all.
        batch: Photos that are computed at once.
        size: Pixels of the photos, a number or (height, width); by default what the network was
            trained for, else 224.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: ``None`` shows a bar at a terminal, ``True`` elsewhere too, ``False`` never; a
            function is called with the finished fraction and a text.

    Returns:
        The numbers of every picture, their means, and the files that were written.

    Raises:
        UsageError: For a folder without pictures, photos that cannot be read, a judge that does not
            know the classes, and a folder for which nothing can be computed.

    Example:
        >>> r = kerasviz.render(net, ["block3b:7", "logit:cat"], steps=4, size=32, out="pictures")
        >>> report = kerasviz.trust("pictures", net, images="photos", size=32)
        >>> report.pictures["block3b-7.png"]["natural"]["photos"]
        4

    Reference:
        Geirhos et al., "Don't trust your eyes: on the (un)reliability of feature visualizations"
        (2023); Zimmermann et al., "Measuring Per-Unit Interpretability at Scale Without Humans"
        (2024).
    """
    source = open_source(os.fspath(images)) if isinstance(images, str | os.PathLike) else images
    options = (
        whole_number("batch", batch),
        None if limit is None else whole_number("limit", limit),
        None if size is None else size_of(size),
    )
    place = Path(folder)
    net = with_data(network_of(place, model), data).require_images("trust")
    store = with_held_inputs(Store(place, net))
    other = None if judge is None else as_network(judge)
    asked = TrustOptions(source, other, tap, judge_tap, *options)
    with reporting(progress, partial(stepping, "compiling")) as report:
        return assess(store, asked, report)


def assess(
    store: Store, options: TrustOptions, report: Callable[[float, str], None]
) -> TrustReport:
    """Compute all numbers that the options ask for, and write them into the folder of a store."""
    assessment = compute(store, options, report)
    records = assessment.records
    file = record(store, records)
    page = store.folder / "index.html"
    if page.is_file():
        commands = CommandLine.of_python(store.net, "").of_store(store)
        write_index(store.folder, store.manifest(), commands)
    return TrustReport(
        records,
        summary_of(records),
        tuple(assessment.notes),
        file,
        page if page.is_file() else None,
    )


def compute(
    store: Store, options: TrustOptions, report: Callable[[float, str], None]
) -> Assessment:
    """Compute all numbers that the options ask for."""
    assessment = Assessment(store, options)
    assessment.check()
    report(0.0, "agreement")
    assessment.agree()
    if options.judge is not None and assessment.classes_judged:
        report(0.05, f"asking {options.judge.name}")
        assessment.transfer(options.judge)
    if options.images is not None:
        assessment.compare(options.images, report)
    return assessment


def record(store: Store, records: Mapping[str, Record]) -> Path:
    """Write numbers of pictures beside them, with those of earlier calls, and return the file."""
    return write_trust(store.folder, merged(_present(store), records))


def _present(store: Store) -> dict[str, Record]:
    """Return the earlier records of files that the folder still has."""
    entries = store.entries
    return {
        file: record
        for file, record in read_trust(store.folder).items()
        if file in entries and record.get("sha256") == entries[file].sha256
    }
