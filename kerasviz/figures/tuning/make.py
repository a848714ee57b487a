"""Make a folder of tuning: curves of units, drawings, numbers, and a page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import ImageColor

from kerasviz.analysis.family_suggestion import RotatedUnits, rotated_alike, rotated_together
from kerasviz.analysis.joint_tuning import JointTuning, joint_tuning
from kerasviz.analysis.sweeps import KINDS, Look, Sweep, sweep_of
from kerasviz.analysis.tuning import ANGLES, Place, Recorder, Tuning, heat_maps, refine
from kerasviz.errors import UsageError, check_choice, whole_number
from kerasviz.figures.tuning.pages import write_page
from kerasviz.figures.tuning.photo_folder import PhotoFolder
from kerasviz.figures.tuning.places import place_of, units_by_place
from kerasviz.figures.tuning.record import TunedLayer, TuningRecord, write_figures, write_numbers
from kerasviz.figures.unit_pictures import render_units
from kerasviz.io.files import make_folder
from kerasviz.network.network import Network
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.photos import find_photos
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.types import Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network

#: Responses around the circle for photos, of which each takes as long as a stimulus.
TURNS = 72
#: The least number of responses around the circle: those of a heat map.
LEAST_ANGLES = 36


@dataclass(frozen=True)
class TuningSet:
    """Hold how units are tuned, and the page that shows it.

    Args:
        tunings: One for each unit and kind of stimuli.
        joint: One for each unit, where photos were given.
        families: Units of a layer that are alike but for a rotation, where they were asked for.
        page: The page.
    """

    tunings: tuple[Tuning, ...]
    joint: tuple[JointTuning, ...]
    families: tuple[RotatedUnits, ...]
    page: Path

    def to_json(self) -> dict[str, Any]:
        """Return the responses as plain data."""
        return {
            "page": str(self.page),
            "tuning": [tuning.to_json() for tuning in self.tunings],
            "joint": [found.to_json() for found in self.joint],
            "families": [asdict(family) for family in self.families],
        }


@named_arguments()
def make_tuning(  # noqa: PLR0913 - the options of the command
    net: Model,
    targets: str | Iterable[str],
    *,
    stimuli: str | Sequence[str] = "curve",
    style: str = "filled",
    colours: str = "black,white",
    angles: int = ANGLES,
    images: str | os.PathLike[str] | None = None,
    photos: int = 8,
    turns: int = TURNS,
    families: bool = False,
    pictures: bool = True,
    recipe: str | Path | Recipe = "fast",
    steps: int | None = None,
    size: int | Size | str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    progress: bool | Report | None = None,
) -> TuningSet:
    """Show how units respond to shapes, gratings and colours in all directions.

    Like ``kerasviz tune``, this writes a page with tuning curves, radial plots and heat maps, the
    same as PNG files, and all numbers as JSON and CSV.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        targets: Units, such as ``"block4a:11"``, ``"block4a:0-7"`` or ``"block4a:11@5,6"``, which
            is recorded at a position other than the centre.
        stimuli: Of curve, line, angle, circle, grating, boundary (of two frequencies) and colour
            one or more, with commas, or ``"all"``.
        style: How shapes are drawn: ``"filled"``, or ``"outlined"`` as lines.
        colours: The colour of the inner side of a shape, or of a line, and that of the other side,
            as names or #RRGGBB.
        angles: The number of responses around the circle.
        images: A folder of photos; the strongest of each unit are turned, and all units recorded.
        photos: The number of these photos.
        turns: The number of responses around the circle for photos.
        families: Whether to suggest families of units that are alike but for a rotation, by the
            photos where they are given.
        pictures: Whether to render pictures of the units.
        recipe: How the pictures are optimized.
        steps: The updates of the pictures, if not the recipe's.
        size: Pixels of the pictures, a number or (height, width); 96 by default.
        seed: The seed of the pictures.
        out: The folder, by default ``out/NAME-tuning``.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: As for :func:`kerasviz.render`.

    Returns:
        The responses, and the page.

    Raises:
        UsageError: For targets that are no units, layers without positions or that see too few
            pixels, and colours for a network that sees grey images.

    Example:
        >>> made = kerasviz.make_tuning(net, "block3b:5", angles=72, pictures=False)
        >>> made.page.name, made.tunings[0].kind, made.tunings[0].heat.shape
        ('index.html', 'curve', (7, 36))
    """
    whole_number("angles", angles, least=LEAST_ANGLES)
    whole_number("photos", photos)
    whole_number("turns", turns, least=LEAST_ANGLES)
    kinds = kinds_of(stimuli)
    dark, light = colours_of(colours)
    net = as_network(net, data).require_images("tune")
    placed = units_by_place(net, [targets] if isinstance(targets, str) else targets)
    paths = () if images is None else find_photos(os.fspath(images))
    jobs = []
    for (tap, index), units in placed.items():
        place = place_of(net, tap, index)
        look = Look(style, dark, light, net.focused([tap]).channels)
        jobs.append((place, units, [sweep_of(kind, place.aperture, look) for kind in kinds]))
    layers = []
    for place, units, sweeps in jobs:
        files = PhotoFolder(paths, place.aperture.size, net.focused([place.tap]).channels)
        layer = _tuned(net, place, units, sweeps, angles, families and not paths)
        if paths:
            joint = joint_tuning(net, place, units, files, count=photos, turns=turns)
            layer = layer.with_joint(joint, rotated_together(joint) if families else None)
        layers.append(layer)
    folder = tuning_folder(net, out)
    make_folder(folder)
    shown: dict[str, str] = {}
    if pictures:
        names = [f"{layer.place.tap}:{unit}" for layer in layers for unit in layer.units]
        shown = render_units(net, names, folder, RecipeOptions(recipe, steps, size), seed, progress)
    record = TuningRecord(net, tuple(layers), shown, tuple(p.name for p in paths), style, colours)
    write_figures(folder, record)
    write_numbers(folder, record)
    return TuningSet(
        tunings=tuple(t for layer in layers for t in layer.tunings),
        joint=tuple(j for layer in layers for j in layer.joint),
        families=tuple(f for layer in layers for _, found in layer.families for f in found),
        page=write_page(folder, record),
    )


def tuning_folder(net: Network, out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a network's tuning: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-tuning" if out is None else Path(out)


def kinds_of(stimuli: str | Sequence[str]) -> list[str]:
    """Return kinds of stimuli, each once; raise :class:`UsageError` for unknown ones.

    >>> kinds_of("line,curve"), kinds_of(["all"])[:3]
    (['line', 'curve'], ['curve', 'line', 'angle'])
    """
    listed = [stimuli] if isinstance(stimuli, str) else list(stimuli)
    names = [name.strip() for text in listed for name in text.split(",")]
    if "all" in names:
        return list(KINDS)
    for name in names:
        check_choice("stimuli", name, (*KINDS, "all"))
    if not names:
        raise UsageError(f"no stimuli; give one or more of {', '.join(KINDS)}, or all")
    return list(dict.fromkeys(names))


def colours_of(text: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return two colours [R, G, B] in [0, 1] of a text such as ``black,#ffcc00``.

    >>> colours_of("black,#ff0000")
    ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    """
    names = [name.strip() for name in text.split(",")]
    try:
        if len(names) != 2:
            raise ValueError
        dark, light = (ImageColor.getcolor(name, "RGB") for name in names)
    except ValueError as error:
        raise UsageError(
            f"colours {text!r}: expected two names or #RRGGBB, such as black,white"
        ) from error
    one, other = (tuple(value / 255 for value in colour) for colour in (dark, light))  # type: ignore[union-attr]
    return one, other  # type: ignore[return-value]


def _tuned(
    net: Network,
    place: Place,
    units: Sequence[int],
    sweeps: Sequence[Sweep],
    angles: int,
    families: bool,
) -> TunedLayer:
    """Measure the units of a layer for all stimuli."""
    recorder = Recorder(net, place.tap, place.aperture.size)
    for unit in units:
        recorder.check(unit)
    tunings: list[Tuning] = []
    found = []
    for sweep in sweeps:
        coarse = heat_maps(recorder, place, sweep)
        tunings += refine(recorder, place, sweep, coarse, units, angles)
        if families and sweep.across.period is not None and len(units) > 1:
            period = sweep.across.period
            found.append((sweep.kind, tuple(rotated_alike(coarse, units, period))))
    return TunedLayer(place, tuple(units), tuple(sweeps), tuple(tunings), (), tuple(found))
