"""Convert Fourier transforms, windows and the mel scale.

A complex value has the axis [real, imaginary] at its end; a real one has an axis of length 1.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import onnx
import tensorflow as tf

from kerasviz.importers.onnx.element_types import tensor_type
from kerasviz.importers.onnx.layout import Constant, LayoutTensor
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Tensor


def _to_complex(x: Tensor, dtype: Any) -> Tensor:
    """Turn [..., 1] or [..., 2] into complex numbers [...]."""
    wide = tf.cast(x, dtype)
    # Sums zero or one imaginary parts, since a trace need not know their number.
    return tf.complex(wide[..., 0], tf.reduce_sum(wide[..., 1:], -1))


def _from_complex(x: Tensor, dtype: Any) -> Tensor:
    return tf.cast(tf.stack([tf.math.real(x), tf.math.imag(x)], -1), dtype)


def _fitted(x: Tensor, length: Any) -> Tensor:
    """Cut or zero-pad the last axis of ``x`` to ``length`` entries."""
    x = x[..., :length]
    missing = length - _length(x)
    if isinstance(missing, int) and not missing:
        return x
    return tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[0, missing]])


def _transformed(x: Tensor, length: Any, *, inverse: bool, onesided: bool) -> Tensor:
    """Compute the DFT of complex numbers along the last axis."""
    if not inverse:
        y = tf.signal.fft(_fitted(x, length))
        return y[..., : length // 2 + 1] if onesided else y
    if not onesided:
        return tf.signal.ifft(_fitted(x, length))
    half = _fitted(x, length // 2 + 1)
    # The other half is the mirrored conjugate; the result is real.
    rest = tf.math.conj(tf.reverse(half[..., 1 : (length + 1) // 2], [-1]))
    return tf.signal.ifft(tf.concat([half, rest], -1))


@operator("DFT", since=17)
def dft_17(call: Call) -> LayoutTensor:
    """Compute ``y[k] = sum(x[n] * exp(-2 pi i k n / N))`` along the attribute ``axis``."""
    return _dft(call, int(call.attribute("axis", 1)))


@operator("DFT", since=20)
def dft_20(call: Call) -> LayoutTensor:
    """Compute ``y[k] = sum(x[n] * exp(-2 pi i k n / N))`` along the axis in input 2."""
    given = call.constant(2, "axis")
    return _dft(call, -2 if given is None else int(given.reshape(-1)[0]))


def _dft(call: Call, axis: int) -> LayoutTensor:
    x = call.tensor()
    rank = x.shape.rank
    axis %= rank
    if axis == rank - 1:
        raise call.error("axis is the last one, which holds the real and imaginary parts")
    inverse, onesided = bool(call.attribute("inverse", 0)), bool(call.attribute("onesided", 0))
    # Sums of cancelling terms need double precision; the inverse is a mean.
    wide = tf.float32 if inverse and x.dtype != tf.float64 else tf.float64
    signal = _to_complex(x, wide)
    order = [k for k in range(rank - 1) if k != axis] + [axis]
    signal = tf.transpose(signal, order)
    if call.has(1):
        length = _integer(call, 1)
    else:
        length = _length(signal)
        length = 2 * (length - 1) if inverse and onesided else length
    y = _transformed(signal, length, inverse=inverse, onesided=onesided)
    y = tf.transpose(y, sorted(range(rank - 1), key=order.__getitem__))
    if inverse and onesided:
        return LayoutTensor(tf.cast(tf.math.real(y)[..., None], x.dtype))
    return LayoutTensor(_from_complex(y, x.dtype))


def _length(x: Tensor) -> Any:
    """Return the length of the last axis: an int if it is known, else a tensor."""
    static = x.shape[-1]
    return tf.shape(x)[-1] if static is None else int(static)


def _integer(call: Call, index: int) -> Any:
    """Return input ``index``: an int if it is known, else a scalar int32 tensor."""
    value = call.input(index)
    if isinstance(value, Constant):
        return int(value.array.reshape(-1)[0])
    number = tf.cast(call.scalar(index), tf.int32)
    known = tf.get_static_value(number)
    return number if known is None else int(known)


@operator("STFT", since=17)
def stft(call: Call) -> LayoutTensor:
    """Compute the DFT of frames of the signal, each times a window, ``frame_step`` apart."""
    x = call.tensor()
    step = _integer(call, 1)
    window = call.tensor(2) if call.has(2) else None
    signal = tf.transpose(x, [0, 2, 1])
    if call.has(3):
        length = _integer(call, 3)
    else:
        length = _length(signal) if window is None else _length(window)
    frames = tf.signal.frame(signal, length, step)  # [N, parts, frames, length]
    if window is not None:
        frames *= window
    onesided = bool(call.attribute("onesided", 1))
    framed = _to_complex(tf.transpose(frames, [0, 2, 3, 1]), tf.float64)
    y = _transformed(framed, length, inverse=False, onesided=onesided)
    return LayoutTensor(_from_complex(y, x.dtype))


#: Factors for k = 0, 1, 2 of windows that are sums of cosines ``cos(2 pi k n / N)``.
_WINDOWS = {
    "HannWindow": (0.5, -0.5, 0.0),
    "HammingWindow": (25 / 46, -21 / 46, 0.0),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}


def _window(call: Call, factors: tuple[float, float, float]) -> LayoutTensor:
    dtype = tensor_type(call.attribute("output_datatype", onnx.TensorProto.FLOAT))
    count = call.scalar(0)
    steps = tf.cast(count if call.attribute("periodic", 1) else count - 1, tf.float64)
    turn = 2 * math.pi * tf.cast(tf.range(count), tf.float64) / tf.maximum(steps, 1.0)
    window = sum(factor * tf.cos(k * turn) for k, factor in enumerate(factors))
    return LayoutTensor(tf.cast(window, dtype))


for _name, _factors in _WINDOWS.items():
    operator(_name, since=17)(partial(_window, factors=_factors))


@operator("MelWeightMatrix", since=17)
def mel_weight_matrix(call: Call) -> LayoutTensor:
    """Compute triangles, evenly spaced on the mel scale, over the frequencies of a onesided DFT."""
    dtype = tensor_type(call.attribute("output_datatype", onnx.TensorProto.FLOAT))
    bands, length, rate = (tf.cast(call.scalar(k), tf.int64) for k in range(3))
    edges = [_mel(tf.cast(call.scalar(k), tf.float64)) for k in (3, 4)]
    step = (edges[1] - edges[0]) / tf.cast(bands + 2, tf.float64)
    mels = edges[0] + step * tf.cast(tf.range(bands + 2), tf.float64)
    hertz = 700 * tf.math.expm1(mels * (math.log(10) / 2595))
    corners = tf.floor(tf.cast(length + 1, tf.float64) * hertz / tf.cast(rate, tf.float64))
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    bins = tf.cast(tf.range(length // 2 + 1), tf.float64)[:, None]
    rising = tf.math.divide_no_nan(bins - low, middle - low)
    falling = tf.math.divide_no_nan(high - bins, high - middle)
    up = tf.where((bins >= low) & (bins < middle), rising, 0)
    down = tf.where((bins > middle) & (bins < high), falling, 0)
    return LayoutTensor(tf.cast(up + down + tf.cast(bins == middle, tf.float64), dtype))


def _mel(hertz: Tensor) -> Tensor:
    """Compute ``2595 * log10(1 + f / 700)``."""
    return 2595 / math.log(10) * tf.math.log1p(hertz / 700)
