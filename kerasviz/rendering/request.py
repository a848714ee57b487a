"""Describe pictures as data: what each shows, and how it is optimized."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.io.files import digest
from kerasviz.network.inputs import needed_inputs
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of
from kerasviz.optvis.held_array import HeldArray, nameless
from kerasviz.optvis.objectives.objective import Objective, likeness
from kerasviz.optvis.objectives.packing import check_positions
from kerasviz.optvis.objectives.structure import (
    Structure,
    structure_of,
    taps_in,
    taps_of,
    with_layers,
)
from kerasviz.optvis.objectives.sums import is_sum, term_names, unbalanced
from kerasviz.optvis.objectives.targets import Target, negated, parse_target
from kerasviz.optvis.objectives.term import OF_PHOTO, STYLED
from kerasviz.optvis.parameterizations import from_images
from kerasviz.optvis.python_function import names_of, not_from_data
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.adapting import adapt_recipe, with_diversity
from kerasviz.rendering.contributions_of_photos import with_contributions
from kerasviz.rendering.facet_records import without_facet
from kerasviz.rendering.held_data import with_arrays

#: What the text of a balanced sum ends with.
BALANCED = ", balanced"


@dataclass(frozen=True)
class Request:
    """Ask for one picture, or for ``rows`` pictures that are optimized together.

    ``text`` names the target for people. ``snapshots`` are step numbers whose pictures are kept
    too. Row r starts from the noise of ``seed + r``. ``batch`` fixes the compiled batch size.
    ``data`` has the held inputs that the target depends on, with the checksums of their arrays.
    ``balance`` divides each term of a sum by what it reaches alone, which the terms of
    ``objective`` have once it is known; see :func:`kerasviz.rendering.balance.weighed`. ``photo``
    [H, W, C], bytes in the size of the recipe, is the one from which the picture starts, or whose
    activations its objective reproduces; ``style`` is a larger one whose style it takes.
    ``loop_layers`` are layers that the compiled loop computes too, so that units of all of them
    share it; the last bits of a picture depend on them.
    """

    text: str
    objective: Objective
    recipe: Recipe
    seed: int = 0
    snapshots: tuple[int, ...] = ()
    rows: int = 1
    batch: int | None = None
    data: tuple[tuple[str, str], ...] = ()
    balance: bool = False
    photo: HeldArray | None = None
    style: HeldArray | None = None
    loop_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        compared = [term for term in self.objective.terms if term.kind in OF_PHOTO]
        if compared and self.photo is None:
            kind = "caricature" if compared[0].of else compared[0].kind
            raise UsageError(
                f"target {self.text!r}: {kind} compares a layer with that of a photo; "
                "give --from PHOTO (in Python: from_=)"
            )
        self._check_style()
        if self.recipe.needs_photo and not self.starts_from_photo:
            kind = self.recipe.parameterization.to_json()["kind"]
            raise UsageError(
                f"target {self.text!r}: pictures of param {kind} start from a photo and stay near "
                "it; give --from PHOTO (in Python: from_=)"
                + ("" if self.photo is None else " and another target")
            )
        if self.recipe.octaves > 1 and not self.starts_from_photo:
            raise UsageError(
                f"target {self.text!r}: pictures in octaves, as of the recipe {self.recipe.name}, "
                "start from a photo; give --from PHOTO (in Python: from_=)"
                + ("" if self.photo is None else " and another target")
            )
        if self.photo is not None and self.photo.array is not None:
            self._check_photo(self.photo.array.shape)
        if not 0 <= self.seed < 2**31 - self.rows:
            raise UsageError(f"seed {self.seed}: expected a whole number from 0 to {2**31 - 2}")
        wrong = [s for s in self.snapshots if not 0 <= s <= self.recipe.steps]
        if wrong:
            raise UsageError(
                f"snapshot at step {wrong[0]}: this run has the steps 0 to {self.recipe.steps}"
            )
        if self.batch is not None and self.batch < self.rows:
            raise UsageError(
                f"batch {self.batch}: {self.rows} pictures are optimized together; "
                f"give --batch {self.rows} or more"
            )

    def _check_style(self) -> None:
        styled = any(term.kind in STYLED for term in self.objective.terms)
        if styled and self.style is None:
            raise UsageError(
                f"target {self.text!r}: takes the style of a photo; give --style PHOTO (in Python: "
                "style=)"
            )
        if self.style is not None and not styled:
            raise UsageError(
                f"target {self.text!r}: takes no style; give the target style, or leave out --style"
            )
        if self.style is not None and self.style.array is not None:
            shape, size = self.style.array.shape, self.recipe.size
            if shape[0] < size[0] or shape[1] < size[1]:
                raise UsageError(
                    f"style photo of {shape[0]} x {shape[1]} pixels: expected at least those of "
                    f"the picture, {size[0]} x {size[1]}"
                )

    def _check_photo(self, shape: tuple[int, ...]) -> None:
        if shape[:2] != self.recipe.size:
            height, width = self.recipe.size
            raise UsageError(
                f"photo of {' x '.join(map(str, shape))} numbers: expected those of {height} x "
                f"{width} pixels, the size of the picture"
            )
        if self.balance or self.recipe.tile:
            option = "balance" if self.balance else "tile"
            raise UsageError(f"{option}: pictures from a photo are made without; leave it out")

    @property
    def starts_from_photo(self) -> bool:
        """Whether the picture starts from its photo: what raises the score is added to it."""
        return self.photo is not None and not self.objective.reproduces

    @property
    def has_mask(self) -> bool:
        """Whether its pictures have a mask beside them."""
        return self.starts_from_photo and self.recipe.opacity

    @property
    def written(self) -> str:
        """The text of the target as the user wrote it, without what was added to it."""
        text = self.text.removesuffix(BALANCED) if self.balance else self.text
        if self.facet:
            text = without_facet(text, self.facet, self.facet_weight)
        return text.removesuffix(from_words(self.photo, self.style))

    @property
    def facet(self) -> str:
        """The name of the facet that the picture is steered towards, "" without one."""
        terms = (term for term in self.objective.terms if term.kind == "facet")
        return next((term.probe.name for term in terms if term.probe is not None), "")

    @property
    def facet_weight(self) -> float:
        """The strength with which the picture is steered, 0 without a facet."""
        return next((term.weight for term in self.objective.terms if term.kind == "facet"), 0.0)

    @property
    def term_names(self) -> tuple[str, ...]:
        """The names of the terms of a sum, without weights; none for an objective of one term."""
        return term_names(self.written, self.objective)

    @property
    def alone(self) -> dict[str, float]:
        """What each term of a balanced sum reaches alone, by name, as far as it is known."""
        terms = zip(self.term_names, self.objective.own, strict=False)
        return {name: term.alone for name, term in terms if term.alone is not None}

    @property
    def functions(self) -> list[str]:
        """The names of the Python functions that it is made by."""
        return names_of([*self.objective.functions, *self.recipe.functions])

    def structure(self, net: Network) -> Structure:
        """Return the structure of the compiled loop that makes the picture."""
        own = structure_of(self.objective, net, self.recipe.pre_activation)
        return with_layers(own, self.loop_layers, net, self.recipe.pre_activation)

    def to_json(self) -> dict[str, Any]:
        """Return the request without its text as plain data, for :meth:`from_json`.

        Where Python functions make the picture, ``python`` says that data cannot make it again.
        """
        return {**self._settings(), **_python_note(self.functions)}

    def _settings(self) -> dict[str, Any]:
        return {
            "objective": self.objective.to_json(),
            "recipe": self.recipe.to_json(),
            "seed": self.seed,
            "snapshots": list(self.snapshots),
            "rows": self.rows,
            "batch": self.batch,
            **({"data": dict(self.data)} if self.data else {}),
            **({"balance": True} if self.balance else {}),
            **({"loop_layers": list(self.loop_layers)} if self.loop_layers else {}),
            **{name: held.to_json() for name, held in self.held.items()},
        }

    @property
    def held(self) -> dict[str, HeldArray]:
        """The photos that it has, by their names in plain data."""
        photos = {"photo": self.photo, "style": self.style}
        return {name: photo for name, photo in photos.items() if photo is not None}

    @classmethod
    def from_json(cls, text: str, data: dict[str, Any], folder: Path | None = None) -> Request:
        """Return the request of plain data.

        Its held arrays have their numbers from the ``folder`` of the picture; without one they can
        be compared, but nothing can be rendered. Raises :class:`UsageError` for missing ones.
        """
        request = cls(
            text=text,
            objective=Objective.from_json(data["objective"]),
            recipe=Recipe.from_json(data["recipe"]),
            seed=data["seed"],
            snapshots=tuple(data["snapshots"]),
            rows=data["rows"],
            batch=data["batch"],
            data=tuple(data.get("data", {}).items()),
            balance=data.get("balance", False),
            photo=HeldArray.from_json(data["photo"]) if "photo" in data else None,
            style=HeldArray.from_json(data["style"]) if "style" in data else None,
            loop_layers=tuple(data.get("loop_layers", ())),
        )
        return request if folder is None else with_arrays(request, folder)

    def key(self, net: Network) -> str:
        """Return 16 hex digits that name the pictures of this request and a network.

        What the terms of a balanced sum reach alone follows from the rest: the name is that of the
        request before it is known.
        """
        spec = net.require_input_spec().identity()
        objective = unbalanced(self.objective) if self.balance else self.objective
        settings = {
            **self._settings(),
            "objective": objective.identity(),
            "recipe": self.recipe.identity(),
            **{name: nameless(held.to_json()) for name, held in self.held.items()},
        }
        return digest({"network": net.identity.sha256, "input": spec, **net.geometry, **settings})


def from_words(photo: HeldArray | None, style: HeldArray | None = None) -> str:
    """Return what the text of a picture says of the photos that it was made from.

    >>> from_words(HeldArray("1f", "cat.jpg"), HeldArray("2e", "waves.jpg"))
    ', from cat.jpg, in the style of waves.jpg'
    """
    words = "" if photo is None else f", from {photo.name}"
    return words if style is None else f"{words}, in the style of {style.name}"


def _python_note(names: Sequence[str]) -> dict[str, Any]:
    note = {"functions": list(names), "note": not_from_data(names)}
    return {"python": note} if names else {}


def python_note(settings: Mapping[str, Any]) -> str | None:
    """Say why recorded settings cannot make their picture again; ``None`` where they can."""
    names = settings.get("python", {}).get("functions", ())
    return not_from_data(names) if names else None


def make_requests(  # noqa: PLR0913 - what requests are made of
    net: Network,
    targets: Sequence[Target],
    recipe: Recipe,
    *,
    seed: int = 0,
    kind: str = "",
    rows: int = 1,
    snapshots: Sequence[int] = (),
    photo: HeldArray | None = None,
    style: HeldArray | None = None,
) -> list[Request]:
    """Turn targets into requests whose batch size is chosen later.

    Args:
        net: The network.
        targets: The units, layers, classes or objectives to show, one request each.
        recipe: How to optimize, before :func:`adapt_recipe`.
        seed: The seed of the first row.
        kind: ``"negative"`` for what the targets respond to least, ``"neuron"`` for the centre of
            a unit; else the targets as they are.
        rows: Pictures of each target; several are pushed apart.
        snapshots: Step numbers whose pictures are kept too; 0 is the noise.
        photo: The photo from which all start, or which they reproduce, [H, W, C] bytes.
        style: The photo whose style those take that take one, at least as large.

    Raises:
        UsageError: For a target that has no such picture, and settings out of range.
    """
    requests = []
    if recipe.likeness and photo is None:
        raise UsageError(
            f"recipe {recipe.name}: its pictures start from a photo; give --from PHOTO (in Python: "
            "from_=), or choose another recipe"
        )
    for target in targets:
        shown = _of_kind(target, kind, net)
        if rows > 1:
            shown = with_diversity(shown, net)
        adapted = adapt_recipe(recipe, shown.objective, net)
        check_positions(shown.objective, net, adapted.seen_size)
        data = held_for(taps_of([shown.objective], net, adapted.pre_activation), net)
        if photo is not None:
            shown = of_photo(shown, photo, adapted, net)
            shown = Target(shown.text + from_words(None, style), shown.objective)
        settings = (adapted, seed, tuple(snapshots), rows)
        requests.append(
            Request(shown.text, shown.objective, *settings, data=data, photo=photo, style=style)
        )
    return requests


#: The image's pixels along each axis for each position of the layer that keeps a picture near its
#: photo: as mixed3a of GoogLeNet, which the authors take.
EARLY = 8


def early_tap(net: Network, size: tuple[int, int]) -> str:
    """Return the layer that keeps pictures of a size near their photos, an early one.

    It is the first main layer whose positions are at least ``EARLY`` pixels apart, else the one
    after a third of the main layers, or the first tap of all.
    """
    for name in net.main_taps:
        extent = positions_of(net, name, size).extent
        places = math.prod(n for n in extent if n is not None)
        if extent and None not in extent and places <= math.prod(size) / EARLY**2:
            return name
    main = net.main_taps
    return main[len(main) // 3] if main else next(iter(net.taps))


def of_photo(target: Target, photo: HeldArray, recipe: Recipe, net: Network) -> Target:
    """Return the target of a picture from a photo; one that starts from it also stays near it."""
    objective = with_contributions(target.objective, photo, recipe, net)
    if not objective.reproduces:
        from_images(recipe.parameterization, tf.fill([1, 8, 8, net.channels], 0.5))
        if recipe.likeness:
            tap = early_tap(net, recipe.seen_size)
            objective += likeness(tap, -recipe.likeness)
    return Target(target.text + from_words(photo), objective)


def in_one_loop(request: Request, layers: Sequence[str], net: Network) -> Request:
    """Return the request with the layers of a loop that units of all of them share.

    Raises :class:`UsageError` for unknown layers, and those without a fixed number of channels.
    """
    names = tuple(sorted({net.taps[name].name for name in layers}))
    unfit = next((name for name in names if net.taps[name].channels is None), None)
    if unfit is not None:
        raise UsageError(f"loop layer {unfit!r}: it has no fixed number of channels; leave it out")
    shared = replace(request, loop_layers=names)
    data = held_for(taps_in(shared.structure(net)), net)
    return replace(shared, data=data)


def to_balance(request: Request) -> Request:
    """Return the request with the terms of its sum balanced; one of a single term as it is."""
    if not is_sum(request.objective):
        return request
    return replace(request, text=request.text + BALANCED, balance=True)


def by_image(
    net: Network, targets: Sequence[Target], recipe: Recipe
) -> list[tuple[list[Target], Network]]:
    """Return successive targets that depend on one image input, with the network focused on it."""
    groups: list[tuple[list[Target], Network]] = []
    for target in targets:
        focused = net.focused(taps_of([target.objective], net, recipe.pre_activation))
        if not groups or groups[-1][1] is not focused:
            groups.append(([], focused))
        groups[-1][0].append(target)
    return groups


def held_for(taps: Sequence[str], net: Network) -> tuple[tuple[str, str], ...]:
    """Return the held inputs that taps depend on, with the checksums of their arrays."""
    if not net.data:
        return ()
    parts = [part for tap in taps for part in net.taps[tap].parts]
    needed = needed_inputs(net.program, parts)
    return tuple((n, checksum) for n, checksum in net.data_checksums.items() if n in needed)


def _of_kind(target: Target, kind: str, net: Network) -> Target:
    if kind == "negative":
        return Target(negated(target.text), -target.objective)
    if kind == "neuron":
        if [term.kind for term in target.objective.terms] != ["channel"]:
            raise UsageError(
                f"target {target.text!r}: a neuron is the centre of one unit; give LAYER:UNIT"
            )
        return parse_target(f"{target.text}@center", net)[0]
    return target
