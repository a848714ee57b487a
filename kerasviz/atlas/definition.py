"""The definition of an atlas: everything that decides its pictures, recorded for all runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasviz.atlas.batch_sizes import balanced
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.examples import Examples
from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.layout.appendix import layers_of
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.directions import DirectionGroup, names_directions
from kerasviz.figures.layout.photo_facets import PhotoFacets, facet_names, photo_facets
from kerasviz.figures.layout.tiles import FigureLayout
from kerasviz.io.storage import Storage
from kerasviz.network.front_ends.wrapped import reading_of
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.media_recipes import options_of_medium
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.request import Request
from kerasviz.rendering.sizes import with_crop_size
from kerasviz.rendering.store import unique_requests
from kerasviz.zoo.model_source import ModelSource

#: The file of the definition in the storage.
FILE = "atlas.json"
VERSION = 1
#: How the network is read that most are not.
_OPTIONAL = ("signature", "axes", "rate", "front_end")


@dataclass(frozen=True)
class Atlas:
    """A network, its layers, directions of files, and the settings of every picture.

    ``network`` is its provenance. ``threads`` are those of TensorFlow in a worker, ``balanced``
    says that the last batches are small, for hundreds of workers; both decide the last bits of
    pictures. ``facets`` steer pictures of units towards photos.
    """

    network: Mapping[str, Any]
    source: ModelSource
    taps: tuple[str, ...]
    recipe: Recipe
    seed: int = 0
    threads: int = 1
    balanced: bool = False
    directions: tuple[DirectionGroup, ...] = ()
    facets: tuple[PhotoFacets, ...] = ()

    @classmethod
    def of(
        cls, net: Network, taps: Sequence[str], recipe: Recipe, seed: int = 0, threads: int = 1
    ) -> Atlas:
        """Define the atlas of some layers and directions, or of all main layers with positions.

        Raises :class:`UsageError` for an unknown layer, one without channels and positions, files
        without fitting directions, and an image size that the network does not take.
        """
        if net.identity.by_contents:
            raise UsageError(
                f"the workers of an atlas read {net.name} from a file; save the model and load that"
            )
        groups = tuple(DirectionGroup.of(net, tap) for tap in taps if names_directions(tap, net))
        layers = tuple(tap for tap in taps if not names_directions(tap, net))
        if not taps:
            layers = tuple(main_layers(net))
        named = [*layers, *(group.tap for group in groups)]
        net.focused(named).check_size(*with_crop_size(recipe, net).seen_size)
        shown = layers_of(FigureOptions(net, recipe, layers=layers)) if layers else ()
        source = ModelSource(
            net.identity.source, signature=net.identity.signature, **reading_of(net)
        )
        return cls(
            network_provenance(net), source, tuple(shown), recipe, seed, threads, directions=groups
        )

    @classmethod
    def asked(
        cls,
        net: Network,
        taps: Sequence[str],
        recipe: RecipeOptions,
        *,
        seed: int = 0,
        threads: int | None = None,
        fine: bool = False,
        existing: Atlas | None = None,
    ) -> Atlas:
        """Define an atlas by options; what they leave open is as in the ``existing`` one."""
        recipe = options_of_medium(recipe, net, RecipeOptions().name)
        net.require_input_spec()
        fitted = recipe.fitted(recipe.chosen(), net)
        threads = threads or (existing.threads if existing else 1)
        atlas = replace(cls.of(net, taps, fitted, seed, threads), balanced=fine)
        if existing is not None and not recipe.names_precision:
            return replace(atlas, recipe=fitted.replace(precision=existing.recipe.precision))
        return replace(atlas, recipe=recipe.resolved(fitted, net, atlas.all_taps))

    def with_facets(self, net: Network, folder: Path) -> Atlas:
        """Return the atlas with facets of the photos in a folder's folders.

        Raises :class:`UsageError` as :func:`photo_facets` does.
        """
        found = photo_facets(net, self.recipe, self.taps, self.directions, folder)
        return replace(self, facets=found)

    @property
    def all_taps(self) -> tuple[str, ...]:
        """The taps of its layers and directions."""
        return (*self.taps, *(group.tap for group in self.directions))

    def options(self, net: Network, examples: Examples | None = None) -> FigureOptions:
        """Return the options of its figure: all units of its layers."""
        return FigureOptions(
            net,
            self.recipe,
            self.seed,
            layers=self.taps,
            directions=self.directions,
            facets=self.facets,
            examples=examples,
        )

    def layout(self, net: Network, examples: Examples | None = None) -> FigureLayout:
        """Lay its units out in rows, each with its pictures."""
        layout = choose(APPENDIX_LAYER, self.options(net, examples))
        return balanced(net, layout) if self.balanced else layout

    def requests(self, net: Network) -> list[Request]:
        """Return the requests of its pictures, unit by unit."""
        return unique_requests(net, self.layout(net).requests)

    def batches(self, net: Network) -> list[Batch]:
        """Return the batches that make its pictures, which are the same for every run."""
        return make_batches(net, self.requests(net))

    def to_json(self) -> dict[str, Any]:
        """Return the definition as plain data."""
        return {
            "format": VERSION,
            "network": {**self.network, "source": self.source.path},
            "reading": {
                "imports": list(self.source.imports),
                "unsafe": self.source.unsafe,
                "importer": self.source.importer,
                **{name: value for name in _OPTIONAL if (value := getattr(self.source, name))},
            },
            "taps": list(self.taps),
            **({"directions": [g.to_json() for g in self.directions]} if self.directions else {}),
            **({"facets": [f.to_json() for f in self.facets]} if self.facets else {}),
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
            directions=tuple(map(DirectionGroup.from_json, data.get("directions", ()))),
            facets=tuple(map(PhotoFacets.from_json, data.get("facets", ()))),
        )


def recorded(storage: Storage) -> Atlas | None:
    """Read the definition in a storage; ``None`` if it has none.

    Raises :class:`KerasvizError` for a damaged one.
    """
    data = storage.read(FILE)
    if data is None:
        return None
    address = storage.address(FILE)
    try:
        definition = json.loads(data)
        if definition["format"] != VERSION:
            raise UsageError(
                f"{address!r} has the format {definition['format']}; this version reads {VERSION}"
            )
        return Atlas.from_json(definition)
    except (ValueError, KeyError, TypeError) as error:
        raise KerasvizError(f"{address!r} is damaged: {error!r}") from error


def agree(storage: Storage, atlas: Atlas) -> Atlas:
    """Record a definition in a storage, or return the recorded one if it makes equal pixels.

    Names that change no pixel, such as that of the model file, may differ: the recorded ones go
    into the pictures' files. Raises :class:`UsageError` that says which settings differ.
    """
    data = (json.dumps(atlas.to_json(), indent=1, ensure_ascii=False) + "\n").encode()
    if storage.read(FILE) is None:
        storage.write_new(FILE, data)
    agreed = recorded(storage)  # perhaps another run has just written it
    if agreed is None:
        raise KerasvizError(f"{storage.address(FILE)!r} was written and is not there")
    differences = list(_differences(agreed, atlas))
    if differences:
        raise UsageError(
            f"{storage.url!r} holds an atlas with other settings: {'; '.join(differences)}; give "
            "those settings or another --out"
        )
    return agreed


def _differences(agreed: Atlas, asked: Atlas) -> Iterator[str]:
    """Describe the settings that differ, of those that decide pictures."""
    networks = [atlas.network for atlas in (agreed, asked)]
    if networks[0]["sha256"] != networks[1]["sha256"]:
        names = [f"{network['name']} ({network['sha256'][:12]}…)" for network in networks]
        yield f"model: there {names[0]}, here {names[1]}"
        return
    inputs = [InputSpec.from_json(dict(n["input"])).identity() for n in networks]
    yield from setting_differences(inputs[0], inputs[1], "input ")
    if agreed.taps != asked.taps:
        yield f"layers: there {_few(agreed.taps)}, here {_few(asked.taps)}"
    if agreed.directions != asked.directions:
        names = [_few([g.name for g in a.directions]) or "none" for a in (agreed, asked)]
        same = names[0] == names[1]
        yield "other directions" if same else f"directions: there {names[0]}, here {names[1]}"
    if agreed.facets != asked.facets:
        names = [_few(facet_names(a.facets)) or "none" for a in (agreed, asked)]
        same = names[0] == names[1]
        yield "other photos of facets" if same else f"facets: there {names[0]}, here {names[1]}"
    yield from setting_differences(agreed.recipe.identity(), asked.recipe.identity())
    rest = [
        {"seed": a.seed, "threads": a.threads, "batches": "fine" if a.balanced else "usual"}
        for a in (agreed, asked)
    ]
    yield from setting_differences(rest[0], rest[1])


def setting_differences(
    agreed: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    """Describe the settings that two mappings have otherwise, each in a few words."""
    for name in sorted({*agreed, *asked}):
        values = agreed.get(name), asked.get(name)
        if values[0] != values[1]:
            name = prefix + name.replace("_", " ")
            texts = [_short(value) for value in values]
            same = texts[0] == texts[1]
            yield f"another {name}" if same else f"{name}: there {texts[0]}, here {texts[1]}"


def _short(value: Any) -> str:
    """Return a short text for a value.

    >>> _short([96, 128]), _short({"kind": "fourier", "decay": 1})
    ('96x128', 'fourier')
    """
    if isinstance(value, Mapping):
        return str(value.get("kind", "other"))
    if isinstance(value, list | tuple):
        return "x".join(map(str, value)) if len(str(value)) < 20 else "others"
    return str(value)


def _few(taps: Sequence[str]) -> str:
    return ", ".join(taps) if len(taps) <= 4 else f"{', '.join(taps[:3])} and {len(taps) - 3} more"
