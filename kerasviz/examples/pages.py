"""Write the pages of a folder of examples: one per tap, the first as ``index.html``."""

from __future__ import annotations

import shlex
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
class _Bucket:
    """A kind of examples of a unit: a strip of its file, from ``top`` on, in pixels.

    ``places`` are (activation, caption) of each place in the strip, ``marks`` outlines of positions
    in the file, as an SVG path.
    """

    title: str
    top: int
    places: tuple[tuple[str, str], ...]
    marks: str


@dataclass(frozen=True)
class _Unit:
    """A unit on a page: its files, ``picture`` is "" without one, and its examples of each kind."""

    number: int
    file: str
    picture: str
    buckets: tuple[_Bucket, ...]
    chart: SpectrumChart

    @property
    def first(self) -> tuple[_Bucket, ...]:
        """The largest activations, which are always seen, if there are any."""
        return tuple(b for b in self.buckets if b.title == TITLES["top"])

    @property
    def rest(self) -> tuple[_Bucket, ...]:
        """The other kinds of examples."""
        return tuple(b for b in self.buckets if b.title != TITLES["top"])


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
        network = manifest["network"]
        model = network.get("source", network["name"])
        page = render_page(
            "examples.html",
            manifest=manifest,
            network=network,
            pictured=any("optimized" in unit for unit in tap["units"]),
            command=shlex.join(["kerasviz", "render", model, f"{tap['tap']}:*"]),
            tap=tap,
            links=links,
            sheet=sheet,
            spectrum_size=SPECTRUM_SIZE,
            sample=int(index.array(tap["tap"], "counts")[0].sum()),
            marked=field.alike,
            classes=manifest["index"]["classes"],
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
    """List the unit's kinds of examples in the order of its file, without those of none."""
    buckets = []
    for bucket in BUCKETS:
        places, marks = [], []
        for k, (value, image, y, x) in enumerate(unit[bucket]):
            place = f"{y},{x}" if y >= 0 else f"token {x}"
            places.append((f"{value:.3g}", f"{names[image]} at {place}: {value:.6g}"))
            marks.append(field.outline(y, x, sheet.corner(bucket, k), sheet.tile))
        top = sheet.corner(bucket, 0)[1]
        if places:
            buckets.append(_Bucket(TITLES[bucket], top, tuple(places), "".join(marks)))
    picture = unit.get("optimized", {}).get("file", "")
    return _Unit(number, unit["file"], picture, tuple(buckets), chart)
