"""Measure at which positions of its layer a unit prefers to find what it looks for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasviz.errors import UsageError, whole_number
from kerasviz.io.digits import rounded
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.io.images import encode, to_image
from kerasviz.network.network import Network
from kerasviz.network.positions import Positions, positions_of
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.fill import render_in
from kerasviz.rendering.picture import Picture, network_provenance
from kerasviz.rendering.picture_options import PictureOptions, listed, requests_for
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.render import render_requests
from kerasviz.rendering.store import Store, slug
from kerasviz.types import Array, Param, Precision, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network

#: The most shifts of a picture: all of them for a map of 16 x 16 positions.
MOST_SHIFTS = 256
#: Shifted pictures that are computed at once.
BATCH = 16
#: The side of the picture and of its map in a file, in pixels.
SIDE = 224
#: The colours of a map from the least to the largest value (viridis, every quarter).
COLOURS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


@dataclass(frozen=True)
class PositionMap:
    """Hold how large a unit is at each position, on average over all shifts of its picture.

    Args:
        target: The text of the target.
        tap: The layer.
        values: [h, w] means of the unit at every position.
        dependence: The share of the variance of the unit, over positions and shifts, that is one
            of the means of positions: 0 where the position does not matter, 1 where nothing else
            does.
        shifts: The number of shifts.
        picture: The picture that was shifted.

    Example:
        >>> found = PositionMap("tap:0", "tap", np.array([[1.0, 3.0]]), 1.0, 2)
        >>> found.best, found.least
        ((0, 1), (0, 0))
    """

    target: str
    tap: str
    values: Array
    dependence: float
    shifts: int
    picture: Picture | None = field(default=None, repr=False, compare=False)

    @property
    def best(self) -> tuple[int, int]:
        """The (y, x) at which the unit is largest, as in the target ``tap:unit@y,x``."""
        return self._place(int(np.argmax(self.values)))

    @property
    def least(self) -> tuple[int, int]:
        """The (y, x) at which it is smallest."""
        return self._place(int(np.argmin(self.values)))

    def _place(self, number: int) -> tuple[int, int]:
        y, x = divmod(number, self.values.shape[1])
        return y, x

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return {
            "target": self.target,
            "tap": self.tap,
            "best": list(self.best),
            "least": list(self.least),
            "dependence": round(self.dependence, 6),
            "shifts": self.shifts,
            "values": [[rounded(value) for value in row] for row in self.values],
        }

    def to_pil(self) -> Image.Image:
        """Draw the picture, and beside it the map from dark (least) to yellow (largest)."""
        low, high = float(self.values.min()), float(self.values.max())
        share = (self.values - low) / (high - low or 1.0)
        stops = np.linspace(0, 1, len(COLOURS))
        colours = [np.interp(share, stops, [c[i] / 255 for c in COLOURS]) for i in range(3)]
        cells = to_image(np.stack(colours, axis=-1))
        shown = [cells.resize((SIDE, SIDE), Image.Resampling.NEAREST)]
        if self.picture is not None:
            shown.insert(0, self.picture.to_pil().convert("RGB").resize((SIDE, SIDE)))
        canvas = Image.new("RGB", (len(shown) * (SIDE + 4) - 4, SIDE + 34), "white")
        for i, image in enumerate(shown):
            canvas.paste(image, (i * (SIDE + 4), 0))
        at = ",".join(map(str, self.best))
        text = f"{low:.3g} to {high:.3g}, largest at @{at}\n"
        text += f"position: {self.dependence:.0%} of variance"
        font = ImageFont.load_default(12)
        ImageDraw.Draw(canvas).text((canvas.width - SIDE, SIDE + 2), text, "black", font, spacing=2)
        return canvas

    def _repr_png_(self) -> bytes:
        return encode(self.to_pil(), "png")


def shifts_of(height: int, width: int, most: int) -> Array:
    """Return shifts by (y, x) positions, int [N, 2]: all, or ``most`` of them, evenly drawn.

    >>> len(shifts_of(3, 5, 256)), len(shifts_of(30, 30, 64))
    (15, 64)
    """
    numbers = np.arange(height * width)
    if len(numbers) > most:
        numbers = np.sort(np.random.default_rng(0).permutation(numbers)[:most])
    return np.stack(np.divmod(numbers, width), axis=-1)


def position_map(
    net: Network, objective: Objective, image: Array, most: int = MOST_SHIFTS
) -> tuple[Array, float, int]:
    """Average a unit over cyclic shifts of an image [H, W, C], at each position of its layer.

    All content of the image comes to all positions, so that what is left in the mean is the
    position's. Special tokens of a transformer are left out.

    Returns:
        The means [h, w], the share of the variance that they have, and the number of shifts.

    Raises:
        UsageError: For an objective that is no unit or direction of a layer with positions.
    """
    height, width = image.shape[:2]
    tap, vector, positions = _unit(net, objective, (height, width))
    rows, columns = positions.map or (1, 1)
    shifts = shifts_of(rows, columns, most)
    total, squares = np.zeros((rows, columns)), 0.0
    for start in range(0, len(shifts), BATCH):
        some = shifts[start : start + BATCH]
        moved = [
            np.roll(image, (round(y * height / rows), round(x * width / columns)), (0, 1))
            for y, x in some
        ]
        padded = np.stack(moved + [moved[-1]] * (BATCH - len(some)))
        activations = positions.on_map(net.activations(padded, [tap])[tap])
        unit = (np.asarray(activations, np.float64) @ vector)[: len(some)]
        total += unit.sum(axis=0)
        squares += float((unit**2).sum())
    means = total / len(shifts)
    variance = squares / (len(shifts) * means.size) - means.mean() ** 2
    share = float(means.var() / variance) if variance > 1e-12 * squares else 0.0
    return means.astype(np.float32), min(share, 1.0), len(shifts)


def _unit(net: Network, objective: Objective, size: Size) -> tuple[str, Array, Positions]:
    """Return the tap of an objective that is linear in its units, their weights [C], and its map.

    Raises :class:`UsageError` for other objectives, and for taps without a map.
    """
    structure = structure_of(objective, net, pre_activation=False)
    if len(structure) != 1 or structure[0].reduction not in ("mean", "point"):
        raise UsageError(
            "positions are compared for units and directions of one layer, such as "
            f"{next(iter(net.main_taps), 'TAP')}:3; given another target"
        )
    tap = structure[0].tap
    positions = positions_of(net, tap, size)
    if positions.map is None or max(positions.map) == 1:
        raise UsageError(f"{positions.describe()}; name a layer with a map of positions")
    packed = pack_objectives(structure, [objective], net, False, size)
    return tap, packed["vector0"][0].astype(np.float64), positions


@named_arguments(lambda: [setting.name for setting in fields(Recipe)])
def find_positions(  # noqa: PLR0913 - the options of the command
    net: Model,
    targets: str | Objective | Iterable[str | Objective],
    *,
    recipe: str | Path | Recipe = "fast",
    seed: int = 0,
    shifts: int = MOST_SHIFTS,
    size: int | Size | str | None = None,
    steps: int | None = None,
    param: Param | None = None,
    precision: Precision | None = None,
    until_converged: bool = False,
    tile: int | None = None,
    out: str | Path | None = None,
    data: Data | None = None,
    progress: bool | Report | None = None,
    **settings: Any,
) -> list[PositionMap]:
    """Map at which positions units are largest, as ``kerasviz positions`` does.

    The picture of each unit is rendered, then shifted around by whole positions; the unit's mean
    over all shifts, at each position, is what the position alone does.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        targets: Units or directions of layers with positions, such as ``"blocks.3:7"``.
        recipe: How to optimize the pictures, see :func:`kerasviz.render`.
        seed: The seed of the noise that the pictures start from.
        shifts: The most shifts of a picture. With fewer than positions they are drawn evenly.
        size: Pixels of the pictures, a number or (height, width).
        steps: The updates of the image.
        param: What is optimized.
        precision: The numbers in which convolutions are computed while optimizing.
        until_converged: Whether a picture ends when its score has stopped growing.
        tile: The side of the tiles, in pixels, that the network sees of large pictures.
        out: A folder for the pictures, a drawing of each map, and ``positions.json``.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: See :func:`kerasviz.render`.
        settings: Other settings of the recipe.

    Returns:
        A map for each target, in their order; a notebook shows it with its picture.

    Raises:
        UsageError: For targets that are no unit or direction of a layer with a map of positions.

    Example:
        >>> (found,) = kerasviz.find_positions(net, "block3b:7", steps=4, size=64)
        >>> found.values.shape
        (60, 60)
    """
    most = whole_number("shifts", shifts, least=2)
    changes = (steps, size, param, precision, tile, until_converged, settings)
    options = RecipeOptions(recipe, *changes)
    options.chosen()  # wrong settings are an error before the model is loaded
    net = as_network(net, data).require_images("positions")
    folder = None if out is None else Path(out)
    requests = requests_for(
        net, listed(targets), options, PictureOptions.of(seed, (), None, False, None), folder
    )
    for request in requests:
        _unit(net, request.objective, request.recipe.size)
    if folder is None:
        made = render_requests(net, requests, progress)
    else:
        commands = CommandLine.of_python(net, options.name).of_store
        made = render_in(Store(folder, net), requests, commands, progress)
    found = []
    for picture in made.pictures:
        measured = position_map(net, picture.request.objective, picture.image, most)
        tap = net.map.name_of(structure_of(picture.request.objective, net, False)[0].tap)
        found.append(PositionMap(picture.target, tap, *measured, picture))
    if folder is not None:
        write_positions(folder, net, found)
    return found


def write_positions(folder: Path, net: Network, found: Iterable[PositionMap]) -> None:
    """Write ``positions.json`` and ``TARGET-positions.png`` for each map into a folder."""
    make_folder(folder)
    about = {"network": network_provenance(net), "maps": [each.to_json() for each in found]}
    for each in found:
        file = folder / f"{slug(each.target)}-positions.png"
        write_atomically(file, encode(each.to_pil(), "png"))
    text = json.dumps(about, indent=1, ensure_ascii=False)
    write_atomically(folder / "positions.json", text.encode())
