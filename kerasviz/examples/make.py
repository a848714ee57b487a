"""Make a folder of examples: the search, then the crops, the pages and the manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.examples.crops import AllExamples, CroppedUnits, write_crops
from kerasviz.examples.folder import (
    MANIFEST,
    VERSION,
    listed_files,
    read_manifest,
    spectrum_file,
    unit_file,
)
from kerasviz.examples.kept_fields import kept_field
from kerasviz.examples.pages import write_pages
from kerasviz.examples.ranking import BUCKETS, TopExamples
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.examples.search import STATE, Question, Scan, SearchResult, search
from kerasviz.examples.statistics.classes import ClassStatistics
from kerasviz.examples.statistics.index import INDEX, index_arrays, write_index
from kerasviz.examples.unit_pictures import add_pictures
from kerasviz.io.digits import rounded
from kerasviz.io.files import checksum, make_folder, write_atomically
from kerasviz.optvis.environment import environment
from kerasviz.rendering.picture import network_provenance
from kerasviz.types import Array


@dataclass(frozen=True)
class Summary:
    """The contents of a folder of examples: numbers of images and units, and the page.

    ``unreadable`` images were skipped, ``names`` are the first of them; the activations of ``odd``
    ones are not finite. ``classes`` is the number of classes of the images, 0 without any.
    ``made`` is whether this call wrote anything.
    """

    images: int
    units: int
    unreadable: int
    odd: int
    names: tuple[str, ...]
    classes: int
    page: Path
    made: bool


def make_examples(
    question: Question,
    folder: Path,
    progress: Callable[[float, str], None] | None = None,
    pictures: Path | None = None,
) -> Summary:
    """Find the examples of all units and write them into a folder, with a page to look at.

    Units have their optimized pictures there, where the folder ``pictures`` has some.

    After Ctrl-C, which loses some seconds of work at most, the same call resumes. ``progress``
    takes the finished fraction, of the search and then of the writing, and a text. Raises
    :class:`UsageError` for a folder with other examples, taps that cannot be computed and a source
    of which no image can be used.
    """
    settings = question.to_json()
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        _check_same(folder, manifest, settings, question.net.name)
        if all((folder / entry["file"]).is_file() for entry in listed_files(manifest)):
            if pictures is not None and add_pictures(question.net, folder, manifest, pictures):
                _write(folder, manifest)
            return _summary(folder, manifest, made=False)
    make_folder(folder)
    report = progress or (lambda fraction, text: None)

    def searched(scan: Scan) -> None:
        unreadable = f", {scan.unreadable} unreadable" if scan.unreadable else ""
        report(scan.seen / scan.images, f"{scan.seen} of {scan.images} images{unreadable}")

    net, values = question.net, question.values
    fields = {}
    for tap, name in values.items():
        report(0.0, f"what units of {tap} see")
        fields[tap] = kept_field(net, name, question.size)
    result = search(question, folder, searched)
    if result.unreadable + result.odd == result.seen:
        (folder / STATE).unlink(missing_ok=True)
        raise UsageError(
            f"{question.source.label!r}: none of {result.seen} images can be used: "
            f"{result.unreadable} cannot be read, of {result.odd} activations are not finite; "
            "name another source with --images"
        )
    examples = {
        tap: {bucket: ranking.examples(bucket) for bucket in BUCKETS}
        for tap, ranking in result.rankings.items()
    }
    classes, arrays = _statistics(result)
    cropped = CroppedUnits(examples, arrays, fields, question.count)
    write_crops(question, folder, cropped, lambda done: report(done, "writing the crops"))
    manifest = _manifest(question, result, settings) | _taps(question, folder, examples, fields)
    manifest["index"] = _write_index(question, folder, manifest, arrays, classes)
    if pictures is not None:
        add_pictures(net, folder, manifest, pictures)
    _write(folder, manifest)
    (folder / STATE).unlink(missing_ok=True)
    return _summary(folder, manifest, made=True)


def _write(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the pages, then the manifest, which says that all is there."""
    write_pages(folder, manifest)
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":")) + "\n"
    write_atomically(folder / MANIFEST, text.encode())


