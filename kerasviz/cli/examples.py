"""``kerasviz examples``: the images of a data set to which units respond."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from kerasviz.cli.completion import complete_models, complete_taps
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    data_option,
    image_pass_options,
    input_options,
    json_option,
    model_options,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network
from kerasviz.types import ClassesOf

if TYPE_CHECKING:
    from kerasviz.examples import Summary


@click.command(
    "examples",
    epilog="""\b
Images:
  FOLDER           image files, also in subfolders; or files with .tfrecord in their names
  FILE             a TFRecord file of tf.train.Example with image/encoded
  FOLDER           recordings or texts, for a network that takes sounds or tokens: the passages of
                   the largest activations are found
  tfds:NAME@SPLIT  of tensorflow_datasets, already prepared on this machine (in TFDS_DATA_DIR,
                   else in ~/tensorflow_datasets): nothing is downloaded. Without @SPLIT: train

\b
Examples:
  kerasviz examples efficientnet-lite0 block3b --images photos
  kerasviz examples model.onnx conv3 conv4 --preprocess torchvision --images train.tfrecord
  kerasviz figures dataset-vs-optimization --model model.onnx --examples out/model-examples

Images are scaled so that their shorter side fits, and cropped at the centre. Those that cannot be
read are counted and left out. The same command continues after Ctrl-C. Images in subfolders have
the name of their first folder as class.
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("taps", metavar="TAP...", nargs=-1, required=True, shell_complete=complete_taps)
@click.option("--images", required=True, metavar="FOLDER|FILE|tfds:NAME", help="Where to look.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the examples. [default: out/NAME OF THE MODEL-examples]",
)
@click.option(
    "--per-bucket",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    metavar="N",
    help="Examples of each kind: maximum, slightly positive, slightly negative, minimum.",
)
@click.option(
    "--positions",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Random positions in each image that spectra and correlations count.",
)
@click.option(
    "--classes",
    type=click.Choice(get_args(ClassesOf)),
    default="given",
    show_default=True,
    help="Classes of the images: subfolders or labels of TFRecords, or the network's answers.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder with the units' optimized pictures, shown beside the examples: of render, figures "
    "or atlas. [default: out/NAME OF THE MODEL, if it has some]",
)
@image_pass_options("images")
@click.option(
    "--tokenizer",
    metavar="FILE|bytes",
    help="Tokenizer of a network of tokens. [default: one beside the model]",
)
@json_option
@data_option
@input_options
@model_options
def command(
    model: str,
    taps: tuple[str, ...],
    images: str,
    out: Path | None,
    per_bucket: int,
    positions: int,
    classes: ClassesOf,
    pictures: Path | None,
    batch: int,
    limit: int | None,
    size: tuple[int, int] | None,
    tokenizer: str | None,
    as_json: bool,
    data: Path | None,
    input_options: InputOptions,
    model_options: ModelOptions,
) -> None:
    """Find the images to which every unit of the TAPs in MODEL responds most, slightly and least.

    Writes the crops that the units see into a folder, with a page to look at: also how activations
    are distributed, which units are active together, and on which classes.
    """
    import_tensorflow()
    net = read_network(model, model_options, input_options)

    from kerasviz.cli.progress import stepping
    from kerasviz.cli.stopping import stoppable
    from kerasviz.examples import examples_folder, find_examples
    from kerasviz.examples.datasets import open_source
    from kerasviz.examples.search import seen_so_far

    folder = examples_folder(net, out)
    of_images = net.medium == "image"
    source = open_source(images) if of_images else images

    def kept() -> str:
        if isinstance(source, str):
            return "nothing was written; the same command starts again"
        count = len(source) if limit is None else min(limit, len(source))
        return (
            f"what was found in {seen_so_far(folder)} of {count} images is kept in {folder}, the "
            "same command continues from there"
        )

    with stoppable(kept), stepping("compiling") as progress:
        found = find_examples(
            net,
            taps,
            source,
            out=folder,
            per_bucket=per_bucket,
            positions=positions,
            classes=classes,
            batch=batch,
            limit=limit,
            size=size,
            data=data,
            pictures=pictures,
            tokenizer=tokenizer,
            progress=progress,
        )
    _report(found, as_json, "image" if of_images else "passage")


def _report(found: Summary, as_json: bool, noun: str) -> None:
    if as_json:
        data = {**asdict(found), "page": str(found.page), "folder": str(found.page.parent)}
        click.echo(json.dumps(data, indent=1, ensure_ascii=False))
        return
    images = f"{found.images} {noun}{'' if found.images == 1 else 's'}"
    units = f"{found.units} unit{'' if found.units == 1 else 's'}"
    if not found.made:
        click.echo(f"nothing to do: examples of {units} from {images} are complete")
    else:
        classes = f" of {found.classes} classes" if found.classes else ""
        click.echo(f"found examples of {units} in {images}{classes}")
    if found.unreadable:
        more = ", …" if found.unreadable > len(found.names) else ""
        names = ", ".join(found.names)
        files = f"file{'' if found.unreadable == 1 else 's'}"
        what = "of them" if noun == "image" else files
        click.echo(f"{found.unreadable} {what} could not be read: {names}{more}")
    if found.odd:
        click.echo(f"{found.odd} of them gave activations that are not finite and are left out")
    click.echo(f"open {found.page}")
