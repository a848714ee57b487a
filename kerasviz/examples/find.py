"""Find the dataset examples of units: the public function and its defaults."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

from kerasviz.errors import UsageError, check_choice, whole_number
from kerasviz.examples.datasets import Source, open_source
from kerasviz.examples.make import Summary, make_examples
from kerasviz.examples.passages.find import MEDIA, passages_of, refuse_for_passages
from kerasviz.examples.passages.make import PassageQuestion, make_passages
from kerasviz.examples.search import Question
from kerasviz.examples.unit_pictures import pictures_folder
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
    pictures: str | os.PathLike[str] | None = None,
    tokenizer: str | os.PathLike[str] | None = None,
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
        images: A folder of image files, a TFRecord file, or ``"tfds:NAME@SPLIT"``; a folder of
            recordings or of texts for a network that takes sounds or tokens, of which the passages
            of the largest activations are found.
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
        pictures: A folder of the units' optimized pictures, which the page shows beside the
            examples: of ``kerasviz render``, ``figures`` or ``atlas``; by default ``out/NAME``, if
            it has some.
        tokenizer: The tokenizer of a network of tokens, a file or ``"bytes"``; by default one
            beside the model.
        progress: ``None`` shows a bar at a terminal, ``True`` elsewhere too, ``False`` never; a
            function is called with the finished fraction and a text.

    Returns:
        The numbers of images and units, and the page.

    Raises:
        UsageError: For unknown taps, a source without images or without one that can be read, a
            folder with other examples, and one without pictures of the network.

    Example:
        >>> kerasviz.find_examples(net, "block3b", "photos", size=32).page
        PosixPath('out/tiny-examples/index.html')
    """
    check_choice("classes", classes, get_args(ClassesOf))
    net = as_network(net, data)
    names = (taps,) if isinstance(taps, str) else tuple(taps)
    count, batch = whole_number("per_bucket", per_bucket), whole_number("batch", batch)
    limit = None if limit is None else whole_number("limit", limit)
    folder = examples_folder(net, out)
    if net.medium in MEDIA:
        of_images = {"positions": positions != 1, "classes": classes != "given"}
        of_images |= {"size": size is not None, "pictures": pictures is not None}
        refuse_for_passages(net, of_images)
        passages = passages_of(net, images, tokenizer)
        asked = PassageQuestion(net, names, passages, count, batch, limit)
        with reporting(progress, partial(stepping, "compiling")) as report:
            return make_passages(asked, folder, report)
    net = net.require_images("examples")
    if tokenizer is not None:
        raise UsageError(f"tokenizer: {net.name} takes images, no tokens; leave it out")
    question = Question(
        net,
        names,
        open_source(os.fspath(images)) if isinstance(images, str | os.PathLike) else images,
        usual_size(net) if size is None else size_of(size),
        count,
        batch,
        limit,
        whole_number("positions", positions),
        classes,
    )
    # No more places than images can fill, which would stay empty.
    question = replace(question, count=min(question.count, question.images * question.positions))
    beside = pictures_folder(net, None if pictures is None else Path(pictures))
    with reporting(progress, partial(stepping, "compiling")) as report:
        return make_examples(question, folder, report, beside)


def examples_folder(net: Network, out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a network's examples: ``out``, or one of the network's name."""
    return Path("out") / f"{net.name}-examples" if out is None else Path(out)
