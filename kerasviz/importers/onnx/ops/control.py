"""Convert control flow: If, Loop and Scan.

In an eager run every condition is known: a branch is chosen, a loop runs in Python. In a trace a
condition that depends on the data becomes ``tf.cond`` or ``tf.while_loop``, with all values in the
model's layout. Short loops of known length are unrolled, which keeps shapes and sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers.onnx.layout import (
    Constant,
    DataDependent,
    LayoutTensor,
    OnnxValue,
    SequenceValue,
    TensorValue,
    model_layout,
    model_shape,
)
from kerasviz.importers.onnx.registry import Call, body_outputs, operator
from kerasviz.types import Tensor

#: One round: from its number and the states to (condition, new states, rows to stack).
Round = Callable[[Any, Sequence[OnnxValue]], tuple[Any, list[OnnxValue], list[OnnxValue]]]

#: Nodes of the longest loop that is unrolled in a trace.
_LONGEST = 256
#: Rounds of the longest loop in Python, about a minute: a damaged file may ask for 2^40.
_ENDLESS = 10_000

_moved = tf.experimental.numpy.moveaxis


# -- If ------------------------------------------------------------------------------------------


@operator("If")
def if_(call: Call) -> list[OnnxValue | None]:
    """Compute the outputs of one of two branches."""
    condition = call.input()
    known = _known(condition)
    if known is not None:
        return list(body_outputs(call, "then_branch" if known.reshape(-1)[0] else "else_branch"))
    shapes: list[list[Any]] = []

    def branch(name: str) -> list[Tensor]:
        outputs = body_outputs(call, name)
        shapes.append([_form(value) for value in outputs])
        if shapes[0] != shapes[-1]:
            raise DataDependent("the two branches give sequences of unequal length")
        return [tensor for value in outputs for tensor in _flat(value)]

    test = _scalar(condition)
    tensors = iter(tf.cond(test, lambda: branch("then_branch"), lambda: branch("else_branch")))
    return [_rebuilt(form, tensors) for form in shapes[0]]


def _known(value: OnnxValue | None) -> Any:
    """Return the value of a tensor as numpy if it is already known."""
    if isinstance(value, Constant):
        return value.array
    static = tf.get_static_value(value.tensor) if isinstance(value, LayoutTensor) else None
    return None if static is None else np.asarray(static)


def _scalar(value: TensorValue) -> Tensor:
    """Return a tensor of one entry without axes, constant where it is known."""
    known = _known(value)
    return tf.reshape(model_layout(value), ()) if known is None else tf.constant(known.reshape(()))


def _form(value: OnnxValue) -> Any:
    """Return ``None`` for a tensor, a list of forms for a sequence."""
    if isinstance(value, SequenceValue):
        return [_form(item) for item in value.items]
    return None if isinstance(value, LayoutTensor | Constant) else "absent"


def _flat(value: OnnxValue) -> list[Tensor]:
    if isinstance(value, SequenceValue):
        return [tensor for item in value.items for tensor in _flat(item)]
    return [_tensor(value)]


def _rebuilt(form: Any, tensors: Any) -> OnnxValue:
    if isinstance(form, list):
        return SequenceValue(tuple(_rebuilt(part, tensors) for part in form))
    return LayoutTensor(next(tensors))


def _tensor(value: OnnxValue) -> Tensor:
    """Return a tensor in the model's layout; other values cannot pass through a loop in a graph."""
    if isinstance(value, LayoutTensor | Constant):
        return model_layout(value)
    raise DataDependent("a sequence or an optional goes through control flow that depends on data")


# -- Loop ----------------------------------------------------------------------------------------


@operator("Loop")
def loop(call: Call) -> list[OnnxValue | None]:
    """Compute the body while its condition holds, at most as often as the trip count."""
    trips = _scalar(call.input(0)) if call.has(0) else None
    go_on = _scalar(call.input(1)) if call.has(1) else tf.constant(True)
    states = [call.value(k) for k in range(2, len(call.inputs))]

    def step(k: Any, held: Sequence[OnnxValue]) -> tuple[Any, list[OnnxValue], list[OnnxValue]]:
        number = Constant(np.asarray(k, np.int64)) if isinstance(k, int) else LayoutTensor(k)
        condition, *made = body_outputs(call, "body", number, Constant(np.asarray(True)), *held)
        if trips is None and isinstance(condition, Constant) and condition.array.all():
            raise call.error("it has no trip count and its condition is always true: no end")
        return condition, made[: len(states)], made[len(states) :]

    stacked = len(call.attribute("body").outputs) - 1 - len(states)
    held, outputs = _run(call, step, trips, go_on, states, stacked)
    return [*held, *outputs]


