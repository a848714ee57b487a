"""The page of an activation atlas: its data, and the files that show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.analysis.atlas_cells import cell_means
from kerasviz.atlas.activations.definition import ActivationAtlas
from kerasviz.atlas.activations.icons import IconGrid
from kerasviz.atlas.activations.samples import ActivationSamples
from kerasviz.atlas.activations.sheets import CROP, SIDE
from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.picture import network_provenance
from kerasviz.types import Array

INDEX = "index.html"
#: The script with the data of all cells.
DATA = "atlas.js"
#: The same as JSON, for other programs.
CELLS = "cells.json"
#: Classes and units that are named for a cell.
CLASSES = 4
UNITS = 3


@dataclass(frozen=True)
class GridFiles:
    """Name the files of a grid: sheets of its icons and of its crops, and the crops of each cell.

    ``crops`` has for each cell the numbers of its crops on the sheets.
    """

    icons: Sequence[str]
    size: tuple[int, int]
    crop_sheets: Sequence[str] = ()
    crops: Sequence[Sequence[int]] = ()


def grid_data(
    grid: IconGrid, files: GridFiles, samples: ActivationSamples, classes: Sequence[int]
) -> dict[str, Any]:
    """Return what the page shows of a grid, as plain data: lists with an item for each cell.

    ``classes`` are those that the atlas is about: their contributions are among those of a cell
    even where others are larger.
    """
    data: dict[str, Any] = {
        "grid": grid.grid,
        "columns": grid.cells.columns.tolist(),
        "rows": grid.cells.rows.tolist(),
        "counts": grid.cells.counts.tolist(),
        "units": _largest(grid.means, UNITS),
        "icons": list(files.icons),
        "size": list(files.size),
        "sheets": list(files.crop_sheets),
        "crops": [list(numbers) for numbers in files.crops],
    }
    if samples.attributions is not None and len(grid.cells):
        shares = cell_means(samples.attributions, grid.cells)
        data["classes"] = _largest(shares, CLASSES)
        data["about"] = [[rounded(row[n], 3) for n in classes] for row in shares]
    return data


def _largest(values: Array, count: int) -> list[list[list[float]]]:
    """Return the columns with the largest values of each row, each with its value."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return [
        [[int(n), rounded(row[n], 3)] for n in best if row[n] > 0]
        for row, best in zip(values, order, strict=True)
    ]


def write_page(
    out: Path,
    net: Network,
    atlas: ActivationAtlas,
    samples: ActivationSamples,
    grids: Sequence[dict[str, Any]],
    notes: Sequence[str],
) -> Path:
    """Write the page, the script of its data and the same data as JSON; return the page."""
    numbers = {n for grid in grids for row in grid.get("classes", ()) for n, _ in row}
    names = {n: _label(net, n) for n in sorted(numbers | set(atlas.classes.numbers))}
    data = {
        "tap": atlas.tap,
        "grids": list(grids),
        "names": {str(n): name for n, name in names.items()},
        "about": list(atlas.classes.numbers),
        "side": SIDE,
        "crop": CROP,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    update(out / CELLS, text.encode())
    # "</" would end the script of a page that has the data inside
    update(out / DATA, f"const ATLAS = {text.replace('</', '<' + chr(92) + '/')};\n".encode())
    about = [names[n] for n in atlas.classes.numbers]
    page = render_page(
        "activation_atlas.html",
        network=network_provenance(net),
        tap=atlas.tap,
        title=_title(net, atlas.tap, about),
        about=about,
        count=len(samples),
        photos=len(np.unique(samples.photos)) if samples.positions is not None else 0,
        grids=[grid["grid"] for grid in grids if grid["counts"]],
        kept={grid["grid"]: sum(grid["counts"]) for grid in grids},
        cells={grid["grid"]: len(grid["counts"]) for grid in grids},
        atlas=atlas,
        layout=atlas.layout if not _is_digest(atlas.layout) else "a file",
        recipe=atlas.work.recipe,
        seed=atlas.work.seed,
        classes=any("classes" in grid for grid in grids),
        notes=list(notes),
        back=f"../../{INDEX}" if about and (out.parent.parent / INDEX).is_file() else "",
        data=DATA,
        cells_file=CELLS,
    )
    update(out / INDEX, page.encode())
    return out / INDEX


def _title(net: Network, tap: str, about: Sequence[str]) -> str:
    if len(about) == 2:
        return f"{about[0]} or {about[1]}: what tells {net.name} at {tap}"
    if about:
        return f"What {net.name} takes for {about[0]} at {tap}"
    return f"What {net.name} sees at {tap}"


def _label(net: Network, number: int) -> str:
    known = number < len(net.labels)
    return net.labels[number].split(",")[0].strip() if known else f"class {number}"


def _is_digest(layout: str) -> bool:
    return len(layout) == 64
