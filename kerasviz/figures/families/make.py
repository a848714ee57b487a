"""Show the families of a layer, given or suggested: the public function."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.analysis.families import (
    Family,
    branch_counts,
    branches_of,
    families_text,
    read_families,
)
from kerasviz.analysis.weight_families import TURNS, likeness, pixel_weights, suggest_families
from kerasviz.errors import UsageError
from kerasviz.figures.families.factors import factor_sheets
from kerasviz.figures.families.page import write_page
from kerasviz.figures.unit_pictures import render_units
from kerasviz.io.digits import rounded
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.network.network import Network
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.types import Array, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network

#: The version of the data of families.
VERSION = 1
#: The file of families, of which others may be made by hand.
FILE = "families.json"
#: Images whose weights from the pixels can be drawn: grey and coloured ones.
PIXEL_CHANNELS = (1, 3)


@dataclass(frozen=True, eq=False)
class FamilySet:
    """Hold the families of a layer.

    Args:
        families: The families.
        file: The JSON file of them.
        page: The page that shows them.
        record: All numbers as plain data.
    """

    families: tuple[Family, ...]
    file: Path
    page: Path
    record: dict[str, Any]


@named_arguments()
def make_families(  # noqa: PLR0913 - the options of the command
    net: Model,
    tap: str,
    *,
    families: str | os.PathLike[str] | None = None,
    alike: float = 0.8,
    from_: str | None = None,
    pictures: bool = True,
    recipe: str | Path | Recipe = "fast",
    steps: int | None = None,
    size: int | Size | str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    progress: bool | Report | None = None,
) -> FamilySet:
    """Show the families of a layer: units that are alike but for a turn, a flip or the sign.

    Like ``kerasviz families``, this writes a page with a row of pictures for each family, and the
    families as a JSON file that may be edited and given again.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        tap: The name of the layer.
        families: A JSON file of families; by default they are suggested by the weights from the
            pixels.
        alike: The least mean cosine of the weights of a suggested family, -1 to 1.
        from_: An earlier tap, the weights from which are factorized for each family and for all
            units.
        pictures: Whether to render the units.
        recipe: How the pictures are optimized.
        steps: The updates of the pictures, if not the recipe's.
        size: Pixels of the pictures, a number or (height, width); 96 by default.
        seed: The seed of the pictures.
        out: The folder, by default ``out/NAME-families``.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: As for :func:`kerasviz.render`.

    Returns:
        The families, their file and the page.

    Raises:
        UsageError: For a file that has no families of the layer, and a layer without any.

    Example:
        >>> made = kerasviz.make_families(net, "stem", alike=0.1, pictures=False)
        >>> made.file.name, made.families[0].tap
        ('families.json', 'stem')
    """
    if not -1 <= alike <= 1:
        raise UsageError(f"alike {alike}: expected a cosine from -1 to 1")
    net = as_network(net, data).require_images("families")
    channels = net.taps[tap].channels
    if channels is None:
        raise UsageError(f"{net.name}: {tap} has no known number of units; name another tap")
    given = None if families is None else read_families(families, net)
    weights = pixel_weights(net, tap, range(channels))
    if given is None:
        found = suggest_families(weights, tap, range(channels), alike=alike)
        if not found:
            raise UsageError(
                f"{net.name}: no units of {tap} are alike; give less than --alike {alike:g}"
            )
    else:
        found = [family for family in given if family.tap == tap]
        if not found:
            taps = ", ".join(dict.fromkeys(family.tap for family in given))
            raise UsageError(f"{str(families)!r} has no family of {tap}, but of {taps or 'none'}")
    folder = families_folder(net, out)
    sheets = None if from_ is None else factor_sheets(net, from_, tap, found)
    make_folder(folder)
    units = [f"{tap}:{unit}" for family in found for unit in family.units]
    options = RecipeOptions(recipe, steps, size)
    files = render_units(net, units, folder, options, seed, progress) if pictures else {}
    record: dict[str, Any] = {
        "maker": "kerasviz families",
        "version": VERSION,
        "network": network_provenance(net),
        "tap": tap,
        "suggested": families is None,
        "alike": alike,
        "families": [_record(net, family, weights) for family in found],
        "pictures": files,
    }
    if sheets is not None:
        record["factors"] = sheets.to_json()
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_atomically(folder / "details.json", text.encode())
    write_atomically(folder / FILE, families_text(found).encode())
    raw = weights if net.channels in PIXEL_CHANNELS else None
    page = write_page(folder, record, raw, sheets)
    return FamilySet(tuple(found), folder / FILE, page, record)


def families_folder(net: Network, out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a network's families: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-families" if out is None else Path(out)


def _record(net: Network, family: Family, weights: Array) -> dict[str, Any]:
    """Return a family as plain data, with its likeness and its branches."""
    units = list(family.units)
    cosines, best = likeness(weights[units])
    return {
        **family.to_json(),
        "turns": [str(TURNS[k]) if n else "0°" for n, k in enumerate(best[0])],
        "cosines": [rounded(c, 4) for c in cosines[0]],
        "branches": [
            {
                "name": found.branch.name,
                "units": [found.branch.start, found.branch.end],
                "count": found.count,
                "expected": rounded(found.expected, 4),
                "p": rounded(found.p, 4),
            }
            for found in branch_counts(family, branches_of(net, family.tap))
        ],
    }
