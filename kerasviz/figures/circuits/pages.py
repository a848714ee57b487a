"""Write the pages of a folder of circuits, one for each unit, from their data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.figures.circuits.weights import FACTOR_COLOURS, pattern_url, weight_url
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.store import slug

#: Partners of whose paths a larger share is left say nothing of what cancels.
MOSTLY = 0.9


@dataclass(frozen=True)
class _Partner:
    """A unit on the page of another."""

    name: str
    picture: str
    page: str  # of its own circuit, or ""
    weights: str
    facts: str
    shape: str


@dataclass(frozen=True)
class _Layer:
    """The partners of one layer, in groups with their titles."""

    title: str
    tap: str
    groups: tuple[tuple[str, tuple[_Partner, ...]], ...]
    note: str


def write_pages(folder: Path) -> dict[str, Path]:
    """Write the page of every circuit in a folder; return the pages by unit."""
    records = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        if isinstance(record, dict) and record.get("maker") == "kerasviz circuits":
            circuit = record["circuit"]
            records[f"{circuit['tap']}:{circuit['unit']}"] = record
    files = {name: f"{slug(name)}.html" for name in records}
    for name, record in records.items():
        circuit, details = record["circuit"], record.get("details", {})
        page = render_page(
            "circuit.html",
            name=name,
            network=record["network"],
            photo=record["photo"],
            picture=record["pictures"].get(name, ""),
            earlier=[_layer(layer, record, files) for layer in circuit["earlier"]],
            later=[_layer(layer, record, files) for layer in circuit["later"]],
            details=[_detail(tap, found, files) for tap, found in details.items()],
            others=[(other, file) for other, file in files.items() if other != name],
            data=f"{slug(name)}.json",
        )
        update(folder / files[name], page.encode())
    first = next(iter(files.values()))
    index = (
        f'<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={first}">'
    )
    update(folder / "index.html", f'{index}<a href="{first}">{first}</a>\n'.encode())
    return {name: folder / file for name, file in files.items()}


def _layer(layer: Mapping[str, Any], record: Mapping[str, Any], files: Mapping[str, str]) -> _Layer:
    level = abs(layer["level"])
    way = "before" if layer["level"] < 0 else "behind"
    title = f"The layer {way}" if level == 1 else f"{level} layers {way}"
    verbs = ("excite it", "inhibit it") if layer["level"] < 0 else ("it excites", "it inhibits")
    held = f"held at the image: {', '.join(layer['held'])}" if layer["held"] else ""
    curved = f"not linear: {', '.join(layer['curved'])}" if layer["curved"] else ""
    groups = []
    for verb, key in zip(verbs, ("exciting", "inhibiting"), strict=True):
        partners = tuple(_partner(p, layer, record, files) for p in layer[key])
        if partners:
            groups.append((verb, partners))
    return _Layer(title, layer["tap"], tuple(groups), "; ".join(filter(None, (held, curved))))


def _partner(
    partner: Mapping[str, Any],
    layer: Mapping[str, Any],
    record: Mapping[str, Any],
    files: Mapping[str, str],
) -> _Partner:
    name = f"{partner['tap']}:{partner['unit']}"
    weights = np.array(partner["weights"], float)
    height, width = weights.shape
    left = partner.get("remaining")
    cancelled = "" if left is None or left > MOSTLY else f" · {1 - left:.0%} of the paths cancel"
    return _Partner(
        name=name,
        picture=record["pictures"].get(name, ""),
        page=files.get(name, ""),
        weights=weight_url(weights, layer["scale"]),
        facts=f"{partner['share']:.1%} of the layer · sum {partner['total']:+.3g}{cancelled}",
        shape=f"{height} x {width}",
    )


def _detail(tap: str, found: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return factors, positions and contributions of a layer for the page."""
    detail: dict[str, Any] = {"tap": tap, "factors": None, "positions": None, "photo": None}
    detail["families"] = [
        (name, f"{share:.1%}", round(100 * share, 2), FACTOR_COLOURS[k % len(FACTOR_COLOURS)])
        for k, (name, share) in enumerate(found.get("families", ()))
    ]
    if factors := found.get("factors"):
        patterns = np.array(factors["patterns"], float)
        detail["factors"] = {
            "explained": f"{factors['explained']:.0%}",
            "together": pattern_url(patterns),
            "each": [
                {
                    "colour": FACTOR_COLOURS[k % len(FACTOR_COLOURS)],
                    "pattern": pattern_url(patterns[k : k + 1], k),
                    "picture": factors["pictures"][k],
                    "units": [_linked(tap, unit, value, files) for unit, value in units],
                }
                for k, units in enumerate(factors["units"])
            ],
        }
    if positions := found.get("positions"):
        strengths = np.array(positions["strengths"], float)
        shares = strengths / (strengths.max() or 1)
        detail["positions"] = [
            [(file, round(float(share), 3)) for file, share in zip(*row, strict=True)]
            for row in zip(positions["pictures"], shares, strict=True)
        ]
    if made := found.get("contributions"):
        where = np.array(made["by_position"], float)
        rows = [*made["raising"], *made["lowering"]]
        largest = max((abs(row["value"]) for row in rows), default=1.0) or 1.0
        detail["photo"] = {
            **made,
            "map": weight_url(where, float(abs(where).max())),
            "sides": [
                (title, [_bar(tap, row, largest, files) for row in made[key]])
                for title, key in (("Raise it", "raising"), ("Lower it", "lowering"))
            ],
        }
    return detail


def _linked(tap: str, unit: int, value: float, files: Mapping[str, str]) -> tuple[str, str, str]:
    name = f"{tap}:{unit}"
    return name, files.get(name, ""), f"{value:+.2g}"


def _bar(
    tap: str, row: Mapping[str, Any], largest: float, files: Mapping[str, str]
) -> dict[str, Any]:
    name = f"{tap}:{row['unit']}"
    share = round(100 * abs(row["value"]) / largest, 1)
    return {**row, "name": name, "page": files.get(name, ""), "share": share}
