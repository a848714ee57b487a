"""Program: what every importer returns, a pruned TensorFlow computation with named values.

A :class:`Program` knows its own tensors by their own names and computes any of them from any of
its inputs. It does not know about images, colour, labels or aliases of a zoo: that is the
:class:`kerasviz.network.network.Network` around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import tensorflow as tf

from kerasviz.types import Tensor

__all__ = ["PLAIN", "Described", "Kernels", "Port", "Program", "Value", "static_shape"]

Shape = tuple[int | None, ...] | None


@dataclass(frozen=True)
class Kernels:
    """The functions for what a program can compute in several ways.

    ``relu`` and ``relu6`` are used for these, so that their gradients can be switched; ``convolve``
    for convolutions of images, as ``tf.nn.conv2d`` (x, kernel, strides, padding);
    ``convolve_depthwise`` as ``tf.nn.depthwise_conv2d``; ``normalize`` as
    ``tf.nn.local_response_normalization``. ``narrow`` is a type of fewer bits in which
    convolutions and matrix products of a float32 model are computed, ``None`` for its own; what
    only passes their results on keeps it, and everything else is in float32.
    """

    relu: Callable[[Tensor], Tensor] = tf.nn.relu
    relu6: Callable[[Tensor], Tensor] = tf.nn.relu6
    convolve: Callable[..., Tensor] = tf.nn.conv2d
    convolve_depthwise: Callable[..., Tensor] = tf.nn.depthwise_conv2d
    normalize: Callable[..., Tensor] = tf.nn.local_response_normalization
    compute_dtype: Any = None


PLAIN = Kernels()


@dataclass(frozen=True)
class Port:
    """An input of a program in its own layout; ``None`` in ``shape`` is a free dimension.

    ``shape`` is ``None`` as a whole where even the rank is free and for inputs that are no tensor
    (sequences of ONNX, whose ``dtype`` is ``None`` too).

    ``channels_first`` says that the model itself takes [N, C, H, W] (ONNX from PyTorch or Caffe).
    """

    name: str
    dtype: Any
    shape: tuple[int | None, ...] | None
    channels_first: bool = False

    @property
    def last_shape(self) -> tuple[int | None, ...] | None:
        """The shape with the channels last, as :meth:`Program.compute` takes it by default."""
        if self.shape is None or not self.channels_first:
            return self.shape
        return (self.shape[0], *self.shape[2:], self.shape[1])


def static_shape(tensor: Tensor) -> Shape:
    """Return what is known of a tensor's shape before a run; ``None`` for an unknown rank."""
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


@dataclass(frozen=True)
class Value:
    """One tensor of a program.

    ``shape`` has the channels last ([N, H, W, C], [N, C], [N, tokens, C]), ``None`` where a
    dimension is free or unknown; it is ``None`` as a whole where even the rank is unknown.
    ``aliases`` are further names (node name, layer path) that are as good as ``name``.
    ``relu_input`` names the value before the rectifier where this value is the output of a ReLU or
    ReLU6, ``softmax_input`` the value before the softmax (over the channels) where it is that of
    one. ``parts`` names the inputs where this value is their concatenation along the channels.
    """

    name: str
    op: str
    shape: tuple[int | None, ...] | None
    aliases: tuple[str, ...] = ()
    relu_input: str | None = None
    softmax_input: str | None = None
    parts: tuple[str, ...] = ()


class Described:
    """The part of a :class:`Program` that is known before a run, for those that keep it.

    A subclass sets ``_inputs``, ``_outputs`` and ``_values``.
    """

    _inputs: Mapping[str, Port]
    _outputs: Sequence[str]
    _values: Mapping[str, Value]

    @property
    def inputs(self) -> Mapping[str, Port]:
        """The inputs by name, in the model's own layout."""
        return self._inputs

    @property
    def outputs(self) -> Sequence[str]:
        """The names of the outputs, each the name or an alias of a value."""
        return self._outputs

    @property
    def values(self) -> Mapping[str, Value]:
        """Every computed tensor that is not constant, in the order of the graph."""
        return self._values


class Program(Protocol):
    """A computation with named inputs and values, executed in TensorFlow."""

    @property
    def inputs(self) -> Mapping[str, Port]: ...

    @property
    def outputs(self) -> Sequence[str]: ...

    @property
    def values(self) -> Mapping[str, Value]: ...

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute the values ``names`` from ``feeds``, running only the nodes they need.

        With ``channels_last`` both feeds and results of rank 3 or more that carry channels are
        [N, ..., C]; without it both are in the model's own layout. Every ReLU and ReLU6 goes
        through ``kernels``; where these are narrow, results may be so too. May be called eagerly or
        while a ``tf.function`` is traced, is recorded by an outer ``tf.GradientTape``, and creates
        no variables.
        """
        ...
