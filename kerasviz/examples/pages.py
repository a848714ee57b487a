"""The pages of a folder of examples: one for every tap, the first of them ``index.html``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.examples.folder import ExampleSheet
from kerasviz.examples.ranking import BUCKETS
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.store import slug

__all__ = ["WORDS", "page_file", "write_pages"]

#: What the buckets are called.
WORDS = {
    "top": "Maximum",
    "positive": "Slightly positive",
    "negative": "Slightly negative",
    "bottom": "Minimum",
}


@dataclass(frozen=True)
class _Unit:
    """A unit as the page shows it: its file, and (activation, words) for each place of it."""

    number: int
    file: str
    places: tuple[tuple[str, str], ...]


def page_file(taps: list[str], tap: str) -> str:
    """The page of a tap."""
    return "index.html" if tap == taps[0] else f"{slug(tap)}.html"


def write_pages(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the pages from the manifest alone; they need nothing but the files beside them."""
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
            heads=[WORDS[bucket] for bucket in BUCKETS],
            units=[_shown(i, unit, names, sheet) for i, unit in enumerate(tap["units"])],
        )
        update(folder / page_file(taps, tap["tap"]), page.encode())


def _shown(number: int, unit: Mapping[str, Any], names: list[str], sheet: ExampleSheet) -> _Unit:
    """The unit's places in the order in which they lie in its file; ("", "") where one is empty."""
    places: list[tuple[str, str]] = []
    for bucket in BUCKETS:
        for value, image, y, x in unit[bucket]:
            places.append((f"{value:.3g}", f"{names[image]} at {y},{x}: {value:.6g}"))
        missing = sheet.rows * sheet.columns - len(unit[bucket])
        places += [("", "")] * missing
    return _Unit(number, unit["file"], tuple(places))
