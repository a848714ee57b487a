"""Sliding windows of convolutions and pools: sizes, strides, dilations and padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.registry import Call
from kerasviz.types import Tensor

__all__ = ["Window", "dilated", "padded", "subsampled", "window_of"]

Length = Any  # int, or a scalar int32 tensor where the length is not known before the run


@dataclass(frozen=True)
class Window:
    """A window over the spatial axes; ``pads`` has (begin, end) per axis.

    ``sizes`` are the lengths of the input, ``None`` where free; ``kernel`` is not yet dilated.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[Length, Length], ...]
    sizes: tuple[int | None, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """The lengths that the dilated kernel covers."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def is_dilated(self) -> bool:
        """Whether the kernel has gaps."""
        return any(k > 1 and d > 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def padding(self) -> Any:
        """``"VALID"``, ``"SAME"``, an explicit list, or ``None`` where only ``tf.pad`` will do.

        The names are preferred where they mean the same: their kernels are the fast ones.
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


def window_of(call: Call, x: Tensor, kernel: Sequence[int]) -> Window:
    """The window of a node over ``x`` [N, ..., C], with ``auto_pad`` and ``ceil_mode`` resolved."""
    count = len(kernel)
    strides = tuple(call.attribute("strides") or (1,) * count)
    dilations = tuple(call.attribute("dilations") or (1,) * count)
    sizes = tuple(x.shape.as_list()[1:-1])
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    mode = call.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        flat = tuple(call.attribute("pads") or (0,) * (2 * count))
        if len(flat) != 2 * count:
            raise call.error(f"{len(flat)} pads for {count} spatial axes; expected {2 * count}")
        pads = list(zip(flat[:count], flat[count:], strict=True))
    elif mode == "VALID":
        pads = [(0, 0)] * count
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = [
            _same_pads(_length(x, k), spans[k], strides[k], lower=mode == "SAME_LOWER")
            for k in range(count)
        ]
    else:
        raise call.error(f"auto_pad {mode!r}; expected NOTSET, SAME_UPPER, SAME_LOWER or VALID")
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
    """The padding at the end that turns the rounding down of an output length into rounding up.

    A last window that would start in the padding at the end is dropped, as PyTorch, Caffe and
    onnxruntime do.
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
    """``x`` [N, ..., C] with its spatial axes padded by ``value``; negative numbers take away."""
    pairs = [[0, 0], *[list(pair) for pair in pads], [0, 0]]
    if any(isinstance(p, int) and p < 0 for pair in pairs for p in pair):
        x = x[tuple(slice(_taken(a), -_taken(b) or None) for a, b in pairs)]
        pairs = [[0 if _taken(p) else p for p in pair] for pair in pairs]
    if all(isinstance(p, int) and p == 0 for pair in pairs for p in pair):
        return x
    return tf.pad(x, pairs, constant_values=tf.cast(value, x.dtype))


def _taken(pad: Length) -> int:
    """How many entries a negative padding takes away."""
    return max(-pad, 0) if isinstance(pad, int) else 0


def subsampled(x: Tensor, strides: Sequence[int]) -> Tensor:
    """Every ``stride``-th entry of the spatial axes."""
    if all(s == 1 for s in strides):
        return x
    return x[(slice(None), *[slice(None, None, s) for s in strides], slice(None))]


def dilated(x: Tensor, window: Window, apply: Callable[[Tensor], Tensor]) -> Tensor:
    """Slide a dilated window over the already padded ``x``; ``apply`` slides it without gaps.

    The entries of every phase of the dilation become images of their own. TensorFlow's own dilated
    convolutions have no gradient on a CPU but for one padding, and only with oneDNN.
    """
    blocks = list(window.dilations)
    lengths = [_length(x, k) for k in range(len(blocks))]
    paddings, crops = tf.required_space_to_batch_paddings(lengths, blocks)
    phases = tf.space_to_batch(x, blocks, paddings)
    joined = tf.batch_to_space(apply(phases), blocks, crops)
    return subsampled(joined, window.strides)
