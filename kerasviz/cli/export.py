"""``kerasviz export``: a network as a folder that TensorFlow Serving serves."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerasviz.cli.completion import complete_models
from kerasviz.cli.options import (
    InputOptions,
    ModelOptions,
    data_option,
    input_options,
    json_option,
    model_options,
    size_of,
)
from kerasviz.cli.progress import import_tensorflow
from kerasviz.cli.reading import read_network

if TYPE_CHECKING:
    from kerasviz.export.tf_serving import Exported


@click.command(
    "export",
    epilog="""\b
Examples:
  kerasviz export efficientnet-lite0 served --recipe fast
  kerasviz export model.onnx served --preprocess torchvision --taps relu1,relu5
  kerasviz export saved_model_folder served --preprocess unit --keep-signatures
  kerasviz export model.keras served --size 96 --steps-max 64 --group 4 --version 7

\b
Then, where TensorFlow Serving is installed:
  tensorflow_model_server --rest_api_port=8501 --model_name=NAME --model_base_path=$PWD/served/NAME
""",
)
@click.argument("model", shell_complete=complete_models)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="Name under which it is served. [default: the model's]")
@click.option(
    "--version",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of the version, which must be new. [default: one more than the highest]",
)
@click.option(
    "--taps",
    multiple=True,
    metavar="A,B",
    help="Taps of activations and visualize; their order gives their numbers (again for more). "
    "[default: main layers and the classes]",
)
@click.option(
    "--recipe",
    default="fast",
    show_default=True,
    metavar="NAME|FILE",
    help="How pictures are optimized: article, lucid, fast, vivid, vit, or a .json file.",
)
@click.option(
    "--size",
    type=size_of,
    metavar="N|HxW",
    help="Pixels of pictures. [default: what the network insists on, else the recipe's]",
)
@click.option(
    "--steps-max",
    type=click.IntRange(min=1),
    metavar="N",
    help="The most steps that a request gets. [default: the recipe's]",
)
@click.option(
    "--group",
    type=click.IntRange(min=1),
    metavar="N",
    help="Pictures that are optimized at once, as in render --batch. A request is filled up to a "
    "multiple of it, so 1 is best for single pictures; more is faster on a GPU. [default: 1, or "
    "the batch that the network requires]",
)
@click.option(
    "--image-size",
    type=size_of,
    metavar="N|HxW",
    help="Pixels to which encoded images are scaled. [default: the network's, else 224]",
)
@click.option(
    "--keep-signatures",
    is_flag=True,
    help="Keep the signatures of a SavedModel or Keras file, under their names.",
)
@data_option
@json_option
@input_options
@model_options
def command(
    model: str,
    folder: Path,
    *,
    data: Path | None,
    as_json: bool,
    input_options: InputOptions,
    model_options: ModelOptions,
    **asked: Any,
) -> None:
    """Write MODEL as DIR/NAME/VERSION for TensorFlow Serving, with its taps and its pictures.

    The server needs no Python and no operators beside its own. Its signatures:

    \b
    serving_default  the model's own inputs and outputs
    serving_bytes    PNG or JPEG files to the model's outputs
    activations      images to the taps
    visualize        (tap, unit, seed, steps) to pictures, optimized on the server
    visualize_png    the same, as PNG files

    assets/taps.json in it lists the taps. What was written is loaded and run before it gets its
    name.
    """
    import_tensorflow()
    from kerasviz.cli.progress import working
    from kerasviz.export.tf_serving import export_model
    from kerasviz.importers.custom_objects import custom_objects
    from kerasviz.zoo.arguments import with_data

    net = with_data(read_network(model, model_options, input_options), data)
    own, unsafe = custom_objects(model_options.imports) or None, model_options.unsafe
    with _terminable(), working(f"writing {folder}"):
        made = export_model(net, folder, custom_objects=own, unsafe=unsafe, **asked)
    if as_json:
        plain = {name: value for name, value in vars(made).items() if name != "settings"}
        click.echo(json.dumps({**plain, "path": str(made.path)}, indent=1))
    else:
        _print(made)


@contextmanager
def _terminable() -> Iterator[None]:
    """End at SIGTERM as at Ctrl-C, so that no half-written files remain."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(made: Exported) -> None:
    from kerasviz.cli.convert import bytes_in_words
    from kerasviz.cli.taps import aligned
    from kerasviz.export.exported_function import shown_shape

    setting = made.settings
    click.echo(f"{made.path}: {bytes_in_words(made.size)}, for TensorFlow Serving")
    rows = []
    for name, tensors in made.signatures.items():
        title = f"{name} (the model's own)" if name in made.kept else name
        for kind, shapes in (("in", tensors["inputs"]), ("out", tensors["outputs"])):
            for each, shape in shapes.items():
                rows.append((title, kind, each, shown_shape(shape)))
                title = ""
    for line in aligned(rows):
        click.echo(f"  {line}")
    if not setting.taps:
        click.echo(
            "no pictures: every layer needs more than an image; give it with --data FILE.npz"
        )
    taps = ", ".join(f"{k} {name}" for k, name in enumerate(dict.fromkeys(setting.taps)))
    height, width = setting.recipe.size
    if setting.taps:
        click.echo(f"taps: {taps}")
        click.echo(
            f"pictures: {height}x{width}, at most {setting.most} steps, as kerasviz render makes "
            f"them with --recipe {made.path / 'assets/recipe.json'} --batch {setting.group}"
        )
    click.echo("encoded images are scaled to {}x{}".format(*setting.image_size))
    base = made.path.parent.resolve()
    click.echo(f"tensorflow_model_server --model_name={made.name} --model_base_path={base}")
