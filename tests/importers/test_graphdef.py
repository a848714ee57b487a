"""Frozen TensorFlow 1 graphs, compared with TensorFlow running the same graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError
from kerasviz.importers import read
from kerasviz.program import Rectifier
from kerasviz.taps import TapTable

BLOCKS = {
    "mixed3a": (64, 96, 128, 16, 32, 32),
    "mixed3b": (128, 128, 192, 32, 96, 64),
    "mixed4a": (192, 96, 204, 16, 48, 64),
    "mixed4b": (160, 112, 224, 24, 64, 64),
    "mixed4c": (128, 128, 256, 24, 64, 64),
    "mixed4d": (112, 144, 288, 32, 64, 64),
    "mixed4e": (256, 160, 320, 32, 128, 128),
    "mixed5a": (256, 160, 320, 48, 128, 128),
    "mixed5b": (384, 192, 384, 48, 128, 128),
}


class Writer:
    """Writes the article's network node by node, with random weights."""

    def __init__(self, seed: int = 0):
        self.rng = np.random.default_rng(seed)

    def conv(self, x: Any, name: str, size: int, out: int, stride: int = 1) -> Any:
        fan_in = size * size * x.shape[-1]
        weights = self.rng.normal(0, (2 / fan_in) ** 0.5, (size, size, x.shape[-1], out))
        w = tf.constant(weights, tf.float32, name=f"{name}_w")
        b = tf.constant(self.rng.normal(0, 0.1, out), tf.float32, name=f"{name}_b")
        conv = tf.raw_ops.Conv2D(
            input=x,
            filter=w,
            strides=[1, stride, stride, 1],
            padding="VALID" if name == "conv2d1" else "SAME",
            name=f"{name}_pre_relu/conv",
        )
        pre = tf.raw_ops.BiasAdd(value=conv, bias=b, name=f"{name}_pre_relu")
        return tf.raw_ops.Relu(features=pre, name=name)

    def pool(self, x: Any, name: str, stride: int = 2) -> Any:
        return tf.raw_ops.MaxPool(
            input=x, ksize=[1, 3, 3, 1], strides=[1, stride, stride, 1], padding="SAME", name=name
        )

    def lrn(self, x: Any, name: str) -> Any:
        return tf.raw_ops.LRN(input=x, depth_radius=5, bias=2.0, alpha=1e-4, beta=0.5, name=name)

    def block(self, x: Any, name: str) -> Any:
        a, b, c, d, e, f = BLOCKS[name]
        branches = [
            self.conv(x, f"{name}_1x1", 1, a),
            self.conv(self.conv(x, f"{name}_3x3_bottleneck", 1, b), f"{name}_3x3", 3, c),
            self.conv(self.conv(x, f"{name}_5x5_bottleneck", 1, d), f"{name}_5x5", 5, e),
            self.conv(self.pool(x, f"{name}_pool", 1), f"{name}_pool_reduce", 1, f),
        ]
        return tf.raw_ops.Concat(concat_dim=3, values=branches, name=name)

    def dense(self, x: Any, name: str, out: int) -> Any:
        weights = self.rng.normal(0, x.shape[-1] ** -0.5, (x.shape[-1], out))
        w = tf.constant(weights, tf.float32, name=f"{name}_w")
        b = tf.constant(np.zeros(out), tf.float32, name=f"{name}_b")
        product = tf.raw_ops.MatMul(a=x, b=w, name=f"{name}/matmul")
        return tf.raw_ops.BiasAdd(value=product, bias=b, name=name)

    def head(self, x: Any, number: int, pool: int, stride: int) -> Any:
        pooled = tf.raw_ops.AvgPool(
            value=x,
            ksize=[1, pool, pool, 1],
            strides=[1, stride, stride, 1],
            padding="VALID",
            name=f"head{number}_pool",
        )
        conv = self.conv(pooled, f"head{number}_bottleneck", 1, 128)
        flat = tf.raw_ops.Reshape(
            tensor=conv, shape=[-1, 128 * conv.shape[1] * conv.shape[2]], name=f"nn{number}/reshape"
        )
        hidden = tf.raw_ops.Relu(
            features=self.dense(flat, f"nn{number}_pre_relu", 64), name=f"nn{number}"
        )
        logits = self.dense(hidden, f"softmax{number}_pre_activation", 1008)
        return tf.raw_ops.Softmax(logits=logits, name=f"softmax{number}")


