"""Write a Resize by whole factors as UpSampling2D, which takes images of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kerasviz.importers.onnx.ops.resize import enlargement


def upsampling_layer(build: Any, marks: Any, node: Any, constants: Mapping[str, Any]) -> None:
    """Add the layer of a Resize or Upsample of an image whose height or width is free."""
    chosen = enlargement(node, constants)
    if chosen is None or marks.key("marked_input") is None:
        return
    x = marks.input()
    if len(x.shape) != 4 or None not in x.shape[1:3]:
        return  # the operation itself can be written
    height, width, interpolation = chosen
    (output,) = marks.outputs()
    layer = keras.layers.UpSampling2D(
        (height, width), interpolation=interpolation, name=build.free_name(output), dtype=x.dtype
    )
    build.supply(output, layer(x))
