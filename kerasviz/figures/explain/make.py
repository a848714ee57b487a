"""Make a folder of explanations: a page for each photo, with pictures of the units that decide."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasviz.analysis.attribution import STEPS
from kerasviz.analysis.explanation import Explanation, LayerShare, UnitShare, explain
from kerasviz.errors import UsageError, whole_number
from kerasviz.figures.explain.overlay import overlay, plain
from kerasviz.figures.unit_pictures import render_units
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.io.images import encode
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.targets import Target, parse_targets
from kerasviz.optvis.recipes import Recipe
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.photos import find_photos, read_photo
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import slug
from kerasviz.types import Array, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network, tap_names

VERSION = 1
#: Classes that are named beside the explained one.
GUESSES = 5


@dataclass(frozen=True)
class ExplanationSet:
    """Hold the explanations of photos, and the page of the first.

    Args:
        photos: The names of the photos' pages.
        explanations: One for each photo.
        page: The page of the first one.
    """

    photos: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    page: Path


@dataclass(frozen=True)
class _ShownUnit:
    """A unit on a page: its name, picture, and what it contributes."""

    name: str
    picture: str
    contribution: str
    place: str


@dataclass(frozen=True)
class _ShownLayer:
    """A layer on a page."""

    tap: str
    overlay: str
    raising: tuple[_ShownUnit, ...]
    lowering: tuple[_ShownUnit, ...]
    note: str


@named_arguments()
def make_explanations(  # noqa: PLR0913 - the options of the command
    net: Model,
    photos: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    target: str | None = None,
    tap: str | Sequence[str] = (),
    units: int = 4,
    gradients: int = STEPS,
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

    Like ``kerasviz explain``, this writes a page for each photo, and all numbers as JSON.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        photos: A picture file, a folder of them, or several.
        target: What is explained: a class, a unit, a direction, or a difference such as
            ``"logit:dog - logit:cat"``. By default the class that the network sees.
        tap: Layers; by default all main layers before the target.
        units: The number of units of each layer that raise the score, and as many that lower it.
        gradients: The number of gradients that are averaged; 1 is the linear approximation.
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
    net = as_network(net, data)
    listed = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
    paths = [p for path in listed for p in find_photos(os.fspath(path))]
    names = _distinct(paths)
    wanted = None if target is None else _target(net, target)
    taps = tap_names(tap, net.taps)
    arrays = [_read(net, path) for path in paths]
    explained = []
    for image in arrays:
        asked = wanted or _seen(net, image)
        explained.append(
            explain(
                net,
                asked.text,
                asked.objective,
                image,
                taps=taps,
                units=units,
                steps=gradients,
            )
        )
    folder = explanations_folder(net, out)
    make_folder(folder)
    files = {}
    if pictures:
        texts = [text for found in explained for text in _texts(found)]
        options = RecipeOptions(recipe, steps, size)
        files = render_units(net, texts, folder, options, seed, progress)
    for name, image, found in zip(names, arrays, explained, strict=True):
        _write(folder, net, name, names, image, found, files)
    return ExplanationSet(tuple(names), tuple(explained), folder / f"{names[0]}.html")


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


def _target(net: Network, text: str) -> Target:
    found = parse_targets([text], net)
    if len(found) != 1:
        raise UsageError(f"target {text!r} names {len(found)}; explain one")
    return found[0]


def _seen(net: Network, image: Array) -> Target:
    """Return the class that a network sees in a photo."""
    tap = net.require_logits().name
    logits = net.activations(image[None], [tap])[tap].numpy()[0]
    if logits.ndim > 1:  # a class head with positions
        logits = logits.reshape(-1, logits.shape[-1]).mean(0)
    first = net.classes.first
    return _target(net, f"logit:{int(np.argmax(logits[first:]))}")


def _read(net: Network, path: Path) -> Array:
    return read_photo(path, net.fitting_size(usual_size(net)), net.channels)


def _units(layer: LayerShare) -> tuple[UnitShare, ...]:
    return (*layer.raising, *layer.lowering)


def _texts(found: Explanation) -> list[str]:
    """Return the targets of the pictures of an explanation."""
    return [f"{layer.tap}:{unit.unit}" for layer in found.layers for unit in _units(layer)]


def _write(
    folder: Path,
    net: Network,
    name: str,
    names: Sequence[str],
    image: Array,
    found: Explanation,
    files: dict[str, str],
) -> None:
    """Write the data of an explanation, and its page."""
    label = _label(net, found.target)
    record: dict[str, Any] = {
        "maker": "kerasviz explain",
        "version": VERSION,
        "network": network_provenance(net),
        "photo": name,
        "label": label,
        "explanation": found.to_json(),
    }
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_atomically(folder / f"{name}.json", text.encode())
    page = render_page(
        "explain.html",
        name=name,
        target=found.target,
        label=label,
        score=f"{found.score:.4g}",
        steps=found.steps,
        network=record["network"],
        photo=_url(plain(image)),
        guesses=_guesses(net, image),
        layers=[_layer(layer, image, files) for layer in found.layers],
        others=[other for other in names if other != name],
    )
    update(folder / f"{name}.html", page.encode())


def _layer(layer: LayerShare, image: Array, files: dict[str, str]) -> _ShownLayer:
    positions = layer.map is not None and layer.map.size > 1
    whole = layer.score - layer.baseline
    note = f"{whole - layer.missing:+.3g} of {whole:+.3g}"
    return _ShownLayer(
        tap=layer.tap,
        overlay=_url(overlay(image, layer.map)) if positions and layer.map is not None else "",
        raising=tuple(_unit(layer, unit, files) for unit in layer.raising),
        lowering=tuple(_unit(layer, unit, files) for unit in layer.lowering),
        note=note + (f", {layer.special:+.3g} by special tokens" if layer.special else ""),
    )


def _unit(layer: LayerShare, unit: UnitShare, files: dict[str, str]) -> _ShownUnit:
    name = f"{layer.tap}:{unit.unit}"
    place = "" if unit.position is None else "most at {},{}".format(*unit.position)
    return _ShownUnit(name, files.get(name, ""), f"{unit.contribution:+.3g}", place)


def _label(net: Network, target: str) -> str:
    """Return the name of the class of a target that is one class, else ""."""
    number = target.removeprefix("logit:")
    if number != target and number.isdigit() and int(number) < len(net.labels):
        return net.labels[int(number)].split(",")[0]
    return ""


def _guesses(net: Network, image: Array) -> list[tuple[str, str]]:
    """Return the classes with the largest logits, for a network that has them."""
    if net.classes.logits not in net.taps:
        return []
    tap = net.require_logits().name
    logits = net.activations(image[None], [tap])[tap].numpy()[0][..., net.classes.first :]
    if logits.ndim != 1:
        return []
    order = np.argsort(-logits, kind="stable")[:GUESSES]
    return [(_label(net, f"logit:{n}") or str(n), f"{logits[n]:.3g}") for n in order]


def _url(image: Image.Image) -> str:
    return f"data:image/webp;base64,{base64.b64encode(encode(image, 'webp')).decode()}"
