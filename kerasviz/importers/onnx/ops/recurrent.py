"""Convert recurrent layers: RNN, GRU and LSTM.

All inner values are [batch, ...]; the products with the inputs are computed for all steps at once.
A short sequence of known length is unrolled, any other one runs in ``tf.while_loop``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import Constant, LayoutTensor, TensorValue, model_layout
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Tensor

Function = Callable[[Tensor], Tensor]
#: From products with the input and old states to new states, the first of which is the output.
Cell = Callable[[Tensor, Sequence[Tensor]], tuple[Tensor, ...]]

#: Steps of the longest sequence that is unrolled in a trace.
_LONGEST = 48

#: Activations: a function of (x, alpha, beta), and defaults of the parameters that it has.
_ACTIVATIONS: dict[str, tuple[Callable[..., Tensor], tuple[float, ...]]] = {
    "affine": (lambda x, a, b: a * x + b, (1.0, 0.0)),
    "elu": (lambda x, a: tf.where(x > 0, x, a * tf.math.expm1(tf.minimum(x, 0))), (1.0,)),
    "hardsigmoid": (lambda x, a, b: tf.clip_by_value(a * x + b, 0, 1), (0.2, 0.5)),
    "leakyrelu": (lambda x, a: tf.where(x < 0, a * x, x), (0.01,)),
    "relu": (tf.nn.relu, ()),
    "scaledtanh": (lambda x, a, b: a * tf.tanh(b * x), (1.0, 1.0)),
    "sigmoid": (tf.sigmoid, ()),
    "softplus": (tf.nn.softplus, ()),
    "softsign": (tf.nn.softsign, ()),
    "tanh": (tf.tanh, ()),
    "thresholdedrelu": (lambda x, a: tf.where(x > a, x, tf.zeros_like(x)), (1.0,)),
}


def _functions(call: Call, default: Sequence[str], directions: int) -> list[list[Function]]:
    """Return the activations of each direction; those with parameters take them in order."""
    names = call.attribute("activations") or tuple(default) * directions
    if len(names) != len(default) * directions:
        raise call.error(f"{len(names)} activations; expected {len(default) * directions}")
    alphas = list(call.attribute("activation_alpha") or ())
    betas = list(call.attribute("activation_beta") or ())
    made: list[Function] = []
    for name in names:
        if name.lower() not in _ACTIVATIONS:
            raise call.error(f"activation {name!r}; expected one of {', '.join(_ACTIVATIONS)}")
        apply, defaults = _ACTIVATIONS[name.lower()]
        given = [
            float(pool.pop(0)) if pool else number
            for pool, number in zip((alphas, betas), defaults, strict=False)
        ]
        # onnxruntime clips the inputs of gates, not the cell state before the third function
        clip = call.attribute("clip") if len(made) % len(default) < 2 else None
        made.append(_clipped(apply, given, clip))
    return [made[k : k + len(default)] for k in range(0, len(made), len(default))]


def _clipped(apply: Callable[..., Tensor], numbers: list[float], clip: float | None) -> Function:
    if clip is None:
        return lambda x: apply(x, *numbers)
    return lambda x: apply(tf.clip_by_value(x, -float(clip), float(clip)), *numbers)


@dataclass(frozen=True)
class _Direction:
    """Hold the weights of one direction, ready to multiply from the right.

    ``rounded`` is applied to the last output before it is multiplied by ``recurrent``.
    """

    kernel: Tensor  # [inputs, gates * hidden]
    recurrent: Tensor  # [hidden, gates * hidden]
    bias: Tensor  # [gates * hidden], of the products with the input
    recurrent_bias: Tensor
    functions: list[Function]
    hidden: int
    rounded: Function = tf.identity


def _rows(value: TensorValue, direction: int, *, turned: bool = False) -> Tensor:
    """Return the entry of one direction on the first axis; ``turned`` transposes it."""

    def make(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        row: np.ndarray[Any, Any] = array[direction]
        return row.T if turned else row

    if isinstance(value, Constant):
        return value.tensor(("direction", direction, turned), make)
    row = model_layout(value)[direction]
    return tf.transpose(row) if turned else row


def _direction(call: Call, index: int, functions: list[Function]) -> _Direction:
    recurrent = _rows(call.input(2), index, turned=True)
    hidden = int(call.attribute("hidden_size") or recurrent.shape[0])
    wide = recurrent.shape[1]
    bias = _rows(call.input(3), index) if call.has(3) else tf.zeros([2 * wide], recurrent.dtype)
    kernel = _rows(call.input(1), index, turned=True)
    return _Direction(kernel, recurrent, bias[:wide], bias[wide:], functions, hidden)


def _recurrent(
    call: Call,
    default: Sequence[str],
    cell_of: Callable[[Call, _Direction, int], tuple[Cell, Tensor]],
    initial: Sequence[int],
) -> list[LayoutTensor]:
    """Run all steps of all directions; ``initial`` are the inputs with initial states."""
    batch_first = bool(call.attribute("layout", 0))
    x = call.tensor()
    x = tf.transpose(x, [1, 0, 2]) if batch_first else x
    x = tf.identity(x, "marked_input")  # exporters find the borders of the layer by these names
    mode = call.choice("direction", "forward", "reverse", "bidirectional")
    backwards = [mode == "reverse", True][: 2 if mode == "bidirectional" else 1]
    lengths = tf.cast(call.tensor(4), tf.int32) if call.has(4) else None
    every, last = [], []
    for index, functions in enumerate(_functions(call, default, len(backwards))):
        weights = _direction(call, index, functions)
        cell, bias = cell_of(call, weights, index)
        steps = tf.tensordot(x, weights.kernel, 1) + bias
        states = [_start(call, k, index, x, weights.hidden, batch_first) for k in initial]
        steps = _turned(steps, lengths) if backwards[index] else steps
        outputs, held = _steps(cell, steps, states, lengths)
        every.append(_turned(outputs, lengths) if backwards[index] else outputs)
        last.append(held)
    stacked = tf.stack(every, 2 if batch_first else 1)  # [T, B, D, H] or [T, D, B, H]
    y = tf.transpose(stacked, [1, 0, 2, 3]) if batch_first else stacked
    ends = [tf.stack(states, 1 if batch_first else 0) for states in zip(*last, strict=True)]
    return [
        LayoutTensor(tf.identity(output, f"marked_output_{k}"))
        for k, output in enumerate([y, *ends])
    ]


def _start(
    call: Call, index: int, direction: int, x: Tensor, hidden: int, batch_first: bool
) -> Tensor:
    """Return a state before the first step: [batch, hidden]."""
    shape = [tf.shape(x)[1] if x.shape[1] is None else x.shape[1], hidden]
    if not call.has(index):
        return tf.zeros(shape, x.dtype)
    given = call.tensor(index)
    given = given[:, direction] if batch_first else given[direction]
    return given if given.shape == shape else tf.broadcast_to(given, shape)


def _turned(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse the steps, each sequence within its own length."""
    if lengths is None:
        return tf.reverse(x, [0])
    return tf.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1)


