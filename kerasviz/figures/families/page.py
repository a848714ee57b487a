"""Write the page of the families of a layer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasviz.figures.circuits.weights import pattern_url, weight_url
from kerasviz.figures.families.factors import FactorSheets
from kerasviz.io.images import encode
from kerasviz.rendering.pages import render_page, update
from kerasviz.types import Array

#: The side of drawings of weights from the pixels.
SIDE = 72


def write_page(
    folder: Path, record: Mapping[str, Any], weights: Array | None, sheets: FactorSheets | None
) -> Path:
    """Write the page of families from their data; return its path.

    Args:
        folder: The folder of the page.
        record: The data.
        weights: [units, side, side, colours] from the pixels to all units of the layer, if they
            can be drawn.
        sheets: The factors of the weights from an earlier tap.
    """
    page = render_page(
        "families.html",
        record=record,
        network=record["network"],
        families=[_row(record, family, weights, sheets) for family in record["families"]],
        sheet=[]
        if sheets is None
        else [
            (unit, pattern_url(found.patterns.transpose(2, 0, 1)), f"{band:.2f}")
            for unit, found, band in zip(sheets.order, sheets.units, sheets.bands, strict=True)
        ],
        band=record.get("factors", {}).get("mean_band_score"),
        source=None if sheets is None else sheets.source,
    )
    path = folder / "index.html"
    update(path, page.encode())
    return path


def _row(
    record: Mapping[str, Any],
    family: Mapping[str, Any],
    weights: Array | None,
    sheets: FactorSheets | None,
) -> dict[str, Any]:
    """Return a family with its pictures."""
    factors = None if sheets is None else sheets.families.get(family["name"])
    units = []
    for n, unit in enumerate(family["units"]):
        patterns = []
        if factors is not None:
            own = factors.patterns[n]
            scale = float(abs(factors.patterns).max())
            patterns = [weight_url(own[..., k], scale) for k in range(own.shape[-1])]
        units.append(
            {
                "name": f"{record['tap']}:{unit}",
                "number": unit,
                "picture": record["pictures"].get(f"{record['tap']}:{unit}", ""),
                "weights": "" if weights is None else _pixels_url(weights[unit]),
                "turn": family["turns"][n],
                "cosine": f"{family['cosines'][n]:.2f}",
                "patterns": patterns,
            }
        )
    strongest: list[Any] = []
    if factors is not None and sheets is not None:
        found = record["factors"]["families"][family["name"]]
        strongest = [[f"{sheets.source}:{k}" for k in row] for row in found["strongest"]]
    return {**family, "units": units, "strongest": strongest}


def _pixels_url(weights: Array) -> str:
    """Return weights [side, side, colours] as a picture in which 0 is grey."""
    largest = float(abs(weights).max()) or 1.0
    pixels = np.rint(255 * (0.5 + 0.5 * weights / largest)).astype(np.uint8)
    pixels = np.repeat(pixels, 3, -1) if pixels.shape[-1] == 1 else pixels
    image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    return f"data:image/png;base64,{base64.b64encode(encode(image, 'png')).decode()}"
