"""Write the page of one photo, with the numbers that its script draws."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from kerasviz.analysis.explanation import LayerShare, UnitShare
from kerasviz.figures.explain.colours import CLASSES, GROUPS, mixed
from kerasviz.figures.explain.findings import PARTNERS, Findings
from kerasviz.figures.explain.pictures import shown_units
from kerasviz.io.digits import rounded
from kerasviz.io.images import encode
from kerasviz.network.network import Network
from kerasviz.rendering.overlay import overlay, plain
from kerasviz.rendering.pages import render_page, update
from kerasviz.types import Array

#: Classes that are named at a position.
NAMED = 4


@dataclass(frozen=True)
class ShownPictures:
    """Hold the files of pictures on a page, relative to it.

    Args:
        units: By the name of the unit.
        groups: In the order of the groups; empty without pictures.
        grid: The picture of the activation grid, or "".
    """

    units: Mapping[str, str]
    groups: tuple[str, ...] = ()
    grid: str = ""


@dataclass(frozen=True)
class _ShownUnit:
    """A unit on a page: its name, picture, and what it contributes."""

    name: str
    picture: str
    contribution: str
    place: str


@dataclass(frozen=True)
class _ShownLayer:
    """A layer on a page."""

    tap: str
    overlay: str
    raising: tuple[_ShownUnit, ...]
    lowering: tuple[_ShownUnit, ...]
    note: str


def write_page(
    folder: Path,
    net: Network,
    found: Findings,
    pictures: ShownPictures,
    names: Sequence[str],
    network: Mapping[str, Any],
) -> None:
    """Write the page of a photo; ``names`` are those of all photos in the folder."""
    target = found.explanation.target
    label = class_label(net, target)
    page = render_page(
        "explain.html",
        name=found.name,
        target=target,
        label=label,
        steps=found.explanation.steps,
        network=network,
        photo=url(plain(found.image)),
        guesses=[(class_name(net, n), f"{value:.3g}") for n, value in found.guesses],
        layers=[_layer(layer, found.image, pictures.units) for layer in found.explanation.layers],
        others=[other for other in names if other != found.name],
        detail=found.view.tap if found.view else "",
        special=found.special,
        groups=_groups(found, pictures),
        error=0 if found.groups is None else found.groups.groups.error,
        class_groups=_class_groups(net, found),
        pairs=[(pair.earlier, pair.later) for pair in found.pairs if pair.positions is not None],
        chain=bool(found.pairs),
        winners=[view.tap for view in found.winners],
        grid=pictures.grid,
        data=_embedded(_data(net, found, pictures)),
    )
    update(folder / f"{found.name}.html", page.encode())


def class_label(net: Network, target: str) -> str:
    """Return the name of the class of a target that is one class, else ""."""
    number = target.removeprefix("logit:")
    if number != target and number.isdigit() and int(number) < len(net.labels):
        return net.labels[int(number)].split(",")[0]
    return ""


def class_name(net: Network, number: int) -> str:
    """Return the name of a class, or its number where it has none."""
    return class_label(net, f"logit:{number}") or str(number)


def url(image: Image.Image) -> str:
    """Return a picture as a data URL."""
    return f"data:image/webp;base64,{base64.b64encode(encode(image, 'webp')).decode()}"


def _layer(layer: LayerShare, image: Array, files: Mapping[str, str]) -> _ShownLayer:
    whole = layer.score - layer.baseline
    note = f"{whole - layer.missing:+.3g} of {whole:+.3g}"
    return _ShownLayer(
        tap=layer.tap,
        overlay="" if layer.map is None else url(overlay(image, layer.map)),
        raising=tuple(_unit(layer, unit, files) for unit in layer.raising),
        lowering=tuple(_unit(layer, unit, files) for unit in layer.lowering),
        note=note + (f", {layer.special:+.3g} by special tokens" if layer.special else ""),
    )


def _unit(layer: LayerShare, unit: UnitShare, files: Mapping[str, str]) -> _ShownUnit:
    name = f"{layer.tap}:{unit.unit}"
    place = "" if unit.position is None else "most at {},{}".format(*unit.position)
    return _ShownUnit(name, files.get(name, ""), f"{unit.contribution:+.3g}", place)


def _groups(found: Findings, pictures: ShownPictures) -> list[dict[str, Any]]:
    if found.groups is None:
        return []
    return [
        {
            "colour": GROUPS[k % len(GROUPS)],
            "picture": pictures.groups[k] if pictures.groups else "",
            "contribution": f"{share:+.3g}",
            "sign": "raising" if share >= 0 else "lowering",
            "units": found.groups.groups.top(k),
        }
        for k, share in enumerate(found.groups.contributions)
    ]


def _class_groups(net: Network, found: Findings) -> list[tuple[str, str]]:
    """Return the colours of groups of classes, with the names of the classes in them."""
    if found.classes is None:
        return []
    _, groups = found.classes.mixture()
    shown = []
    for colour, row in zip(CLASSES, groups, strict=False):
        order = np.argsort(-row, kind="stable")[:NAMED]
        named = [class_name(net, found.classes.classes[k]) for k in order if row[k] >= 0.1]
        shown.append((colour, ", ".join(named) or "no class"))
    return shown


def _data(net: Network, found: Findings, pictures: ShownPictures) -> dict[str, Any]:
    """Return what the script of the page draws."""
    layers = found.explanation.layers
    return {
        "pictures": dict(pictures.units),
        "layers": {x.tap: _map(x.map) for x in layers if x.map is not None},
        "winners": {
            v.tap: {"cells": v.winners.tolist(), "shown": v.frequent()} for v in found.winners
        },
        "detail": None if found.view is None else _detail(net, found),
        "pairs": [_pair(p.positions) for p in found.pairs if p.positions is not None],
        "chain": _chain(found),
    }


def _map(values: Array) -> dict[str, Any]:
    """Return a map whose numbers are rounded to 3 digits."""
    return {"shape": list(values.shape), "values": [rounded(v, 3) for v in values.ravel()]}


def _detail(net: Network, found: Findings) -> dict[str, Any]:
    view = found.view
    assert view is not None
    grid = [[[rounded(v, 3) for v in cell] for cell in row] for row in view.values]
    data: dict[str, Any] = {
        "tap": view.tap,
        "units": view.units.tolist(),
        "values": grid,
        "sides": _map(view.sides)["values"],
        "shape": list(view.sides.shape),
    }
    if found.groups is not None:
        places = found.groups.groups.places
        colours, strengths = mixed(places.transpose(1, 2, 0), GROUPS)
        data["groups"] = {
            "places": [_map(place)["values"] for place in places],
            "colours": colours.reshape(-1, 3).tolist(),
            "strengths": _map(strengths)["values"],
        }
    if found.classes is not None:
        shares, _ = found.classes.mixture()
        colours, strengths = mixed(shares, CLASSES)
        best = found.classes.top(NAMED)
        values = np.take_along_axis(found.classes.contributions, best, -1)
        data["classes"] = {
            "names": [class_name(net, n) for n in found.classes.classes],
            "best": best.reshape(-1, best.shape[-1]).tolist(),
            "values": [[rounded(v, 3) for v in row] for row in values.reshape(-1, best.shape[-1])],
            "colours": colours.reshape(-1, 3).tolist(),
            "strengths": _map(found.classes.sizes * (strengths > 0))["values"],
        }
    return data


def _pair(positions: Array) -> dict[str, Any]:
    """Return pairs of positions as bytes from -127 to 127, over the largest of them."""
    scale = float(np.abs(positions).max()) or 1.0
    codes = np.rint(positions / scale * 127).astype(np.int8)
    return {
        "shape": list(positions.shape),
        "codes": base64.b64encode(codes.tobytes()).decode(),
        "scale": rounded(scale, 3),
    }


def _chain(found: Findings) -> dict[str, Any]:
    """Return the units of a chain of layers, and what they contribute to each other."""
    units = shown_units(found)
    links = []
    for pair in found.pairs:
        for unit, partners in zip(pair.units, pair.partners(PARTNERS), strict=True):
            for other, share in partners:
                ends = [f"{pair.later}:{unit}", f"{pair.earlier}:{other}"]
                links.append([*ends, rounded(share, 3)])
    taps = [pair.later for pair in found.pairs] + [p.earlier for p in found.pairs[-1:]]
    return {"layers": [[tap, units[tap]] for tap in taps], "links": links}


def _embedded(data: dict[str, Any]) -> Markup:
    """Return data as JSON that can stand in a page."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))
