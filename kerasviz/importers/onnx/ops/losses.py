"""Convert losses, and the gradients and optimizer steps of the training preview."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    LayoutTensor,
    TensorValue,
    model_layout,
    rank_of,
    stored_axis,
)
from kerasviz.importers.onnx.registry import Call, operator, stored
from kerasviz.types import Tensor

_TRAINING = "ai.onnx.preview.training"


@operator("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood(call: Call) -> LayoutTensor:
    """Compute ``-weight[target] * x[n, target, ...]``, 0 for the ignored target."""
    x, is_last = call.stored()
    return LayoutTensor(_loss(call, x, _class_axis(call.input(0), is_last)))


@operator("SoftmaxCrossEntropyLoss", since=12)
def softmax_cross_entropy(call: Call) -> list[LayoutTensor]:
    """Compute the negative log likelihood of ``log(softmax(x))``, and these logarithms."""
    x, is_last = call.stored()
    axis = _class_axis(call.input(0), is_last)
    logarithms = tf.nn.log_softmax(x, axis)
    return [LayoutTensor(_loss(call, logarithms, axis)), LayoutTensor(logarithms, is_last)]


def _class_axis(value: TensorValue, is_last: bool) -> int:
    return stored_axis(1, rank_of(value), is_last)


def _loss(call: Call, logarithms: Tensor, axis: int) -> Tensor:
    """Select by a mask, not by a gather, so that a class out of range selects nothing."""
    target = call.tensor(1)
    if target.shape.rank != logarithms.shape.rank - 1:
        raise call.error(
            f"the input has {logarithms.shape.rank} axes and the target {target.shape.rank}; "
            "expected one less"
        )
    ignored = call.attribute("ignore_index")
    kept = tf.ones_like(target, tf.bool) if ignored is None else target != int(ignored)
    classes = tf.shape(logarithms)[axis]
    chosen = tf.one_hot(target, classes, True, False, axis, tf.bool)
    picked = tf.reduce_sum(tf.where(chosen, logarithms, tf.zeros_like(logarithms)), axis)
    weights = tf.cast(kept, logarithms.dtype)
    if call.has(2):
        safe = tf.where(kept, target, tf.zeros_like(target))
        weights *= tf.gather(call.tensor(2), safe)
    losses = -tf.where(kept, picked, tf.zeros_like(picked)) * weights
    return _reduced(call, losses, weights)


def _reduced(call: Call, losses: Tensor, weights: Tensor) -> Tensor:
    reduction = call.choice("reduction", "none", "sum", "mean", default="mean")
    if reduction == "none":
        return losses
    if reduction == "sum":
        return tf.reduce_sum(losses)
    return tf.reduce_sum(losses) / tf.reduce_sum(weights)


# -- one step of an optimizer ----------------------------------------------------------------

Step = Callable[[Call, Tensor, Tensor, Sequence[Tensor]], tuple[Tensor, ...]]


def _optimizer(name: str, states: int, step: Step) -> None:
    """Register an optimizer of rate, count, variables, gradients and groups of states."""

    def convert(call: Call) -> list[LayoutTensor]:
        rate, count, *rest = [model_layout(value) for value in call.all_inputs()]
        groups = 2 + states
        size = len(rest) // groups
        if size * groups != len(rest):
            raise call.error(f"{len(rest)} tensors to update; expected a multiple of {groups}")
        made = [step(call, rate, count, rest[k::size]) for k in range(size)]
        return [LayoutTensor(parts[k]) for k in range(groups - 1) for parts in made]

    convert.__doc__ = step.__doc__
    operator(name, domain=_TRAINING)(convert)


def _number(call: Call, name: str, default: float | None, like: Tensor) -> Tensor:
    value = call.attribute(name, default)
    if value is None:
        raise call.error(f"attribute {name} is missing")
    return tf.cast(value, like.dtype)


def _regularized(call: Call, x: Tensor, gradient: Tensor) -> Tensor:
    return _number(call, "norm_coefficient", 0.0, x) * x + gradient


def _momentum(call: Call, rate: Tensor, count: Tensor, parts: Sequence[Tensor]) -> Any:
    """Compute ``v = alpha v + beta g``, ``x = x - rate v``; Nesterov ``x - rate (g + alpha v)``."""
    x, gradient, velocity = parts
    mode = call.choice("mode", "standard", "nesterov")
    gradient = _regularized(call, x, gradient)
    alpha, beta = _number(call, "alpha", None, x), _number(call, "beta", None, x)
    beta = tf.where(count > 0, beta, tf.ones_like(beta))
    velocity = alpha * velocity + beta * gradient
    way = gradient + alpha * velocity if mode == "nesterov" else velocity
    return x - tf.cast(rate, x.dtype) * way, velocity


def _adagrad(call: Call, rate: Tensor, count: Tensor, parts: Sequence[Tensor]) -> Any:
    """Compute ``h = h + g^2``, ``x = x - rate / (1 + count decay) g / (sqrt(h) + epsilon)``."""
    x, gradient, squares = parts
    gradient = _regularized(call, x, gradient)
    decay = _number(call, "decay_factor", 0.0, x)
    rate = tf.cast(rate, x.dtype) / (1 + tf.cast(count, x.dtype) * decay)
    squares = squares + gradient * gradient
    return x - rate * gradient / (tf.sqrt(squares) + _number(call, "epsilon", 1e-6, x)), squares


def _adam(call: Call, rate: Tensor, count: Tensor, parts: Sequence[Tensor]) -> Any:
    """Compute ``x = x - rate' v / (sqrt(h) + epsilon)`` with running means v of g and h of g^2."""
    x, gradient, mean, squares = parts
    gradient = _regularized(call, x, gradient)
    alpha, beta = _number(call, "alpha", 0.9, x), _number(call, "beta", 0.999, x)
    mean = alpha * mean + (1 - alpha) * gradient
    squares = beta * squares + (1 - beta) * gradient * gradient
    times = tf.cast(tf.maximum(count, tf.ones_like(count)), x.dtype)
    corrected = tf.sqrt(1 - beta**times) / (1 - alpha**times)
    rate = tf.cast(rate, x.dtype) * tf.where(count > 0, corrected, tf.ones_like(corrected))
    x = x - rate * mean / (tf.sqrt(squares) + _number(call, "epsilon", 1e-6, x))
    return (1 - _number(call, "norm_coefficient_post", 0.0, x)) * x, mean, squares


_optimizer("Momentum", 1, _momentum)
_optimizer("Adagrad", 1, _adagrad)
_optimizer("Adam", 2, _adam)


@operator("Gradient", domain=_TRAINING)
def gradient(call: Call) -> list[LayoutTensor]:
    """Compute the derivatives of the value ``y`` by the values ``xs`` at the node's inputs."""
    xs, zs = (tuple(call.attribute(n, ())) for n in ("xs", "zs"))
    values = call.all_inputs()
    if call.run_again is None or len(values) != len(xs) + len(zs):
        raise call.error(f"{len(values)} inputs for {len(xs)} + {len(zs)} names in xs and zs")
    laid = [LayoutTensor(*stored(value)) for value in values]
    by = [part.tensor for part in laid[: len(xs)]]
    with tf.GradientTape() as tape:
        for tensor in by:
            tape.watch(tensor)
        (y,) = call.run_again(dict(zip(xs + zs, laid, strict=True)), [call.attribute("y")])
        if not isinstance(y, LayoutTensor):
            raise call.error("y does not depend on what is fed to the model")
    made = tape.gradient(y.tensor, by, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [LayoutTensor(part, x.channels_last) for part, x in zip(made, laid, strict=False)]
