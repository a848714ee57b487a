"""Programs over frozen TensorFlow graphs: how nodes are emitted again, and names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.importers import read
from kerasviz.network.program import PLAIN
from kerasviz.network.taps import TapTable
from kerasviz.optvis.optimization.relu_gradients import REDIRECTED


def small(build: Any) -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3], name="input")
        build(x)
    return graph.as_graph_def()


def save(definition: Any, path: Path) -> Path:
    path.write_bytes(definition.SerializeToString())
    return path


def run(definition: Any, images: Any, names: list[str]) -> list[Any]:
    """What TensorFlow computes when it runs the graph itself."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return list(session.run([f"{n}:0" for n in names], {"input:0": images}))


def images(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).uniform(-117, 138, shape).astype(np.float32)


def test_redirected_gradient_of_dead_units(tmp_path: Path) -> None:
    def build(x: Any) -> None:
        tf.nn.relu6(tf.nn.relu(x - 100.0, name="dead") - 1.0, name="dead6")

    program = read(save(small(build), tmp_path / "m.pb")).program
    for kernels, want in ((PLAIN, 0.0), (REDIRECTED, 1.0)):
        x = tf.zeros([1, 2, 2, 3])
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = program.compute({"input": x}, ["dead6"], kernels=kernels)["dead6"]
        np.testing.assert_array_equal(tape.gradient(out, x), np.full(x.shape, want))


def test_ops_with_other_argument_names(tmp_path: Path) -> None:
    """Raw ops call some arguments differently (``axis``, ``x``), and some give lists."""

    def build(x: Any) -> None:
        a, b, c = tf.split(x, 3, axis=3, name="split")
        mean = tf.reduce_mean(x, [1, 2], keepdims=True, name="mean")
        pool = tf.reduce_max(x + mean, axis=[1, 2], name="max")
        chosen = tf.compat.v1.where(a > b, a, c)  # Select
        tf.squeeze(tf.expand_dims(chosen, 1), [1], name="chosen")
        first, second = tf.unstack(tf.stack([pool, -pool], 1), axis=1)
        tf.add(first * 2.0, second, name="sum")
        tf.strided_slice(x, [0, 1, 0, 0], [2, 5, 3, 3], [1, 2, 1, 1], name="sliced")

    definition = small(build)
    program = read(save(definition, tmp_path / "m.pb")).program
    names = ["split:0", "split:1", "split:2", "mean", "max", "chosen", "sum", "sliced"]
    x = images(2, 7, 5, 3)
    found = program.compute({"input": x}, names)
    raw = [name.partition(":")[0] for name in names]
    wants = run(definition, x, raw)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            wants[:3] = session.run(names[:3], {"input:0": x})
    for name, want in zip(names, wants, strict=True):
        np.testing.assert_allclose(found[name], want, rtol=1e-6, err_msg=name)
    assert {"split", "split:1", "split:2"} <= set(program.values)


def test_constants_are_computed_once(tmp_path: Path) -> None:
    def build(x: Any) -> None:
        weights = tf.identity(tf.constant(np.arange(3), tf.float32))
        tf.multiply(x, tf.sqrt(weights + 1.0), name="scaled")

    program = read(save(small(build), tmp_path / "m.pb")).program
    traced = tf.function(lambda x: program.compute({"input": x}, ["scaled"])["scaled"])
    graph = traced.get_concrete_function(tf.TensorSpec([1, 2, 2, 3])).graph
    assert "Sqrt" not in [operation.type for operation in graph.get_operations()]
    np.testing.assert_allclose(traced(tf.ones([1, 2, 2, 3]))[0, 0, 0], np.sqrt([1, 2, 3]))


def test_settled_branches(tmp_path: Path) -> None:
    """TF1 batch normalization and dropout switch on a flag that is a constant at inference."""

    def build(x: Any) -> None:
        flag = tf.compat.v1.placeholder_with_default(False, [], name="training")
        yes = tf.raw_ops.Switch(data=x, pred=flag, name="switch")
        merged, _ = tf.raw_ops.Merge(inputs=[yes[0] * 3.0, yes[1] * 5.0], name="merge")
        tf.nn.relu(merged, name="out")

    definition = small(build)
    program = read(save(definition, tmp_path / "m.pb")).program
    assert program.outputs == ("out",)
    x = images(1, 3, 3, 3)
    got = program.compute({"input": x}, ["out"])["out"]
    np.testing.assert_allclose(got, np.maximum(x * 3, 0))


def test_an_output_beside_that_cannot_be_computed_is_left_out(tmp_path: Path) -> None:
    def build(x: Any) -> None:
        act = tf.nn.relu(x, name="act")
        tf.raw_ops.Merge(inputs=[act * 2.0, act * 3.0], name="merge")
        tf.sqrt(act, name="root")

    program = read(save(small(build), tmp_path / "m.pb")).program
    assert program.outputs == ("root",)
    assert "merge" not in program.values


def test_scopes_are_aliases(tmp_path: Path) -> None:
    def build(x: Any) -> None:
        with tf.compat.v1.name_scope("block"):
            with tf.compat.v1.name_scope("branch"):
                y = tf.nn.relu(x * 2.0, name="act")
            z = tf.concat([y, y + 1.0], 3, name="joined")
        tf.reduce_mean(z, name="out")

    program = read(save(small(build), tmp_path / "m.pb")).program
    taps = TapTable(program.values)
    assert taps["block"].name == "block/joined"
    assert taps["block/branch"].name == "block/branch/act"
    assert taps["block/branch_pre_relu"].name == "block/branch/mul"


def test_grey_and_size_from_the_file(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1, 20, 12, 1], name="input")
        kernel = tf.constant(np.ones([3, 3, 1, 2]), tf.float32)
        tf.nn.conv2d(x / 255.0, tf.identity(kernel), 1, "VALID", name="conv")
    program = read(save(graph.as_graph_def(), tmp_path / "m.pb")).program
    assert program.inputs["input"].shape == (None, 20, 12, 1)
    assert program.values["conv"].shape == (None, 18, 10, 2)
    assert program.compute({"input": images(3, 20, 12, 1)}, ["conv"])["conv"].shape[0] == 3


def test_bytes_are_fed_as_floats(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3], name="input")
        tf.multiply(tf.cast(x, tf.float32), 2.0, name="out")
    program = read(save(graph.as_graph_def(), tmp_path / "m.pb")).program
    x = tf.ones([1, 2, 2, 3])
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = program.compute({"input": x}, ["out"])["out"]
    assert program.inputs["input"].dtype == tf.uint8
    assert program.inputs["input"].as_floats
    np.testing.assert_array_equal(tape.gradient(out, x), np.full([1, 2, 2, 3], 2))
