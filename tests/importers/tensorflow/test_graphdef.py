"""Frozen TensorFlow 1 graphs, compared with TensorFlow running the same graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support.inception5h import article_graph, images, session_run

from kerasviz.errors import ModelError, UsageError
from kerasviz.importers import read
from kerasviz.network.program import Kernels
from kerasviz.network.taps import TapTable


def save(definition: Any, path: Path) -> Path:
    path.write_bytes(definition.SerializeToString())
    return path


@pytest.fixture(scope="module")
def article(inception5h_file: Path) -> tuple[Any, Any]:
    return article_graph(), read(inception5h_file)


def test_article_network(article: tuple[Any, Any]) -> None:
    definition, imported = article
    program = imported.program
    assert imported.format == "graphdef"
    assert program.inputs["input"].shape == (None, None, None, 3)
    assert tuple(program.outputs) == ("output", "output1", "output2")
    names = [n.name for n in definition.node if n.op not in ("Const", "Placeholder", "Identity")]
    assert list(program.values) == names
    x = images(2, 209, 223, 3)
    found = program.compute({"input": x}, [*names, *program.outputs])
    for name, want in session_run(definition, x, list(found)).items():
        assert found[name].shape == want.shape
        assert np.abs(found[name] - want).max() <= 1e-5 * np.abs(want).max(), name


def test_article_taps(article: tuple[Any, Any]) -> None:
    _, imported = article
    taps = TapTable(imported.program.values)
    assert taps["mixed4a"].channels == 508
    assert taps["mixed4a"].op == "Concat"
    branches = tuple(f"mixed4a_{b}_pre_relu" for b in ("1x1", "3x3", "5x5", "pool_reduce"))
    assert taps["mixed4a_pre_relu"].parts == branches
    assert taps["conv2d0:0"].name == "conv2d0"
    assert taps["conv2d0"].pre_activation == "conv2d0_pre_relu"
    assert imported.program.values["softmax2"].softmax_input == "softmax2_pre_activation"
    assert imported.program.values["mixed4a"].shape == (None, None, None, 508)
    x = images(1, 32, 47, 3)  # any size will do as long as the heads are not asked for
    found = imported.program.compute({"input": x}, branches)
    joined = np.concatenate([found[b] for b in branches], -1)
    mixed = imported.program.compute({"input": x}, ["mixed4a"])["mixed4a"]
    np.testing.assert_array_equal(np.maximum(joined, 0), mixed)


def test_article_gradient(article: tuple[Any, Any]) -> None:
    definition, imported = article
    x = images(1, 32, 32, 3)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
        image = graph.get_tensor_by_name("input:0")
        tap = graph.get_tensor_by_name("mixed3a:0")
        wanted = tf.gradients(tf.reduce_sum(tap**2), image)[0]
        with tf.compat.v1.Session(graph=graph) as session:
            want = session.run(wanted, {image: x})

    @tf.function
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            tap = imported.program.compute({"input": x}, ["mixed3a"])["mixed3a"]
            score = tf.reduce_sum(tap**2)
        return tape.gradient(score, x)

    got = gradient(tf.constant(x))
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max()


def test_only_what_is_needed_is_traced(article: tuple[Any, Any]) -> None:
    program = article[1].program
    traced = tf.function(lambda x: program.compute({"input": x}, ["conv2d2"])["conv2d2"])
    graph = traced.get_concrete_function(tf.TensorSpec([1, 32, 32, 3])).graph
    ops = [operation.type for operation in graph.get_operations()]
    assert ops.count("Conv2D") == 3
    assert "VarHandleOp" not in ops
    assert "MatMul" not in ops


def test_rectifier_is_used_for_every_relu(article: tuple[Any, Any]) -> None:
    program = article[1].program
    seen = []

    def spy(x: Any) -> Any:
        seen.append(x.shape)
        return tf.nn.relu(x)

    x = images(1, 32, 32, 3)
    program.compute({"input": x}, ["conv2d2"], kernels=Kernels(relu=spy))
    assert len(seen) == 3


def test_unknown_names_and_missing_feeds(article: tuple[Any, Any]) -> None:
    program = article[1].program
    with pytest.raises(UsageError, match="no value 'mixed4z'; near: mixed4"):
        program.compute({"input": images(1, 32, 32, 3)}, ["mixed4z"])
    with pytest.raises(UsageError, match="'input'"):
        program.compute({}, ["conv2d0"])
    with pytest.raises(UsageError, match="no input 'data'"):
        program.compute({"data": images(1, 32, 32, 3)}, ["conv2d0"])


def small(build: Any) -> Any:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3], name="input")
        build(x)
    return graph.as_graph_def()


def _nan_weights(x: Any) -> None:
    kernel = np.ones([1, 1, 3, 2])
    kernel[0, 0, 1, 1] = np.nan
    tf.nn.conv2d(x, tf.constant(kernel, tf.float32, name="kernel"), 1, "SAME", name="conv")


def _open_branch(x: Any) -> None:
    yes = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) > 0, name="fork")
    tf.raw_ops.Merge(inputs=[yes[0] * 3.0, yes[1] * 5.0], name="merge")


def _variable(x: Any) -> None:
    weights = tf.compat.v1.get_variable("weights", [3], use_resource=False)
    tf.multiply(x, weights, name="out")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_nan_weights, "m.pb: weight kernel holds NaN"),
        (_open_branch, r"fork \(Switch\): control flow"),
        (_variable, r"weights \(VariableV2\): a variable: the graph is not frozen"),
    ],
)
def test_refused(tmp_path: Path, build: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as error:
        read(save(small(build), tmp_path / "m.pb"))
    assert "\n" not in str(error.value)


def test_unknown_op_is_named(tmp_path: Path) -> None:
    definition = small(lambda x: tf.nn.relu(x, name="mine"))
    next(node for node in definition.node if node.name == "mine").op = "NobodysOp"
    with pytest.raises(ModelError, match="NobodysOp") as error:
        read(save(definition, tmp_path / "m.pb"))
    assert "\n" not in str(error.value)


def test_no_input(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.sqrt(tf.constant(2.0, name="two"), name="out")
    with pytest.raises(ModelError, match="no Placeholder"):
        read(save(graph.as_graph_def(), tmp_path / "m.pb"))


def test_a_size_that_does_not_fit(article: tuple[Any, Any]) -> None:
    program = article[1].program
    with pytest.raises(ValueError, match=r"node head0_bottleneck/reshape \(Reshape\): Input to "):
        program.compute({"input": images(1, 288, 224, 3)}, ["softmax0"])
    # Here each image would become two rows of the logits.
    with pytest.raises(ValueError, match="2 rows for 1 images"):
        program.compute({"input": images(1, 256, 224, 3)}, ["softmax2_pre_activation"])


@pytest.mark.parametrize("scaled", [False, True])
def test_batch_normalization_of_2015(tmp_path: Path, scaled: bool) -> None:
    """Inception v3 as it was published has it; only graphs as old as that may."""
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3], name="input")
        for name in ("mean", "variance", "beta", "gamma"):
            tf.constant(rng.uniform(0.2, 2, 3), tf.float32, name=name)
        tf.nn.relu(x, name="conv")
    definition = graph.as_graph_def()
    definition.versions.producer = 8
    inputs = ["input", "mean", "variance", "beta", "gamma"]
    node = definition.node.add(
        name="norm", op="BatchNormWithGlobalNormalization", input=inputs, device="/cpu:0"
    )
    node.attr["T"].type = tf.float32.as_datatype_enum
    node.attr["variance_epsilon"].f = 0.01
    node.attr["scale_after_normalization"].b = scaled
    relu = next(n for n in definition.node if n.name == "conv")
    relu.input[0] = "norm"
    program = read(save(definition, tmp_path / "m.pb")).program
    x = rng.normal(size=(2, 5, 4, 3)).astype(np.float32)
    wanted = session_run(definition, x, ["norm"])["norm"]
    found = program.compute({"input": x}, ["norm"])["norm"]
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()
    assert program.values["conv"].relu_input == "norm"
