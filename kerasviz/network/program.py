"""Define programs, the result of every importer: pruned TensorFlow computations of named values.

A :class:`Program` computes any of its tensors, by name, from any of its inputs. Images, colour,
labels and aliases of the zoo belong to the :class:`kerasviz.network.network.Network` around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import tensorflow as tf

from kerasviz.errors import UsageError, first_line
from kerasviz.types import Tensor

Shape = tuple[int | None, ...] | None
#: Return a value, channels last, in place of the computed one; the second argument reads, by name,
#: values that it is computed from.
Edit = Callable[[Tensor, Callable[[str], Tensor]], Tensor]


@dataclass(frozen=True)
class Kernels:
    """Hold the functions for operations that a program can compute in several ways.

    ``relu`` and ``relu6`` can have other gradients; ``convolve`` takes the arguments of
    ``tf.nn.conv2d`` (x, kernel, strides, padding), ``convolve_depthwise`` those of
    ``tf.nn.depthwise_conv2d``, ``normalize`` those of ``tf.nn.local_response_normalization``,
    ``max_pool`` those of ``tf.nn.max_pool``. ``edits`` replace values, by name, for all that is
    computed from them. ``given`` are values, by name and channels last, that are not computed: what
    only they need is not computed either.
    ``compute_dtype`` is a type of fewer bits for convolutions and matrix products of a float32
    model, ``None`` for float32. Operations that only pass results on keep that type; all others
    compute in float32.
    """

    relu: Callable[[Tensor], Tensor] = tf.nn.relu
    relu6: Callable[[Tensor], Tensor] = tf.nn.relu6
    convolve: Callable[..., Tensor] = tf.nn.conv2d
    convolve_depthwise: Callable[..., Tensor] = tf.nn.depthwise_conv2d
    normalize: Callable[..., Tensor] = tf.nn.local_response_normalization
    max_pool: Callable[..., Tensor] = tf.nn.max_pool
    compute_dtype: Any = None
    edits: Mapping[str, Edit] = field(default_factory=dict, hash=False)
    given: Mapping[str, Tensor] = field(default_factory=dict, hash=False)


PLAIN = Kernels()


@dataclass(frozen=True)
class Port:
    """Describe an input of a program in its own layout; ``None`` in ``shape`` is a free dimension.

    ``shape`` as a whole is ``None`` if the rank is free, and for inputs that are no tensor (ONNX
    sequences, whose ``dtype`` is ``None`` too).

    ``channels_first`` says that the model itself takes [N, C, H, W] (ONNX from PyTorch or Caffe).
    ``named_batch`` is the number of images that the file names although ``shape`` leaves it free.
    ``as_floats`` says that an input of whole numbers may be fed as floats, which have a gradient.
    """

    name: str
    dtype: Any
    shape: tuple[int | None, ...] | None
    channels_first: bool = False
    named_batch: int | None = None
    as_floats: bool = False

    @property
    def batch(self) -> int | None:
        """The number of images that the file names, ``None`` for any."""
        return self.named_batch or (self.shape[0] if self.shape else None)

    @property
    def last_shape(self) -> tuple[int | None, ...] | None:
        """The shape with the channels last, as :meth:`Program.compute` takes it by default."""
        if self.shape is None or not self.channels_first:
            return self.shape
        return (self.shape[0], *self.shape[2:], self.shape[1])

    def tensor(self, feed: Any) -> Tensor:
        """Return a feed in the type of the input; floats stay floats where they may."""
        kind = getattr(feed, "dtype", None)
        if self.as_floats and kind is not None and tf.as_dtype(kind).is_floating:
            return tf.cast(feed, tf.float32)
        return tf.convert_to_tensor(feed, self.dtype)

    def feed(self, given: Any, owner: object) -> Any:
        """Return what a run gets for this input: a tensor, or a list of tensors for a sequence.

        Raises :class:`UsageError` for what the input does not take; ``owner`` begins its line.
        """
        if self.dtype is None and given is None:
            return None
        if self.dtype is None and isinstance(given, list | tuple):
            return [self._tensor(item, owner) for item in given]
        tensor = self._tensor(given, owner)
        self.check_shape(tensor.shape, owner)
        return tensor

    def _tensor(self, given: Any, owner: object) -> Tensor:
        try:
            return self.tensor(given)
        except (ValueError, TypeError, OverflowError, tf.errors.OpError) as error:
            wanted = "arrays" if self.dtype is None else f"numbers of {self.dtype.name}"
            kind = getattr(given, "dtype", type(given).__name__)
            line = f"{owner}: input {self.name!r} takes {wanted}, given {kind}"
            raise UsageError(f"{line} ({first_line(error)[:100]})") from error

    def check_shape(self, shape: Sequence[int | None], owner: object) -> None:
        """Raise :class:`UsageError` for a shape that the input does not take."""
        if self.shape is None or (
            len(shape) == len(self.shape)
            and all(s in (None, n) for s, n in zip(self.shape, shape, strict=True))
        ):
            return
        takes = ["any" if n is None else n for n in self.shape]
        raise UsageError(f"{owner}: input {self.name!r} takes {takes}, given {list(shape)}")


def modality_of(port: Port) -> str:
    """Say what an input is likely to be.

    >>> modality_of(Port("input_ids", tf.int64, (2, 12)))
    'text: whole numbers'
    """
    rank = None if port.shape is None else len(port.shape)
    if port.dtype is not None and not port.dtype.is_floating:
        return "text: whole numbers" if rank == 2 else "whole numbers"
    kinds = {2: "a signal: sound, or numbers in a row", 3: "a spectrogram or another signal"}
    return kinds.get(rank or 0, "an image" if rank == 4 else "of unknown kind")


def has_positions(shape: Shape) -> bool:
    """Return whether a tensor of a shape has several positions and a known number of channels.

    >>> has_positions((None, 7, 7, 64)), has_positions((None, 1, 1, 64)), has_positions((None, 64))
    (True, False, False)
    """
    shape = shape or ()
    return len(shape) in (3, 4, 5) and 1 not in shape[1:-1] and shape[-1] is not None


def static_shape(tensor: Tensor) -> Shape:
    """Return what is known of a tensor's shape before a run; ``None`` for an unknown rank."""
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


