"""``kerasviz models``: the networks that are known by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.group import Commands, help_if_alone
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    input_options,
    json_option,
    labels_option,
    model_options,
)
from kerasviz.cli.progress import import_tensorflow, working
from kerasviz.errors import KerasvizError, UsageError, near
from kerasviz.zoo.remembered import forget as forget_facts
from kerasviz.zoo.remembered import remembered

if TYPE_CHECKING:
    from kerasviz.zoo import Card


@click.group(
    "models",
    cls=Commands,
    epilog="""\b
Examples:
  kerasviz models list
  kerasviz models info inceptionv1
  kerasviz models fetch inceptionv1
  kerasviz models add googlenet.onnx --name googlenet
  kerasviz models info model.onnx
  kerasviz models forget model.onnx
""",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, describe and bring the networks that are known by name."""
    help_if_alone(ctx)


def state(card: Card) -> str:
    """Return ``ready``, or how to get the network."""
    from kerasviz.zoo import cached

    if card.embedded or cached(card) is not None:
        return "ready"
    fetched = card.builder or card.archive or (card.files and card.files[0].url)
    return "fetch" if fetched else "add"


@command.command("list", epilog="\b\nExample:\n  kerasviz models list --json")
@json_option
def list_models(as_json: bool) -> None:
    """List the networks and whether they are ready.

    The second column says `ready`, `fetch` (kerasviz models fetch NAME brings it) or `add` (bring
    the file yourself, `kerasviz models info NAME` says which).
    """
    from kerasviz.zoo import cards

    found = cards()
    if as_json:
        data = [{"name": c.name, "state": state(c), "title": c.title} for c in found.values()]
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    from kerasviz.cli.taps import aligned

    order = ("ready", "fetch", "add")
    known = sorted(found.values(), key=lambda c: (order.index(state(c)), c.name))
    rows = [(c.name, state(c), c.title) for c in known]
    for line in aligned([("name", "state", "title"), *rows]):
        click.echo(line)


@command.command(
    epilog="""\b
Examples:
  kerasviz models info inceptionv1
  kerasviz models info model.onnx
"""
)
@click.argument("model", shell_complete=complete_models)
@json_option
@model_options
def info(model: str, as_json: bool, model_options: ModelOptions) -> None:
    """Describe MODEL: source, licence, files, input, main layers.

    For a file: what is known about its input and its classes, and where each fact is from.
    """
    from kerasviz.cli.taps import aligned
    from kerasviz.zoo import card
    from kerasviz.zoo.locate import locate
    from kerasviz.zoo.model_card import cards

    located = None if model in cards() else locate(model)
    if located is not None:
        show_facts(model, model_options, as_json)
        return
    known = card(model)
    data = {**_plain(known), **_of_file(known)}
    options = list(remembered(known.sha256).options) if known.sha256 else []
    if as_json:
        click.echo(json.dumps({**data, "remembered": options}, indent=1, ensure_ascii=False))
        return
    shown = {**data, "input_size": "{}x{}".format(*data["input_size"]), "remembered": options}
    rows = [(key.replace("_", " "), _words(value)) for key, value in shown.items()]
    rows = [row for row in rows if row[1]]
    for line in aligned(rows):
        click.echo(line)


def show_facts(model: str, model_options: ModelOptions, as_json: bool) -> None:
    """Print what is known about the input and the classes of a model, and from where."""
    import_tensorflow()
    from kerasviz.cli.reading import facts_rows
    from kerasviz.cli.taps import aligned
    from kerasviz.zoo.load import model_path

    net = model_options.shown_source(model).load()
    options = list(remembered(net.identity.sha256).options)
    path = None if net.identity.format == "zoo" else str(model_path(model))
    if as_json:
        spec, size = net.input_spec, net.trained_size
        data = {
            "name": net.name,
            "path": path,
            "sha256": net.identity.sha256,
            "format": net.identity.format,
            "input": None if spec is None else spec.to_json(),
            "labels": list(net.labels),
            "size": None if size is None else list(size),
            "origins": dict(net.origins),
            "remembered": options,
            "main_taps": list(net.main_taps),
        }
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    rows = [
        ("name", net.name),
        ("path", path or net.identity.source),
        ("sha256", net.identity.sha256),
        ("format", net.identity.format),
        *facts_rows(net),
        ("remembered", " ".join(options) or "nothing"),
        ("main taps", ", ".join(net.main_taps)),
    ]
    for line in aligned(rows):
        click.echo(line)