def _run(
    call: Call,
    step: Round,
    trips: Tensor | None,
    go_on: Tensor,
    states: list[OnnxValue],
    stacked: int,
) -> tuple[list[OnnxValue], list[LayoutTensor]]:
    """Run all rounds; return the last states and the stacked outputs."""
    count = None if trips is None else tf.get_static_value(trips)
    started = tf.get_static_value(go_on)
    is_open = started is None or (trips is not None and count is None)
    long = count is not None and int(count) * len(call.attribute("body").nodes) > _LONGEST
    lists = any(not isinstance(s, LayoutTensor | Constant) for s in states)
    if tf.executing_eagerly() or not (is_open or (long and not lists)):
        try:
            limit = None if count is None else int(count)
            return _in_python(step, limit if started else 0, states, stacked)
        except _Undecided:
            pass
    return _in_graph(step, trips, go_on, [_tensor(s) for s in states], stacked)


class _Undecided(Exception):
    """Signal that only the data decides whether the loop continues."""


def _in_python(
    step: Round, count: int | None, states: list[OnnxValue], stacked: int
) -> tuple[list[OnnxValue], list[LayoutTensor]]:
    rows: list[list[OnnxValue]] = []
    given = states
    while count is None or len(rows) < count:
        if len(rows) == _ENDLESS:
            raise ValueError(f"the loop has not ended after {_ENDLESS} rounds")
        condition, states, outputs = step(len(rows), states)
        rows.append(outputs)
        known = _known(condition)
        if known is None and len(rows) != count:
            raise _Undecided
        if known is not None and not known.all():
            break
    if rows:
        columns = zip(*rows, strict=True)
        return states, [LayoutTensor(tf.stack([_tensor(v) for v in column])) for column in columns]
    if not stacked:
        return states, []
    *_, specs = _traced(step, [_spec(_tensor(s)) for s in given])
    return states, [LayoutTensor(tf.zeros([0, *(n or 0 for n in s.shape)], s.dtype)) for s in specs]


