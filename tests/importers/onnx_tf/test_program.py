"""ONNX by way of onnx-tf: the same network as that of kerasviz's own importer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper
from support.processor import VNNI

import kerasviz
from kerasviz import importers
from kerasviz.cli.options import IMPORTERS
from kerasviz.errors import ModelError, UsageError
from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx_tf.compat import Bernoulli, hardmax, import_onnx_tf, names_supplied
from kerasviz.importers.onnx_tf.program import read_onnx_tf
from kerasviz.network.program import Kernels, Program

Array = Any
Run = Callable[..., Any]
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def save(
    path: Path,
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Any, Sequence[Any]]],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] | None = None,
    opset: int = 13,
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        "test",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape)
            )
            for name, (dtype, shape) in inputs.items()
        ],
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["a", "b"])
            for name in outputs or [nodes[-1].output[0]]
        ],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def small(path: Path, dtype: Any = np.float32, batch: Any = "N") -> Path:
    """conv, ReLU, two branches, their concatenation, a pool, a reshape, logits and a softmax."""
    rng = np.random.default_rng(0)
    constants = {
        "w1": rng.normal(size=(5, 3, 3, 3)).astype(dtype),
        "b1": rng.normal(size=5).astype(dtype),
        "w2": rng.normal(size=(4, 5, 1, 1)).astype(dtype),
        "w3": rng.normal(size=(3, 5, 3, 3)).astype(dtype),
        "wd": rng.normal(size=(7, 6)).astype(dtype),
        "bd": rng.normal(size=6).astype(dtype),
        "rows": np.array([1, 7] if batch == 1 else [0, 7], np.int64),
    }
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], name="stem/conv", strides=[2, 2]),
        make("Relu", ["c1"], ["r1"]),
        make("Conv", ["r1", "w2"], ["c2"]),
        make("Conv", ["r1", "w3"], ["c3"], pads=[1, 1, 1, 1]),
        make("Relu", ["c3"], ["r3"]),
        make("Concat", ["c2", "r3"], ["joined"], axis=1),
        make("MaxPool", ["joined"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        make("Dropout", ["pool"], ["dropped"]),
        make("GlobalAveragePool", ["dropped"], ["mean"]),
        make("Reshape", ["mean", "rows"], ["flat"]),
        # Not Gemm, which onnx-tf does not take in float64.
        make("MatMul", ["flat", "wd"], ["product"]),
        make("Add", ["product", "bd"], ["logits"]),
        make("Softmax", ["logits"], ["prob"], axis=-1),
    ]
    return save(path, nodes, {"x": (dtype, [batch, 3, 15, 18])}, constants)


def images(program: Program, count: int, side: int = 64, seed: int = 0) -> dict[str, Array]:
    """Random images for the only input, channels last."""
    (port,) = program.inputs.values()
    assert port.shape is not None
    shape = [count, *(side if n is None else n for n in port.shape[1:])]
    made = np.random.default_rng(seed).uniform(-1, 1, shape).astype(port.dtype.as_numpy_dtype)
    return {port.name: np.moveaxis(made, 1, -1)}


def assert_same(theirs: Program, own: Program, feeds: Mapping[str, Array], off: float) -> None:
    """Both programs have the same inputs, outputs and values and compute the same numbers."""
    assert dict(theirs.inputs) == dict(own.inputs)
    assert list(theirs.outputs) == list(own.outputs)
    masks = {name for name in own.values if name not in theirs.values}
    assert all(own.values[name].op == "Dropout" for name in masks)  # onnx-tf makes no masks
    names = [name for name in own.values if name not in masks]
    assert list(theirs.values) == names
    found = theirs.compute(feeds, names)
    wanted = own.compute(feeds, names)
    for name in names:
        a, b = theirs.values[name], own.values[name]
        assert replace(a, shape=None) == replace(b, shape=None)
        assert a.shape is not None
        assert b.shape is not None
        assert all(m in (None, n) for m, n in zip(a.shape, found[name].shape, strict=True)), a
        x, y = found[name].numpy(), wanted[name].numpy()
        assert x.shape == y.shape, name
        # The last bits of equal logits of 1e10 decide their softmax.
        if VNNI or a.op != "Softmax" or found[a.inputs[0]].numpy().max() < 1e9:
            assert np.abs(x - y).max() <= off * np.abs(y).max(), name


def slope(
    program: Program, feeds: Mapping[str, Array], name: str, kernels: Kernels | None = None
) -> Array:
    """The input gradient of a fixed random projection of a value."""
    (key,) = feeds
    options = {} if kernels is None else {"kernels": kernels}

    @tf.function(autograph=False)
    def run(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = projection(program, {key: x}, name, **options)
        return tape.gradient(total, x)

    return run(tf.constant(feeds[key])).numpy()


def projection(program: Program, feeds: Mapping[str, Any], name: str, **options: Any) -> Any:
    value = program.compute(feeds, [name], **options)[name]
    rng = np.random.default_rng(7)
    weights = rng.normal(size=value.shape).astype(value.dtype.as_numpy_dtype)
    return tf.reduce_sum(value * weights)


# -- whole networks --------------------------------------------------------------------------


def test_small_network_is_the_same(tmp_path: Path) -> None:
    path = small(tmp_path / "m.onnx")
    theirs, own = read_onnx_tf(path).program, read_onnx(path).program
    assert_same(theirs, own, images(own, 2), 1e-5)
    assert theirs.values["c1"].aliases == ("stem/conv",)
    assert theirs.values["r1"].relu_input == "c1"
    assert theirs.values["joined"].parts == ("c2", "r3")
    assert theirs.values["prob"].softmax_input == "logits"


def test_model_for_one_image_takes_more(tmp_path: Path) -> None:
    """A reshape that names one row keeps the number of images."""
    path = small(tmp_path / "m.onnx", batch=1)
    theirs, own = read_onnx_tf(path).program, read_onnx(path).program
    assert_same(theirs, own, images(own, 3), 1e-5)
    assert theirs.values["flat"].shape == (None, 7)


def test_own_layout(tmp_path: Path) -> None:
    path = small(tmp_path / "m.onnx")
    theirs, own = read_onnx_tf(path).program, read_onnx(path).program
    feeds = {"x": np.random.default_rng(1).normal(size=(2, 3, 15, 18)).astype(np.float32)}
    for name in own.values:
        a = theirs.compute(feeds, [name], channels_last=False)[name].numpy()
        b = own.compute(feeds, [name], channels_last=False)[name].numpy()
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)


def test_googlenet_is_the_same(models_folder: Path) -> None:
    path = models_folder / "googlenet.onnx"
    net, own = kerasviz.load(path, importer="onnx-tf"), kerasviz.load(path)
    assert net.identity.format == "onnx-tf"
    assert net.input_spec == own.input_spec
    assert net.labels == own.labels
    assert net.classes == own.classes
    assert list(net.taps) == list(own.taps)
    feeds = images(own.program, 2)
    assert_same(net.program, own.program, feeds, 1e-4)
    # Gradients of the whole network: that of kerasviz, and finite differences.
    name = own.require_logits().name
    gradient, wanted = slope(net.program, feeds, name), slope(own.program, feeds, name)
    assert np.abs(gradient - wanted).max() < 1e-3 * np.abs(wanted).max()
    (key,) = feeds
    way = gradient / np.linalg.norm(gradient)
    step = 0.02 * np.linalg.norm(feeds[key]) / np.sqrt(feeds[key].size)
    ends = [
        float(projection(net.program, {key: feeds[key] + sign * step * way}, name))
        for sign in (1, -1)
    ]
    measured = (ends[0] - ends[1]) / (2 * step)
    assert measured == pytest.approx(float((gradient * way).sum()), rel=0.03)


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "bvlc_alexnet"])
def test_light_models_are_the_same(name: str) -> None:
    path = LIGHT / f"light_{name}.onnx"
    theirs, own = read_onnx_tf(path).program, read_onnx(path).program
    feeds = images(own, 1)
    if name == "shufflenet":
        # onnx-tf takes some of its convolutions for others where the number of images is free
        with pytest.raises(ModelError, match="--batch 1"):
            theirs.compute(images(own, 2), list(theirs.outputs))
    assert_same(theirs, own, feeds, 1e-4 if VNNI else 2e-4)


# -- gradients -------------------------------------------------------------------------------


def test_gradient_agrees_with_finite_differences_and_the_own_importer(tmp_path: Path) -> None:
    path = small(tmp_path / "m.onnx", np.float64)
    theirs, own = read_onnx_tf(path).program, read_onnx(path).program
    feeds = images(theirs, 2)
    assert feeds["x"].dtype == np.float64
    for name in ("c3", "joined", "prob"):
        gradient = slope(theirs, feeds, name)
        np.testing.assert_allclose(gradient, slope(own, feeds, name), rtol=1e-6, atol=1e-9)
        way = np.random.default_rng(2).normal(size=gradient.shape)
        ends = [
            float(projection(theirs, {"x": feeds["x"] + sign * 1e-6 * way}, name))
            for sign in (1, -1)
        ]
        measured = (ends[0] - ends[1]) / 2e-6
        assert measured == pytest.approx(float((gradient * way).sum()), rel=1e-5, abs=1e-8)


def test_rectifier_is_switched(tmp_path: Path) -> None:
    path = small(tmp_path / "m.onnx")
    theirs, own = read_onnx_tf(path).program, read_onnx(path).program
    feeds = images(theirs, 1)
    leaky = Kernels(relu=lambda x: tf.nn.leaky_relu(x, 0.5))
    switched = slope(theirs, feeds, "logits", leaky)
    assert np.abs(switched - slope(theirs, feeds, "logits")).max() > 1e-3
    np.testing.assert_allclose(switched, slope(own, feeds, "logits", leaky), rtol=1e-3, atol=1e-5)


# -- supplied names --------------------------------------------------------------------------


def test_supplied_names_are_gone_after_the_import() -> None:
    backend = import_onnx_tf()
    assert backend is import_onnx_tf()
    gone = ("tensorflow_addons", "tensorflow_probability", "onnx.mapping")
    assert [name for name in gone if name in sys.modules] == []
    assert not hasattr(onnx, "mapping")
    assert not hasattr(onnx.helper, "mapping")


def test_names_that_are_there_are_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ModuleType("tensorflow_addons")
    monkeypatch.setitem(sys.modules, "tensorflow_addons", own)
    with names_supplied():
        assert sys.modules["tensorflow_addons"] is own
        mapping = sys.modules["onnx.mapping"]
        assert onnx.mapping is mapping
        assert onnx.helper.mapping is mapping
    assert sys.modules["tensorflow_addons"] is own
    assert "onnx.mapping" not in sys.modules


def test_names_are_gone_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), names_supplied():
        raise ZeroDivisionError
    assert "onnx.mapping" not in sys.modules
    assert not hasattr(onnx, "mapping")


def test_types_of_the_mapping() -> None:
    with names_supplied():
        mapping: Any = sys.modules["onnx.mapping"]
    kinds = (np.float32, np.float16, np.float64, np.int8, np.int64, np.uint8, np.bool_)
    for kind in kinds:
        code = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        assert mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype(kind)] == code
        assert mapping.TENSOR_TYPE_TO_NP_TYPE[code] == np.dtype(kind)
    stored = mapping.TENSOR_TYPE_TO_STORAGE_TENSOR_TYPE[onnx.TensorProto.FLOAT]
    assert mapping.STORAGE_TENSOR_TYPE_TO_FIELD[stored] == "float_data"


def test_hardmax_marks_the_first_largest() -> None:
    found = hardmax(tf.constant([[1.0, 3.0, 3.0], [2.0, 0.0, -1.0]]))
    np.testing.assert_array_equal(found, [[0, 1, 0], [1, 0, 0]])


def test_hardmax_and_bernoulli_of_a_model(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Hardmax", ["x"], ["h"], axis=-1),
        helper.make_node("Bernoulli", ["p"], ["b"], seed=3.0),
        helper.make_node("Add", ["h", "b"], ["y"]),
    ]
    inputs = {"x": (np.float32, [2, 300]), "p": (np.float32, [2, 300])}
    program = read_onnx_tf(save(tmp_path / "m.onnx", nodes, inputs, opset=15)).program
    x = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    found = program.compute({"x": x, "p": np.full((2, 300), 0.25, np.float32)}, ["h", "b"])
    np.testing.assert_array_equal(np.argmax(found["h"], -1), np.argmax(x, -1))
    assert set(np.unique(found["b"])) == {0.0, 1.0}
    assert 0.15 < found["b"].numpy().mean() < 0.35


def test_bernoulli_draws_with_the_probabilities() -> None:
    probs = tf.constant([[0.0, 1.0]] * 50)
    draw = Bernoulli(probs=probs, dtype=tf.float64).sample(seed=1)
    assert draw.dtype == tf.float64
    np.testing.assert_array_equal(draw, probs)


# -- bad use ---------------------------------------------------------------------------------


def test_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n == "onnx_tf" or n.startswith("onnx_tf.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx_tf", None)
    with pytest.raises(UsageError, match="pip install --no-deps onnx-tf"):
        read_onnx_tf(small(tmp_path / "m.onnx"))


def test_operator_that_onnx_tf_does_not_know(tmp_path: Path) -> None:
    nodes = [helper.make_node("Foo", ["x"], ["y"], domain="own")]
    path = save(tmp_path / "m.onnx", nodes, {"x": (np.float32, [2, 3])})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    with pytest.raises(ModelError) as caught:
        read_onnx_tf(path)
    assert "Foo" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_onnx_files(tmp_path: Path) -> None:
    import keras

    path = tmp_path / "m.keras"
    keras.Sequential([keras.layers.Input((4, 4, 3)), keras.layers.Flatten()]).save(path)
    for source in (path, "efficientnet-lite0"):
        with pytest.raises(UsageError, match="no ONNX file"):
            kerasviz.load(source, importer="onnx-tf")
    with pytest.raises(UsageError, match="unknown importer 'tf-onnx'; choose from onnx-tf"):
        kerasviz.load(small(tmp_path / "m.onnx"), importer="tf-onnx")


def test_unknown_names(tmp_path: Path) -> None:
    program = read_onnx_tf(small(tmp_path / "m.onnx")).program
    feeds = images(program, 1)
    with pytest.raises(UsageError, match="near: joined"):
        program.compute(feeds, ["joind"])
    with pytest.raises(UsageError, match="no input 'z'"):
        program.compute({"z": feeds["x"]}, ["c1"])
    with pytest.raises(UsageError, match="'x'"):
        program.compute({}, ["c1"])


# -- the command line ------------------------------------------------------------------------


def test_choices_of_the_command_line() -> None:
    assert importers.IMPORTERS == IMPORTERS


def test_taps_render_and_verify(
    run_cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m.onnx"
    small(path)
    model = onnx.load(path)
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "free"
    onnx.save(model, path)
    listed = json.loads(run_cli("taps", path, "--importer", "onnx-tf", "--json").out)
    assert [tap["name"] for tap in listed["taps"]][:3] == ["c1", "r1", "c2"]
    options = ("--preprocess", "unit", "--steps", 2, "--size", 24, "--out", "out")
    ended = run_cli("render", path, "joined:1", "--importer", "onnx-tf", *options)
    assert ended.code == 0, ended.err
    recorded = json.loads(Path("out/manifest.json").read_text())
    assert recorded["network"]["format"] == "onnx-tf"
    ended = run_cli("verify", "out", "--model", path)  # it knows the importer
    assert (ended.code, ended.out) == (0, "1 file: 1 same\n"), ended.err
    assert run_cli("taps", path, "--importer", "other").code == 2
