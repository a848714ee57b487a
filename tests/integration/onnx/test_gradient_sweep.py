"""Gradients of every differentiable operator of the onnx backend suite, by finite differences.

All node cases are swept; every operator in them is either checked or named below.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from kerasviz.importers.onnx import read_onnx

Array = Any

#: Operators whose outputs do not move with their inputs, or are no numbers.
NOT_DIFFERENTIABLE = frozenset(
    # comparisons and logic
    "And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor OptionalHasElement "  # noqa: SIM905
    # roundings, and steps
    "Ceil Floor Round Sign Binarizer TreeEnsemble Hardmax "
    # places, counts and shapes
    "ArgMax ArgMin NonMaxSuppression NonZero Shape Size Range "
    # whole numbers and bits
    "BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor ConvInteger MatMulInteger "
    "DynamicQuantizeLinear QLinearConv QLinearMatMul QuantizeLinear "
    # texts, files, random numbers
    "ImageDecoder LabelEncoder RegexFullMatch StringConcat StringNormalizer StringSplit "
    "TfIdfVectorizer Bernoulli "
    # constants, of a shape or a length
    "BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow "
    "MelWeightMatrix "
    # their cases have no floating input that reaches an output
    "If SequenceInsert".split()
)

#: Floating inputs that say where or how many and not how much, or only choose.
NOT_DIFFERENTIABLE_INPUTS: dict[str, tuple[int, ...]] = {
    "Resize": (1, 2),  # region and scales: the shape follows them
    "Upsample": (1,),
    "Dropout": (1,),  # the ratio chooses what is dropped
    "OneHot": (1,),
    "MaxUnpool": (1,),
    "Pad": (2,),  # TensorFlow has no gradient of the number that is padded with
}

#: Parts of names of cases that are no points of a smooth function: to types of a few bits, which
#: are steps, and divisions by 0 and infinity.
NOT_SMOOTH = ("FLOAT8", "FLOAT4", "FLOAT6", "INT2", "INT4", "E8M0", "e8m0", "float_edge_cases")

#: Cases whose numbers are whole ones, though the operator is differentiable: they are made real.
MADE_REAL = frozenset({"Trilu"})

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
NUMBERS = (tf.float16, tf.bfloat16, tf.float32, tf.float64)
STEPS = ((1e-6, 1e-4), (1e-5, 1e-3), (1e-3, 1e-2))  # of the difference, and what may be off


@functools.cache
def cases() -> dict[str, Any]:
    """The node cases, without those that are other cases written out."""
    found = {case.name: case for case in load_model_tests(kind="node")}
    left = ("_expanded", *NOT_SMOOTH)
    return {name: case for name, case in found.items() if not any(part in name for part in left)}


def operators(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield node.op_type
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from operators(attribute.g)


def main_operator(name: str) -> str:
    """The operator that a case is about: the last one of its graph that computes."""
    ops = [op for op in operators(cases()[name].model.graph) if op != "Constant"]
    own = [n.op_type for n in cases()[name].model.graph.node if n.op_type != "Constant"]
    return own[-1] if own else ops[-1] if ops else "Constant"


# -- in double precision ----------------------------------------------------------------------


def _double_type(kind: Any) -> None:
    which = kind.WhichOneof("value")
    if which == "tensor_type" and kind.tensor_type.elem_type in FLOATS:
        kind.tensor_type.elem_type = TensorProto.DOUBLE
    elif which == "sequence_type":
        _double_type(kind.sequence_type.elem_type)
    elif which == "optional_type":
        _double_type(kind.optional_type.elem_type)


def _double_graph(graph: Any) -> None:
    for info in [*graph.input, *graph.output, *graph.value_info]:
        _double_type(info.type)
    for tensor in graph.initializer:
        if tensor.data_type in FLOATS:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _double_graph(attribute.g)
            if attribute.HasField("t") and attribute.t.data_type in FLOATS:
                array = numpy_helper.to_array(attribute.t).astype(np.float64)
                attribute.t.CopyFrom(numpy_helper.from_array(array, attribute.t.name))
            if attribute.name in ("to", "dtype", "stash_type") and attribute.i in FLOATS:
                attribute.i = TensorProto.DOUBLE
            if attribute.name in ("value_float", "value_floats"):
                values = [attribute.f] if attribute.name == "value_float" else attribute.floats
                array = np.array(values, np.float64)
                if attribute.name == "value_float":
                    array = array.reshape(())
                node.attribute.remove(attribute)
                node.attribute.append(
                    helper.make_attribute("value", numpy_helper.from_array(array))
                )
                break


def doubled(model: Any) -> Any:
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    _double_graph(wide.graph)
    return wide


def is_floating(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype in (np.float16, np.float32, np.float64)


def wide_feed(feed: Any) -> Any:
    if isinstance(feed, TensorProto):
        feed = numpy_helper.to_array(feed)
    if isinstance(feed, list):
        return [wide_feed(item) for item in feed]
    if feed is None:
        return None
    array = np.asarray(feed)
    floating = is_floating(array) or array.dtype.name == "bfloat16"
    if not floating:
        return array
    wide = array.astype(np.float64)
    return np.where(np.isfinite(wide), wide, 0.7)  # beyond all numbers there is no gradient


# -- the comparison ---------------------------------------------------------------------------


def leaves(values: Any) -> list[Any]:
    """Tensors of the results: those in sequences too, without absent ones."""
    if isinstance(values, list | tuple):
        return [leaf for value in values for leaf in leaves(value)]
    return [] if values is None else [values]


class Checked:
    """A case in double precision: its score, and its gradient with respect to an input."""

    def __init__(self, name: str, folder: Path):
        case = cases()[name]
        path = folder / "double.onnx"
        model = doubled(case.model)
        feeds, _ = case.data_sets[0]
        self.feeds = [wide_feed(feed) for feed in feeds]
        if main_operator(name) in MADE_REAL:
            self.feeds[0] = self.feeds[0].astype(np.float64)
            for info in (model.graph.input[0], *model.graph.output):
                info.type.tensor_type.elem_type = TensorProto.DOUBLE
        path.write_bytes(model.SerializeToString())
        self.program = read_onnx(path).program
        self.names = list(self.program.inputs)
        self.weights: list[Array] = []

    def inputs(self) -> list[int]:
        return [k for k, feed in enumerate(self.feeds) if is_floating(feed) and feed.size]

    def score(self, feeds: Sequence[Any]) -> Any:
        given = dict(zip(self.names, feeds, strict=True))
        found = self.program.compute(given, self.program.outputs, channels_last=False)
        made = [t for t in leaves(list(found.values())) if t.dtype in NUMBERS]
        if not self.weights:
            rng = np.random.default_rng(4)
            self.weights = [rng.normal(size=t.shape) for t in made]
        assert [t.shape for t in made] == [w.shape for w in self.weights]
        parts = [
            tf.reduce_sum(tf.where(tf.math.is_finite(t), tf.cast(t, tf.float64) * w, 0.0))
            for t, w in zip(made, self.weights, strict=True)
        ]
        return tf.add_n(parts) if parts else None

    def jittered(self, rng: Any, size: float) -> list[Any]:
        """The inputs a little away from where they are, as ties and corners are no places."""
        return [
            feed + size * rng.uniform(-1, 1, feed.shape) if is_floating(feed) else feed
            for feed in self.feeds
        ]

    def error(self, index: int, feeds: list[Any], rng: Any) -> tuple[float, float]:
        """How far the gradient is off, in units of what may be, and how long it is."""
        x = tf.constant(feeds[index])
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = self.score([*feeds[:index], x, *feeds[index + 1 :]])
        if total is None:
            return 0.0, 0.0
        slope = tape.gradient(total, x)
        gradient = np.zeros(x.shape) if slope is None else tf.convert_to_tensor(slope).numpy()
        if not np.isfinite(gradient).all():
            return np.inf, 0.0
        way = rng.normal(size=x.shape)
        along = float((gradient * way).sum())
        worst = []
        for step, room in STEPS:
            ends = [
                float(self.score([*feeds[:index], x + s * way, *feeds[index + 1 :]]))
                for s in (step, -step)
            ]
            measured = (ends[0] - ends[1]) / (2 * step)
            scale = np.linalg.norm(gradient) + abs(measured) + 1e-6 * abs(ends[0]) + 1e-7
            worst.append(abs(measured - along) / (room * scale))
            if worst[-1] <= 1:
                break
        return min(worst), float(np.linalg.norm(gradient))


def check(name: str, folder: Path) -> dict[int, float]:
    """The lengths of the gradients by input; a gradient that is wrong fails."""
    checked = Checked(name, folder)
    skipped = NOT_DIFFERENTIABLE_INPUTS.get(main_operator(name), ())
    lengths = {}
    for index in checked.inputs():
        if index in skipped:
            continue
        errors = []
        for attempt in range(9):
            rng = np.random.default_rng(attempt)
            feeds = checked.jittered(rng, 10.0 ** -(2 + attempt % 3))
            for k in skipped:
                if k < len(feeds):
                    feeds[k] = checked.feeds[k]
            off, length = checked.error(index, feeds, rng)
            errors.append(off)
            if off <= 1:
                break
        assert min(errors) <= 1, f"{name}: input {index}: off by {errors}"
        lengths[index] = length
    return lengths


# -- the tests --------------------------------------------------------------------------------


def by_operator() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(cases()):
        found.setdefault(main_operator(name), []).append(name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("op", sorted(set(by_operator()) - NOT_DIFFERENTIABLE))
def test_gradients(op: str, tmp_path: Path) -> None:
    """Every floating input of every case, and at least one that matters."""
    lengths: dict[str, float] = {}
    for name in by_operator()[op]:
        lengths[name] = max(check(name, tmp_path).values(), default=0.0)
    assert max(lengths.values()) > 0, f"no case of {op} has an input with a gradient"


def test_every_operator_is_checked_or_named() -> None:
    """An operator that is new in the suite is swept; a name that is gone is taken off."""
    known = set(by_operator())
    assert known >= NOT_DIFFERENTIABLE
    assert known >= set(NOT_DIFFERENTIABLE_INPUTS)
    assert known >= MADE_REAL
    inside = {op for name in cases() for op in operators(cases()[name].model.graph)}
    helpers = {"Add", "Identity", "Mul", "Optional", "SequenceConstruct", "SequenceEmpty"}
    print(f"{len(known - NOT_DIFFERENTIABLE)} operators swept, {len(NOT_DIFFERENTIABLE)} named")
    left = inside - known - helpers
    assert not left, f"in graphs of other operators only: {sorted(left)}"


def test_a_wrong_gradient_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself can fail."""

    @tf.custom_gradient
    def wrong(x: Any) -> Any:
        return tf.sin(x), lambda upstream: upstream * tf.sin(x)

    from kerasviz.importers.onnx import registry

    (entry,) = registry._TABLE["", "Sin"]
    monkeypatch.setitem(
        registry._TABLE,
        ("", "Sin"),
        [replace(entry, convert=lambda call: _laid(wrong, call))],
    )
    with pytest.raises(AssertionError, match="test_sin: input 0: off by"):
        check("test_sin", tmp_path)


def _laid(function: Any, call: Any) -> Any:
    from kerasviz.importers.onnx.layout import LayoutTensor, model_layout

    return LayoutTensor(function(model_layout(call.input())))
