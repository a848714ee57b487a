"""Keep the numbers that say how far pictures can be trusted, in a file beside the pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasviz.io.files import write_atomically

#: The record in a folder of pictures.
TRUST = "trust.json"
VERSION = 1
#: The name of the row that lists layers.
BY_LAYER = "layer by layer"
#: Numbers that each picture may have, in the order of the page.
NUMBERS = ("natural", "agreement", "transfer", "choices", "inputs", "paths", "spectrum")


def read_trust(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a folder by picture file, none where there is no readable record."""
    try:
        data = json.loads((folder / TRUST).read_text(encoding="utf-8"))
        return dict(data["pictures"]) if data["format"] == VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or a damaged one
        return {}


def write_trust(folder: Path, records: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write the records of pictures by file, and return the path."""
    data = {"format": VERSION, "pictures": {file: records[file] for file in sorted(records)}}
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(folder / TRUST, text.encode())
    return folder / TRUST


def merged(
    before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Add new records to earlier ones, whose other numbers stay where the file is the same.

    >>> before = {"a.png": {"sha256": "1", "transfer": {}}, "b.png": {"sha256": "2"}}
    >>> merged(before, {"a.png": {"sha256": "1", "natural": {}}})["a.png"]
    {'sha256': '1', 'transfer': {}, 'natural': {}}
    """
    result = {file: dict(record) for file, record in before.items()}
    for file, record in now.items():
        known = result.get(file, {})
        result[file] = {**(known if known.get("sha256") == record["sha256"] else {}), **record}
    return result


def trust_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers of a record as names and texts, with the baseline of each.

    >>> trust_rows({"natural": {"ratio": 2.5, "average_ratio": 0.2, "percentile": 100.0,
    ...                         "photos": 50}})
    [('against photos', '2.5 times the strongest of 50 (an average photo 0.2), above 100 %')]
    """
    writers = {
        "natural": _natural,
        "agreement": _agreement,
        "transfer": _transfer,
        "choices": _choices,
        "inputs": _inputs,
        "paths": _paths,
        "spectrum": _spectrum,
    }
    return [row for name in NUMBERS if name in record for row in writers[name](record[name])]


def _natural(number: Mapping[str, Any]) -> list[tuple[str, str]]:
    if number["percentile"] is None:
        return [("against photos", f"none: all {number['photos']} give the same activation")]
    above = f"above {number['percentile']:.3g} %"
    if number["ratio"] is None:
        return [("against photos", f"{above} of {number['photos']}; none excites it")]
    strongest = f"{number['ratio']:.2g} times the strongest of {number['photos']}"
    average = f"(an average photo {number['average_ratio']:.2g})"
    return [("against photos", f"{strongest} {average}, {above}")]


def _agreement(number: Mapping[str, Any]) -> list[tuple[str, str]]:
    others = [
        f"{what} {number[key]:.2f}"
        for key, what in (("other_targets", "other targets"), ("photos", "photos"))
        if number.get(key) is not None
    ]
    baseline = f" ({', '.join(others)})" if others else ""
    text = f"{number['cosine']:.2f} between {number['pictures']} pictures{baseline}"
    return [("agreement", text)]


def _transfer(number: Mapping[str, Any]) -> list[tuple[str, str]]:
    guess = "" if number["place"] == 1 else f", its first guess is {number['first']}"
    chance = (number["classes"] + 1) / 2
    place = f"place {number['place']} of {number['classes']}{guess} (chance {chance:.4g})"
    return [(f"seen by {number['judge']}", place)]


def _choices(number: Mapping[str, Any]) -> list[tuple[str, str]]:
    right = f"right in {number['right']} of {number['pairs']} pairs"
    text = f"{number['probability']:.2f}, {right} (chance 0.5; by photos {number['photos']:.2f})"
    return [(f"photos told apart by {number['judge']}", text)]


def _inputs(number: Mapping[str, Any]) -> list[tuple[str, str]]:
    most = f"of the {number['units']} largest in {number['layer']} are those of strong photos"
    others = f"strong photos among them {number['photos']:.0%}"
    baseline = f"({others}, other photos {number['unrelated']:.0%}, chance {number['chance']:.0%})"
    return [("inputs as in photos", f"{number['share']:.0%} {most} {baseline}")]


def _paths(number: Mapping[str, Any]) -> list[tuple[str, str]]:
    layers = number["layers"]
    known = {name: layer for name, layer in layers.items() if layer["value"] is not None}
    title = f"like photos {number['kind']}"
    if not known:
        return [(title, f"none: no layer tells these {number['photos']} photos from others")]
    values = sorted(layer["value"] for layer in known.values())
    spreads = sorted(layer["spread"] for layer in known.values())
    between = f"{values[0]:.2f} to {values[-1]:.2f} in {len(known)} of {len(layers)} layers"
    baseline = f"(such a photo 1 ± {spreads[len(spreads) // 2]:.1g}, another 0)"
    each = ", ".join(f"{name} {layer['value']:.2f}" for name, layer in known.items())
    return [(title, f"{between} {baseline}"), (BY_LAYER, each)]


def _spectrum(number: Mapping[str, Any]) -> list[tuple[str, str]]:
    photos = f"{number['photos']:.2f} ± {number['spread']:.2f}"
    return [("slope of the spectrum", f"{number['slope']:.2f} (photos {photos})")]
