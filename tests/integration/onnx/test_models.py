"""Whole networks at every tap against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from support.onnx_models import randomized

from kerasviz.importers.onnx import read_onnx
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.taps import TapTable

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
LIGHT_MODELS = sorted(path.name for path in LIGHT.glob("*.onnx"))
LARGE = ("bvlc_alexnet", "vgg19", "zfnet512")  # 60 to 140 million weights
LIGHT_CASES = [
    pytest.param(
        name,
        random,
        marks=[pytest.mark.slow] if not random or any(x in name for x in LARGE) else [],
        id=f"{name[:-5]} {'with random weights' if random else 'as it is'}",
    )
    for name in LIGHT_MODELS
    for random in (False, True)
]


def test_there_are_nine_light_models() -> None:
    assert len(LIGHT_MODELS) == 9


@pytest.mark.parametrize(("name", "random"), LIGHT_CASES)
def test_light_model(
    name: str, random: bool, tmp_path: Path, image: Any, tap_errors: Callable[..., Any]
) -> None:
    """Masks of Dropout are left out: before opset 12 what they hold is not specified.

    The largest networks get an eighth of their width with the random weights.
    """
    narrower = 8 if any(x in name for x in LARGE) else 1
    path = randomized(LIGHT / name, tmp_path / name, narrower) if random else LIGHT / name
    model = onnx.load(path)
    masks = [n.output[1] for n in model.graph.node if n.op_type == "Dropout" and len(n.output) > 1]
    program = read_onnx(path).program
    (port,) = program.inputs.values()
    errors = tap_errors(path, {port.name: image(*port.shape)}, masks, program)
    assert len(errors) >= len(program.values) - len(masks)
    apart = [name for name, error in errors.items() if error > 1e-4]
    if apart:  # the float64 numbers decide: onnxruntime's are rounded too
        exact = in_float64(path, tmp_path / "wide.onnx")
        feeds = {port.name: image(*port.shape)}
        ours = program.compute(feeds, apart, channels_last=False)
        wide = {name: array.astype(np.float64) for name, array in feeds.items()}
        right = exact.compute(wide, apart, channels_last=False)
        for name in apart:
            error = np.abs(ours[name].numpy() - right[name]).max() / np.abs(right[name]).max()
            assert error <= 1e-4, (name, error)


def in_float64(path: Path, wide: Path) -> Any:
    """The program of a file whose float32 numbers are float64."""
    model = onnx.load(path)
    attributes = [a for n in model.graph.node for a in n.attribute if a.HasField("t")]
    for tensor in [*model.graph.initializer, *(a.t for a in attributes)]:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for value in [*model.graph.input, *model.graph.output]:
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    del model.graph.value_info[:]
    wide.write_bytes(model.SerializeToString())
    return read_onnx(wide).program


@pytest.mark.parametrize("name", ["googlenet.onnx", "squeezenet1_1.onnx"])
@pytest.mark.parametrize("shape", [(1, 3, 224, 224), (3, 3, 128, 160)])
def test_shared_model(
    name: str, shape: Any, models_folder: Path, image: Any, tap_errors: Callable[..., Any]
) -> None:
    errors = tap_errors(models_folder / name, {"data": 60 * image(*shape)})
    assert len(errors) == {"googlenet.onnx": 142, "squeezenet1_1.onnx": 66}[name]
    worst = max(errors, key=lambda n: errors[n])
    assert errors[worst] <= 1e-4, (worst, errors[worst])


@pytest.fixture(scope="module")
def googlenet(models_folder: Path) -> Any:
    return read_onnx(models_folder / "googlenet.onnx")


def test_what_googlenet_says_about_itself(googlenet: Any) -> None:
    program = googlenet.program
    assert googlenet.format == "onnx"
    assert googlenet.input_spec == InputSpec(
        255.0, (104.0, 117.0, 123.0), (1.0,), "bgr", "metadata of the file"
    )
    port = program.inputs["data"]
    assert (port.shape, port.channels_first) == ((None, 3, None, None), True)
    values = program.values
    assert values["inception_4a/output"].shape == (None, None, None, 512)
    assert values["inception_4a/output"].parts == (
        "inception_4a/1x1",
        "inception_4a/3x3",
        "inception_4a/5x5",
        "inception_4a/pool_proj",
    )
    assert values["conv1/7x7_s2"].relu_input == "conv1/7x7_s2_pre_relu"
    assert values["conv1/7x7_s2"].aliases == ("conv1/7x7_s2/relu",)
    assert values["prob"].softmax_input == "loss3/classifier"
    assert values["prob"].shape == (None, 1000)
    assert all(v.shape is not None and v.shape[-1] is not None for v in values.values())
    taps = TapTable(values)
    assert taps["inception_4a/output_pre_relu"].parts[0] == "inception_4a/1x1_pre_relu"


def trace(program: Any, names: list[str], size: int | None) -> Any:
    """The graph of values ``names`` of images [N, H, W, 3]."""

    @tf.function(autograph=False)
    def run(x: Any) -> Any:
        return list(program.compute({"data": x}, names).values())

    return run.get_concrete_function(tf.TensorSpec((None, size, size, 3), tf.float32)).graph


def test_googlenet_runs_channels_last(googlenet: Any) -> None:
    for size in (224, None):
        operations = trace(googlenet.program, ["prob"], size).get_operations()
        assert [op.name for op in operations if op.type == "Transpose"] == []


def test_only_what_is_needed_runs(googlenet: Any) -> None:
    """mixed3a needs 3 + 6 convolutions, and no weight of the others."""
    graph = trace(googlenet.program, ["inception_3a/output"], None)
    assert sum(op.type == "Conv2D" for op in graph.get_operations()) == 9
    weights = {c.shape.as_list()[-1] for c, _ in graph.captures}
    assert 1000 not in weights


def test_traces_share_their_weights(googlenet: Any) -> None:
    first = trace(googlenet.program, ["inception_3b/output"], None)
    second = trace(googlenet.program, ["inception_3a/output"], 64)
    large = [[id(c) for c, _ in g.captures if np.prod(c.shape) > 1000] for g in (first, second)]
    assert large[1]
    assert set(large[1]) <= set(large[0])


def test_the_gradient_of_googlenet(googlenet: Any) -> None:
    """The gradient is finite and not 0, every row by itself; float32, so a loose comparison."""
    program = googlenet.program
    rng = np.random.default_rng(1)
    x = tf.constant(rng.normal(size=(2, 64, 48, 3)).astype(np.float32) * 50)

    @tf.function(autograph=False)
    def slope(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            name = "inception_4a/3x3_pre_relu"
            score = tf.reduce_sum(program.compute({"data": x}, [name])[name][..., 11])
        return score, tape.gradient(score, x)

    _, gradient = slope(x)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0
    alone = slope(x[1:])[1]
    np.testing.assert_allclose(alone[0], gradient[1], rtol=1e-3, atol=1e-6)
    way = gradient / tf.norm(gradient)
    step = 0.5
    measured = (slope(x + step * way)[0] - slope(x - step * way)[0]) / (2 * step)
    np.testing.assert_allclose(measured, tf.norm(gradient), rtol=0.02)


@pytest.mark.slow
def test_export_of_efficientnet_lite0(
    tmp_path: Path, image: Any, tap_errors: Callable[..., Any]
) -> None:
    """The embedded network by way of ONNX, of any size, is the network itself."""
    from kerasviz.zoo.efficientnet_lite0 import build

    model = build()
    images = np.moveaxis(image(2, 3, 64, 97), 1, -1)
    expected = model(images)
    path = tmp_path / "lite0.onnx"
    model.export(path, format="onnx", verbose=False)
    program = read_onnx(path).program
    errors = tap_errors(path, {"image": images})
    assert len(errors) > 90
    assert max(errors.values()) <= 1e-4, max(errors, key=lambda n: errors[n])
    found = program.compute({"image": images}, program.outputs)[program.outputs[0]]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert program.values[program.outputs[0]].softmax_input is not None


def test_export_of_keras(tmp_path: Path, image: Any, tap_errors: Callable[..., Any]) -> None:
    """A network like EfficientNet-Lite, written by Keras: its taps and its answer."""
    import keras

    layers = keras.layers
    given = keras.Input((33, 24, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(given)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = skip = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu6")(x)
    x = layers.Conv2D(8, 1)(x)
    x = layers.Add()([x, skip])
    x = layers.ZeroPadding2D(1)(x)
    x = layers.DepthwiseConv2D(5, strides=2)(x)
    x = layers.Activation("hard_swish")(x)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    x = layers.AveragePooling2D(2, 1, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(10, activation="softmax")(x)
    model = keras.Model(given, x)
    rng = np.random.default_rng(2)
    model.set_weights([np.abs(rng.normal(size=w.shape)) * 0.3 + 0.1 for w in model.get_weights()])
    images = rng.uniform(0, 255, (3, 33, 24, 3)).astype(np.float32)
    expected = model(images)  # Keras exports only what has been called
    path = tmp_path / "keras.onnx"
    model.export(path, format="onnx", verbose=False)

    program = read_onnx(path).program
    (port,) = program.inputs.values()
    assert (port.shape, port.channels_first) == ((None, 33, 24, 3), False)
    errors = tap_errors(path, {port.name: images})
    assert max(errors.values()) <= 1e-4, errors
    found = program.compute({port.name: images}, program.outputs)[program.outputs[0]]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    last = program.values[program.outputs[0]]
    assert last.softmax_input is not None
    rectified = [v for v in program.values.values() if v.relu_input]
    assert len(rectified) >= 2
    graph = trace_any(program, port.name)
    assert sum(op.type == "Transpose" for op in graph.get_operations()) == 0
    assert sum(op.type == "Relu6" for op in graph.get_operations()) >= 2


def trace_any(program: Any, name: str) -> Any:
    @tf.function(autograph=False)
    def run(x: Any) -> Any:
        return list(program.compute({name: x}, program.outputs).values())

    return run.get_concrete_function(tf.TensorSpec((None, 33, 24, 3), tf.float32)).graph
