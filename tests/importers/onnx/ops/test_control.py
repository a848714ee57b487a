"""If, Loop, Scan, sequences and optionals: eager, traced, and with gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from onnx import parser

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx.program import OnnxProgram


def oracle(path: Path, names: list[str], feeds: dict[str, Any]) -> list[Any]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return list(session.run(names, feeds))


def model(path: Path, text: str, opset: int = 17) -> OnnxProgram:
    """A model in ONNX's text form."""
    made = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> {text}')
    path.write_bytes(made.SerializeToString())
    return read_onnx(path).program


def check(path: Path, text: str, feeds: dict[str, Any], *, opset: int = 17) -> None:
    """Eagerly, traced with fixed and with free shapes: the same as onnxruntime."""
    program = model(path, text, opset)
    names = list(program.outputs)
    wanted = oracle(path, names, feeds)

    def run(**given: Any) -> Any:
        return program.compute(given, names, channels_last=False)

    for free in (None, False, True):
        if free is None:
            found = run(**feeds)
        else:
            specs = {
                n: tf.TensorSpec([None] * np.ndim(a) if free else np.shape(a), a.dtype)
                for n, a in feeds.items()
            }
            traced = tf.function(run, autograph=False).get_concrete_function(**specs)
            found = traced(**{n: tf.constant(a) for n, a in feeds.items()})
        for name, theirs in zip(names, wanted, strict=True):
            ours = found[name].numpy()
            assert ours.dtype == theirs.dtype
            assert ours.ndim == theirs.ndim
            if not theirs.size and not ours.size:  # onnxruntime takes free lengths for 0
                continue
            assert ours.shape == theirs.shape, (name, free)
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


IF = """
test (float[n, 3, 4] x) => (float[n, 3, m] y, float[n, 3, 4] z) {
    total = ReduceSum <keepdims = 0> (x)
    zero = Constant <value = float {0.0}> ()
    c = Greater (total, zero)
    y, z = If (c) <
        then_branch = yes () => (float[n, 3, m] a, float[n, 3, 4] b) {
            two = Constant <value = float {2.0}> ()
            a = Mul (x, two)
            b = Exp (a)
        },
        else_branch = no () => (float[n, 3, m] a, float[n, 3, 4] b) {
            a = Concat <axis = 2> (x, x)
            b = Neg (x)
        }>
}
"""


@pytest.mark.parametrize("sign", [1, -1])
def test_if(tmp_path: Path, image: Any, sign: int) -> None:
    x = np.abs(image(2, 3, 4)) * np.float32(sign)
    check(tmp_path / "m.onnx", IF, {"x": x})


