"""Describe sliding windows of convolutions and pools: sizes, strides, dilations and padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.registry import Call
from kerasviz.types import Tensor

#: An int, or a scalar int32 tensor where only a run knows the length.
Length = Any


@dataclass(frozen=True)
class Window:
    """Describe a window over the spatial axes; ``pads`` has (begin, end) per axis.

    ``sizes`` are the lengths of the input, ``None`` where free; ``kernel`` is the undilated size.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[Length, Length], ...]
    sizes: tuple[int | None, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """Return the lengths that the dilated kernel covers."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def is_dilated(self) -> bool:
        """Return whether the kernel has gaps."""
        return any(k > 1 and d > 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def padding(self) -> Any:
        """Return ``"VALID"``, ``"SAME"``, a list, or ``None`` where only ``tf.pad`` works.

        A name is preferred where it means the same, since TensorFlow's kernels for names are
        faster.
        """
        if all(isinstance(p, int) and p == 0 for pair in self.pads for p in pair):
            return "VALID"
        axes = zip(self.pads, self.spans, self.strides, self.sizes, strict=True)
        if all(_is_same(*axis) for axis in axes):
            return "SAME"
        if all(isinstance(p, int) and p >= 0 for pair in self.pads for p in pair):
            return [[0, 0], *[list(pair) for pair in self.pads], [0, 0]]
        return None


def _is_same(pads: tuple[Length, Length], span: int, stride: int, size: int | None) -> bool:
    if not all(isinstance(p, int) for p in pads):
        return False
    if stride == 1:
        total = span - 1
    elif size is None:
        return False
    else:
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return pads == (total // 2, total - total // 2)


def spatial(call: Call, count: int) -> tuple[tuple[int, ...], ...]:
    """Return the strides, dilations and pads (all begins, all ends) of ``count`` axes."""
    lengths = {"strides": (1,) * count, "dilations": (1,) * count, "pads": (0,) * (2 * count)}
    return tuple(tuple(call.attribute(name) or usual) for name, usual in lengths.items())


def auto_pad(call: Call) -> str:
    """Return how a node pads: by its pads (``NOTSET``), not at all, or to keep lengths."""
    return call.choice("auto_pad", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "") or "NOTSET"


def window_of(call: Call, x: Tensor, kernel: Sequence[int]) -> Window:
    """Return the window of a node over ``x`` [N, ..., C], with ``auto_pad`` resolved."""
    count = len(kernel)
    strides, dilations, flat = spatial(call, count)
    sizes = tuple(x.shape.as_list()[1:-1])
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    mode = auto_pad(call)
    if mode == "NOTSET":
        if len(flat) != 2 * count:
            raise call.error(f"{len(flat)} pads for {count} spatial axes; expected {2 * count}")
        pads = list(zip(flat[:count], flat[count:], strict=True))
    elif mode == "VALID":
        pads = [(0, 0)] * count
    else:
        pads = [
            _same_pads(_length(x, k), spans[k], strides[k], lower=mode == "SAME_LOWER")
            for k in range(count)
        ]
    return Window(tuple(kernel), strides, dilations, tuple(pads), sizes)


def _length(x: Tensor, axis: int) -> Length:
    static = x.shape.as_list()[1 + axis]
    return tf.shape(x)[1 + axis] if static is None else static


def _same_pads(size: Length, span: int, stride: int, *, lower: bool) -> tuple[Length, Length]:
    if stride == 1:
        total: Length = span - 1
    else:
        rest = (-(-size // stride) - 1) * stride + span - size
        total = max(rest, 0) if isinstance(rest, int) else tf.maximum(rest, 0)
    small = total // 2
    return (total - small, small) if lower else (small, total - small)


def ceil_extra(x: Tensor, window: Window, axis: int) -> Length:
    """Return the end padding that makes TensorFlow round an output length up instead of down.

    A last window that would start in the end padding is dropped, as in PyTorch, Caffe and
    onnxruntime.
    """
    size, stride, span = _length(x, axis), window.strides[axis], window.spans[axis]
    begin, end = window.pads[axis]
    rest = size + begin + end - span
    extra = -rest % stride
    starts = -(-rest // stride) * stride  # where the last window starts
    if isinstance(starts, int):
        return extra if starts < size + begin else 0
    return tf.where(starts < size + begin, extra, 0)


def padded(x: Tensor, pads: Sequence[tuple[Length, Length]], value: float = 0.0) -> Tensor:
    """Pad the spatial axes of ``x`` [N, ..., C] by ``value``; negative pads remove entries."""
    pairs = [[0, 0], *[list(pair) for pair in pads], [0, 0]]
    if any(isinstance(p, int) and p < 0 for pair in pairs for p in pair):
        x = x[tuple(slice(_removed(a), -_removed(b) or None) for a, b in pairs)]
        pairs = [[0 if _removed(p) else p for p in pair] for pair in pairs]
    if all(isinstance(p, int) and p == 0 for pair in pairs for p in pair):
        return x
    return tf.pad(x, pairs, constant_values=tf.cast(value, x.dtype))


def _removed(pad: Length) -> int:
    return max(-pad, 0) if isinstance(pad, int) else 0


def subsampled(x: Tensor, strides: Sequence[int]) -> Tensor:
    """Return every ``stride``-th entry of the spatial axes."""
    if all(s == 1 for s in strides):
        return x
    return x[(slice(None), *[slice(None, None, s) for s in strides], slice(None))]


def dilated(x: Tensor, window: Window, apply: Callable[[Tensor], Tensor]) -> Tensor:
    """Slide a dilated window over the padded ``x``; ``apply`` slides the undilated window.

    Every phase of the dilation becomes an image of its own. On a CPU TensorFlow's dilated
    convolutions have a gradient for one padding only, and only with oneDNN.
    """
    blocks = list(window.dilations)
    lengths = [_length(x, k) for k in range(len(blocks))]
    paddings, crops = tf.required_space_to_batch_paddings(lengths, blocks)
    phases = tf.space_to_batch(x, blocks, paddings)
    joined = tf.batch_to_space(apply(phases), blocks, crops)
    return subsampled(joined, window.strides)