def _steps(
    cell: Cell, steps: Tensor, states: list[Tensor], lengths: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """Run all steps; return the outputs, 0 beyond the end of a sequence, and the last states."""

    def advance(k: Any, row: Tensor, held: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        made = cell(row, held)
        if lengths is None:
            return made[0], list(made)
        alive = (k < lengths)[:, None]
        kept = [tf.where(alive, new, old) for new, old in zip(made, held, strict=True)]
        return tf.where(alive, made[0], tf.zeros_like(made[0])), kept

    count = steps.shape[0]
    if count and (tf.executing_eagerly() or count <= _LONGEST):
        outputs = []
        for k, row in enumerate(tf.unstack(steps, axis=0)):
            output, states = advance(k, row, states)
            outputs.append(output)
        return tf.stack(outputs), states
    total = tf.shape(steps)[0]
    rows = tf.TensorArray(steps.dtype, total, element_shape=states[0].shape)

    def body(k: Tensor, held: Any, filled: Any) -> Any:
        output, new = advance(k, steps[k], held)
        return k + 1, new, filled.write(k, output)

    _, held, filled = tf.while_loop(
        lambda k, *_: k < total,
        body,
        (tf.constant(0), states, rows),
        shape_invariants=(tf.TensorShape(()), [s.shape for s in states], tf.TensorShape(None)),
    )
    outputs = tf.reshape(filled.stack(), tf.concat([[total], tf.shape(states[0])], 0))
    outputs.set_shape([count, *states[0].shape])
    return outputs, held


# -- the three cells -----------------------------------------------------------------------------


@operator("RNN")
def rnn(call: Call) -> list[LayoutTensor]:
    """Compute ``h' = f(x W + h R + b)``."""

    def cell_of(_: Call, d: _Direction, index: int) -> tuple[Cell, Tensor]:
        (f,) = d.functions
        return lambda row, held: (f(row + held[0] @ d.recurrent),), d.bias + d.recurrent_bias

    return _recurrent(call, ("Tanh",), cell_of, (5,))


@operator("GRU")
def gru(call: Call) -> list[LayoutTensor]:
    """Compute ``h' = (1 - z) g(x W + (r h) R + b) + z h`` with gates z and r.

    With ``linear_before_reset`` the gate is applied after the product: ``r (h R + b)``.
    """
    return _recurrent(call, ("Sigmoid", "Tanh"), _gru_cell, (5,))


def _gru_cell(call: Call, d: _Direction, _: int) -> tuple[Cell, Tensor]:
    f, g = d.functions
    gates = 2 * d.hidden
    behind = bool(call.attribute("linear_before_reset", 0))
    bias = d.bias + tf.concat([d.recurrent_bias[:gates], d.recurrent_bias[gates:] * 0], 0)
    gate_kernel, new_kernel = d.recurrent[:, :gates], d.recurrent[:, gates:]

    def cell(row: Tensor, held: Sequence[Tensor]) -> tuple[Tensor, ...]:
        h = held[0]
        z, r = tf.split(f(row[:, :gates] + h @ gate_kernel), 2, 1)
        if behind:
            inner = r * (h @ new_kernel + d.recurrent_bias[gates:])
        else:
            inner = (r * h) @ new_kernel + d.recurrent_bias[gates:]
        return ((1 - z) * g(row[:, gates:] + inner) + z * h,)

    return cell, bias


@operator("LSTM")
def lstm(call: Call) -> list[LayoutTensor]:
    """Compute ``c' = f c + i g(x W + h R + b)`` and ``h' = o h(c')`` with gates i, o and f.

    Peepholes add ``p c`` to the gates; ``input_forget`` sets ``f = 1 - i``.
    """
    return long_short(call, tf.identity)


def long_short(call: Call, rounded: Function) -> list[LayoutTensor]:
    """Run an LSTM in which every output passes through ``rounded`` before it is multiplied."""

    def cell_of(call: Call, d: _Direction, index: int) -> tuple[Cell, Tensor]:
        return _lstm_cell(call, replace(d, rounded=rounded), index)

    return _recurrent(call, ("Sigmoid", "Tanh", "Tanh"), cell_of, (5, 6))


def _lstm_cell(call: Call, d: _Direction, index: int) -> tuple[Cell, Tensor]:
    f, g, h = d.functions
    holes = tf.split(_rows(call.input(7), index), 3) if call.has(7) else (0, 0, 0)
    coupled = bool(call.attribute("input_forget", 0))

    def cell(row: Tensor, held: Sequence[Tensor]) -> tuple[Tensor, ...]:
        last, memory = held
        i, o, forget, new = tf.split(row + d.rounded(last) @ d.recurrent, 4, 1)
        i = f(i + holes[0] * memory)
        forget = 1 - i if coupled else f(forget + holes[2] * memory)
        memory = forget * memory + i * g(new)
        return f(o + holes[1] * memory) * h(memory), memory

    return cell, d.bias + d.recurrent_bias
