"""``kerasviz check``: the same network in another runtime, compared tap by tap."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.options import (
    ModelOptions,
    json_option,
    model_options,
    size_of,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.types import ReferenceName

if TYPE_CHECKING:
    from kerasviz.network.comparison import Comparison, Difference

REFERENCES = get_args(ReferenceName)


@click.command(
    "check",
    epilog="""\b
Examples:
  kerasviz check model.onnx
  kerasviz check model.onnx --size 96x128 --batch 4 --tolerance 1e-5
  kerasviz check model.onnx --data inputs.npz --json
  kerasviz check model.onnx --importer onnx-tf
  kerasviz check model.keras --against keras
""",
)
@click.argument("model", shell_complete=complete_models)
@click.option(
    "--against",
    type=click.Choice(REFERENCES),
    help="What runs the file too. [default: onnxruntime for ONNX, Keras' own layers for Keras]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Arrays by the names of the model's inputs. [default: random numbers]",
)
@click.option(
    "--size",
    type=size_of,
    metavar="N|HxW",
    help="Pixels of the random image, where the model takes any size (default: the first of some "
    "usual sizes that works).",
)
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N", help="Random images. [default: 1]"
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-4,
    show_default=True,
    help="Largest difference, relative to the largest entry of a tap.",
)
@json_option
@model_options
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    against: ReferenceName | None,
    data: Path | None,
    size: tuple[int, int] | None,
    batch: int | None,
    tolerance: float,
    as_json: bool,
    model_options: ModelOptions,
) -> None:
    """Compare every tap of MODEL with another runtime on the same input.

    Prints the largest difference at each tap, relative to its largest entry, in the order of the
    graph, and names the first tap that is off. Ends with 1 if there is one. A larger difference is
    right where it is what the type can hold (float16, quantized codes), or where the operation in
    float64 gives what kerasviz has.
    """
    import_tensorflow()
    net = read_network(model, model_options)

    from kerasviz.cli.progress import working
    from kerasviz.importers.custom_objects import custom_objects
    from kerasviz.zoo.check import check

    with working(f"running {model} twice"):
        found = check(
            net,
            against=against,
            data=data,
            size=size,
            batch=batch,
            tolerance=tolerance,
            custom_objects=custom_objects(model_options.imports) or None,
            unsafe=model_options.unsafe,
        )
    if as_json:
        click.echo(json.dumps(_plain(found), indent=1, ensure_ascii=False))
    else:
        _print(found)
    ctx.exit(0 if found.first_off is None else 1)


def _plain(found: Comparison) -> dict[str, Any]:
    first = found.first_off
    return {
        "against": found.against,
        "tolerance": found.tolerance,
        "inputs": {name: list(shape) for name, shape in found.inputs.items()},
        "first_off": None if first is None else first.tap,
        "largest": _number(found.largest.error),
        "taps": [
            {
                "name": tap.tap,
                "op": tap.op,
                "shape": list(tap.shape),
                "difference": _number(tap.error),
                "note": tap.note,
                "agrees": tap.agrees,
            }
            for tap in found.taps
        ],
        "not_compared": list(found.skipped),
    }


def _number(error: float) -> float | None:
    """Return ``None`` for infinity, which JSON lacks; the note explains it."""
    return error if math.isfinite(error) else None


def _print(found: Comparison) -> None:
    from kerasviz.cli.taps import aligned

    rows = [("tap", "op", "shape", "difference", "")]
    for tap in found.taps:
        sign = "" if tap.agrees else "off"
        words = " ".join(filter(None, (sign, tap.note)))
        rows.append((tap.tap, tap.op, "x".join(map(str, tap.shape)), f"{tap.error:.1e}", words))
    for line in aligned(rows):
        click.echo(line)
    if found.skipped:
        click.echo(f"{len(found.skipped)} taps are not compared: {found.against} has no such names")
    first = found.first_off
    if first is None:
        within = f"within {found.tolerance:g}"
        if not found.largest.error <= found.tolerance:
            within = f"within {found.tolerance:g} or the rounding of their types"
        click.echo(
            f"{len(found.taps)} taps agree with {found.against} {within}; "
            f"largest difference {_words(found.largest)}"
        )
    else:
        off = sum(not tap.agrees for tap in found.taps)
        click.echo(
            f"{off} of {len(found.taps)} taps are off by more than {found.tolerance:g}; "
            f"the first is {_words(first)}"
        )


def _words(tap: Difference) -> str:
    note = f" ({tap.note})" if tap.note else ""
    return f"{tap.tap} [{tap.op}]: {tap.error:.1e}{note}"
