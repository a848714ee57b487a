"""Pools: largest or average of a window, or of the whole image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import Laid, channels_last
from kerasviz.importers.onnx.registry import Call, Layout, operator
from kerasviz.importers.onnx.window import (
    Window,
    ceil_extra,
    dilated,
    padded,
    window_of,
)

Tensor = Any


@operator("MaxPool", since=1, layout=Layout.IMAGE)
def max_pool(call: Call) -> Laid:
    """Largest entry of every window; what is padded never wins."""
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        raise call.error("the output Indices is not supported")
    x = channels_last(call.input())
    window = _with_ceil(call, x, window_of(call, x, call.attribute("kernel_shape")))
    if window.is_dilated:
        x = padded(x, window.pads, -float("inf"))
        ones = [1] * len(window.kernel)
        slide = partial(tf.nn.max_pool, ksize=window.kernel, strides=ones, padding="VALID")
        return Laid(dilated(x, window, slide), moved=True)
    padding = window.padding
    if padding is None or (isinstance(padding, list) and len(window.kernel) != 2):
        x, padding = padded(x, window.pads, -float("inf")), "VALID"
    return Laid(tf.nn.max_pool(x, window.kernel, window.strides, padding), moved=True)


@operator("AveragePool", since=1, layout=Layout.IMAGE)
def average_pool(call: Call) -> Laid:
    """Average of every window, over all of it or (the default) over what lies in the image."""
    x = channels_last(call.input())
    plain = window_of(call, x, call.attribute("kernel_shape"))
    window = _with_ceil(call, x, plain)
    whole = bool(call.attribute("count_include_pad", 0))
    padding = window.padding
    if padding == "VALID" or (padding == "SAME" and not whole and not window.is_dilated):
        return Laid(_average(x, window, padding), moved=True)  # TensorFlow counts the image only
    counted = tf.ones_like(x[:1, ..., :1])
    if whole:  # what ceil_mode adds at the end is never counted
        counted = padded(counted, plain.pads, 1.0)
        rest = [
            (0, after - before)
            for (_, after), (_, before) in zip(window.pads, plain.pads, strict=True)
        ]
    else:
        rest = list(window.pads)
    share = _average(padded(counted, rest), window, "VALID")
    return Laid(_average(padded(x, window.pads), window, "VALID") / share, moved=True)


@operator("GlobalAveragePool", since=1, layout=Layout.IMAGE)
def global_average_pool(call: Call) -> Laid:
    """Average over all spatial axes, which stay with length 1."""
    x = channels_last(call.input())
    return Laid(tf.reduce_mean(x, list(range(1, x.shape.rank - 1)), keepdims=True), moved=True)


@operator("GlobalMaxPool", since=1, layout=Layout.IMAGE)
def global_max_pool(call: Call) -> Laid:
    """Largest entry over all spatial axes, which stay with length 1."""
    x = channels_last(call.input())
    return Laid(tf.reduce_max(x, list(range(1, x.shape.rank - 1)), keepdims=True), moved=True)


def _with_ceil(call: Call, x: Tensor, window: Window) -> Window:
    if not call.attribute("ceil_mode", 0):
        return window
    pads = [
        (begin, end + ceil_extra(x, window, axis)) for axis, (begin, end) in enumerate(window.pads)
    ]
    return replace(window, pads=tuple(pads))


def _average(x: Tensor, window: Window, padding: str) -> Tensor:
    if window.is_dilated:
        ones = [1] * len(window.kernel)
        slide = partial(tf.nn.avg_pool, ksize=window.kernel, strides=ones, padding=padding)
        return dilated(x, window, slide)
    return tf.nn.avg_pool(x, window.kernel, window.strides, padding)
