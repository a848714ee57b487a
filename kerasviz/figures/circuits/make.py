"""Make a folder of circuits: weights, pictures of all units in them, and pages to walk on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.analysis.circuit import Circuit, find_circuit
from kerasviz.analysis.families import read_families
from kerasviz.errors import UsageError, whole_number
from kerasviz.figures.circuits.details import DetailOptions, find_details
from kerasviz.figures.circuits.pages import write_pages
from kerasviz.figures.named_units import named_units
from kerasviz.figures.unit_pictures import render_units
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.network.network import Network
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.photos import read_photo
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.progress import Report
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import slug
from kerasviz.types import Array, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network, tap_names

#: The version of the data of a circuit.
VERSION = 2


@dataclass(frozen=True)
class CircuitSet:
    """Hold the circuits that a call found, and the page that shows them.

    Args:
        circuits: One for each unit.
        page: The page of the first one.
    """

    circuits: tuple[Circuit, ...]
    page: Path


@named_arguments()
def make_circuits(  # noqa: PLR0913 - the options of the command
    net: Model,
    targets: str | Iterable[str],
    *,
    from_: str | Sequence[str] = (),
    to: str | Sequence[str] = (),
    partners: int = 6,
    factors: int = 3,
    by_position: bool = False,
    families: str | os.PathLike[str] | None = None,
    photo: str | os.PathLike[str] | None = None,
    recipe: str | Path | Recipe = "fast",
    steps: int | None = None,
    size: int | Size | str | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    progress: bool | Report | None = None,
) -> CircuitSet:
    """Show what units are built from and what they feed, with the weights between.

    Like ``kerasviz circuits``, this writes a page for each unit, with pictures of its strongest
    partners, and all numbers as JSON. Pages of one folder lead to each other.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        targets: Units, such as ``"block4a:11"`` or ``"block4a:0-7"``.
        from_: Earlier taps; by default the main layers two back.
        to: Later taps; by default the next main layers.
        partners: The number of partners of each sign in each layer.
        factors: The number of spatial patterns into which the weights from the layer before are
            factorized; 0 for none.
        by_position: Whether to render what the units expect at each position of the layer before.
        families: A JSON file of families, whose shares in the weights are shown; see
            :func:`kerasviz.make_families`.
        photo: A picture at which gates and attention are held, and on which the contributions of
            the layer before are shown; grey, and no contributions, by default.
        recipe: How the pictures are optimized.
        steps: The updates of the pictures, if not the recipe's.
        size: Pixels of the pictures, a number or (height, width); 96 by default.
        seed: The seed of the pictures.
        out: The folder, by default ``out/NAME-circuits``.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: As for :func:`kerasviz.render`.

    Returns:
        The circuits, and the page of the first.

    Raises:
        UsageError: For targets that are no units, and taps that are not connected.

    Example:
        >>> made = kerasviz.make_circuits(net, "block3b:5", partners=1, steps=2, size=16)
        >>> made.page.name, made.circuits[0].earlier[0].tap
        ('block3b-5.html', 'stem')
    """
    whole_number("partners", partners)
    net = as_network(net, data).require_images("circuits")
    units = named_units(net, targets, "a circuit")
    if not units:
        raise UsageError("no units; give one or more, such as block4a:11")
    earlier, later = (tap_names(names, net.taps) or None for names in (from_, to))
    image = _image(net, photo)
    details = DetailOptions(
        whole_number("factors", factors, 0),
        by_position,
        image,
        () if families is None else tuple(read_families(families, net)),
    )
    circuits = [
        find_circuit(net, tap, unit, earlier=earlier, later=later, partners=partners, image=image)
        for tap, unit in units
    ]
    folder = circuits_folder(net, out)
    make_folder(folder)
    texts = [text for circuit in circuits for text in _texts(circuit)]
    options = RecipeOptions(recipe, steps, size)

    def rendered(targets: Sequence[str]) -> dict[str, str]:
        return render_units(net, targets, folder, options, seed, progress) if targets else {}

    files = rendered(texts)
    for circuit in circuits:
        found = find_details(net, circuit, details, folder, rendered)
        _write(folder, net, circuit, files, found, "" if photo is None else Path(photo).name)
    pages = write_pages(folder)
    first = circuits[0]
    return CircuitSet(tuple(circuits), pages[f"{first.tap}:{first.unit}"])


def circuits_folder(net: Network, out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a network's circuits: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-circuits" if out is None else Path(out)


def _image(net: Network, photo: str | os.PathLike[str] | None) -> Array | None:
    if photo is None:
        return None
    return read_photo(Path(photo), net.fitting_size(usual_size(net)), net.channels)


def _texts(circuit: Circuit) -> list[str]:
    """Return the targets of the pictures of a circuit."""
    partners = [p for layer in circuit.layers for p in layer.partners]
    return [f"{circuit.tap}:{circuit.unit}", *(f"{p.tap}:{p.unit}" for p in partners)]


def _write(
    folder: Path,
    net: Network,
    circuit: Circuit,
    files: dict[str, str],
    details: dict[str, Any],
    photo: str,
) -> None:
    """Write the data of a circuit."""
    record: dict[str, Any] = {
        "maker": "kerasviz circuits",
        "version": VERSION,
        "network": network_provenance(net),
        "photo": photo,
        "circuit": circuit.to_json(),
        "details": details,
        "pictures": {text: files[text] for text in _texts(circuit) if text in files},
    }
    name = slug(f"{circuit.tap}:{circuit.unit}")
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_atomically(folder / f"{name}.json", text.encode())