def _statistics(
    result: SearchResult,
) -> tuple[ClassStatistics | None, dict[str, dict[str, Array]]]:
    """Return the classes, ``None`` without any, and the arrays of the index by tap."""
    names = result.classes
    found: ClassStatistics | None = None
    arrays = {}
    for tap, statistics in result.statistics.items():
        tally = statistics.classes
        found = tally.finish(names) if tally is not None and names else None
        arrays[tap] = index_arrays(statistics, result.rankings[tap], found, names)
    return found, arrays


def _write_index(
    question: Question,
    folder: Path,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, Mapping[str, Array]],
    classes: ClassStatistics | None,
) -> dict[str, Any]:
    """Write the statistics of all units; return the entry of the file in the manifest."""
    images = [a.ravel() for of in arrays.values() for n, a in of.items() if n.endswith("_image")]
    numbers = np.unique(np.concatenate(images))
    numbers = numbers[numbers >= 0]
    about = {
        "network": {key: manifest["network"][key] for key in ("name", "sha256")},
        "settings": manifest["settings"],
        "source": manifest["source"],
        "images": manifest["seen"] - manifest["unreadable"] - manifest["not_finite"],
        "names": [question.source.name(int(number)) for number in numbers],
        "classes": list(classes.names) if classes else [],
        "class_images": classes.counts.tolist() if classes else [],
        "taps": [
            {**{key: tap[key] for key in ("tap", "values_of", "field")}, "units": len(tap["units"])}
            for tap in manifest["taps"]
        ],
    }
    data = write_index(folder / INDEX, arrays, about, numbers)
    return {"file": INDEX, "sha256": checksum(data), "classes": len(about["classes"])}


def _check_same(
    folder: Path, manifest: Mapping[str, Any], settings: Mapping[str, Any], name: str
) -> None:
    """Raise :class:`UsageError` for a folder with the examples of another question."""
    recorded = manifest["settings"]
    if recorded["network"]["sha256"] != settings["network"]["sha256"]:
        raise UsageError(
            f"{str(folder)!r} holds examples of another model, {manifest['network']['name']}, not "
            f"of {name}; name another folder with --out"
        )
    check_settings(folder, recorded, settings)


def check_settings(folder: Path, recorded: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raise :class:`UsageError` for a folder whose examples were found with other settings."""
    other = [k.replace("_", " ") for k in settings if settings[k] != recorded.get(k)]
    if other:
        raise UsageError(
            f"{str(folder)!r} holds examples with other {', '.join(other)}; name another folder "
            "with --out"
        )


def _manifest(
    question: Question, result: SearchResult, settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "format": VERSION,
        "network": network_provenance(question.net),
        "settings": settings,
        "source": question.source.label,
        "environment": environment(),
        "seen": result.seen,
        "unreadable": result.unreadable,
        "unreadable_names": result.names,
        "not_finite": result.odd,
        "too_many_classes": result.too_many,
    }


def _taps(
    question: Question,
    folder: Path,
    examples: AllExamples,
    fields: Mapping[str, ReceptiveField],
) -> dict[str, Any]:
    """Return the examples for the manifest: names of images, and the taps with their units.

    An example is [activation, number of the image's name, y, x]; y is -1 for a token off the map.
    """
    every = [top.image[top.image >= 0] for by in examples.values() for top in by.values()]
    images = np.unique(np.concatenate(every)) if every else np.zeros(0, np.int64)
    number = {int(image): i for i, image in enumerate(images)}

    def entries(top: TopExamples, unit: int, field: ReceptiveField) -> list[list[float | int]]:
        rows = zip(top.value[unit], top.image[unit], top.place[unit], strict=True)
        return [
            [rounded(value), number[int(image)], *field.place(int(place))]
            for value, image, place in rows
            if image >= 0
        ]

    taps = []
    for tap, values_of in question.values.items():
        units = []
        for unit in range(len(examples[tap]["top"].image)):
            file = unit_file(tap, unit)
            buckets = {b: entries(examples[tap][b], unit, fields[tap]) for b in BUCKETS}
            sha256 = checksum((folder / file).read_bytes())
            spectrum = spectrum_file(tap, unit)
            other = {"file": spectrum, "sha256": checksum((folder / spectrum).read_bytes())}
            units.append({"file": file, "sha256": sha256, **buckets, "spectrum": other})
        taps.append(
            {
                "tap": tap,
                "values_of": values_of,
                "positions": len(question.net.taps[tap].shape or ()) in (3, 4),
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
        classes=manifest["index"]["classes"],
        page=folder / "index.html",
        made=made,
    )
