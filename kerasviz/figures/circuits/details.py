"""Look closer at the layer before a unit: factors, positions, and contributions on a photo."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.analysis.circuit import Circuit
from kerasviz.analysis.connections import Connections, blank_image, connections
from kerasviz.analysis.factors import UnitFactors, factorize_unit
from kerasviz.analysis.families import Family, family_shares
from kerasviz.analysis.unit_contributions import UnitContributions, unit_contributions
from kerasviz.io.digits import rounded
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.rendering.store import slug
from kerasviz.types import Array

#: The folder of the directions whose pictures are shown, in that of the pages.
DIRECTIONS = "directions"
#: The largest number of positions of which each has a picture.
MOST_POSITIONS = 81

#: Render targets and return their files below the folder of the pages, by target.
Render = Callable[[Sequence[str]], dict[str, str]]


@dataclass(frozen=True)
class DetailOptions:
    """Say which details of the layer before a unit are shown.

    Args:
        factors: The number of spatial factors; 0 for none.
        by_position: Whether to render what the unit expects at each position.
        photo: [H, W, C] in [0, 1], on which contributions are computed.
        families: Families, whose shares in the weights from their layers are shown.
    """

    factors: int = 0
    by_position: bool = False
    photo: Array | None = None
    families: tuple[Family, ...] = ()


def map_weights(net: Network, found: Connections, image: Array | None = None) -> Array:
    """Return the weights of the first unit as a map [h, w, channels]; a vector is one position."""
    weights: Array = found.weights[0]
    if weights.ndim == 3:
        return weights
    if weights.ndim == 1:
        return weights[None, None]
    image = blank_image(net) if image is None else image
    place = positions_of(net, found.source, image.shape[:2])
    if place.map is None:
        return weights[None]
    whole = np.zeros((place.special + place.map[0] * place.map[1], weights.shape[-1]))
    whole[found.corner[0] : found.corner[0] + len(weights)] = weights
    return whole[place.special :].reshape(*place.map, -1)


def find_details(
    net: Network, circuit: Circuit, options: DetailOptions, folder: Path, render: Render
) -> dict[str, Any]:
    """Return the details of a circuit as plain data, by the taps of earlier layers.

    Layers that are not the nearest have shares of families only.

    Args:
        net: The network.
        circuit: The circuit.
        options: The details.
        folder: The folder of the pages, into which directions are written.
        render: Renders the pictures of directions and units.
    """
    details: dict[str, Any] = {}
    for layer in circuit.earlier:
        found: dict[str, Any] = {}
        nearest = layer.level == -1
        named = any(family.tap == layer.tap for family in options.families)
        if named or (nearest and (options.factors or options.by_position)):
            own = connections(net, layer.tap, circuit.tap, [circuit.unit], image=options.photo)
            weights = map_weights(net, own, options.photo)
            if nearest:
                name = f"{slug(f'{circuit.tap}:{circuit.unit}')}-{slug(layer.tap)}.npz"
                file = folder / DIRECTIONS / name
                found = _of_weights(layer.tap, weights, options, file, render)
            if named:
                shares = family_shares(abs(weights).sum((0, 1)), layer.tap, options.families)
                found["families"] = [[name, rounded(share, 4)] for name, share in shares]
        if nearest and options.photo is not None:
            made = unit_contributions(net, layer.tap, circuit.tap, circuit.unit, options.photo)
            found["contributions"] = _contributions(layer.tap, made, render)
        if found:
            details[layer.tap] = found
    return details


def _of_weights(
    tap: str, weights: Array, options: DetailOptions, file: Path, render: Render
) -> dict[str, Any]:
    """Return factors and positions, whose directions are written into a file and rendered."""
    height, width, channels = weights.shape
    count = min(options.factors, height * width, channels)
    factors = _used(factorize_unit(weights, count)) if count else None
    positions = options.by_position and height * width <= MOST_POSITIONS
    rows = weights.reshape(-1, channels)
    arrays: dict[str, Any] = {}
    if factors is not None:
        arrays["factors"] = factors.directions.astype(np.float32)
    if positions:
        arrays["positions"] = rows.astype(np.float32)
    if not arrays:
        return {}
    make_folder(file.parent)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    write_atomically(file, buffer.getvalue())
    texts = {
        key: [_target(tap, file, key, k) if row.any() else "" for k, row in enumerate(array)]
        for key, array in arrays.items()
    }
    files = render([text for own in texts.values() for text in own if text])
    found: dict[str, Any] = {}
    if factors is not None:
        found["factors"] = _factors(factors, [files.get(_plain(t), "") for t in texts["factors"]])
    if positions:
        strengths = np.linalg.norm(weights.astype(np.float64), axis=-1)
        pictures = [files.get(_plain(text), "") for text in texts["positions"]]
        found["positions"] = {
            "strengths": _short(strengths),
            "pictures": [pictures[y * width : (y + 1) * width] for y in range(height)],
        }
    return found


def _used(factors: UnitFactors) -> UnitFactors:
    """Return the factors that are not 0: simple weights have fewer than were asked for."""
    used = factors.directions.any(1)
    return UnitFactors(factors.patterns[..., used], factors.directions[used], factors.explained)


def _target(tap: str, file: Path, key: str, row: int) -> str:
    """Return the target of a direction in a file."""
    return f'{tap}@"{file}":{key}[{row}]'


def _plain(target: str) -> str:
    """Return a target as pictures record it, without quotes around its file."""
    return target.replace('"', "")


def _factors(factors: UnitFactors, pictures: Sequence[str]) -> dict[str, Any]:
    strongest = np.argsort(-abs(factors.directions), axis=1, kind="stable")[:, :4]
    return {
        "explained": rounded(factors.explained, 4),
        "patterns": [_short(pattern) for pattern in np.moveaxis(factors.patterns, -1, 0)],
        "pictures": list(pictures),
        "units": [
            [[int(k), rounded(row[k], 4)] for k in order]
            for row, order in zip(factors.directions, strongest, strict=True)
        ],
    }


def _contributions(tap: str, found: UnitContributions, render: Render) -> dict[str, Any]:
    raising, lowering = found.top()
    sums = found.by_channel
    names = [f"{tap}:{unit}" for unit in (*raising, *lowering)]
    pictures = render(names)

    def rows(units: Sequence[int]) -> list[dict[str, Any]]:
        return [
            {
                "unit": unit,
                "value": rounded(sums[unit], 5),
                "picture": pictures.get(f"{tap}:{unit}", ""),
            }
            for unit in units
        ]

    where = np.atleast_2d(found.by_position)
    return {
        "position": list(found.position),
        "score": rounded(found.score),
        "rest": rounded(found.rest),
        "missing": rounded(found.missing, 3),
        "exact": found.exact,
        "by_position": _short(where),
        "raising": rows(raising),
        "lowering": rows(lowering),
    }


def _short(numbers: Array) -> list[list[float]]:
    return [[rounded(n, 5) for n in row] for row in numbers]
