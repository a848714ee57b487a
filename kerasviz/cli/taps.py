"""``kerasviz taps``: the tensors of a network that can be visualized."""

from __future__ import annotations

import fnmatch
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import ModelOptions, json_option, model_options
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.errors import UsageError, near

if TYPE_CHECKING:
    from kerasviz.network.map import Module
    from kerasviz.network.network import Network
    from kerasviz.network.taps import Tap

HEADERS = ("name", "channels", "shape", "op", "pre-activation", "aliases")
MAP_HEADERS = ("module", "class", "shape")
#: Number of aliases in the table, the shortest ones; --json has all.
ALIASES = 3


@click.command(
    "taps",
    epilog="""\b
Examples:
  kerasviz taps efficientnet-lite0
  kerasviz taps efficientnet-lite0 --all
  kerasviz taps efficientnet-lite0 block3
  kerasviz taps model.onnx "*/relu*" --json
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("pattern", metavar="[FILTER]", required=False, shell_complete=complete_taps)
@click.option("--all", "everything", is_flag=True, help="List all taps, not only the map.")
@json_option
@model_options
def command(
    model: str,
    pattern: str | None,
    everything: bool,
    as_json: bool,
    model_options: ModelOptions,
) -> None:
    """Show the map of MODEL: its modules, and the tensors that can be visualized.

    Without FILTER the main layers are shown, equal ones as one row (layer.0-11), with as much
    inside them as fits. FILTER is a part of a name or alias, or a pattern with * and ?. The shape
    is height x width x channels, a ? where it depends on the image. Where there is a
    pre-activation (the tensor before a ReLU, GELU, SiLU ...), its name is NAME_pre_activation.
    """
    import_tensorflow()
    net = read_network(model, model_options)
    listed = list(net.taps.values()) if pattern is None else _matching(net, pattern)
    if as_json:
        data = {
            "map": _plain_module(net.map.root),
            "main": list(net.main_taps),
            "taps": [_plain(tap) for tap in listed],
            "left_out": dict(net.left_out),
        }
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
    elif everything or pattern is not None:
        _print_table([HEADERS, *(_row(tap) for tap in listed)])
    else:
        from kerasviz.network.map_rows import map_rows

        _print_table([MAP_HEADERS, *map_rows(net)])
        click.echo(f"{len(listed)} taps: add --all, or a part of a name")
    if not as_json:
        for line in _left_out(net.left_out):
            click.echo(line)
        if net.left_out:
            click.echo(f"outputs of the rest: {', '.join(net.program.outputs)}")


def _left_out(reasons: Mapping[str, str]) -> list[str]:
    """Write a line for every reason why values cannot be computed.

    >>> _left_out({"count": "NMS 'a' is not supported", "boxes": "NMS 'a' is not supported"})
    ["left out: count, boxes (NMS 'a' is not supported)"]
    """
    lines = []
    for reason in dict.fromkeys(reasons.values()):
        names = [name for name, other in reasons.items() if other == reason]
        more = f" and {len(names) - ALIASES} more" if len(names) > ALIASES else ""
        lines.append(f"left out: {', '.join(names[:ALIASES])}{more} ({reason})")
    return lines


def _matching(net: Network, pattern: str) -> list[Tap]:
    matching = [tap for tap in net.taps.values() if _matches(tap, pattern)]
    if not matching:
        names = [name for tap in net.taps.values() for name in (tap.name, *tap.aliases)]
        raise UsageError(f"no tap of {net.name} matches {pattern!r}; near: {near(pattern, names)}")
    return matching


def _plain_module(module: Module) -> dict[str, Any]:
    return {
        "name": module.name,
        "kind": module.kind,
        "tap": module.tap,
        "main": module.main,
        "modules": [_plain_module(inner) for inner in module.modules],
    }


def _matches(tap: Tap, pattern: str) -> bool:
    wanted = pattern.casefold()
    if not any(sign in wanted for sign in "*?"):
        wanted = f"*{wanted}*"
    # The only wildcards are * and ?: brackets are common in the names of tensors.
    wanted = wanted.replace("[", "[[]")
    return any(fnmatch.fnmatchcase(n.casefold(), wanted) for n in (tap.name, *tap.aliases))


def _plain(tap: Tap) -> dict[str, Any]:
    return {
        "name": tap.name,
        "op": tap.op,
        "channels": tap.channels,
        "shape": None if tap.shape is None else list(tap.shape),
        "aliases": list(tap.aliases),
        "pre_activation": tap.pre_activation,
    }


def _row(tap: Tap) -> tuple[str, ...]:
    from kerasviz.network.taps import PRE_ACTIVATION, PRE_RELU

    name = tap.name
    sizes = ["?" if n is None else str(n) for n in (tap.shape or (None, None))]
    channels, shape = sizes[-1], "x".join(sizes[1:])
    # NAME_pre_activation is understood for every NAME that has one: no need to list them.
    before = (PRE_RELU, PRE_ACTIVATION)
    others = [n for n in {tap.name, *tap.aliases} - {name} if not n.endswith(before)]
    others.sort(key=lambda n: (len(n), n))
    aliases = ", ".join(others[:ALIASES]) + (", …" if len(others) > ALIASES else "")
    return name, channels, shape, tap.op, "yes" if tap.pre_activation else "", aliases


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table; at a terminal each tap takes one line, cut at the end where it is too long."""
    header, *lines = aligned(rows)
    if not sys.stdout.isatty():
        click.echo("\n".join([header, *lines]))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(Text(header, style="bold"), no_wrap=True, overflow="ellipsis")
    for line in lines:  # as Text: brackets in names are no markup
        console.print(Text(line), no_wrap=True, overflow="ellipsis")


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Write rows as lines with columns of equal width.

    >>> aligned([("name", "op"), ("conv1", "Conv")])
    ['name   op', 'conv1  Conv']
    """
    cells = list(rows)
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
