"""Networks as Keras files and SavedModels that need no kerasviz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper
from support.elsewhere import elsewhere
from support.keras_applications import export, narrow_application
from support.onnx_models import randomized

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.export import convert
from kerasviz.export.convert import Converted

Array = Any
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def weights(name: str, *shape: int, spread: float = 0.3) -> Any:
    seed = sum(map(ord, name))
    array = np.random.default_rng(seed).normal(0, spread, shape).astype(np.float32)
    return numpy_helper.from_array(array, name)


def write(
    path: Path,
    nodes: list[Any],
    initializers: list[Any],
    outputs: list[str],
    shape: Any = ("n", 3, "h", "w"),
    opset: int = 17,
    name: str = "image",
) -> Path:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, 1, list(shape))],
        [onnx.ValueInfoProto(name=o) for o in outputs],
        initializers,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(made.SerializeToString())
    return path


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(), outputs.split(), outputs.split()[0], **attributes)


def small(path: Path, shape: Any = ("n", 3, "h", "w"), name: str = "image") -> Path:
    """A network with two branches, a batch normalization and a classifier."""
    positive = numpy_helper.from_array(np.linspace(0.5, 2, 6).astype(np.float32), "var")
    nodes = [
        node("Conv", f"{name} w1 b1", "stem/conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "stem/conv g be mu var", "bn"),
        node("Relu", "bn", "relu1"),
        node("Conv", "relu1 w2", "left_pre", pads=[0, 1, 2, 1]),
        node("Relu", "left_pre", "left"),
        node("Conv", "relu1 w3", "right_pre", group=6),
        node("Relu", "right_pre", "right"),
        node("Concat", "left right", "mixed", axis=1),
        node("GlobalAveragePool", "mixed", "pool"),
        node("Flatten", "pool", "flat"),
        node("Gemm", "flat w4 b4", "logits", transB=1),
        node("Softmax", "logits", "prob", axis=1),
    ]
    made = [
        weights("w1", 6, 3, 3, 3),
        weights("b1", 6),
        *(weights(n, 6) for n in ("g", "be", "mu")),
        positive,
        weights("w2", 4, 6, 3, 3),
        weights("w3", 6, 1, 1, 1),
        weights("w4", 5, 10),
        weights("b4", 5),
    ]
    return write(path, nodes, made, ["prob"], shape, name=name)


def image(*shape: int) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def last(array: Array) -> Array:
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def error(a: Array, b: Array) -> float:
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-12))


TAPS = ["mixed", "mixed_pre_relu", "stem/conv"]


@pytest.mark.parametrize("out", ["made.keras", "made"])
def test_loads_without_kerasviz_and_gives_the_same_numbers(tmp_path: Path, out: str) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx"))
    made = convert(net, tmp_path / out, taps=TAPS)
    assert made.difference is not None
    assert made.difference < 1e-5
    x = image(2, 3, 17, 26)
    wanted = net.run({"image": x}, ["prob", *TAPS])
    is_keras = out.endswith(".keras")
    found = elsewhere(tmp_path, tmp_path / out, last(x) if is_keras else x)
    assert set(found) == {"prob", *TAPS}
    for name, array in wanted.items():
        assert error(last(array) if is_keras else array, found[name]) < 1e-5, name


def test_one_output_is_no_dictionary(tmp_path: Path) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx"))
    convert(net, tmp_path / "a.keras")
    model = keras.saving.load_model(tmp_path / "a.keras")
    x = image(1, 3, 9, 8)
    assert error(net.run({"image": x})["prob"], model(last(x))) < 1e-5


def test_layers_have_the_names_of_taps_and_are_those_of_keras(tmp_path: Path) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx"))
    convert(net, tmp_path / "a.keras")
    model = keras.saving.load_model(tmp_path / "a.keras")
    kinds = {layer.name: type(layer).__name__ for layer in model.layers}
    assert kinds["stem"] == "Conv2D"  # of stem/conv: Keras allows no slash
    assert kinds["bn"] == "BatchNormalization"
    assert kinds["right_pre"] == "DepthwiseConv2D"
    assert kinds["mixed"] == "Concatenate"
    assert kinds["logits"] == "Dense"
    assert kinds["prob"] == "Softmax"
    mean, variance = model.get_layer("bn").get_weights()[2:]
    np.testing.assert_array_equal(variance, np.linspace(0.5, 2, 6).astype(np.float32))
    np.testing.assert_array_equal(mean, numpy_helper.to_array(weights("mu", 6)))
    again = kerasviz.load(tmp_path / "a.keras")
    assert again.taps["left"].pre_activation == "left_pre"


def test_names_that_neither_keras_nor_tensorflow_allows(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [
            node("Conv", "in:0 w", "/a/conv:0"),
            node("Relu", "/a/conv:0", "_b,c"),
            node("Abs", "_b,c", "a+b"),
            node("Neg", "a+b", "a_b"),
        ],
        [weights("w", 4, 3, 1, 1)],
        ["a_b"],
        name="in:0",
    )
    convert(kerasviz.load(path), tmp_path / "m.keras", taps=["_b,c"])
    model = keras.saving.load_model(tmp_path / "m.keras")
    assert [o.name for o in model.operations] == [
        "in",
        "a",
        "b_c",
        "a_b",
        "a_b_1",
    ]  # "a" is an alias
    assert model.predict(last(image(2, 3, 4, 4)), verbose=0)["_b,c"].shape == (2, 4, 4, 4)
    assert list(kerasviz.load(tmp_path / "m.keras").program.outputs)


def test_taps_with_the_names_that_keras_gives_by_itself(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [
            node("Conv", "image w", "pad", pads=[1, 0, 0, 1]),
            node("LRN", "pad", "norm", size=3),
            node("Abs", "norm", "square"),
            node("Neg", "square", "add"),
            node("Exp", "add", "multiply"),
        ],
        [weights("w", 4, 3, 2, 2)],
        ["multiply"],
    )
    convert(kerasviz.load(path), tmp_path / "m.keras", taps=["square"])
    model = keras.saving.load_model(tmp_path / "m.keras")
    names = [operation.name for operation in model.operations]
    assert len(set(names)) == len(names)
    assert {"pad", "norm", "square", "add", "multiply", "norm.square"} <= set(names)


def test_the_file_does_not_depend_on_what_was_built_before(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("Conv", "image w", "a"), node("LRN", "a", "b", size=3)],
        [weights("w", 4, 3, 1, 1)],
        ["b"],
    )
    names = []
    for out in ("a.keras", "b.keras"):
        convert(kerasviz.load(path), tmp_path / out)
        model = keras.saving.load_model(tmp_path / out)
        names.append([operation.name for operation in model.operations])
    assert names[0] == names[1]
    assert {"a", "b"} <= set(names[0])


SMALL = numpy_helper.from_array(np.array([0.3], np.float32), "c")


def ints(name: str, *values: int) -> Any:
    return numpy_helper.from_array(np.array(values, np.int64), name)


#: Nodes from "x" (a convolution, 6 channels) to "y", and their constants.
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    **{
        op: ([node(op, "x", "y")], [])
        for op in (
            *("Relu", "Elu", "Selu", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh"),
            *("Softplus", "Softsign", "Exp", "Abs", "Neg", "Erf", "Floor", "Identity", "Flatten"),
            *("GlobalAveragePool", "GlobalMaxPool", "Reciprocal", "Sin"),
        )
    },
    "clip to 6": (
        [node("Clip", "x lo hi", "y")],
        [
            numpy_helper.from_array(np.float32(0), "lo"),
            numpy_helper.from_array(np.float32(6), "hi"),
        ],
    ),
    "prelu": ([node("PRelu", "x s", "y")], [weights("s", 6, 1, 1)]),
    "mul by channels": ([node("Mul", "x s", "y")], [weights("s", 6, 1, 1)]),
    "swish": ([node("Sigmoid", "x", "s"), node("Mul", "x s", "y")], []),
    "residual": ([node("Relu", "x", "s"), node("Add", "s x", "y")], []),
    "power": ([node("Abs", "x", "a"), node("Pow", "a c", "y")], [SMALL]),
    "same upper": (
        [node("Conv", "x k", "y", auto_pad="SAME_UPPER", strides=[2, 2])],
        [weights("k", 4, 6, 3, 3)],
    ),
    "grouped": ([node("Conv", "x k", "y", group=2)], [weights("k", 4, 3, 3, 3)]),
    "depthwise": (
        [node("Conv", "x k b", "y", group=6, strides=[2, 2], pads=[0, 1, 1, 0])],
        [weights("k", 12, 1, 3, 3), weights("b", 12)],
    ),
    "max pool": (
        [node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 1])],
        [],
    ),
    "max pool with ceil": (
        [node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
        [],
    ),
    "average pool": (
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 1])],
        [],
    ),
    "average pool that counts": (
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)],
        [],
    ),
    "LRN": ([node("LRN", "x", "y", size=5, alpha=0.3, beta=0.6, bias=1.5)], []),
    "pad": ([node("Pad", "x p", "y")], [ints("p", 0, 1, 2, 0, 0, 0, 1, 1)]),
    "reflect": ([node("Pad", "x p", "y", mode="reflect")], [ints("p", 0, 0, 2, 1, 0, 0, 1, 1)]),
    "excitation": (
        [
            node("ReduceMean", "x", "m", axes=[2, 3], keepdims=1),
            node("Conv", "m k", "k1"),
            node("HardSigmoid", "k1", "k2"),
            node("Mul", "x k2", "y"),
        ],
        [weights("k", 6, 6, 1, 1)],
    ),
    "split": ([node("Split", "x", "a b", axis=1), node("Sub", "b a", "y")], []),
    "slice": (
        [node("Slice", "x lo hi ax st", "y")],
        [ints("lo", 1, 0), ints("hi", 5, -1), ints("ax", 1, 2), ints("st", 2, 1)],
    ),
    "reshape and matrix": (
        [
            node("Reshape", "x sh", "r"),
            node("Transpose", "r", "t", perm=[0, 2, 1]),
            node("MatMul", "t k", "y"),
        ],
        [ints("sh", 0, 6, -1), weights("k", 6, 3)],
    ),
    "attention": (
        [
            node("Reshape", "x sh", "r"),
            node("Transpose", "r", "t", perm=[0, 2, 1]),
            node("MatMul", "t r", "scores"),
            node("Softmax", "scores", "s"),
            node("MatMul", "s t", "y"),
        ],
        [ints("sh", 0, 6, -1)],
    ),
    "shape arithmetic": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n"),
            node("Unsqueeze", "n axis", "u"),
            node("Concat", "u rest", "sh", axis=0),
            node("Reshape", "x sh", "y"),
        ],
        [numpy_helper.from_array(np.int64(0), "zero"), ints("axis", 0), ints("rest", -1)],
    ),
    "channel shuffle": (
        [
            node("Reshape", "x a", "r"),
            node("Transpose", "r", "t", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "t b", "y"),
        ],
        [ints("a", 0, 2, 3, 9, 13), ints("b", 0, 6, 9, 13)],
    ),
    "upsampling": (
        [node("Upsample", "x s", "y", mode="nearest")],
        [numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "s")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_operators(tmp_path: Path, case: str) -> None:
    """Images of one size, for then all lengths but the batch are known."""
    nodes, constants = CASES[case]
    path = write(
        tmp_path / "m.onnx",
        [node("Conv", "image w", "x", pads=[1] * 4), *nodes],
        [weights("w", 6, 3, 3, 3), *constants],
        ["y"],
        ("n", 3, 9, 13),
        9 if case == "upsampling" else 13 if case == "excitation" else 17,
    )
    net = kerasviz.load(path)
    convert(net, tmp_path / "m.keras")
    x = image(3, 3, 9, 13)
    model = keras.saving.load_model(tmp_path / "m.keras")
    wanted = net.program.compute({"image": last(x)}, ["y"])["y"]
    assert error(wanted, model(last(x))) < 1e-5


def test_an_operator_that_keras_does_not_have(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("Conv", "image w", "x"), node("Det", "x", "determinant")],
        [weights("w", 2, 3, 1, 1)],
        ["determinant"],
        ("n", 3, 4, 4),
    )
    net = kerasviz.load(path)
    with pytest.raises(ModelError, match=r"tap 'determinant'.*--to saved_model works"):
        convert(net, tmp_path / "m.keras")
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    assert convert(net, tmp_path / "m").difference == pytest.approx(0, abs=1e-5)


# -- layouts, batches, names --------------------------------------------------------------------


def test_layouts(tmp_path: Path) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx"))
    x = image(2, 3, 9, 8)
    wanted = net.run({"image": x}, ["mixed"])["mixed"]
    convert(net, tmp_path / "own.keras", taps=["mixed"], layout="own")
    found = keras.saving.load_model(tmp_path / "own.keras")(x)["mixed"]
    assert error(wanted, found) < 1e-5
    made = convert(net, tmp_path / "last", taps=["mixed"], layout="channels-last")
    assert made.inputs == {"image": (None, None, None, 3)}
    assert made.outputs["mixed"] == (None, None, None, 10)
    served = tf.saved_model.load(str(tmp_path / "last")).signatures["serving_default"]
    assert error(last(wanted), served(image=tf.constant(last(x)))["mixed"]) < 1e-5


@pytest.mark.parametrize("out", ["made.keras", "made"])
def test_a_file_for_one_image_becomes_one_for_any_number(tmp_path: Path, out: str) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx", (1, 3, 8, 8)))
    assert convert(net, tmp_path / out).inputs["image"][0] is None  # type: ignore[index]


def test_where_images_would_mix_the_batch_stays(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("Conv", "image w", "x"), node("Reshape", "x s", "y")],
        [weights("w", 2, 3, 1, 1), ints("s", 4, -1)],
        ["y"],
        (1, 3, 4, 4),
    )
    made = convert(kerasviz.load(path), tmp_path / "made")
    assert made.inputs["image"] == (1, 3, 4, 4)
    assert made.outputs["y"] == (4, 8)


def test_the_signature_has_the_models_own_names(tmp_path: Path) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx", name="data/0:x"))
    convert(net, tmp_path / "made", taps=["stem/conv"])
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((tmp_path / "made" / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    assert list(signature.inputs) == ["data/0:x"]
    assert sorted(signature.outputs) == ["prob", "stem/conv"]
    loaded = tf.saved_model.load(str(tmp_path / "made"))  # the changed file is a sound one
    assert "serving_default" in loaded.signatures
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "made"))
        x = image(2, 3, 8, 8)
        found = session.run(signature.outputs["prob"].name, {signature.inputs["data/0:x"].name: x})
    assert error(net.run({"data/0:x": x})["prob"], found) < 1e-5


def test_weights_are_stored_once_and_not_in_the_graph(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [node("Conv", "image w", "a"), node("Conv", "a v", "b"), node("Conv", "b v", "c")],
        [weights("w", 128, 3, 3, 3), weights("v", 128, 128, 3, 3)],
        ["c"],
    )
    convert(kerasviz.load(path), tmp_path / "made", taps=["a", "b"])
    count = 4 * (128 * 3 * 9 + 128 * 128 * 9)
    data = sum(p.stat().st_size for p in (tmp_path / "made" / "variables").iterdir())
    assert count < data < 1.1 * count
    assert (tmp_path / "made" / "saved_model.pb").stat().st_size < 100_000


def test_inputs_that_nothing_uses_are_left_out(tmp_path: Path) -> None:
    path = small(tmp_path / "small.onnx")
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("left over", 1, [1, 1, 1, 3]))
    onnx.save(model, path)
    for out in ("a.keras", "a"):
        assert list(convert(kerasviz.load(path), tmp_path / out).inputs) == ["image"]


def test_several_inputs(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [node("Conv", "z w", "a"), node("Mul", "a b/c", "y")],
        "test",
        [
            helper.make_tensor_value_info("z", 1, ["n", 3, 8, 8]),
            helper.make_tensor_value_info("b/c", 1, ["n", 2, 1, 1]),
        ],
        [onnx.ValueInfoProto(name="y")],
        [weights("w", 2, 3, 1, 1)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "two.onnx").write_bytes(made.SerializeToString())
    net = kerasviz.load(tmp_path / "two.onnx")
    for out in ("two.keras", "two"):
        assert convert(net, tmp_path / out).difference == pytest.approx(0, abs=1e-5)


# -- other formats ------------------------------------------------------------------------------


def keras_file(path: Path, middle: Any = None) -> Path:
    layers = keras.layers
    given = keras.Input((12, 12, 3), name="given")
    x = layers.Conv2D(4, 3, name="conv", activation="relu")(given)
    x = layers.BatchNormalization(name="bn")(x)
    x = middle(x) if middle is not None else x
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(given, layers.Dense(3, name="prob", activation="softmax")(x))
    rng = np.random.default_rng(0)
    model.set_weights([np.abs(rng.normal(size=w.shape)) for w in model.get_weights()])
    model.save(path)
    return path


def test_a_keras_file_is_kept_as_it_is_with_taps(tmp_path: Path) -> None:
    net = kerasviz.load(keras_file(tmp_path / "m.keras"))
    convert(net, tmp_path / "again.keras", taps=["bn"])
    model = keras.saving.load_model(tmp_path / "again.keras")
    assert list(model.output) == ["prob", "bn"]
    assert isinstance(model.get_layer("bn"), keras.layers.BatchNormalization)
    x = image(2, 12, 12, 3)
    wanted = net.run({"given": x}, ["prob", "bn"])
    found = model(x)
    assert max(error(wanted[n], found[n]) for n in wanted) < 1e-5


def test_what_stands_inside_a_keras_layer(tmp_path: Path) -> None:
    net = kerasviz.load(keras_file(tmp_path / "m.keras"))
    tap = net.taps["conv"].pre_activation
    made = convert(net, tmp_path / "again.keras", taps=[str(tap)])
    assert made.outputs[str(tap)] == (None, 10, 10, 4)


def test_layers_of_the_models_own_become_those_of_keras(tmp_path: Path) -> None:
    class Twice(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * keras.ops.tanh(x)

    path = keras_file(tmp_path / "m.keras", Twice(name="twice"))
    net = kerasviz.load(path, custom_objects={"Twice": Twice})
    convert(net, tmp_path / "plain.keras", taps=["twice"])
    x = image(2, 12, 12, 3)
    found = keras.saving.load_model(tmp_path / "plain.keras")(x)  # without custom_objects
    wanted = net.run({"given": x}, ["twice"])["twice"]
    assert error(wanted, found["twice"]) < 1e-5


def test_a_saved_model_becomes_a_keras_file_and_back(tmp_path: Path) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx"))
    convert(net, tmp_path / "made", layout="channels-last")
    second = kerasviz.load(tmp_path / "made")
    convert(second, tmp_path / "b.keras")
    x = last(image(2, 3, 9, 9))
    found = keras.saving.load_model(tmp_path / "b.keras")(x)
    assert error(net.run({"image": image(2, 3, 9, 9)})["prob"], found) < 1e-5


# -- another size -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "shape"), [((12, 20), (None, 3, 12, 20)), ((None, None), (None, 3, None, None))]
)
def test_another_size(tmp_path: Path, size: Any, shape: Any) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx", (1, 3, 8, 8)))
    made = convert(net, tmp_path / "made", size=size, taps=["mixed"])
    assert made.inputs["image"] == shape
    assert made.outputs["mixed"][2:] == (None if size[0] is None else 6, size[1] and 10)  # type: ignore[index]
    served = tf.saved_model.load(str(tmp_path / "made")).signatures["serving_default"]
    x = image(3, 3, 12, 20)
    free = kerasviz.load(small(tmp_path / "free.onnx"))
    assert error(free.run({"image": x})["prob"], served(image=tf.constant(x))["prob"]) < 1e-5
    convert(net, tmp_path / "made.keras", size=size)


def test_the_node_that_insists_on_a_size_is_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [
            node("Conv", "image w", "x"),
            node("Flatten", "x", "f"),
            node("Gemm", "f k", "classifier"),
        ],
        [weights("w", 2, 3, 1, 1), weights("k", 128, 5)],
        ["classifier"],
        ("n", 3, 8, 8),
    )
    net = kerasviz.load(path)
    for size in ((16, 8), (None, None)):
        with pytest.raises(ModelError, match=r"does not allow images of .*classifier") as caught:
            convert(net, tmp_path / "made", size=size)
        assert "\n" not in str(caught.value)
        assert "{{node" not in str(caught.value)


def test_a_reshape_that_would_make_rows_of_parts_of_an_image_is_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [
            node("Conv", "image w", "x"),
            node("Reshape", "x s", "rows"),
            node("Gemm", "rows k", "y"),
        ],
        [weights("w", 2, 3, 1, 1), ints("s", -1, 128), weights("k", 128, 5)],
        ["y"],
        ("n", 3, 8, 8),
    )
    with pytest.raises(ModelError, match=r"16x16: Reshape 'rows' is made for 8x8"):
        convert(kerasviz.load(path), tmp_path / "made", size=(16, 16))


# -- files --------------------------------------------------------------------------------------


def test_what_is_in_the_way(tmp_path: Path) -> None:
    source = small(tmp_path / "small.onnx")
    net = kerasviz.load(source)
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        convert(net, full)
    assert (full / "letter.txt").read_text() == "mine"
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        convert(net, tmp_path / "folder.keras")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        convert(net, tmp_path / "file")
    own = kerasviz.load(keras_file(tmp_path / "own.keras"))
    with pytest.raises(UsageError, match="the model itself"):
        convert(own, tmp_path / "own.keras")
    for wrong, to in (("a.onnx", None), ("a.keras", "saved_model"), ("a", "keras")):
        with pytest.raises(UsageError, match=r"\.keras"):
            convert(net, tmp_path / wrong, to=to)
    with pytest.raises(UsageError, match="unknown tap"):
        convert(net, tmp_path / "a.keras", taps=["mixt"])


def test_again_over_what_was_written_before(tmp_path: Path) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx"))
    for taps in ([], ["mixed"]):
        convert(net, tmp_path / "deep" / "made", taps=taps)
        convert(net, tmp_path / "made.keras", taps=taps)
    served = tf.saved_model.load(str(tmp_path / "deep" / "made")).signatures["serving_default"]
    assert "mixed" in served.structured_outputs
    assert "mixed" in keras.saving.load_model(tmp_path / "made.keras").output
    left = sorted(p.name for p in tmp_path.rglob("*") if p.name.startswith("."))
    assert left == []


def test_what_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = kerasviz.load(small(tmp_path / "small.onnx"))
    monkeypatch.setattr("kerasviz.export.check.difference", lambda *_: 0.01)
    for out in ("a.keras", "a"):
        with pytest.raises(ModelError, match="differs"):
            convert(net, tmp_path / out)
    assert [p.name for p in tmp_path.iterdir()] == ["small.onnx"]


# -- whole networks -----------------------------------------------------------------------------


def _same(net: Any, made: Converted, x: Array, own: Array) -> None:
    model = keras.saving.load_model(made.path)
    found = model(x)
    wanted = net.run({next(iter(made.inputs)): own}, list(made.outputs))
    for name in made.outputs:
        got = found[name] if isinstance(found, dict) else found
        assert error(last(wanted[name]), got) < 1e-5, name


@pytest.mark.parametrize(
    ("name", "tap"), [("googlenet", "inception_4c/output"), ("squeezenet1_1", None)]
)
def test_shared_models(models_folder: Path, tmp_path: Path, name: str, tap: Any) -> None:
    net = kerasviz.load(models_folder / f"{name}.onnx")
    made = convert(net, tmp_path / "a.keras", taps=[tap] if tap else [])
    x = 60 * image(2, 3, 128, 96)
    _same(net, made, last(x), x)
    model = keras.saving.load_model(made.path)
    names = {s for t in net.taps.values() for s in (t.name, *t.aliases)}
    names |= {n.replace("/", ".") for n in names}
    with_weights = [layer.name for layer in model.layers if layer.weights]
    assert len(with_weights) > 20
    assert set(with_weights) <= names


@pytest.mark.parametrize(
    "name",
    [
        "squeezenet",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("resnet50", "densenet121", "inception_v1", "inception_v2", "vgg19")
        ),
        pytest.param("shufflenet", marks=pytest.mark.slow),
    ],
)
def test_light_models(tmp_path: Path, name: str) -> None:
    """vgg19 is narrower, as its 140 million weights take time only; resnet50 is a large file."""
    narrower = 8 if name == "vgg19" else 1
    net = kerasviz.load(randomized(LIGHT / f"light_{name}.onnx", tmp_path / "m.onnx", narrower))
    made = convert(net, tmp_path / "a.keras")
    x = image(2, 3, 224, 224)
    model = keras.saving.load_model(made.path)
    wanted = net.program.compute({next(iter(made.inputs)): last(x)}, list(made.outputs))
    assert error(next(iter(wanted.values())), model(last(x))) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["MobileNetV2", "EfficientNetB0"])
def test_exports_of_keras_applications(tmp_path: Path, builder: str) -> None:
    model = narrow_application(builder, (224, 224, 3))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "moving" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    weights = model.get_weights()
    export(model, (224, 224), tmp_path / "m.onnx")
    net = kerasviz.load(tmp_path / "m.onnx")
    made = convert(net, tmp_path / "a.keras", size=(160, 128))
    assert made.difference is not None
    assert made.difference < 1e-5
    x = rng.uniform(0, 255, (2, 160, 128, 3)).astype(np.float32)
    other = narrow_application(builder, (160, 128, 3))
    other.set_weights(weights)
    assert error(other(x), keras.saving.load_model(made.path)(x)) < 1e-4
