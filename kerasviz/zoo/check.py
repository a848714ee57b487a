"""Check a model file: the same network in another runtime, compared tap by tap."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from kerasviz.errors import InputsError, UsageError, check_choice, whole_number
from kerasviz.importers.reference import reference_for
from kerasviz.network.comparison import (
    SIZE,
    Comparison,
    Reference,
    compare,
    feeds_for,
    feeds_of,
    read_feeds,
)
from kerasviz.network.network import Network
from kerasviz.network.size import SMALL, USUAL, size_of
from kerasviz.types import ReferenceName, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network
from kerasviz.zoo.load import load, model_path
from kerasviz.zoo.model_source import ModelSource

#: Sizes of the random image, in turn, where none is named and the network fails at those before.
SIZES: tuple[Size, ...] = (SIZE, USUAL, *SMALL, (320, 320), (512, 512))


@named_arguments()
def check(  # noqa: PLR0913 - the options of the command
    net: Model,
    *,
    against: ReferenceName | None = None,
    data: Data | None = None,
    size: int | Size | str | None = None,
    batch: int | None = None,
    tolerance: float = 1e-4,
    custom_objects: Mapping[str, Any] | None = None,
    unsafe: bool = False,
) -> Comparison:
    """Compare every tap of a network with another runtime on the same input.

    This is ``kerasviz check``. A larger difference is right where it is what the type can hold
    (float16, quantized codes), or where the operation in float64 gives what kerasviz has.

    Args:
        net: The network, or what :func:`kerasviz.load` takes; it has to be a file.
        against: What runs the file too: ``"onnxruntime"`` for ONNX, ``"keras"`` (its own layers)
            for Keras files; by default the one for the file.
        data: Arrays by the names of the model's inputs, or an ``.npz`` file of them; by default
            random numbers.
        size: Pixels of the random image, a number or (height, width), where the model takes any;
            by default the first of some usual sizes that it can be computed at.
        batch: The number of random images, by default 1.
        tolerance: The largest difference, relative to the largest entry of a tap.
        custom_objects: The model's own Keras layers by name, to read its file again.
        unsafe: Whether to run Python code that the file carries.

    Returns:
        The difference at each tap in the order of the graph; ``first_off`` is the first tap that
        is off, ``None`` where all agree.

    Raises:
        UsageError: For a model that nothing else can run, and inputs that it does not have.
        ModelError: If the two have no common tap or cannot run.

    Example:
        >>> kerasviz.check("model.onnx", size=32).first_off is None
        True
    """
    if against is not None:
        check_choice("against", against, get_args(ReferenceName))
    if data is not None and (size is not None or batch is not None):
        raise UsageError("--data brings its own size and batch; leave --size and --batch out")
    pixels = None if size is None else size_of(size)
    count = 1 if batch is None else whole_number("batch", batch)
    known = isinstance(net, Network | ModelSource)
    net = as_network(net) if known else load(net, custom_objects=custom_objects, unsafe=unsafe)
    reference = reference_for(
        net,
        model_path(net.identity.source),
        against,
        custom_objects=custom_objects or None,
        unsafe=unsafe,
    )
    if data is None:
        return _at_some_size(net, reference, pixels, count, tolerance)
    feeds = feeds_of(net, data) if isinstance(data, Mapping) else read_feeds(net, Path(data))
    return compare(net, reference, feeds, tolerance=tolerance)


def _at_some_size(
    net: Network, reference: Reference, size: Size | None, batch: int, tolerance: float
) -> Comparison:
    """Compare on a random image of a size, by default the first of ``SIZES`` that works."""
    if size is not None or not net.takes_images or None not in net.fixed_size:
        feeds = feeds_for(net, size=size, batch=batch)
        return compare(net, reference, feeds, tolerance=tolerance)
    failures = []
    for pixels in SIZES:
        feeds = feeds_for(net, size=pixels, batch=batch)
        try:
            return compare(net, reference, feeds, tolerance=tolerance)
        except InputsError as error:
            failures.append(error)
    raise InputsError(f"{failures[0]}; give another --size") from failures[0]
