"""Read a network as the options say, say where other facts are from, and remember the options."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasviz.cli.group import at_success
from kerasviz.cli.options import InputOptions, ModelOptions
from kerasviz.cli.typed import REMEMBERED, given_options

if TYPE_CHECKING:
    from kerasviz.network.input_spec import InputSpec
    from kerasviz.network.network import Network
    from kerasviz.optvis.recipe import Recipe
    from kerasviz.zoo.remembered import Remembered

#: The options that describe an input.
_DESCRIBING = ("preprocess", "mean", "std", "channel_order", "range_")
#: What the origins begin with of facts that need not be said.
_KNOWN = ("given", "card of", "preset", "command line")


def read_network(
    model: str, model_options: ModelOptions, input_options: InputOptions | None = None
) -> Network:
    """Load a network, say in one line which facts its files and earlier commands gave.

    What the options say of the input and the classes is remembered for the file if the command
    succeeds.
    """
    options = input_options or InputOptions()
    net = options.complete(options.described(model_options.shown_source(model)).load())
    if line := facts_line(net):
        click.echo(line, err=True)
    origins = (net.origins.get(fact, "") for fact in ("input", "axes", "rate"))
    if known := [origin.split()[1:] for origin in origins if origin.startswith("remembered ")]:
        click.get_current_context().meta[REMEMBERED] = tuple(
            word for part in known for word in part
        )
    given = _given(net)
    if given.options:
        at_success(lambda: remember_given(model, net.identity.sha256, given))
    return net


def remember_given(model: str, sha256: str, given: Remembered) -> None:
    """Remember what was given for a model file, and say so if it is new."""
    from kerasviz.zoo.model_card import card_for_checksum
    from kerasviz.zoo.remembered import remember

    card = card_for_checksum(sha256)
    if card is not None:  # its card wins over what is remembered
        if card.input is not None:
            given = replace(given, input_spec=None, input_option="")
        if card.labels:
            given = replace(given, labels=(), labels_option="")
    if new := remember(sha256, given):
        click.echo(
            f"{' '.join(new)} is remembered for {Path(model).name}; to forget it: "
            f"kerasviz models forget {shlex.quote(model)}",
            err=True,
        )


def _given(net: Network) -> Remembered:
    """Return what the options of the running command say of a network's file."""
    from kerasviz.zoo.remembered import remembered

    typed = given_options((*_DESCRIBING, "labels"))
    given = given_facts(net.input_spec, net.labels if "labels" in typed else ())
    if "range_" in typed:  # which may say that these are no images
        given = replace(given, axes=net.axes)
    if not given.input_option or {"preprocess", "mean", "std", "range_"} & typed.keys():
        return given
    before = remembered(net.identity.sha256).input_option  # which --channel-order completes
    return replace(given, input_option=f"{before} {given.input_option}".strip())


def given_facts(input_spec: InputSpec | None, labels: tuple[str, ...]) -> Remembered:
    """Return an input description and labels with the options of the running command for them."""
    from kerasviz.zoo.remembered import Remembered

    typed = given_options((*_DESCRIBING, "labels", "axes", "rate"))
    described = " ".join(part for name in _DESCRIBING for part in typed.get(name, ()))
    return Remembered(
        input_spec=input_spec if described else None,
        input_option=described,
        labels=labels,
        labels_option=shlex.join(typed.get("labels", ())) if labels else "",
        axes=typed["axes"][1] if "axes" in typed else None,
        rate=int(typed["rate"][1]) if "rate" in typed else None,
    )


def facts_line(net: Network) -> str:
    """Return one line on the facts that neither an option nor a card gave, "" if there are none."""
    origins = {k: v for k, v in net.origins.items() if not v.startswith(_KNOWN)}
    parts = []
    if "input" in origins and net.input_spec is not None:
        parts.append(f"input: {_from(short_spec(net.input_spec), origins['input'])}")
    if "labels" in origins:
        parts.append(f"labels: {_from(str(len(net.labels)), origins['labels'])}")
    if "left out" in origins:
        parts.append(f"left out: {origins['left out']}")
    return "; ".join(parts)


def say_sizes(asked: Recipe, recipes: Iterable[Recipe]) -> None:
    """Say which sizes a network has made of the one that was asked for."""
    recipes = list(recipes)
    for rate, samples in dict.fromkeys(map(_sound, recipes)):
        if rate:
            click.echo(f"{samples / rate:.4g} s, {samples} samples at {rate} Hz", err=True)
    for count in dict.fromkeys(recipe.size[-1] for recipe in recipes if recipe.search):
        click.echo(f"{count} tokens", err=True)
    drawn = [recipe for recipe in recipes if not recipe.search and not _sound(recipe)[0]]
    for size in dict.fromkeys(map(_sides, drawn)):
        if size not in (_sides(asked), (1,)):
            click.echo(f"size {'x'.join(map(str, size))} (the model's)", err=True)


def _sound(recipe: Recipe) -> tuple[int, int]:
    """Return the samples per second of sounds, and how many they have; 0 for other pictures."""
    rate = getattr(recipe.parameterization, "rate", 0)
    return rate, recipe.size[1] if rate else 0


def _sides(recipe: Recipe) -> tuple[int, ...]:
    """Return the lengths of the axes of signals, height and width of images."""
    return getattr(recipe.parameterization, "lengths", ()) or recipe.size


def _from(what: str, origin: str) -> str:
    return f"{what}, {origin}" if origin.startswith("remembered") else f"{what} from {origin}"


def short_spec(spec: InputSpec) -> str:
    """Return an input description in a few characters: its range, or what is subtracted."""
    order = ", BGR" if spec.channel_order == "bgr" else ""
    if len({*spec.mean}) == len({*spec.std}) == 1:
        low, high = spec.range
        return f"{low:g} to {high:g}{order}"
    return f"mean, std{order}"


def facts_rows(net: Network) -> list[tuple[str, str]]:
    """Return rows on what is known about a network's input and classes, each with its origin."""
    spec, origins = net.input_spec, net.origins
    how = "--preprocess, or --mean and --std" if net.medium == "image" else "--range LOW,HIGH|FILE"
    rows = [("input", f"unknown; give {how}")]
    if spec is not None:
        numbers = spec.describe(colours=net.medium == "image")
        rows = [("input", f"{numbers} ({origins.get('input', spec.source)})")]
    if axes := net.geometry.get("axes"):
        rows.append(("axes", f"{axes} ({origins.get('axes', 'the likely ones')})"))
    if net.rate is not None:
        rows.append(("rate", f"{net.rate} Hz ({origins.get('rate', 'given')})"))
    if net.labels:
        names = ", ".join(net.labels[:3]) + (", ..." if len(net.labels) > 3 else "")
        rows.append(("labels", f"{len(net.labels)}: {names} ({origins.get('labels', 'given')})"))
    else:
        rows.append(("labels", "unknown; give --labels FILE for names of classes"))
    if net.trained_size is not None:
        rows.append(("size", "{}x{}".format(*net.trained_size) + f" ({origins.get('size', '')})"))
    if "left out" in origins:
        rows.append(("left out", origins["left out"]))
    return rows
