"""Write recurrent ONNX nodes as Keras' LSTM, GRU and SimpleRNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasviz.errors import ModelError
from kerasviz.importers.onnx.layout import Constant
from kerasviz.types import Array

_DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
#: ONNX's activations without parameters, as Keras names them.
_ACTIVATIONS = {
    "relu": "relu",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "softsign": "softsign",
    "tanh": "tanh",
}
#: The order of Keras' gates among ONNX's: i, o, f, c become i, f, c, o; GRU has z, r, h in both.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}


def recurrent_layers(build: Any, marks: Any, node: Any, constants: Mapping[str, Any]) -> None:
    """Add a layer for each direction of a node.

    Raises :class:`ModelError` for what Keras' layers do not have.
    """
    _check(node, constants)
    mode = node.attributes.get("direction", "forward")
    backwards = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[mode]
    x = ops.transpose(marks.input(), (1, 0, 2))  # [batch, steps, inputs]
    every, last = [], []
    for index, backward in enumerate(backwards):
        layer = _layer(build, node, index, backward, len(backwards), constants)
        y, *states = layer["layer"](x)
        layer["layer"].set_weights(layer["weights"])
        every.append(ops.flip(y, 1) if backward else y)
        last.append(states)
    batch_first = bool(node.attributes.get("layout", 0))
    # [batch, steps, directions, hidden], or [steps, directions, batch, hidden]
    stacked = ops.stack(every, 2)
    results = [stacked if batch_first else ops.transpose(stacked, (1, 2, 0, 3))]
    results += [ops.stack(parts, 1 if batch_first else 0) for parts in zip(*last, strict=True)]
    for k, result in enumerate(results):
        key = marks.key(f"marked_output_{k}")
        if key is not None:
            build.supply(key, result)


def _check(node: Any, constants: Mapping[str, Any]) -> None:
    def given(index: int) -> bool:
        return index < len(node.inputs) and bool(node.inputs[index])

    def is_zero(index: int) -> bool:
        value = constants.get(node.inputs[index])
        return isinstance(value, Constant) and not value.array.any()

    missing = [
        *(["lengths of sequences"] if given(4) else []),
        *(["initial states"] if any(given(k) and not is_zero(k) for k in (5, 6)) else []),
        *(["peepholes"] if given(7) and not is_zero(7) else []),
        *(["clip"] if "clip" in node.attributes else []),
        *(["input_forget"] if node.attributes.get("input_forget") else []),
        *(
            ["weights that depend on the data"]
            if any(
                given(k) and not isinstance(constants.get(node.inputs[k]), Constant)
                for k in (1, 2, 3)
            )
            else []
        ),
    ]
    if missing:
        raise ModelError(
            f"{node} has {' and '.join(missing)}, which Keras' {_name(node.op)} has not; "
            "--to saved_model works"
        )


def _name(op: str) -> str:
    return "SimpleRNN" if op == "RNN" else op


def _layer(
    build: Any, node: Any, index: int, backward: bool, count: int, constants: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the layer of one direction and its weights."""
    kernel, recurrent = (constants[node.inputs[k]].array[index] for k in (1, 2))
    hidden = recurrent.shape[1]
    biases = np.zeros((2, kernel.shape[0]), kernel.dtype)
    if len(node.inputs) > 3 and node.inputs[3]:
        biases = constants[node.inputs[3]].array[index].reshape(2, -1)
    functions = _functions(node, index, count)
    options: dict[str, Any] = {"activation": functions[-1]}
    if node.op != "RNN":
        options["recurrent_activation"] = functions[0]
    after = bool(node.attributes.get("linear_before_reset", 0))
    if node.op == "GRU":
        options["reset_after"] = after
    suffix = ("_forward", "_backward")[backward] if count > 1 else ""
    layer = getattr(keras.layers, _name(node.op))(
        hidden,
        return_sequences=True,
        return_state=True,
        go_backwards=backward,
        name=build.free_base(f"{node.name or node.outputs[0] or node.op}.{node.op}{suffix}"),
        dtype=str(kernel.dtype),
        **options,
    )
    turned = [_in_order(a, node.op).T for a in (kernel, recurrent)]
    ordered = _in_order(biases.T, node.op).T
    bias = ordered if node.op == "GRU" and after else ordered.sum(0)
    return {"layer": layer, "weights": [*turned, bias]}


def _in_order(rows: Array, op: str) -> Array:
    """Return the rows of the gates in Keras' order."""
    gates = np.split(rows, len(_GATES[op]))
    return np.concatenate([gates[k] for k in _GATES[op]])


def _functions(node: Any, index: int, count: int) -> Sequence[str]:
    """Return Keras' names of one direction's activations."""
    default = _DEFAULTS[node.op]
    names = node.attributes.get("activations") or default * count
    chosen = [str(n).lower() for n in names[index * len(default) : (index + 1) * len(default)]]
    unknown = [name for name in chosen if name not in _ACTIVATIONS]
    if unknown or len(chosen) != len(default) or (node.op == "LSTM" and chosen[1] != chosen[2]):
        raise ModelError(
            f"{node} has the activations {', '.join(chosen)}, which Keras' {_name(node.op)} cannot "
            "have; --to saved_model works"
        )
    return [_ACTIVATIONS[name] for name in chosen]
