"""``kerasviz trust``: how far the pictures of a folder can be trusted, in numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.options import (
    ModelOptions,
    data_option,
    image_pass_options,
    json_option,
    model_options,
    recorded_model_option,
)
from kerasviz.cli.progress import import_tensorflow

if TYPE_CHECKING:
    from kerasviz.examples.trust.assess import TrustReport


@click.command(
    "trust",
    epilog="""\b
Numbers, each with its baseline:
  against photos         the unit's activation in its picture, over that in the strongest photo
  agreement              how alike the pictures of one target are (render with several seeds)
  seen by JUDGE          the place of the class among the guesses of a second network
  photos told apart      how well a second network knows, by pictures of a unit and of its
                         opposite (--negative), which of two photos excites the unit
  inputs as in photos    how many inputs of a unit contribute most in its picture and in photos
  like photos            per layer: 0 as an unrelated photo, 1 as a photo of the class, or as one
                         of the photos that excite the unit most
  slope of the spectrum  how fine the picture is, beside photos

\b
Examples:
  kerasviz trust out/efficientnet-lite0
  kerasviz trust out/efficientnet-lite0 --images photos
  kerasviz trust pictures --judge other.onnx
  kerasviz trust pictures --images photos --judge other.onnx

Photos in subfolders with the names of classes are photos of these classes.
""",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@recorded_model_option
@click.option("--images", metavar="FOLDER|FILE|tfds:NAME", help="Photos, as for examples.")
@click.option(
    "--judge",
    metavar="MODEL",
    shell_complete=complete_models,
    help="A second network, which is asked which class it sees, and which of two photos excites a "
    "unit.",
)
@click.option(
    "--judge-tap",
    metavar="TAP",
    help="Layer of the second network in which photos and pictures are compared. [default: the "
    "last with positions]",
)
@click.option(
    "--tap",
    metavar="TAP",
    help="Layer in which pictures of one target are compared. [default: the last with positions]",
)
@image_pass_options("photos")
@json_option
@data_option
@model_options
def command(
    folder: Path,
    model: str | None,
    images: str | None,
    judge: str | None,
    judge_tap: str | None,
    tap: str | None,
    batch: int,
    limit: int | None,
    size: tuple[int, int] | None,
    as_json: bool,
    data: Path | None,
    model_options: ModelOptions,
) -> None:
    """Say how far the pictures in DIR can be trusted: against photos, each other, a second network.

    Writes trust.json beside the pictures, and shows the numbers on their page. DIR was made by
    `kerasviz render`.
    """
    import_tensorflow()
    from kerasviz.cli.progress import stepping
    from kerasviz.cli.stopping import stoppable
    from kerasviz.examples.trust.assess import trust

    with stoppable(), stepping("compiling") as progress:
        report = trust(
            folder,
            model_options.shown_source(model),
            images=images,
            judge=judge,
            judge_tap=judge_tap,
            tap=tap,
            limit=limit,
            batch=batch,
            size=size,
            data=data,
            progress=progress,
        )
    _print(report, as_json)


def _print(report: TrustReport, as_json: bool) -> None:
    if as_json:
        data = {
            "file": str(report.file),
            "summary": report.summary,
            "notes": report.notes,
            "pictures": report.pictures,
        }
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    for file in report.pictures:
        rows = report.rows(file)
        click.echo(f"{file}{'' if rows else ': nothing could be computed'}")
        width = max((len(name) for name, _ in rows), default=0)
        for name, text in rows:
            click.echo(f"  {name:{width}}  {text}")
    if transfer := report.summary.get("transfer"):
        chance = f"chance {transfer['chance_top1']:.3g} and {transfer['chance_top5']:.3g}"
        click.echo(
            f"{transfer['judge']} sees {transfer['top1']:.2f} of {transfer['pictures']} classes "
            f"first, {transfer['top5']:.2f} among its first five ({chance})"
        )
    for note in report.notes:
        click.echo(note)
    click.echo(f"wrote {report.file}" + (f"; open {report.page}" if report.page else ""))
