"""Find the dataset examples of units: the public function and its defaults."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

from kerasviz.errors import check_choice, whole_number
from kerasviz.examples.datasets import Source, open_source
from kerasviz.examples.make import Summary, make_examples
from kerasviz.examples.search import Question
from kerasviz.io.terminal import Update, reporting, stepping
from kerasviz.network.network import Network
from kerasviz.network.size import size_of
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import ClassesOf, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network


@named_arguments()
def find_examples(  # noqa: PLR0913 - the options of the command
    net: Model,
    taps: str | Sequence[str],
    images: str | os.PathLike[str] | Source,
    *,
    out: str | os.PathLike[str] | None = None,
    per_bucket: int = 10,
    positions: int = 1,
    classes: ClassesOf = "given",
    batch: int = 32,
    limit: int | None = None,
    size: int | Size | str | None = None,
    data: Data | None = None,
    progress: bool | Update | None = None,
) -> Summary:
    """Find the images to which every unit of some taps responds most, slightly and least.

    Like ``kerasviz examples``, this writes the crops that the units see into a folder, with a page
    to look at. In the same pass it counts how the activations are distributed, which units are
    active together and on which classes; ``index.safetensors`` in the folder has the numbers, and
    ``kerasviz.examples.ExampleIndex`` reads them. The same call continues after Ctrl-C.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        taps: The taps, or one of them.
        images: A folder of image files, a TFRecord file, or ``"tfds:NAME@SPLIT"``.
        out: The folder for the examples, by default ``out/NAME-examples``.
        per_bucket: Examples of each kind: maximum, slightly positive, slightly negative, minimum.
        positions: Random positions in each image at which activations are counted for spectra and
            correlations.
        classes: The classes of images: ``"given"`` by the first folder in their names or the label
            in a TFRecord, ``"predicted"`` by the network, or ``"none"``.
        batch: Images that are computed at once.
        limit: The number of images to search, the first ones; ``None`` for all.
        size: Pixels of the images, a number or (height, width); by default what the network was
            trained for, else 224.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: ``None`` shows a bar at a terminal, ``True`` elsewhere too, ``False`` never; a
            function is called with the finished fraction and a text.

    Returns:
        The numbers of images and units, and the page.

    Raises:
        UsageError: For unknown taps, a source without images or without one that can be read, and
            a folder with other examples.

    Example:
        >>> kerasviz.find_examples(net, "block3b", "photos", size=32).page
        PosixPath('out/tiny-examples/index.html')
    """
    check_choice("classes", classes, get_args(ClassesOf))
    source = open_source(os.fspath(images)) if isinstance(images, str | os.PathLike) else images
    net = as_network(net, data)
    question = Question(
        net,
        (taps,) if isinstance(taps, str) else tuple(taps),
        source,
        usual_size(net) if size is None else size_of(size),
        whole_number("per_bucket", per_bucket),
        whole_number("batch", batch),
        None if limit is None else whole_number("limit", limit),
        whole_number("positions", positions),
        classes,
    )
    # No more places than images can fill, which would stay empty.
    question = replace(question, count=min(question.count, question.images * question.positions))
    with reporting(progress, partial(stepping, "compiling")) as report:
        return make_examples(question, examples_folder(net, out), report)


def examples_folder(net: Network, out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a network's examples: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-examples" if out is None else Path(out)
