"""Linearize a network: its weights without its activation functions, maxima and statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.network.program import Edit, Kernels, Value
from kerasviz.types import Tensor

#: Operations that multiply their inputs; a quotient is a product with the inverse.
_PRODUCTS = frozenset({"Mul", "Multiply", "Div", "RealDiv", "MatMul", "BatchMatMulV2", "Einsum"})
_QUOTIENTS = frozenset({"Div", "RealDiv"})
#: Operations whose results weigh others: gates of channels, weights of attention.
_GATES = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
#: Operations after a gate that leave it one: a copy, another type, a transpose.
_GATE_STEPS = 3
#: Means over the channels, with which a normalization begins.
_MEANS = frozenset({"Mean", "ReduceMean"})
#: Layers and operators that are curved inside, where nothing can be held.
_WHOLE = frozenset(
    {"LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization"}
    | {"MultiHeadAttention", "GroupQueryAttention", "Attention", "UnitNormalization"}
)


@dataclass(frozen=True)
class Linearization:
    """Hold how to compute a network as a linear one.

    Args:
        kernels: Activation functions are the identity, the largest of a window its mean, and the
            normalization over near channels is skipped.
        held: The values that are constants in derivatives: gates, attention, statistics.
        curved: Layers that stay as they are: what is in them has no names.
        skipped: The activation functions between the taps that are the identity.

    Reference:
        Voss et al., "Visualizing Weights" (Distill 2021): expanded weights.
    """

    kernels: Kernels
    held: tuple[str, ...]
    curved: tuple[str, ...]
    skipped: tuple[str, ...]


def linearize(net: Network, source: str | None, target: str) -> Linearization:
    """Return how to compute a network as a linear one, from a tap (``None``: the image) to a tap.

    A batch normalization is linear in inference already. Of the factors of a product that both
    depend on the source one is held at what it is for the image: a gate, the weights of attention,
    the deviation of a normalization.

    >>> linearize(net, "stem", "block3b").held
    ()
    """
    first = {net.image_port.name} if source is None else set(net.taps[source].parts)
    way = _way(net, first, net.taps[target].parts)
    edits: dict[str, Edit] = {}
    last = net.taps[target].parts
    held, curved, skipped = [], [], []
    for value in way.values():
        factors = [name for name in value.inputs if name in way or name in first]
        if before := _before_activation(value):
            edits[value.name] = _pass_on(before)
            if value.name not in last:
                skipped.append(value.name)
        elif value.op in _WHOLE:
            curved.append(value.name)
        elif value.op in _MEANS and _is_one_channel(value):
            held.append(value.name)
        elif value.op in _PRODUCTS and len(factors) > 1:
            held.append(_held_factor(value, factors, net))
    edits.update(dict.fromkeys(held, _hold))
    kernels = Kernels(normalize=_skip, max_pool=_mean_pool, edits=edits)
    return Linearization(kernels, tuple(dict.fromkeys(held)), tuple(curved), tuple(skipped))


def _before_activation(value: Value) -> str | None:
    return value.relu_input or value.activation_input


def _way(net: Network, first: set[str], last: Iterable[str]) -> dict[str, Value]:
    """Return the values between two taps, the last ones too, past what activations consist of."""
    values = net.program.values
    behind = set(first)
    for value in values.values():  # in the order of the graph
        if not behind.isdisjoint(value.inputs):
            behind.add(value.name)
    used: set[str] = set()
    todo = list(last)
    while todo:
        name = todo.pop()
        if name in values and name in behind and name not in used | first:
            used.add(name)
            before = _before_activation(values[name])
            todo.extend([before] if before else values[name].inputs)
    return {name: value for name, value in values.items() if name in used}


def _is_one_channel(value: Value) -> bool:
    return value.shape is not None and len(value.shape) > 2 and value.shape[-1] == 1


def _held_factor(value: Value, factors: Sequence[str], net: Network) -> str:
    """Return the factor of a product that weighs the other: the smaller one, or a gate."""
    if value.op in _QUOTIENTS:
        return factors[-1]
    lengths = [(net.program.values[name].shape or ()) for name in factors]
    ones = [sum(n == 1 for n in shape[1:]) for shape in lengths]
    if len(set(ones)) > 1:
        return factors[ones.index(max(ones))]
    return next((name for name in factors if _is_gate(name, net)), factors[0])


def _is_gate(name: str, net: Network) -> bool:
    for _ in range(_GATE_STEPS):
        value = net.program.values.get(name)
        if value is None:
            return False
        if value.op in _GATES:
            return True
        if len(value.inputs) != 1:
            return False
        name = value.inputs[0]
    return False


def _hold(value: Tensor, read: Callable[[str], Tensor]) -> Tensor:
    return tf.stop_gradient(value)


def _pass_on(source: str) -> Edit:
    def passed(value: Tensor, read: Callable[[str], Tensor]) -> Tensor:
        return read(source)

    return passed


def _skip(x: Tensor, *settings: Any) -> Tensor:
    return x


def _mean_pool(x: Tensor, window: Any, strides: Any, padding: Any) -> Tensor:
    """Compute the mean of every window; beyond the border the value is 0, or what was padded."""
    if not isinstance(padding, str):
        x, padding = tf.pad(x, padding), "VALID"
    return tf.nn.avg_pool(x, window, strides, padding)
