"""Write the pages of a folder of examples: one per tap, the first as ``index.html``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.examples.folder import SPECTRUM_SIZE, ExampleSheet
from kerasviz.examples.ranking import BUCKETS
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.examples.spectrum_charts import SpectrumChart, spectrum_chart
from kerasviz.examples.statistics.index import ExampleIndex
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.store import slug

#: The titles of the buckets.
TITLES = {
    "top": "Maximum",
    "positive": "Slightly positive",
    "negative": "Slightly negative",
    "bottom": "Minimum",
}


@dataclass(frozen=True)
class _Unit:
    """A unit on a page: its file, and (activation, caption) for each place in the file.

    ``marks`` are outlines of positions in the file, as an SVG path.
    """

    number: int
    file: str
    places: tuple[tuple[str, str], ...]
    marks: str
    chart: SpectrumChart


def page_file(taps: list[str], tap: str) -> str:
    """Return the file name of the page of a tap."""
    return "index.html" if tap == taps[0] else f"{slug(tap)}.html"


def write_pages(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the pages from the manifest and the index; they need only the files of the folder."""
    sheet = ExampleSheet(int(manifest["settings"]["per_bucket"]))
    taps = [tap["tap"] for tap in manifest["taps"]]
    links = [(tap, page_file(taps, tap)) for tap in taps]
    names = manifest["names"]
    index = ExampleIndex(folder)
    for tap in manifest["taps"]:
        field = ReceptiveField.from_json(tap["field"])
        page = render_page(
            "examples.html",
            manifest=manifest,
            network=manifest["network"],
            tap=tap,
            links=links,
            sheet=sheet,
            spectrum_size=SPECTRUM_SIZE,
            sample=int(index.array(tap["tap"], "counts")[0].sum()),
            marked=field.alike,
            classes=manifest["index"]["classes"],
            heads=[TITLES[bucket] for bucket in BUCKETS],
            units=[
                _unit(i, unit, names, sheet, field, spectrum_chart(index, tap["tap"], i, field))
                for i, unit in enumerate(tap["units"])
            ],
        )
        update(folder / page_file(taps, tap["tap"]), page.encode())


def _unit(
    number: int,
    unit: Mapping[str, Any],
    names: list[str],
    sheet: ExampleSheet,
    field: ReceptiveField,
    chart: SpectrumChart,
) -> _Unit:
    """List the unit's places in the order of its file; an empty one is ("", "")."""
    places: list[tuple[str, str]] = []
    marks = []
    for bucket in BUCKETS:
        for k, (value, image, y, x) in enumerate(unit[bucket]):
            place = f"{y},{x}" if y >= 0 else f"token {x}"
            places.append((f"{value:.3g}", f"{names[image]} at {place}: {value:.6g}"))
            marks.append(field.outline(y, x, sheet.corner(bucket, k), sheet.tile))
        missing = sheet.rows * sheet.columns - len(unit[bucket])
        places += [("", "")] * missing
    return _Unit(number, unit["file"], tuple(places), "".join(marks), chart)