def _plain(card: Card) -> dict[str, Any]:
    from kerasviz.zoo import cached

    files = [*card.files, *([card.archive] if card.archive else [])]
    path = cached(card)
    return {
        "name": card.name,
        "title": card.title,
        "description": card.description,
        "licence": card.licence,
        "sources": list(card.sources),
        "state": state(card),
        "path": None if path is None else str(path),
        "format": card.format,
        "builder": card.builder,
        "files": [
            {"name": f.name, "size": f.size, "sha256": f.sha256, "url": f.url} for f in files
        ],
        "input": None if card.input is None else card.input.to_json(),
        "input_size": list(card.input_size),
        "free_size": card.free_size,
        "labels": card.labels,
        "main_taps": list(card.main_taps),
        "aliases": dict(card.aliases),
    }


def _of_file(card: Card) -> dict[str, Any]:
    """Return what the file of an added network says, and its card does not."""
    from kerasviz.zoo import cached
    from kerasviz.zoo.model_card import packaged_cards

    if card.name in packaged_cards() or cached(card) is None:
        return {}
    import_tensorflow()
    from kerasviz.zoo.load import load

    try:
        with working(f"loading {card.name}"):
            net = load(card.name)
        spec = net.input_spec
        known = {"input": None if spec is None else spec.to_json(), "origins": dict(net.origins)}
        if net.fixed_size == (None, None):
            return known
        size = list(net.fitting_size(card.input_size))
        return {**known, "input_size": size, "free_size": False}
    except KerasvizError:  # a file that needs options to be read
        return {}


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}={_words(v)}" for k, v in value.items() if v)
    if isinstance(value, list):
        return (", " if all(isinstance(v, str) for v in value) else "; ").join(map(_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


@command.command(epilog="\b\nExample:\n  kerasviz models fetch inceptionv1")
@click.argument("name", shell_complete=complete_models)
def fetch(name: str) -> None:
    """Bring a network into the user cache; its SHA-256 is checked before it is used.

    An interrupted download continues where it stopped.
    """
    from kerasviz.cli.progress import downloading
    from kerasviz.cli.stopping import stoppable
    from kerasviz.zoo import fetch as fetch_network

    with stoppable(lambda: "the same command continues from there"), downloading(name) as progress:
        path = fetch_network(name, progress)
    click.echo(f"{name} is ready: {path}")


@command.command(
    epilog="""\b
Examples:
  kerasviz models add googlenet.onnx --name googlenet
  kerasviz models add model.onnx --name my-network --preprocess torchvision --labels names.txt
"""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--name",
    metavar="NAME",
    help="A name of `kerasviz models list`, or a new one. [default: that of the file]",
)
@labels_option
@click.option("--licence", default="unknown", help="Licence of the model (new networks only).")
@input_options
def add(
    file: Path, name: str | None, labels: Path | None, licence: str, input_options: InputOptions
) -> None:
    """Link a model FILE into the user cache under a name; it takes no space there.

    For a name of `kerasviz models list` it has to be that network's file, by SHA-256. A new name
    makes a new network, for which the numbers that it takes and its classes can be given. Weights
    and configuration beside the file are brought too.
    """
    from kerasviz.zoo import add as add_network
    from kerasviz.zoo.links import is_copy

    name = name or file.resolve().stem
    path = add_network(file, name, input_spec=input_options.spec(), labels=labels, licence=licence)
    if file.is_file() and is_copy(file, path):
        click.echo(f"{file} was copied: no link to it can be made", err=True)
    click.echo(f"{name} is ready: {path}")


@command.command(epilog="\b\nExample:\n  kerasviz models remove my-network")
@click.argument("name", shell_complete=complete_models)
def remove(name: str) -> None:
    """Remove a network from the user cache; the file that was added stays where it is."""
    from kerasviz.zoo import remove as remove_network

    click.echo(f"{name} is removed: {remove_network(name)}")


@command.command(epilog="\b\nExample:\n  kerasviz models forget model.onnx")
@click.argument("model", shell_complete=complete_models)
def forget(model: str) -> None:
    """Forget the options that were remembered for MODEL, such as --preprocess and --labels."""
    from kerasviz.io.download import sha256_of
    from kerasviz.zoo.locate import locate
    from kerasviz.zoo.model_card import cards

    known = cards()
    located = None if model in known and not Path(model).is_file() else locate(model)
    if located is None and model not in known:
        raise UsageError(f"no file and no zoo network {model!r}; near: {near(model, known)}")
    sha256 = known[model].sha256 if located is None else sha256_of(located.path)
    options = forget_facts(sha256) if sha256 else []
    click.echo(
        f"forgotten for {model}: {' '.join(options)}"
        if options
        else f"nothing was remembered for {model}"
    )