def test_gradient_of_if_and_loop(tmp_path: Path, image: Any) -> None:
    """Through ``tf.cond`` and ``tf.while_loop`` as through the nodes that ran."""
    text = """
    test (float[n, 3] x, int64 count) => (float[n, 3] y) {
        yes = Constant <value = bool {1}> ()
        last, all = Loop (count, yes, x) <body = body
            (int64 k, bool going, float[n, 3] held) => (bool going2, float[n, 3] new, float[n, 3] s)
        {
            going2 = Identity (going)
            t = Tanh (held)
            new = Mul (t, x)
            s = Exp (new)
        }>
        total = ReduceSum <keepdims = 0> (last)
        zero = Constant <value = float {100.0}> ()
        c = Less (total, zero)
        z = If (c) <
            then_branch = yes () => (float[n, 3] a) { a = ReduceSum <keepdims = 0> (all, first) },
            else_branch = no () => (float[n, 3] a) { a = Neg (x) }>
        y = Mul (z, last)
    }
    """.replace("yes = Constant", "first = Constant <value = int64[1] {0}> ()\nyes = Constant")
    program = model(tmp_path / "m.onnx", text)

    def slope(x: Any, count: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = program.compute({"x": x, "count": count}, ["y"], channels_last=False)["y"]
            total = tf.reduce_sum(y)
        return total, tape.gradient(total, x)

    x, count = tf.constant(image(2, 3) + 0.5), tf.constant(4, tf.int64)
    traced = tf.function(slope, autograph=False).get_concrete_function(
        tf.TensorSpec([None, 3]), tf.TensorSpec([], tf.int64)
    )
    kinds = {o.type for o in traced.graph.get_operations()}
    assert kinds & {"While", "StatelessWhile"}
    assert kinds & {"If", "StatelessIf"}
    for ours, theirs in zip(traced(x, count), slope(x, count), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    _, gradient = slope(x, count)
    way = image(2, 3, seed=4)
    step = 1e-2
    measured = (slope(x + step * way, count)[0] - slope(x - step * way, count)[0]) / (2 * step)
    np.testing.assert_allclose(measured, np.sum(gradient * way), rtol=1e-2)


LOOP = """
test (int64 count, float[a] x) => (float[b] held, float[c, d] rows, int64[c] numbers) {
    yes = Constant <value = bool {1}> ()
    held, rows, numbers = Loop (COUNT, CONDITION, x) <body = body
        (int64 k, bool going, float[b] old) => (bool more, float[b] new, float[d] row, int64 k2)
    {
        limit = Constant <value = float {20.0}> ()
        total = ReduceSum <keepdims = 0> (old)
        more = Less (total, limit)
        new = NEXT (old, x)
        row = Mul (x, total)
        k2 = Identity (k)
    }>
}
"""


@pytest.mark.parametrize("count", [0, 1, 3, 9])
@pytest.mark.parametrize("given", ["COUNT", "CONDITION", "COUNT CONDITION"])
@pytest.mark.parametrize("grows", [False, True])
def test_loop(tmp_path: Path, count: int, given: str, grows: bool) -> None:
    """With or without trip count and condition; a state that grows; no round at all."""
    text = LOOP.replace("NEXT", "Concat <axis = 0>" if grows else "Add")
    text = text.replace("COUNT", "count" if "COUNT" in given else "")
    text = text.replace("CONDITION", "yes" if "CONDITION" in given else "")
    x = np.array([1, 2, 1.5], np.float32)
    check(tmp_path / "m.onnx", text, {"count": np.array(count), "x": x})


@pytest.mark.parametrize("first", [False, True])
def test_lengths_of_a_value_inside_and_around_a_body(
    tmp_path: Path, image: Any, *, first: bool
) -> None:
    """What a body computes of a value of its surroundings is not used outside of it."""
    outside = "outside = Shape (y)"
    text = f"""
    test (float[a, b] x, int64 count) => (int64[2] total, int64[2] outside) {{
        y = Abs (x)
        {outside if first else ""}
        yes = Constant <value = bool {{1}}> ()
        none = Constant <value = int64[2] {{0, 0}}> ()
        total = Loop (count, yes, none) <body = body
            (int64 k, bool going, int64[2] old) => (bool more, int64[2] new) {{
            more = Identity (going)
            s = Shape (y)
            new = Add (old, s)
        }}>
        {"" if first else outside}
    }}
    """
    check(tmp_path / "m.onnx", text, {"x": image(5, 3), "count": np.array(4)})


def test_a_short_loop_with_a_sequence_is_written_out(tmp_path: Path, image: Any) -> None:
    text = """
    test (float[n, 3] x) => (float[m, 3] y) {
        count = Constant <value = int64 {3}> ()
        yes = Constant <value = bool {1}> ()
        none = SequenceEmpty ()
        all = Loop (count, yes, none) <body = body
            (int64 k, bool going, seq(float[n, 3]) old) => (bool more, seq(float[n, 3]) new) {
            more = Identity (going)
            f = Cast <to = 1> (k)
            row = Add (x, f)
            new = SequenceInsert (old, row)
        }>
        y = ConcatFromSequence <axis = 0> (all)
    }
    """
    check(tmp_path / "m.onnx", text, {"x": image(2, 3)})
    program = model(tmp_path / "m.onnx", text)
    shape = program.values["y"].shape
    assert shape is not None
    assert shape[1] == 3


def test_a_loop_without_end(tmp_path: Path, image: Any) -> None:
    text = """
    test (float[2] x) => (float[2] y) {
        y = Loop (, , x) <body = body
            (int64 k, bool going, float[2] old) => (bool more, float[2] new) {
            more = Constant <value = bool {1}> ()
            new = Add (old, x)
        }>
    }
    """
    with pytest.raises(ModelError, match="no trip count"):
        model(tmp_path / "m.onnx", text)


SCAN = """
test (float[2] start, float[2, T] x, float[T] z) => (float[2] last, float[2, T] ys, float[T] zs) {
    last, ys, zs = Scan <num_scan_inputs = 2, scan_input_axes = [1, 0],
        scan_input_directions = [DIRECTIONS], scan_output_axes = [-1, 0],
        scan_output_directions = [1, 0],
        body = body (float[2] s, float[2] row, float number) =>
                (float[2] new, float[2] y, float w) {
            a = Mul (row, number)
            new = Add (s, a)
            y = Tanh (new)
            w = ReduceSum <keepdims = 0> (y)
        }> (start, x, z)
}
"""


@pytest.mark.parametrize("directions", ["0, 0", "0, 1", "1, 0"])
@pytest.mark.parametrize("length", [1, 5])
def test_scan(tmp_path: Path, image: Any, directions: str, length: int) -> None:
    feeds = {"start": image(2), "x": image(2, length, seed=1), "z": image(length, seed=2)}
    check(tmp_path / "m.onnx", SCAN.replace("DIRECTIONS", directions), feeds)


def test_scan_8_in_a_batch_with_lengths(tmp_path: Path, image: Any) -> None:
    text = """
    test (float[2, 3] start, float[2, 4, 3] x) => (float[2, 3] last, float[2, 4, 3] ys) {
        lens = Constant <value = int64[2] {4, 2}> ()
        last, ys = Scan <num_scan_inputs = 1, directions = [0],
            body = body (float[3] s, float[3] row) => (float[3] new, float[3] y) {
                new = Add (s, row)
                y = Identity (new)
            }> (lens, start, x)
    }
    """
    program = model(tmp_path / "m.onnx", text, 8)
    start, x = image(2, 3), image(2, 4, 3, seed=1)
    found = program.compute({"start": start, "x": x}, ["last", "ys"], channels_last=False)
    sums = start[:, None] + np.cumsum(x, 1)
    np.testing.assert_allclose(found["last"], [sums[0, 3], sums[1, 1]], rtol=1e-5)
    sums[1, 2:] = 0
    np.testing.assert_allclose(found["ys"], sums, rtol=1e-5)


SPLITS = """
test (float[2, 5, 3] x) => (float[2, 5, 3] y, float[2, 1, 3] a, int64 n, float[3, 2, 5] stacked) {
    two = Constant <value = int64 {2}> ()
    minus = Constant <value = int64 {-1}> ()
    parts = SplitToSequence <axis = -2> (x, two)
    n = SequenceLength (parts)
    a = SequenceAt (parts, minus)
    y = ConcatFromSequence <axis = 1> (parts)
    singles = SplitToSequence <axis = 2, keepdims = 0> (x)
    zero = Constant <value = int64 {0}> ()
    first = SequenceAt (singles, zero)
    less = SequenceErase (singles)
    more = SequenceInsert (less, first, zero)
    stacked = ConcatFromSequence <axis = 0, new_axis = 1> (more)
}
"""


def test_sequences(tmp_path: Path, image: Any) -> None:
    program = model(tmp_path / "m.onnx", SPLITS)
    x = image(2, 5, 3)
    found = program.compute({"x": x}, program.outputs, channels_last=False)
    np.testing.assert_array_equal(found["y"], x)
    np.testing.assert_array_equal(found["a"], x[:, 4:])
    assert int(found["n"]) == 3
    np.testing.assert_array_equal(found["stacked"], x.transpose(2, 0, 1)[[0, 0, 1]])


def test_a_sequence_of_images_stays_channels_last(write: Any, image: Any, tmp_path: Path) -> None:
    """Split and joined between two convolutions, nothing is transposed."""
    node = onnx.helper.make_node
    path = write(
        tmp_path / "m.onnx",
        [
            node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            node("SplitToSequence", ["c", "two"], ["parts"], axis=1),
            node("ConcatFromSequence", ["parts"], ["j"], axis=1),
            node("Conv", ["j", "w2"], ["y"]),
        ],
        {"x": (np.float32, ("n", 3, "h", "v"))},
        {
            "w": image(4, 3, 3, 3),
            "w2": image(5, 4, 3, 3, seed=2),
            "two": np.array(2),
        },
        outputs=["c", "j", "y"],
    )
    program = read_onnx(path).program
    assert program.values["j"].shape == (None, None, None, 4)
    x = image(2, 3, 7, 9)
    found = program.compute({"x": x}, ["j", "y"], channels_last=False)
    theirs = oracle(path, ["j", "y"], {"x": x})
    for ours, wanted in zip((found["j"], found["y"]), theirs, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)
    trace = tf.function(lambda t: program.compute({"x": t}, ["y"])["y"], autograph=False)
    graph = trace.get_concrete_function(tf.TensorSpec([None, None, None, 3])).graph
    assert "Transpose" not in {o.type for o in graph.get_operations()}


def test_a_position_that_depends_on_the_data(tmp_path: Path, image: Any) -> None:
    text = """
    test (float[2, 3] x, float[2, 3] z, int64 k) => (float[2, 3] y) {
        all = SequenceConstruct (x, z)
        y = SequenceAt (all, k)
    }
    """
    feeds = {"x": image(2, 3), "z": image(2, 3, seed=1), "k": np.array(-1)}
    check(tmp_path / "m.onnx", text, feeds)


def test_a_position_outside_of_the_sequence(tmp_path: Path) -> None:
    text = """
    test (float[2] x) => (float[2] y) {
        two = Constant <value = int64 {2}> ()
        all = SequenceConstruct (x, x)
        y = SequenceAt (all, two)
    }
    """
    program = model(tmp_path / "m.onnx", text)
    assert "position 2 is outside of a sequence of 2 values" in program.left_out["y"]


def test_optionals(tmp_path: Path, image: Any) -> None:
    text = """
    test (float[2] x) => (bool a, float[2] y) {
        o = Optional (x)
        a = OptionalHasElement (o)
        y = If (a) <
            then_branch = yes () => (float[2] v) { v = OptionalGetElement (o) },
            else_branch = no () => (float[2] v) { v = Neg (x) }>
    }
    """
    check(tmp_path / "m.onnx", text, {"x": image(2)})