@dataclass(frozen=True)
class Value:
    """Describe one tensor of a program.

    ``shape`` has the channels last ([N, H, W, C], [N, C], [N, tokens, C]), ``None`` where a
    dimension is free or unknown; ``shape`` as a whole is ``None`` if the rank is unknown.
    ``aliases`` are further names (node name, layer path). For the output of a ReLU or ReLU6
    ``relu_input`` names its input, for the output of a softmax over the channels ``softmax_input``.
    For a concatenation along the channels ``parts`` names its inputs. ``inputs`` are the values and
    inputs of the program that it is computed from, ``modules`` the paths of the modules around it,
    outermost first. ``auxiliary`` values show nothing: lengths, indices, masks, scalars.
    For the output of any activation function, also one of several operations, ``activation_input``
    names its input.
    ``weights`` are the names of the constants in the file that its operation takes.
    ``table`` is the number of rows of the constant table of which it has the rows that whole
    numbers select (an embedding, or a one-hot encoding), ``None`` for other operations.
    """

    name: str
    op: str
    shape: tuple[int | None, ...] | None
    aliases: tuple[str, ...] = ()
    relu_input: str | None = None
    softmax_input: str | None = None
    parts: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    auxiliary: bool = False
    activation_input: str | None = None
    weights: tuple[str, ...] = ()
    table: int | None = None


class Described:
    """Implement the part of a :class:`Program` that is known before a run.

    A subclass sets ``_inputs``, ``_outputs`` and ``_values``, and ``_module_kinds`` where the file
    names the classes of modules.
    """

    _inputs: Mapping[str, Port]
    _outputs: Sequence[str]
    _values: Mapping[str, Value]
    _module_kinds: Mapping[str, str] = MappingProxyType({})
    _left_out: Mapping[str, str] = MappingProxyType({})

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

    @property
    def module_kinds(self) -> Mapping[str, str]:
        """The class names of modules by their paths, as far as the file has them."""
        return self._module_kinds

    @property
    def left_out(self) -> Mapping[str, str]:
        """The values of the file that cannot be computed, by name, each with the reason."""
        return self._left_out


class Program(Protocol):
    """Compute named values from named inputs in TensorFlow."""

    @property
    def inputs(self) -> Mapping[str, Port]: ...

    @property
    def outputs(self) -> Sequence[str]: ...

    @property
    def values(self) -> Mapping[str, Value]: ...

    @property
    def module_kinds(self) -> Mapping[str, str]: ...

    def compute(
        self,
        feeds: Mapping[str, Tensor],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Tensor]:
        """Compute the values ``names`` from ``feeds`` with only the nodes that they need.

        With ``channels_last`` feeds and results of rank 3 or more with channels are [N, ..., C],
        else in the model's own layout. Every ReLU and ReLU6 is one of ``kernels``; results may have
        their ``compute_dtype``. Works eagerly, in a traced ``tf.function`` and under a
        ``tf.GradientTape``; creates no variables.
        """
        ...