def article_graph(size: int) -> Any:
    """The article's network for images of ``size``, its Placeholder without a shape."""
    writer = Writer()
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, size, size, 3], name="input")
        x = writer.pool(writer.conv(x, "conv2d0", 7, 64, 2), "maxpool0")
        x = writer.conv(writer.lrn(x, "localresponsenorm0"), "conv2d1", 1, 64)
        x = writer.lrn(writer.conv(x, "conv2d2", 3, 192), "localresponsenorm1")
        x = writer.pool(x, "maxpool1")
        for name in BLOCKS:
            x = writer.block(x, name)
            if name == "mixed3b":
                x = writer.pool(x, "maxpool4")
            if name == "mixed4e":
                x = writer.pool(x, "maxpool10")
            if name in ("mixed4a", "mixed4d"):
                writer.head(x, int(name == "mixed4d"), 2, 2)
        x = tf.raw_ops.AvgPool(
            value=x,
            ksize=[1, size // 32, size // 32, 1],
            strides=[1, 1, 1, 1],
            padding="VALID",
            name="avgpool0",
        )
        flat = tf.raw_ops.Reshape(tensor=x, shape=[-1, 1024], name="avgpool0/reshape")
        logits = writer.dense(flat, "softmax2_pre_activation", 1008)
        tf.raw_ops.Softmax(logits=logits, name="softmax2")
    definition = graph.as_graph_def()
    placeholder = next(n for n in definition.node if n.op == "Placeholder")
    placeholder.attr["shape"].shape.Clear()
    placeholder.attr["shape"].shape.unknown_rank = True
    constants = [n for n in definition.node if n.op == "Const"]  # the real file has them first
    others = [n for n in definition.node if n.op != "Const"]
    result = tf.compat.v1.GraphDef(versions=definition.versions)
    result.node.extend([*constants, *others])
    return result


def save(definition: Any, path: Path) -> Path:
    path.write_bytes(definition.SerializeToString())
    return path


def run(definition: Any, images: Any, names: list[str]) -> list[Any]:
    """What TensorFlow computes when it runs the graph itself."""
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            return list(session.run([f"{n}:0" for n in names], {"input:0": images}))


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    definition = article_graph(64)
    path = save(definition, tmp_path_factory.mktemp("pb") / "network.pb")
    return definition, read(path)


def images(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).uniform(-117, 138, shape).astype(np.float32)


def test_article_network(article: tuple[Any, Any]) -> None:
    definition, imported = article
    program = imported.program
    assert imported.format == "graphdef"
    assert program.inputs["input"].shape == (None, None, None, 3)
    assert set(program.outputs) == {"softmax0", "softmax1", "softmax2"}
    names = [name for name in program.values if ":" not in name]
    assert {"conv2d0_pre_relu/conv", "conv2d0", "mixed4a", "softmax2_pre_activation"} < set(names)
    x = images(2, 64, 64, 3)
    found = program.compute({"input": x}, names)
    for name, want in zip(names, run(definition, x, names), strict=True):
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
    program.compute({"input": x}, ["conv2d2"], rectifier=Rectifier(relu=spy))
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


def _channels_first(x: Any) -> None:
    kernel = tf.ones([1, 1, 3, 2])
    tf.nn.conv2d(tf.transpose(x, [0, 3, 1, 2]), kernel, 1, "SAME", data_format="NCHW", name="conv")


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
        (_channels_first, r"conv \(Conv2D\): channels first"),
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
    with pytest.raises(ValueError, match=r"node nn0/reshape \(Reshape\): "):
        program.compute({"input": images(1, 96, 80, 3)}, ["softmax0"])
    # Here each image would become two rows of the logits.
    with pytest.raises(ValueError, match="2 rows for 1 images"):
        program.compute({"input": images(1, 96, 64, 3)}, ["softmax2_pre_activation"])