def _spec(tensor: Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def _traced(
    step: Round, specs: list[tf.TensorSpec]
) -> tuple[tf.TensorSpec, list[tf.TensorSpec], list[tf.TensorSpec]]:
    """Return the specs of what one round computes from states with the given specs."""

    def once(k: Tensor, *states: Tensor) -> Any:
        condition, held, outputs = step(k, [LayoutTensor(s) for s in states])
        return model_layout(condition), [_tensor(v) for v in held], [_tensor(v) for v in outputs]

    number = tf.TensorSpec((), tf.int64)
    traced = tf.function(once, autograph=False).get_concrete_function(number, *specs)
    condition, held, outputs = traced.structured_outputs
    return _spec(condition), [_spec(t) for t in held], [_spec(t) for t in outputs]


def _wider(a: Any, b: Any) -> tf.TensorShape:
    return tf.TensorShape(a).most_specific_compatible_shape(tf.TensorShape(b))


def _in_graph(
    step: Round, trips: Tensor | None, go_on: Tensor, states: list[Tensor], stacked: int
) -> tuple[list[OnnxValue], list[LayoutTensor]]:
    """Run ``tf.while_loop``; lengths that a round changes are left free."""
    specs = [_spec(t) for t in states]
    while True:  # ends, since shapes only get wider
        _, made, outputs = _traced(step, specs)
        wide = [_wider(s.shape, m.shape) for s, m in zip(specs, made, strict=True)]
        if all(w == s.shape for w, s in zip(wide, specs, strict=True)):
            break
        specs = [tf.TensorSpec(w, s.dtype) for w, s in zip(wide, specs, strict=True)]
    arrays = [tf.TensorArray(s.dtype, 0, dynamic_size=True, element_shape=s.shape) for s in outputs]

    def more(k: Tensor, condition: Tensor, *_: Any) -> Tensor:
        return (
            condition if trips is None else tf.logical_and(k < tf.cast(trips, k.dtype), condition)
        )

    def body(k: Tensor, _: Tensor, held: Any, filled: Any) -> Any:
        condition, new, rows = step(k, [LayoutTensor(t) for t in held])
        place = tf.cast(k, tf.int32)
        written = [a.write(place, _tensor(r)) for a, r in zip(filled, rows, strict=True)]
        return k + 1, tf.reshape(model_layout(condition), ()), [_tensor(v) for v in new], written

    zero = tf.constant(0, tf.int64)
    rounds, _, held, filled = tf.while_loop(
        more,
        body,
        (zero, go_on, states, arrays),
        shape_invariants=(
            zero.shape,
            tf.TensorShape(()),
            [s.shape for s in specs],
            [tf.TensorShape(None)] * stacked,
        ),
    )
    return [LayoutTensor(t) for t in held], [
        LayoutTensor(_stack(a, s, rounds)) for a, s in zip(filled, outputs, strict=True)
    ]


def _stack(array: Any, spec: tf.TensorSpec, rounds: Tensor) -> Tensor:
    """Stack all rows; without a round the stack is empty, with 0 for free lengths."""
    if spec.shape.is_fully_defined() or spec.shape.rank is None:
        return array.stack()
    empty = tf.zeros([0, *(n or 0 for n in spec.shape)], spec.dtype)
    return tf.cond(rounds > 0, array.stack, lambda: empty)


# -- Scan ----------------------------------------------------------------------------------------


@operator("Scan", since=9)
def scan(call: Call) -> list[OnnxValue | None]:
    """Compute the body for each entry along the axes of the scanned inputs, in either direction."""
    scanned = int(call.attribute("num_scan_inputs"))
    data = call.all_inputs()
    states, inputs = data[: len(data) - scanned], data[len(data) - scanned :]
    outputs = len(call.attribute("body").outputs) - len(states)
    axes = call.attribute("scan_input_axes") or (0,) * scanned
    backwards = call.attribute("scan_input_directions") or (0,) * scanned
    rows = [
        _turned(_moved(model_layout(x), int(axis), 0), way)
        for x, axis, way in zip(inputs, axes, backwards, strict=True)
    ]
    held, stacks = _scanned(call, list(states), rows, outputs)
    out_axes = call.attribute("scan_output_axes") or (0,) * outputs
    out_ways = call.attribute("scan_output_directions") or (0,) * outputs
    turned = [
        LayoutTensor(_moved(_turned(model_layout(x), way), 0, int(axis)))
        for x, axis, way in zip(stacks, out_axes, out_ways, strict=True)
    ]
    return [*held, *turned]


def _turned(x: Tensor, backwards: int) -> Tensor:
    return tf.reverse(x, [0]) if backwards else x


def _scanned(
    call: Call, states: list[OnnxValue], rows: list[Tensor], outputs: int
) -> tuple[list[OnnxValue], list[LayoutTensor]]:
    def step(k: Any, held: Sequence[OnnxValue]) -> tuple[Any, list[OnnxValue], list[OnnxValue]]:
        place = k if isinstance(k, int) else tf.cast(k, tf.int32)
        made = body_outputs(call, "body", *held, *(LayoutTensor(row[place]) for row in rows))
        return Constant(np.asarray(True)), made[: len(states)], made[len(states) :]

    count = model_shape(LayoutTensor(rows[0]))[0]
    trips = tf.convert_to_tensor(count, tf.int64)
    return _run(call, step, trips, tf.constant(True), states, outputs)


@operator("Scan", since=8)
def scan_8(call: Call) -> list[OnnxValue | None]:
    """Compute the scan along axis 1 for every entry of a batch on axis 0."""
    scanned = int(call.attribute("num_scan_inputs"))
    data = [call.input(k) for k in range(1, len(call.inputs))]
    states, inputs = data[: len(data) - scanned], data[len(data) - scanned :]
    outputs = len(call.attribute("body").outputs) - len(states)
    ways = call.attribute("directions") or (0,) * scanned
    batch, whole = model_shape(inputs[0])[:2]
    if not isinstance(batch, int):
        raise DataDependent("the number of entries in the batch depends on the data")
    lengths = call.constant(0, "the lengths of the scans")
    results = []
    for b in range(batch):
        length = None if lengths is None else int(lengths[b])
        rows = [
            _turned(model_layout(x)[b, :length], way) for x, way in zip(inputs, ways, strict=True)
        ]
        held, stacks = _scanned(
            call, [LayoutTensor(model_layout(s)[b]) for s in states], rows, outputs
        )
        full = [
            _filled(model_layout(x), whole) if length is not None else model_layout(x)
            for x in stacks
        ]
        results.append([*(_tensor(h) for h in held), *full])
    return [LayoutTensor(tf.stack(column)) for column in zip(*results, strict=True)]


def _filled(x: Tensor, length: Any) -> Tensor:
    """Fill ``x`` with zeros at the end up to ``length`` entries."""
    missing = length - tf.shape(x, out_type=tf.int64)[0]
    return tf.pad(x, [[0, missing], *([[0, 0]] * (x.shape.rank - 1))])
