"""Write warm-up requests, which TensorFlow Serving runs before it accepts others.

TensorFlow Serving refuses a model whose records it cannot read or run. Each record is therefore one
row, which fits into any batch, and all are run before an export gets its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasviz.export.saved_model import SIGNATURE, Signature
from kerasviz.export.tf_serving.settings import ExportSettings
from kerasviz.export.tf_serving.signatures import ROW
from kerasviz.io.images import encode, to_image
from kerasviz.network.network import Network
from kerasviz.types import Array


@dataclass(frozen=True)
class WarmUp:
    """Hold a request: a signature and its inputs, each with one row."""

    signature: str
    inputs: Mapping[str, Array]


def warm_ups(
    net: Network, setting: ExportSettings, signatures: Mapping[str, Signature]
) -> list[WarmUp]:
    """Return a request for each signature, and one for every tap of ``visualize``."""
    net = net.focused(setting.taps)
    grey = np.full((1, *setting.image_size, net.channels), 0.5, np.float32)
    png = {"image_bytes": np.array([encode(to_image(grey[0]), "png")], object)}
    requests = [
        WarmUp(SIGNATURE, _own_inputs(net, signatures[SIGNATURE], setting)),
        WarmUp("serving_bytes", {**_own_inputs(net, signatures["serving_bytes"], setting), **png}),
    ]
    if not setting.taps:
        return requests
    requests.append(WarmUp("activations", {"images": grey}))
    requests += [WarmUp("visualize", _row(k)) for k in range(len(dict.fromkeys(setting.taps)))]
    return [*requests, WarmUp("visualize_png", _row(0))]


def _row(tap: int) -> dict[str, Array]:
    numbers = (tap, 0, 0, 1)
    return {name: np.array([n], np.int32) for name, n in zip(ROW, numbers, strict=True)}


def _own_inputs(net: Network, signature: Signature, setting: ExportSettings) -> dict[str, Array]:
    """Return zeros for a network's own inputs; images have the size of the settings."""
    zeros = {}
    for name, spec in signature.inputs.items():
        if spec.dtype == tf.string:
            continue
        shape = (
            [1 if n is None else n for n in spec.shape.as_list() or ()] if spec.shape.rank else []
        )
        if name == net.image_port.name:
            shape = list(net.image_input.own_shape(setting.image_size))
        zeros[name] = np.zeros(shape, spec.dtype.as_numpy_dtype)
    return zeros


def write_warm_ups(requests: list[WarmUp], model: str, path: Path) -> None:
    """Write a TFRecord file of ``tensorflow.serving.PredictionLog`` messages."""
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(_prediction_log(request, model))


# These few messages are encoded by hand, without the package tensorflow-serving-api and its pinned
# TensorFlow; the field numbers are that package's, and the tests parse the file with it.


def _prediction_log(request: WarmUp, model: str) -> bytes:
    spec = _field(1, model.encode()) + _field(3, request.signature.encode())
    predict = _field(1, spec)
    for name, array in request.inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        predict += _field(2, _field(1, name.encode()) + _field(2, tensor))
    return _field(6, _field(1, predict))


def _field(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field of a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
