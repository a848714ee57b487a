"""Panels of dataset examples: crops in one picture, or the reason why there are none."""

from __future__ import annotations

import io
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.examples import Examples
from kerasviz.examples.pages import TITLES
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import EmptyTile, ExamplesTile, FigureLayout, TileRow
from kerasviz.network.network import Network
from kerasviz.rendering.commands import SEARCHED
from kerasviz.rendering.store import Store, slug

NAME = "Dataset examples"
NO_DATASET = EmptyTile(NAME, "no dataset was given")
#: The width of a panel in pixels, as the article's: three crops.
WIDTH = 294
#: The largest number of crops in a panel.
MOST = 9
#: Examples of each kind that the page of a layer has.
EXAMPLES = 10
QUALITY = 90
#: Where a panel has fewer crops: the grey of empty panels.
BLANK = "#f4f4f6"


def open_examples(folder: str | Path, net: Network) -> Examples:
    """Open the examples in a folder.

    Raises :class:`UsageError` for those of another network, and for a folder without examples.
    """
    aliases = {alias: name for name in net.taps for alias in net.taps[name].aliases}
    examples = Examples(folder, aliases)
    theirs = examples.network
    if theirs["sha256"] != net.identity.like(theirs).sha256:
        raise UsageError(
            f"{str(folder)!r} holds examples of another model, {theirs['name']} "
            f"({theirs['sha256'][:12]}…), not of {net.name}; run kerasviz examples for it"
        )
    return examples


def example_place(
    options: FigureOptions, tap: str, unit: int, bucket: str = "top"
) -> ExamplesTile | EmptyTile:
    """Return the panel of a unit's examples, or an empty one with the reason."""
    examples = options.examples
    if examples is None:
        return NO_DATASET
    if unit >= examples.units(tap):
        return EmptyTile(NAME, f"no examples for {tap}:{unit} in {examples.folder.name}")
    found = examples.of(tap, unit, bucket)[:MOST]
    if not found:
        return EmptyTile(NAME, f"no image is that for {tap}:{unit}: {TITLES[bucket].lower()}")
    ends = f"{found[0].value:.3g}" + (f" to {found[-1].value:.3g}" if len(found) > 1 else "")
    return ExamplesTile(tap, unit, bucket, f"activation {ends}")


def example_notes(options: FigureOptions, many: str = f"at most {MOST} in a panel") -> list[str]:
    """Say in one line where the examples are from, and how ``many`` are shown."""
    if options.examples is None:
        return []  # what it takes to have some is said once, by ``without_examples``
    data = options.examples.data
    images = f"{data['seen']} image{'' if data['seen'] == 1 else 's'}"
    return [
        f"Dataset examples: from {images} of {Path(data['source']).name}, {many}, the strongest "
        "response first, each cropped to what the unit sees. The article does not say how its own "
        "were chosen."
    ]


def leave_out_empty(
    blocks: Sequence[TileRow], titles: Sequence[str]
) -> tuple[tuple[TileRow, ...], tuple[str, ...]]:
    """Leave out rows and columns that have words only; return the others with their titles.

    >>> rows = (TileRow("", (), (NO_DATASET, NO_DATASET)),)
    >>> leave_out_empty(rows, ("a", "b"))
    ((), ())
    """
    rows = [row for row in blocks if not row.places or row.tiles]
    count = max((len(row.places) for row in rows), default=0)
    kept = [
        i
        for i in range(count)
        if any(i < len(row.places) and not isinstance(row.places[i], EmptyTile) for row in rows)
    ]
    if not blocks or (rows and len(kept) == count):
        return tuple(rows), tuple(titles)
    places = [
        tuple(row.places[i] for i in kept if i < len(row.places)) if row.places else ()
        for row in rows
    ]
    return (
        tuple(replace(row, places=some) for row, some in zip(rows, places, strict=True)),
        tuple(titles[i] for i in kept if i < len(titles)),
    )


def without_examples(net: Network, blocks: Sequence[TileRow]) -> list[str]:
    """Say how to fill the places that a missing dataset leaves empty; [] if there are none."""
    rows = [row for row in blocks if NO_DATASET in row.places]
    if not rows:
        return []
    tiles = [tile for block in blocks for tile in block.optimized]
    taps = dict.fromkeys(term.tap for tile in tiles for term in tile.request.objective.terms)
    names = " ".join(shlex.quote(tap) for tap in taps if tap)
    if net.medium not in SEARCHED:
        return ["Without dataset examples, which are found in photos, recordings and texts only."]
    where = (
        "for which a dataset is needed. This finds some, and --examples examples shows them here"
        if net.medium == "image"
        else "which have a page of their own. This makes it"
    )
    return [
        f"Without dataset examples, {where}: kerasviz examples {shlex.quote(net.identity.source)} "
        f"{names} --images {SEARCHED[net.medium]} --out examples"
    ]


def montage(crops: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    """Arrange crops in a square of up to 3 x 3 on pale grey.

    ``size`` is the height and width of the figure's other pictures, whose proportions the panel
    has. Up to four crops are two in a row, more are three.

    >>> montage([Image.new("RGB", (98, 98))] * 9, (128, 128)).size
    (294, 294)
    """
    width, height = WIDTH, round(WIDTH * size[0] / size[1])
    columns = next(n for n in (1, 2, 3) if n * n >= min(len(crops), MOST))
    side = min(width, height) // columns
    left, top = (width - columns * side) // 2, (height - columns * side) // 2
    image = Image.new("RGB", (width, height), BLANK)
    for k, crop in enumerate(crops[: columns * columns]):
        shown = crop.resize((side, side), Image.Resampling.LANCZOS)
        image.paste(shown, (left + k % columns * side, top + k // columns * side))
    return image


def write_panels(
    options: FigureOptions, layout: FigureLayout, store: Store
) -> dict[ExamplesTile, str]:
    """Write the panels of a figure into the folder of a store; return their files.

    A file with the same content is not rewritten.
    """
    files: dict[ExamplesTile, str] = {}
    wanted = [tile for tile in layout.tiles if isinstance(tile, ExamplesTile)]
    for sample in dict.fromkeys(wanted):
        assert options.examples is not None  # else there are panels of words only
        crops = options.examples.crops(sample.tap, sample.unit, sample.bucket)
        buffer = io.BytesIO()
        montage(crops, options.recipe.size).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
        files[sample] = f"examples-{slug(f'{sample.tap}:{sample.unit}')}-{sample.bucket}.jpg"
        store.copy(store.folder / files[sample], buffer.getvalue())
    return files
