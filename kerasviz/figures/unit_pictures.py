"""Render the pictures of units that pages show small."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kerasviz.network.network import Network
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.render import render
from kerasviz.rendering.store import Store

#: The folder of the pictures, in that of the pages.
PICTURES = "pictures"
#: Pixels of the pictures, if none are named: they are shown small.
SMALL = 96


def render_units(
    net: Network,
    units: Iterable[str],
    folder: Path,
    options: RecipeOptions,
    seed: int = 0,
    progress: bool | Report | None = None,
) -> dict[str, str]:
    """Render targets, each once, below a folder of pages; return their files there by target.

    Targets of the same objective, such as equal directions, share a file.
    """
    rendering = render(
        net,
        list(dict.fromkeys(units)),
        recipe=options.recipe,
        steps=options.steps,
        size=SMALL if options.size is None and net.fixed_size == (None, None) else options.size,
        seed=seed,
        out=folder / PICTURES,
        progress=progress,
    )
    store = Store(folder / PICTURES, net)
    return {
        picture.request.text: f"{PICTURES}/{entry.file}"
        for picture in rendering
        for entry in store.finished([picture.request])
    }
