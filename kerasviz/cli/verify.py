"""``kerasviz verify``: make the pictures of a folder again and compare the bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kerasviz.cli.options import (
    ModelOptions,
    json_option,
    model_options,
    recorded_model_option,
)
from kerasviz.cli.progress import import_tensorflow

if TYPE_CHECKING:
    from kerasviz.rendering.verify import Verification


@click.command(
    "verify",
    epilog="""\b
Examples:
  kerasviz verify out/efficientnet-lite0
  kerasviz verify pictures --model model.onnx
  kerasviz verify out/demo --json
  kerasviz verify s3://bucket/atlas --sample 200
""",
)
@click.argument("folder", metavar="DIR")
@recorded_model_option
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=1),
    help="Make only N pictures again, in batches drawn at random; of the others only the checksums "
    "are compared.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of --sample.")
@json_option
@model_options
@click.pass_context
def command(
    ctx: click.Context,
    folder: str,
    model: str | None,
    sample: int | None,
    seed: int,
    as_json: bool,
    model_options: ModelOptions,
) -> None:
    """Make every picture in DIR again and compare it with the file, byte by byte.

    DIR was made by `kerasviz render`, `kerasviz figures` or `kerasviz atlas`, and may be s3:// or
    gs://; the files of `kerasviz examples` are compared with their checksums, and so are sprites of
    layers, panels of examples, what was computed from photos that are not there any more, and what
    a Python function made, which data alone cannot make again.
    Nothing is written. Ends with 1 unless all files are the same.
    """
    from kerasviz.atlas.verify import opened, verified, verified_examples
    from kerasviz.cli.progress import rendering
    from kerasviz.rendering.recorded import network_of

    with opened(folder) as place:
        import_tensorflow()
        found = verified_examples(place)
        if found is None:
            net = network_of(place, model_options.shown_source(model))
            with rendering() as progress:
                found = verified(place, net, sample, seed, progress)
    _report(folder, found, as_json)
    ctx.exit(0 if found.same else 1)


def _report(folder: str, found: Verification, as_json: bool) -> None:
    if as_json:
        data = {
            "folder": folder,
            "same": found.same,
            "files": [asdict(result) for result in found.files],
            "environment": found.environment,
        }
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
    else:
        _print(found)


def _print(found: Verification) -> None:
    click.echo(found.summary)
    for file in found.files:
        if file.result not in ("same", "unchanged"):
            click.echo(f"{file.file}: {file.result}: {file.detail}")
    for note in found.environment:
        click.echo(f"environment: {note}")
