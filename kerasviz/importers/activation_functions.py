"""Define the activation functions that are recognized, and the operations they are made of.

Numbers are float64 in numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kerasviz.types import Array

#: Where functions are compared: both signs, near 0 and far, at no bend of a known function.
POINTS = np.concatenate([np.linspace(-7.13, 7.19, 47), [-31.7, -0.013, 0.017, 28.3]])
#: Exporters round their constants.
_TOLERANCE = 2e-4
#: A steeper leaky ReLU is no activation: a small number is added to 0.
_LARGEST_LEAK = 0.99

Numbers = Mapping[str, float]
Function = Callable[..., Array]

_erf: Function = np.vectorize(math.erf, otypes=[np.float64])
_erfc: Function = np.vectorize(math.erfc, otypes=[np.float64])


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Array) -> Array:
    y: Array = np.logaddexp(x, 0)
    return y


def _gelu(x: Array) -> Array:
    return x * _erfc(-x / math.sqrt(2)) / 2


def _gelu_tanh(x: Array) -> Array:
    y: Array = x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return y


def _elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _celu(x: Array, alpha: float = 1.0) -> Array:
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def _selu(x: Array) -> Array:
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _sparse_plus(x: Array) -> Array:
    return np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x))


#: Functions without parameters, or with the parameters that libraries use by default.
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "log_sigmoid": lambda x: -_softplus(-x),
    "selu": _selu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_of_keras_2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
}
#: Those that are written out exactly: a maximum with 1e-12 keeps a division finite.
_EXACT = ("relu", "relu6")
_VALUES = {name: f(POINTS) for name, f in FUNCTIONS.items() if name not in _EXACT}


def is_activation(values: Array, slope: float | None = None) -> bool:
    """Return whether the values at :data:`POINTS` are those of an activation function.

    With a ``slope``, which stands for one number per channel, only those of a PReLU are.
    """
    if values.dtype.kind != "f" or values.shape != POINTS.shape:
        return False
    if not np.isfinite(values).all():
        return False
    if any(np.array_equal(values, FUNCTIONS[name](POINTS)) for name in _EXACT):
        return slope is None
    if slope is not None:
        return any(
            _close(values, np.where(POINTS > 0, POINTS, s * POINTS)) for s in (slope, -slope)
        )
    return any(_close(values, known) for known in _VALUES.values()) or _has_parameter(values)


def _close(values: Array, known: Array) -> bool:
    return bool(np.all(np.abs(values - known) <= _TOLERANCE * np.maximum(1, np.abs(known))))


def _has_parameter(values: Array) -> bool:
    """Return whether the values are those of a function with a parameter, read off them."""
    far = POINTS.argmin()
    leak = values[far] / POINTS[far]
    if 0 < leak < _LARGEST_LEAK and _close(values, np.where(POINTS > 0, POINTS, leak * POINTS)):
        return True
    alpha = -values[far]
    if alpha > 0 and (_close(values, _elu(POINTS, alpha)) or _close(values, _celu(POINTS, alpha))):
        return True
    near = POINTS[POINTS > 0].argmin()
    x, y = POINTS[POINTS > 0][near], values[POINTS > 0][near]
    share = y / x
    if not 0 < share < 1:
        return False
    beta = math.log(share / (1 - share)) / x
    return 0.1 < beta < 10 and _close(values, POINTS * _sigmoid(beta * POINTS))


# -- operations ----------------------------------------------------------------------------------


def _clip(numbers: Numbers, x: Array, low: Any = None, high: Any = None) -> Array:
    low = numbers.get("min", -math.inf) if low is None else low
    high = numbers.get("max", math.inf) if high is None else high
    return np.clip(x, low, high)


def _leaky(numbers: Numbers, x: Array) -> Array:
    return np.where(x > 0, x, numbers.get("alpha", 0.01) * x)


def _hard_sigmoid(numbers: Numbers, x: Array) -> Array:
    return np.clip(numbers.get("alpha", 0.2) * x + numbers.get("beta", 0.5), 0, 1)


def _plain(function: Function) -> Function:
    return lambda numbers, *inputs: function(*inputs)


#: What ONNX's elementwise operations compute from their attributes and inputs.
_PLAIN: dict[str, Function] = {
    "Abs": np.abs,
    "Add": np.add,
    "And": np.logical_and,
    "Cast": lambda x: x,
    "Div": np.divide,
    "Dropout": lambda x, *rest: x,
    "Erf": _erf,
    "Erfc": _erfc,
    "Exp": np.exp,
    "Expm1": np.expm1,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Identity": lambda x: x,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Log": np.log,
    "Log1p": np.log1p,
    "Max": lambda *xs: np.max(np.broadcast_arrays(*xs), 0),
    "Min": lambda *xs: np.min(np.broadcast_arrays(*xs), 0),
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "OnesLike": np.ones_like,
    "Or": np.logical_or,
    "Pow": np.power,
    "PRelu": lambda x, slope: np.where(x > 0, x, slope * x),
    "Reciprocal": np.reciprocal,
    "Relu": FUNCTIONS["relu"],
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Selu": _selu,
    "Sigmoid": _sigmoid,
    "Sign": np.sign,
    "Softplus": _softplus,
    "Softsign": FUNCTIONS["softsign"],
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Sub": np.subtract,
    "Sum": lambda *xs: np.sum(np.broadcast_arrays(*xs), 0),
    "Tanh": np.tanh,
    "Where": np.where,
    "ZerosLike": np.zeros_like,
}
COMPUTE: dict[str, Function] = {
    **{name: _plain(function) for name, function in _PLAIN.items()},
    "Celu": lambda numbers, x: _celu(x, numbers.get("alpha", 1.0)),
    "Clip": _clip,
    "Elu": lambda numbers, x: _elu(x, numbers.get("alpha", 1.0)),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky,
}

#: Single operations that are activation functions, whatever their parameters.
ATOMIC = frozenset(
    (
        *("Celu", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu"),
        *("Selu", "Shrink", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu"),
    )
)
