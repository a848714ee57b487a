"""Trace the signatures of a served network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import tensorflow as tf

from kerasviz.errors import KerasvizError, ModelError, first_line
from kerasviz.export.exported_function import Export, export_of
from kerasviz.export.saved_model import SIGNATURE, Signature, signature_of
from kerasviz.export.tf_serving.images import decoded, encoded
from kerasviz.export.tf_serving.settings import ExportSettings
from kerasviz.export.tf_serving.visualize import pictures
from kerasviz.network.image_rows import in_batches
from kerasviz.network.network import Network
from kerasviz.types import Tensor

#: The inputs of a row of ``visualize`` and ``visualize_png``.
ROW = ("tap", "unit", "seed", "steps")


def signatures(net: Network, setting: ExportSettings) -> dict[str, Signature]:
    """Return the signatures by name; dimension 0 of every tensor counts the rows.

    ``serving_default`` has the network's own inputs and outputs, ``serving_bytes`` takes encoded
    images instead; ``activations`` computes taps from images; ``visualize`` and ``visualize_png``
    make pictures. Without taps there are the first two only. Inputs beside the image are inputs of
    these two as well, and held at the network's data in the others. Raises :class:`UsageError` for
    a network with an unknown range of numbers.
    """
    return {name: make() for name, make in makers(net, setting).items()}


def makers(net: Network, setting: ExportSettings) -> dict[str, Callable[[], Signature]]:
    """Return functions that make each of the :func:`signatures`; those of pictures are slow."""
    net.require_input_spec()
    net = net.focused(setting.taps)
    export = export_of(net, channels_last=False)
    strings = {"image_bytes": tf.TensorSpec([None], tf.string), **_others(net, export)}
    of_bytes = partial(_of_bytes, net, export, setting)
    own: dict[str, Callable[[], Signature]] = {
        SIGNATURE: cache(partial(signature_of, export)),
        "serving_bytes": cache(partial(_traced, of_bytes, strings)),
    }
    if not setting.taps:
        return own
    make = tf.function(pictures(net, setting), autograph=False)
    of_taps = {
        "activations": partial(_activations, net, setting),
        "visualize": partial(_visualizing, make, png=False),
        "visualize_png": partial(_visualizing, make, png=True),
    }
    return {**own, **{name: cache(maker) for name, maker in of_taps.items()}}


def _others(net: Network, export: Export) -> dict[str, Any]:
    """Return the inputs of an export beside the image, as TensorFlow describes them."""
    return {name: spec for name, spec in export.specs.items() if name != net.image_port.name}


def _traced(compute: Callable[..., Mapping[str, Tensor]], inputs: Mapping[str, Any]) -> Signature:
    names: list[str] = []

    def run(*tensors: Tensor) -> list[Tensor]:
        outputs = compute(*tensors)
        names[:] = outputs
        return [tf.identity(tensor) for tensor in outputs.values()]

    traced = tf.function(run, autograph=False).get_concrete_function(*inputs.values())
    return Signature(traced, inputs, names)


def _of_bytes(
    net: Network, export: Export, setting: ExportSettings, strings: Tensor, *others: Tensor
) -> dict[str, Tensor]:
    """Compute the network's own outputs from encoded images and its other inputs."""
    images = decoded(strings, setting.image_size, net.channels)
    image, feeds = net.image_input, dict(zip(_others(net, export), others, strict=True))
    taps = [name for name in export.outputs if name in net.taps]
    only = None if others else net.fixed_batch(taps, setting.image_size)

    def compute(images: Tensor) -> dict[str, Tensor]:
        inputs = image.own_layout(net.require_input_spec().apply(images))
        outputs = export.compute({**feeds, image.port.name: inputs})
        if image.axes[0] == "N":
            return outputs
        return {name: output[None] for name, output in outputs.items()}

    try:
        return compute(images) if only is None else in_batches(compute, images, only)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        size = "x".join(map(str, setting.image_size))
        reason = first_line(error).split(" for '{{node")[0]
        raise ModelError(
            f"{net.name} cannot be computed from images of {size} (give another --image-size): "
            f"{reason[:200]}"
        ) from error


def _activations(net: Network, setting: ExportSettings) -> Signature:
    """Trace the taps of images, of any size where the network allows it."""
    names = list(dict.fromkeys(setting.taps))
    free = (*net.fixed_size, net.channels)
    for size in dict.fromkeys([free, (*setting.image_size, net.channels)]):
        spec = {"images": tf.TensorSpec([None, *size], tf.float32)}
        try:
            return _traced(lambda images: net.activations(images, names), spec)
        except (KerasvizError, ValueError):
            if size != free:
                raise
    raise AssertionError("two sizes are tried")


def _visualizing(make: Callable[..., Any], png: bool) -> Signature:
    def floats(*row: Tensor) -> dict[str, Tensor]:
        images, scores, steps = make(*row)
        return {"images": images, "scores": scores, "steps": steps}

    def strings(*row: Tensor) -> dict[str, Tensor]:
        images, scores, steps = make(*row)
        files = tf.where(steps > 0, encoded(images), tf.constant(b""))
        return {"image_bytes": files, "scores": scores, "steps": steps}

    inputs = {name: tf.TensorSpec([None], tf.int32) for name in ROW}
    return _traced(strings if png else floats, inputs)
