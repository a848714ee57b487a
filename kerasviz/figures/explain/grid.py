"""Draw what the whole vector at every position of a layer looks for: an activation grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kerasviz.errors import UsageError, check_choice
from kerasviz.figures.explain.findings import Findings
from kerasviz.figures.explain.pictures import write_vectors
from kerasviz.io.images import encode, to_image
from kerasviz.network.network import Network
from kerasviz.optvis.optimization.shared_icons import shared_icons
from kerasviz.rendering.pages import update
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.render import render
from kerasviz.types import Array

#: How icons are optimized: each by itself, or with parts that those of a group share.
GRIDS = ("none", "naive", "shared")
#: Pixels of an icon, without what is cut off at its edges (lucid: 42, 2).
SIDE = 42
CUT = 2
#: Updates of icons of a shared grid (as ``SIDE``).
STEPS = 256
#: Positions of a grid, at most.
MOST = 400


def check_grid(net: Network, found: Findings, grid: str) -> None:
    """Raise :class:`UsageError` where a photo's layer allows no grid of this kind."""
    check_choice("grid", grid, GRIDS)
    if grid == "none":
        return
    if found.view is None:
        raise UsageError("grid: no layer has positions; name one that has a map with --tap")
    height, width = found.view.sides.shape
    if height * width > MOST:
        raise UsageError(
            f"grid: {found.view.tap} has {height}x{width} positions, at most {MOST} are drawn; "
            "name a later layer with --detail"
        )
    if grid == "shared" and found.groups is None:
        raise UsageError("grid shared: icons share parts of groups; give --groups 1 or more")
    if grid == "shared" and net.fixed_size != (None, None):
        raise UsageError(f"grid shared: {net.name} takes large images only; give --grid naive")


def draw_grid(
    net: Network,
    found: Findings,
    folder: Path,
    grid: str,
    options: RecipeOptions,
    seed: int,
    progress: bool | Report | None,
) -> str:
    """Optimize the icons of a photo's grid, and return the file of their picture in a folder."""
    view = found.view
    if grid == "none" or view is None or found.vectors is None:
        return ""
    height, width = view.sides.shape
    vectors = found.vectors.reshape(height * width, -1)
    name = f"{found.name}.grid.npy"
    texts = write_vectors(net, folder / name, view.tap, vectors)
    if grid == "naive":
        side = SIDE if net.fixed_size == (None, None) else None
        place = folder / f"{found.name}-grid"
        rendering = render(
            net,
            texts,
            recipe=options.recipe,
            steps=options.steps,
            size=side,
            seed=seed,
            out=place,
            progress=progress,
        )
        by_text = {picture.request.text: picture.image for picture in rendering}
        icons = np.stack([by_text[text] for text in texts])
    else:
        assert found.groups is not None
        places = found.groups.groups.places
        shares = places.reshape(len(places), -1).T
        steps = options.steps or STEPS
        icons = shared_icons(net, view.tap, vectors, shares, side=SIDE, steps=steps, seed=seed)
    file = f"{found.name}.grid.png"
    update(folder / file, encode(compose(icons, view.sides), "png"))
    return file


def compose(icons: Array, sides: Array) -> Image.Image:
    """Lay icons [h * w, n, n, C] in a grid, each as large as ``sides`` [h, w] in [0, 1] says.

    >>> compose(np.zeros((2, 8, 8, 3)), np.array([[1.0, 0.5]])).size
    (16, 8)
    """
    height, width = sides.shape
    cut = CUT if icons.shape[1] > 4 * CUT else 0
    cell = min(icons.shape[1], SIDE) - 2 * cut
    sheet = Image.new("RGB", (width * cell, height * cell), "white")
    for k, icon in enumerate(icons):
        side = round(cell * float(sides.flat[k]))
        if side < 1:
            continue
        inner = to_image(icon[cut : icon.shape[0] - cut, cut : icon.shape[1] - cut])
        small = inner.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
        y, x = divmod(k, width)
        sheet.paste(small, (x * cell + (cell - side) // 2, y * cell + (cell - side) // 2))
    return sheet
