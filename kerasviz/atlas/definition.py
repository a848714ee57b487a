"""The definition of an atlas: all that decides its pictures, as data that every run agrees on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerasviz.atlas.batch_sizes import balanced
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.examples import Examples
from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.layout.appendix import layers_of
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import FigureLayout
from kerasviz.io.storage import Storage
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import Recipe
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.render import network_provenance
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import unique_requests
from kerasviz.zoo.model_source import ModelSource

__all__ = ["FILE", "Atlas", "agree", "recorded"]

#: The file in the storage that holds it.
FILE = "atlas.json"
VERSION = 1


@dataclass(frozen=True)
class Atlas:
    """What is made: a network, its layers, and the settings of every picture.

    ``network`` is what ``describe`` says of it; ``threads`` is the number of
    TensorFlow's threads in a worker, which decides the last bits of a picture. ``fine`` says that
    the last batches are small, for hundreds of workers; so do these.
    """

    network: Mapping[str, Any]
    source: ModelSource
    taps: tuple[str, ...]
    recipe: Recipe
    seed: int = 0
    threads: int = 1
    balanced: bool = False

    @classmethod
    def of(
        cls, net: Network, taps: Sequence[str], recipe: Recipe, seed: int = 0, threads: int = 1
    ) -> Atlas:
        """The atlas of some layers of a network, or of all its main layers with positions.

        Raises :class:`UsageError` for a layer that is not there or has no channels with positions,
        and for an image size that the network does not take.
        """
        net.check_size(*recipe.size)
        order = FigureOptions(net, recipe, layers=tuple(taps) or tuple(main_layers(net)[0]))
        source = ModelSource(net.identity.source)
        return cls(network_provenance(net), source, tuple(layers_of(order)), recipe, seed, threads)

    def order(self, net: Network, examples: Examples | None = None) -> FigureOptions:
        """The order of its figure: all units of its layers."""
        return FigureOptions(net, self.recipe, self.seed, layers=self.taps, examples=examples)

    def choice(self, net: Network, examples: Examples | None = None) -> FigureLayout:
        """Its units in rows, each with its pictures."""
        choice = choose(APPENDIX_LAYER, self.order(net, examples))
        return balanced(net, choice) if self.balanced else choice

    def requests(self, net: Network) -> list[Request]:
        """Its pictures, unit by unit."""
        return unique_requests(net, self.choice(net).requests)

    def plans(self, net: Network) -> list[Batch]:
        """The batches that make its pictures: the same for every run."""
        return make_batches(net, self.requests(net))

    def to_json(self) -> dict[str, Any]:
        """The definition as plain data."""
        return {
            "format": VERSION,
            "network": {**self.network, "source": self.source.path},
            "reading": {
                "imports": list(self.source.imports),
                "unsafe": self.source.unsafe,
                "importer": self.source.importer,
            },
            "taps": list(self.taps),
            "recipe": self.recipe.to_json(),
            "seed": self.seed,
            "threads": self.threads,
            "fine": self.balanced,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Atlas:
        """Make a definition from plain data."""
        network, reading = dict(data["network"]), dict(data["reading"])
        return cls(
            source=ModelSource(
                network.pop("source"), **{**reading, "imports": tuple(reading["imports"])}
            ),
            network=network,
            taps=tuple(data["taps"]),
            recipe=Recipe.from_json(data["recipe"]),
            seed=data["seed"],
            threads=data["threads"],
            balanced=data["fine"],
        )


def recorded(storage: Storage) -> Atlas | None:
    """The definition in a storage, ``None`` where there is none.

    Raises :class:`KerasvizError` for a damaged one.
    """
    data = storage.read(FILE)
    if data is None:
        return None
    address = storage.address(FILE)
    try:
        found = json.loads(data)
        if found["format"] != VERSION:
            raise UsageError(
                f"{address!r} has the format {found['format']}; this version reads {VERSION}"
            )
        return Atlas.from_json(found)
    except (ValueError, KeyError, TypeError) as error:
        raise KerasvizError(f"{address!r} is damaged: {error!r}") from error


def agree(storage: Storage, atlas: Atlas) -> Atlas:
    """Record a definition in a storage, or take the one that is there if it makes the same.

    What is recorded counts where names differ that change no pixel, such as that of the model file:
    they are in the files of the pictures. Raises :class:`UsageError` that says which settings
    differ.
    """
    data = (json.dumps(atlas.to_json(), indent=1, ensure_ascii=False) + "\n").encode()
    if storage.read(FILE) is None:
        storage.write_new(FILE, data)
    there = recorded(storage)  # also what another run has just written
    if there is None:
        raise KerasvizError(f"{storage.address(FILE)!r} was written and is not there")
    apart = list(_differences(there, atlas))
    if apart:
        raise UsageError(
            f"{storage.url!r} holds an atlas with other settings: {'; '.join(apart)}; give those "
            "settings or another --out"
        )
    return there


def _differences(there: Atlas, here: Atlas) -> Iterator[str]:
    """What differs of that which decides pictures, in words."""
    networks = [atlas.network for atlas in (there, here)]
    if networks[0]["sha256"] != networks[1]["sha256"]:
        names = [f"{network['name']} ({network['sha256'][:12]}…)" for network in networks]
        yield f"model: there {names[0]}, here {names[1]}"
        return
    inputs = [InputSpec.from_json(dict(n["input"])).identity() for n in networks]
    yield from _apart(inputs[0], inputs[1], "input ")
    if there.taps != here.taps:
        yield f"layers: there {_few(there.taps)}, here {_few(here.taps)}"
    yield from _apart(there.recipe.identity(), here.recipe.identity())
    rest = [
        {"seed": a.seed, "threads": a.threads, "batches": "fine" if a.balanced else "usual"}
        for a in (there, here)
    ]
    yield from _apart(rest[0], rest[1])


def _apart(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name in sorted({*there, *here}):
        values = there.get(name), here.get(name)
        if values[0] != values[1]:
            name = prefix + name.replace("_", " ")
            words = [_word(value) for value in values]
            same = words[0] == words[1]
            yield f"another {name}" if same else f"{name}: there {words[0]}, here {words[1]}"


def _word(value: Any) -> str:
    """A value in few words.

    >>> _word([96, 128]), _word({"kind": "fourier", "decay": 1})
    ('96x128', 'fourier')
    """
    if isinstance(value, Mapping):
        return str(value.get("kind", "other"))
    if isinstance(value, list | tuple):
        return "x".join(map(str, value)) if len(str(value)) < 20 else "others"
    return str(value)


def _few(taps: Sequence[str]) -> str:
    return ", ".join(taps) if len(taps) <= 4 else f"{', '.join(taps[:3])} and {len(taps) - 3} more"
