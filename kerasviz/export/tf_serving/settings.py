"""Choose what is served: the taps, the recipe of their pictures, the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.network.main_layers import of_one_image
from kerasviz.network.network import Network
from kerasviz.network.program import has_positions
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.structure import Structure, structure_of
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.adapting import adapt_recipe
from kerasviz.rendering.batching import in_parts
from kerasviz.rendering.sizes import fixed_recipe, usual_size, with_crop_size


@dataclass(frozen=True)
class ExportSettings:
    """Say how a network is served.

    ``taps`` are names, whose order gives the tap numbers of requests; without any no pictures are
    served. ``recipe`` makes the pictures
    in at most ``steps_max`` steps (by default its own) and in groups of ``group`` rows (by default
    1), like ``kerasviz render --batch``. Encoded images are scaled to ``image_size`` (height,
    width), by default what the network takes.
    """

    taps: tuple[str, ...]
    recipe: Recipe
    steps_max: int | None = None
    group: int = 1
    image_size: tuple[int, int] = (224, 224)

    def __post_init__(self) -> None:
        if self.most < 1 or self.group < 1:
            raise UsageError("the most steps and the rows of a group must be 1 or more")
        if self.recipe.transform.shared and self.group > 1:
            raise UsageError(
                f"recipe {self.recipe.name}: one transform for a whole group would let the rows of "
                "a request depend on each other; give --group 1"
            )

    @property
    def most(self) -> int:
        """Return the largest number of steps of a picture."""
        return self.recipe.steps if self.steps_max is None else self.steps_max

    @property
    def served_recipe(self) -> Recipe:
        """Return the recipe without XLA and fast units, which a server may lack.

        ``kerasviz render`` makes the same pictures with it, to the last bit on the same machine.
        """
        transform = replace(self.recipe.transform, fused=False).with_crops(steps=self.most)
        return self.recipe.replace(steps=self.most, transform=transform, precision="float32")


@dataclass(frozen=True)
class ServedTap:
    """Hold a tap with pictures: its number, the requested name, the recipe adapted to it.

    ``units`` is the number of units; ``structure`` is that of the objective of any unit.
    """

    index: int
    name: str
    tap: str
    units: int
    recipe: Recipe
    structure: Structure

    def to_json(self, net: Network) -> dict[str, Any]:
        """Return what a client has to know about the tap."""
        shape = net.taps[self.tap].shape or ()
        options: dict[str, Any] = {"pre_activation": self.recipe.pre_activation}
        if self.recipe.redirect_steps:
            options["redirect_steps"] = self.recipe.redirect_steps
        data = {
            "index": self.index,
            "name": self.name,
            "tap": self.tap,
            "units": self.units,
            "shape": list(shape[1:]),
            "target": f"{self.name}:UNIT",
            **options,
        }
        if net.labels and self.tap in _heads(net) and len(net.labels) == self.units:
            data["unit_names"] = "labels.txt"
        return data


def _heads(net: Network) -> set[str]:
    """Return the taps whose units are the classes."""
    outputs = {net.taps[n].name for n in net.program.outputs if n in net.taps}
    logits = net.classes.logits
    return outputs | {net.taps[n].name for n in [logits] if n is not None and n in net.taps}


def served_taps(net: Network, setting: ExportSettings) -> list[ServedTap]:
    """Look the taps of the settings up in a network.

    Raises :class:`UsageError` for unknown taps, taps without a fixed number of channels, and an
    image size or a group that the network does not take.
    """
    net = net.focused(setting.taps)
    net.check_size(*setting.recipe.seen_size)
    net.check_size(*setting.image_size)
    names: Sequence[str] = list(dict.fromkeys(setting.taps))
    only = own_group(net, names, setting.recipe)
    if setting.group % only:
        raise UsageError(
            f"group {setting.group}: {net.name} computes pictures in batches of {only} only; "
            f"give --group {in_parts(only, setting.group)}"
        )
    return [_served(net, setting, index, name) for index, name in enumerate(names)]


def _served(net: Network, setting: ExportSettings, index: int, name: str) -> ServedTap:
    tap = net.taps[name]
    if tap.channels is None:
        raise UsageError(f"tap {name!r} has no fixed number of channels; name another tap")
    objective = channel(tap.name, 0)
    recipe = adapt_recipe(setting.served_recipe, objective, net)
    structure = structure_of(objective, net, recipe.pre_activation)
    return ServedTap(index, name, tap.name, tap.channels, recipe, structure)


def own_group(net: Network, taps: Sequence[str], recipe: Recipe) -> int:
    """Return the rows of a group that the network computes without padding, 1 for any.

    With a transform that a whole group shares it is 1 too.
    """
    if recipe.transform.shared:
        return 1
    names = [net.taps[name].pre_relu or name for name in taps]
    return net.fixed_batch([*names, *taps], recipe.seen_size) or 1


#: Number of layers served by default, beside the classes.
LAYERS = 24


def usual_setting(
    net: Network,
    recipe: Recipe,
    *,
    taps: Sequence[str] = (),
    size: tuple[int, int] | None = None,
    steps_max: int | None = None,
    group: int | None = None,
    image_size: tuple[int, int] | None = None,
) -> ExportSettings:
    """Return settings with the given values, and suitable ones for the rest.

    Sizes are (height, width): those that the network requires, else the recipe's and those of the
    model card. A group is as large as the batches that the network requires.
    """
    taps = tuple(taps) or of_one_image(net, usual_taps(net))
    net = net.focused(taps)
    recipe = fixed_recipe(recipe, net) if size is None else recipe.replace(size=size)
    recipe = with_crop_size(recipe, net)
    return ExportSettings(
        taps=taps,
        recipe=recipe,
        steps_max=steps_max,
        group=own_group(net, taps, recipe) if group is None else group,
        image_size=image_size or usual_size(net),
    )


def usual_taps(net: Network) -> tuple[str, ...]:
    """Return layers over the whole depth of a network, and its classes.

    Layers with positions are preferred. Raises :class:`UsageError` for a network without layers.
    """
    main = [name for name in net.main_taps if net.taps[name].channels is not None]
    layers = [name for name in main if has_positions(net.taps[name].shape)] or main
    layers = layers or [name for name in net.taps if net.taps[name].channels is not None]
    if len(layers) > LAYERS:
        layers = [layers[round(k * (len(layers) - 1) / (LAYERS - 1))] for k in range(LAYERS)]
    logits = net.classes.logits
    taps = (*layers, *(n for n in [logits] if n is not None and n in net.taps))
    if not taps:
        raise UsageError(f"{net.name} has no tap to serve; name some with --taps")
    return taps
