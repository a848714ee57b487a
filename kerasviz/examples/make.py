"""Making a folder of examples: the search, then the crops, the pages and the manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.examples.crops import AllKept, write_crops
from kerasviz.examples.folder import MANIFEST, VERSION, read_manifest, unit_file
from kerasviz.examples.pages import write_pages
from kerasviz.examples.ranking import BUCKETS, TopExamples
from kerasviz.examples.receptive_field import ReceptiveField, receptive_field
from kerasviz.examples.search import STATE, Question, Scan, SearchResult, search
from kerasviz.io.files import checksum, make_folder, write_atomically
from kerasviz.optvis.environment import environment
from kerasviz.rendering.render import network_provenance

__all__ = ["Summary", "make_examples"]


@dataclass(frozen=True)
class Summary:
    """What is in a folder of examples: images that were seen, units, and the page.

    ``unreadable`` images were skipped, ``names`` are the first of them; ``odd`` ones gave numbers
    that are not finite. ``made`` is whether anything was done now.
    """

    images: int
    units: int
    unreadable: int
    odd: int
    names: tuple[str, ...]
    page: Path
    made: bool


def make_examples(
    question: Question, folder: Path, progress: Callable[[float, str], None] | None = None
) -> Summary:
    """Find the examples of all units and write them into a folder, with a page to look at.

    Ctrl-C loses some seconds of work at most: the same call goes on. ``progress`` takes the
    finished fraction, of the search and then of the writing, and words. Raises
    :class:`UsageError` for a folder with other examples and taps that cannot be computed.
    """
    settings = question.to_json()
    if (folder / MANIFEST).is_file():
        there = read_manifest(folder)
        _check_same(folder, there, settings, question.net.name)
        if all((folder / u["file"]).is_file() for tap in there["taps"] for u in tap["units"]):
            return _summary(folder, there, made=False)
    make_folder(folder)
    say = progress or (lambda fraction, words: None)

    def searched(scan: Scan) -> None:
        lost = f", {scan.unreadable} unreadable" if scan.unreadable else ""
        say(scan.seen / scan.images, f"{scan.seen} of {scan.images} images{lost}")

    net, values = question.net, question.values
    fields = {tap: receptive_field(net, name, question.size) for tap, name in values.items()}
    found = search(question, folder, searched)
    kept = {
        tap: {bucket: ranking.kept(bucket) for bucket in BUCKETS}
        for tap, ranking in found.rankings.items()
    }
    write_crops(question, folder, kept, fields, lambda done: say(done, "writing the crops"))
    manifest = _manifest(question, folder, found, settings)
    manifest |= _taps(question, folder, kept, fields)
    write_pages(folder, manifest)
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":")) + "\n"
    write_atomically(folder / MANIFEST, text.encode())
    (folder / STATE).unlink(missing_ok=True)
    return _summary(folder, manifest, made=True)


def _check_same(
    folder: Path, manifest: Mapping[str, Any], settings: Mapping[str, Any], name: str
) -> None:
    """Raise :class:`UsageError` where a folder holds the answer to another question."""
    there = manifest["settings"]
    if there["network"]["sha256"] != settings["network"]["sha256"]:
        raise UsageError(
            f"{str(folder)!r} holds examples of another model, {manifest['network']['name']}, not "
            f"of {name}; name another folder with --out"
        )
    other = [key.replace("_", " ") for key in settings if settings[key] != there[key]]
    if other:
        raise UsageError(
            f"{str(folder)!r} holds examples with other {', '.join(other)}; name another folder "
            "with --out"
        )


def _manifest(
    question: Question, folder: Path, found: SearchResult, settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "format": VERSION,
        "network": network_provenance(question.net),
        "settings": settings,
        "source": question.source.label,
        "environment": environment(),
        "seen": found.seen,
        "unreadable": found.unreadable,
        "unreadable_names": found.names,
        "not_finite": found.odd,
    }


def _taps(
    question: Question,
    folder: Path,
    kept: AllKept,
    fields: Mapping[str, ReceptiveField],
) -> dict[str, Any]:
    """The part of the manifest with the examples: names of images, and the taps with their units.

    An example is [activation, number of the image's name, y, x].
    """
    every = [each.image[each.image >= 0] for taps in kept.values() for each in taps.values()]
    images = np.unique(np.concatenate(every)) if every else np.zeros(0, np.int64)
    number = {int(image): i for i, image in enumerate(images)}

    def entries(found: TopExamples, unit: int, field: ReceptiveField) -> list[list[float | int]]:
        rows = zip(found.value[unit], found.image[unit], found.place[unit], strict=True)
        return [
            [float(f"{value:.6g}"), number[int(image)], *field.place(int(place))]
            for value, image, place in rows
            if image >= 0
        ]

    taps = []
    for tap, values_of in question.values.items():
        units = []
        for unit in range(len(kept[tap]["top"].image)):
            file = unit_file(tap, unit)
            found = {b: entries(kept[tap][b], unit, fields[tap]) for b in BUCKETS}
            sha256 = checksum((folder / file).read_bytes())
            units.append({"file": file, "sha256": sha256, **found})
        taps.append(
            {
                "tap": tap,
                "values_of": values_of,
                "positions": len(question.net.taps[tap].shape or ()) == 4,
                "field": fields[tap].to_json(),
                "units": units,
            }
        )
    return {"names": [question.source.name(int(image)) for image in images], "taps": taps}


def _summary(folder: Path, manifest: Mapping[str, Any], *, made: bool) -> Summary:
    return Summary(
        images=manifest["seen"],
        units=sum(len(tap["units"]) for tap in manifest["taps"]),
        unreadable=manifest["unreadable"],
        odd=manifest["not_finite"],
        names=tuple(manifest["unreadable_names"]),
        page=folder / "index.html",
        made=made,
    )
