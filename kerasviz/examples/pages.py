"""Write the pages of a folder of examples: one per tap, the first as ``index.html``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.examples.folder import ExampleSheet
from kerasviz.examples.ranking import BUCKETS
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
    """A unit on a page: its file, and (activation, caption) for each place in the file."""

    number: int
    file: str
    places: tuple[tuple[str, str], ...]


def page_file(taps: list[str], tap: str) -> str:
    """Return the file name of the page of a tap."""
    return "index.html" if tap == taps[0] else f"{slug(tap)}.html"


def write_pages(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the pages from the manifest; they need only the files of the folder."""
    sheet = ExampleSheet(int(manifest["settings"]["per_bucket"]))
    taps = [tap["tap"] for tap in manifest["taps"]]
    links = [(tap, page_file(taps, tap)) for tap in taps]
    names = manifest["names"]
    for tap in manifest["taps"]:
        page = render_page(
            "examples.html",
            manifest=manifest,
            network=manifest["network"],
            tap=tap,
            links=links,
            sheet=sheet,
            heads=[TITLES[bucket] for bucket in BUCKETS],
            units=[_unit(i, unit, names, sheet) for i, unit in enumerate(tap["units"])],
        )
        update(folder / page_file(taps, tap["tap"]), page.encode())


def _unit(number: int, unit: Mapping[str, Any], names: list[str], sheet: ExampleSheet) -> _Unit:
    """List the unit's places in the order of its file; an empty one is ("", "")."""
    places: list[tuple[str, str]] = []
    for bucket in BUCKETS:
        for value, image, y, x in unit[bucket]:
            place = f"{y},{x}" if y >= 0 else f"token {x}"
            places.append((f"{value:.3g}", f"{names[image]} at {place}: {value:.6g}"))
        missing = sheet.rows * sheet.columns - len(unit[bucket])
        places += [("", "")] * missing
    return _Unit(number, unit["file"], tuple(places))
