"""Convert operators between space and channels: blocks, columns, crops, image files."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    LayoutTensor,
    model_shape,
    stored_axis,
)
from kerasviz.importers.onnx.registry import Call, Layout, operator, whole_numbers
from kerasviz.importers.onnx.window import spatial
from kerasviz.types import Tensor


@operator("DepthToSpace", since=1, layout=Layout.IMAGE)
def depth_to_space(call: Call) -> LayoutTensor:
    """Compute blocks of entries from channels [block, C] (``DCR``) or [C, block] (``CRD``)."""
    x = _image(call)
    size, mode = int(call.attribute("blocksize")), call.choice("mode", "DCR", "CRD")
    channels = x.shape[-1]
    if channels is not None and channels % size**2:
        raise call.error(f"{channels} channels cannot be split into blocks of {size} x {size}")
    if mode == "CRD" and channels != size**2:
        x = _regrouped(x, size**2)
    return LayoutTensor(
        tf.nn.depth_to_space(x, size) if size > 1 else tf.identity(x), channels_last=True
    )


def _regrouped(x: Tensor, block: int) -> Tensor:
    """Reorder channels [C, block] to [block, C]."""
    shape = tf.shape(x)
    pairs = tf.reshape(x, tf.concat([shape[:-1], [-1, block]], 0))
    turned = tf.transpose(pairs, [*range(x.shape.rank - 1), x.shape.rank, x.shape.rank - 1])
    return tf.ensure_shape(tf.reshape(turned, shape), x.shape)


@operator("SpaceToDepth", since=1, layout=Layout.IMAGE)
def space_to_depth(call: Call) -> LayoutTensor:
    """Compute channels from blocks of entries, in the orders of DepthToSpace."""
    x, size = _image(call), int(call.attribute("blocksize"))
    mode = call.choice("mode", "DCR", "CRD")
    y = tf.nn.space_to_depth(x, size) if size > 1 else tf.identity(x)
    return LayoutTensor(_regrouped(y, x.shape[-1]) if mode == "CRD" else y, channels_last=True)


def _image(call: Call) -> Tensor:
    x = call.channels_last()
    if x.shape.rank != 4:
        raise call.error(f"a value with {x.shape.rank} axes; expected 4")
    return x


def _lengths(call: Call, index: int) -> list[Any]:
    """Return input ``index`` as ints, as scalar tensors where only a run knows them."""
    lengths = whole_numbers(call, index)
    if lengths is None:
        raise DataDependent("the number of axes depends on the data")
    return lengths


@operator("Col2Im", since=18)
def col2im(call: Call) -> LayoutTensor:
    """Compute the sum of columns [N, C * block, L] at the windows of an image."""
    x = call.tensor(0)
    image, block = _lengths(call, 1), _lengths(call, 2)
    count = len(image)
    strides, dilations, pads = spatial(call, count)
    place = tf.zeros([], tf.int64)
    inside = tf.constant(True)
    for k in range(count):
        length, width = (tf.cast(n, tf.int64) for n in (image[k], block[k]))
        covered = length + pads[k] + pads[count + k] - dilations[k] * (width - 1) - 1
        windows = covered // strides[k] + 1
        taps, at = tf.range(width) * dilations[k], tf.range(windows) * strides[k]
        spread = [-1 if j == k else 1 for j in range(count)]
        along = tf.reshape(taps, [*spread, *[1] * count]) + tf.reshape(at, [*[1] * count, *spread])
        along = along - pads[k]
        place = place * length + along
        inside = inside & (along >= 0) & (along < length)
    total = tf.reduce_prod(tf.stack([tf.cast(n, tf.int64) for n in image]))
    place = tf.reshape(tf.where(inside, place, -1), [-1])  # negative indices are dropped
    taps = tf.reduce_prod(tf.stack([tf.cast(n, tf.int32) for n in block]))
    shape = tf.shape(x)
    rows = tf.reshape(x, tf.stack([shape[0], shape[1] // taps, taps * shape[2]]))
    added = tf.math.unsorted_segment_sum(tf.transpose(rows, [2, 0, 1]), place, total)
    sizes = [tf.cast(n, tf.int32) for n in image]
    y = tf.reshape(tf.transpose(added, [1, 0, 2]), tf.stack([shape[0], *sizes, shape[1] // taps]))
    static = [n if isinstance(n, int) else None for n in image]
    known = all(isinstance(n, int) for n in block) and x.shape[1] is not None
    channels = x.shape[1] // int(np.prod(block)) if known else None
    y = tf.ensure_shape(y, [x.shape[0], *static, channels])
    return LayoutTensor(y, channels_last=True) if count else LayoutTensor(y)


@operator("CenterCropPad", since=18, layout=Layout.FOLLOWS)
def center_crop_pad(call: Call) -> LayoutTensor:
    """Compute the centre of the value, or the value centred in zeros, along the given axes."""
    x, is_last = call.stored()
    rank = call.rank()
    axes = call.attribute("axes") or tuple(range(rank))
    lengths = model_shape(call.input())
    for axis, wanted in zip(axes, _lengths(call, 1), strict=True):
        x = _centred(x, stored_axis(int(axis), rank, is_last), lengths[axis], wanted)
    return LayoutTensor(x, is_last)


def _centred(x: Tensor, place: int, length: Any, wanted: Any) -> Tensor:
    fixed = isinstance(length, int) and isinstance(wanted, int)
    numbers = [n if fixed else tf.cast(n, tf.int64) for n in (length, wanted)]
    least = min(numbers) if fixed else tf.minimum(*numbers)
    start, missing = (length - least) // 2, wanted - least
    if fixed and length == wanted:
        return x
    known = x.shape.as_list()
    x = x[(*[slice(None)] * place, slice(start, start + least))]
    before = missing // 2
    pairs = [[before, missing - before] if k == place else [0, 0] for k in range(x.shape.rank)]
    x = tf.pad(x, pairs)
    known[place] = wanted if isinstance(wanted, int) else None
    return tf.ensure_shape(x, known)


_BYTES = Constant(np.array([bytes([n]) for n in range(256)], object))


@operator("ImageDecoder", since=20)
def image_decoder(call: Call) -> LayoutTensor:
    """Compute the picture [H, W, C] of a file's bytes: BMP, GIF, JPEG, PNG, PPM or WebP."""
    kind = call.choice("pixel_format", "RGB", "BGR", "Grayscale")
    data = tf.reshape(call.tensor(), [-1])
    text = _text(data)
    picture = tf.case(
        [
            (tf.io.is_jpeg(text), lambda: _jpeg(text)),
            (tf.reduce_all(tf.equal(data[:2], [80, 54])), lambda: _pixmap(data)),
        ],
        default=lambda: _other(text),
    )
    if kind == "BGR":
        picture = picture[..., ::-1]
    if kind == "Grayscale":  # integer luma, as in Pillow
        parts = tf.cast(picture, tf.int32)
        luma = tf.reduce_sum(parts * [19595, 38470, 7471], -1, keepdims=True)
        picture = tf.cast((luma + 0x8000) // 0x10000, tf.uint8)
    return LayoutTensor(tf.ensure_shape(picture, [None, None, 1 if kind == "Grayscale" else 3]))


def _text(data: Tensor) -> Tensor:
    return tf.strings.reduce_join(tf.gather(_BYTES.tensor(), tf.cast(data, tf.int32)))


def _pixmap(data: Tensor) -> Tensor:
    """Decode a binary pixmap: ``P6``, width, height and 255, each before white space; pixels."""
    blank = (data == 32) | ((data >= 9) & (data <= 13))
    first = ~blank & tf.concat([[True], blank[:-1]], 0)
    word = tf.cumsum(tf.cast(first, tf.int32))
    start = tf.where(blank & (word == 4))[0, 0] + 1
    width, height, most = (
        tf.strings.to_number(_text(data[:start][(word[:start] == k) & ~blank[:start]]), tf.int32)
        for k in (2, 3, 4)
    )
    with tf.control_dependencies([tf.debugging.assert_equal(most, 255, "PPM of more than 8 bits")]):
        return tf.reshape(data[start:], tf.stack([height, width, 3]))


def _jpeg(text: Tensor) -> Tensor:
    return tf.io.decode_jpeg(text, channels=3, dct_method="INTEGER_ACCURATE")


def _other(text: Tensor) -> Tensor:
    return tf.io.decode_image(text, channels=3, expand_animations=False)
