"""Make a folder of explanations: a page for each photo, with pictures of the units that decide."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.analysis.attribution import STEPS
from kerasviz.analysis.explanation import Explanation
from kerasviz.analysis.groups import GROUPS
from kerasviz.errors import whole_number
from kerasviz.figures.explain.findings import Findings, ViewOptions, find, one_target
from kerasviz.figures.explain.grid import check_grid, draw_grid
from kerasviz.figures.explain.page import ShownPictures, class_label, write_page
from kerasviz.figures.explain.pictures import group_texts, of_all
from kerasviz.figures.explain.sheet import draw_sheet
from kerasviz.figures.unit_pictures import render_units
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.io.images import encode
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.probes import import_ahead
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.pages import update
from kerasviz.rendering.photos import find_photos, read_photo
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import slug
from kerasviz.types import Array, Grid, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network, tap_names

VERSION = 2


@dataclass(frozen=True)
class ExplanationSet:
    """Hold the explanations of photos, and the page of the first.

    Args:
        photos: The names of the photos' pages.
        explanations: One for each photo.
        findings: All that the page of each photo shows.
        page: The page of the first one.
    """

    photos: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    findings: tuple[Findings, ...]
    page: Path


@named_arguments()
def make_explanations(  # noqa: PLR0913 - the options of the command
    net: Model,
    photos: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    target: str | None = None,
    tap: str | Sequence[str] = (),
    units: int = 4,
    gradients: int = STEPS,
    groups: int = GROUPS,
    detail: str = "",
    grid: Grid = "none",
    pictures: bool = True,
    recipe: str | Path | Recipe = "fast",
    steps: int | None = None,
    size: int | Size | str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    progress: bool | Report | None = None,
) -> ExplanationSet:
    """Show which units and positions of every layer decide what a network says to photos.

    Like ``kerasviz explain``, this writes a page for each photo, an overview as PNG, and all
    numbers as JSON.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        photos: A picture file, a folder of them, or several.
        target: What is explained: a class, a unit, a direction, or a difference such as
            ``"logit:dog - logit:cat"``. By default the class that the network sees.
        tap: Layers; by default all main layers before the target.
        units: The number of units of each layer that raise the score, and as many that lower it.
        gradients: The number of gradients that are averaged; 1 is the linear approximation.
        groups: The number of groups of units that act together; 0 for none.
        detail: The layer whose positions are shown with their units, groups and classes; by
            default the last with about 14 x 14 positions.
        grid: Whether to optimize an icon for each position of that layer: each by itself
            (``"naive"``), or with parts that those of a group share (``"shared"``).
        pictures: Whether to render pictures of the units.
        recipe: How the pictures are optimized.
        steps: The updates of the pictures, if not the recipe's.
        size: Pixels of the pictures, a number or (height, width); 96 by default.
        seed: The seed of the pictures.
        out: The folder, by default ``out/NAME-explanations``.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: As for :func:`kerasviz.render`.

    Returns:
        The explanations, and the page of the first.

    Raises:
        UsageError: For files that are no pictures, and a target without layers before it.

    Example:
        >>> made = kerasviz.make_explanations(net, "photos/0.png", pictures=False, gradients=2)
        >>> made.page.name, made.explanations[0].layers[0].tap
        ('0.html', 'stem')
    """
    whole_number("gradients", gradients)
    whole_number("units", units)
    whole_number("groups", groups, 0)
    if groups:
        import_ahead("decomposition")
    net = as_network(net, data).require_images("explain")
    listed = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
    paths = [p for path in listed for p in find_photos(os.fspath(path))]
    names = _distinct(paths)
    wanted = None if target is None else one_target(net, target)
    taps = tap_names(tap, net.taps)
    options = ViewOptions(units, gradients, groups, detail)
    arrays = [_read(net, path) for path in paths]
    found = [
        find(net, name, image, wanted, taps, options)
        for name, image in zip(names, arrays, strict=True)
    ]
    for one in found:
        check_grid(net, one, grid)
    folder = make_folder(explanations_folder(net, out))
    vectors = [group_texts(net, one, folder) for one in found]
    files: dict[str, str] = {}
    chosen = RecipeOptions(recipe, steps, size)
    if pictures:
        files = render_units(net, of_all(found, vectors, units), folder, chosen, seed, progress)
    for one, own in zip(found, vectors, strict=True):
        units_only = {text: file for text, file in files.items() if text not in own}
        icons = draw_grid(net, one, folder, grid, chosen, seed, progress)
        of_groups = tuple(files[text] for text in own if text in files)
        shown = ShownPictures(units_only, of_groups, icons)
        _write(folder, net, one, shown, names)
    explained = tuple(one.explanation for one in found)
    return ExplanationSet(tuple(names), explained, tuple(found), folder / f"{names[0]}.html")


def explanations_folder(net: Network, out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a network's explanations: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-explanations" if out is None else Path(out)


def _distinct(paths: Sequence[Path]) -> list[str]:
    """Return a file name for each photo: its own, numbered where several have it."""
    names: list[str] = []
    for path in paths:
        name = slug(path.stem)
        names.append(name if name not in names else f"{name}-{len(names)}")
    return names


def _read(net: Network, path: Path) -> Array:
    return read_photo(path, net.fitting_size(usual_size(net)), net.channels)


def _write(
    folder: Path, net: Network, found: Findings, pictures: ShownPictures, names: Sequence[str]
) -> None:
    """Write the data of a photo, its overview and its page."""
    record: dict[str, Any] = {
        "maker": "kerasviz explain",
        "version": VERSION,
        "network": network_provenance(net),
        "photo": found.name,
        "label": class_label(net, found.explanation.target),
        **found.to_json(),
    }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    write_atomically(folder / f"{found.name}.json", text.encode())
    sheet = draw_sheet(net, found, pictures, folder)
    update(folder / f"{found.name}.png", encode(sheet, "png"))
    write_page(folder, net, found, pictures, names, record["network"])
