"""``kerasviz models``: the networks that are known by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.group import Commands, help_if_alone
from kerasviz.cli.options import InputOptions, input_options, json_option
from kerasviz.cli.progress import import_tensorflow, working
from kerasviz.errors import KerasvizError

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


@command.command(epilog="\b\nExample:\n  kerasviz models info inceptionv1")
@click.argument("name", shell_complete=complete_models)
@json_option
def info(name: str, as_json: bool) -> None:
    """Describe a network: source, licence, files, input, main layers."""
    from kerasviz.zoo import card

    data = {**_plain(card(name)), **_own_size(card(name))}
    if as_json:
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    from kerasviz.cli.taps import aligned

    shown = {**data, "input_size": "{}x{}".format(*data["input_size"])}
    rows = [(key.replace("_", " "), _words(value)) for key, value in shown.items()]
    rows = [row for row in rows if row[1]]
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


def _own_size(card: Card) -> dict[str, Any]:
    """Return the size that the file of an added network fixes, which its card does not say."""
    from kerasviz.zoo import cached
    from kerasviz.zoo.model_card import packaged_cards

    if card.name in packaged_cards() or cached(card) is None:
        return {}
    import_tensorflow()
    from kerasviz.zoo.load import load

    try:
        with working(f"loading {card.name}"):
            net = load(card.name)
        if net.fixed_size == (None, None):
            return {}
        return {"input_size": list(net.fitting_size(card.input_size)), "free_size": False}
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
@click.option("--name", required=True, help="A name of `kerasviz models list`, or a new one.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Text file with one class a line (new networks only).",
)
@click.option("--licence", default="unknown", help="Licence of the model (new networks only).")
@input_options
def add(
    file: Path, name: str, labels: Path | None, licence: str, input_options: InputOptions
) -> None:
    """Copy a model FILE into the user cache under a name.

    For a name of `kerasviz models list` it has to be that network's file, by SHA-256. A new name
    makes a new network, for which the numbers that it takes can be given.
    """
    from kerasviz.zoo import add as add_network

    path = add_network(file, name, input_spec=input_options.spec(), labels=labels, licence=licence)
    click.echo(f"{name} is ready: {path}")
