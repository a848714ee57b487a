"""Activations, arithmetic and normalizations against onnxruntime and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

UNARY: list[tuple[str, dict[str, Any], int]] = [
    ("Relu", {}, 13),
    ("Sigmoid", {}, 13),
    ("Tanh", {}, 13),
    ("Softplus", {}, 13),
    ("Softsign", {}, 13),
    ("LeakyRelu", {"alpha": 0.3}, 13),
    ("Elu", {"alpha": 1.7}, 13),
    ("Selu", {}, 13),
    ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, 13),
    ("HardSwish", {}, 14),
    ("Mish", {}, 18),
    ("Gelu", {}, 20),
    ("Gelu", {"approximate": "tanh"}, 20),
    ("Identity", {}, 13),
    ("Abs", {}, 13),
    ("Neg", {}, 13),
    ("Exp", {}, 13),
    ("Erf", {}, 13),
    ("Sin", {}, 13),
    ("Cos", {}, 13),
    ("Floor", {}, 13),
    ("Ceil", {}, 13),
    ("Round", {}, 13),
    ("Sign", {}, 13),
    ("Celu", {"alpha": 1.5}, 12),
    ("ThresholdedRelu", {"alpha": 0.7}, 10),
]


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.fixture
def kernel(image: Any) -> dict[str, Any]:
    return {"w": image(5, 3, 3, 3, seed=1)}


@pytest.mark.parametrize(("name", "attributes", "opset"), UNARY)
def test_functions(
    parity: Any, image: Any, kernel: Any, name: str, attributes: Any, opset: int
) -> None:
    nodes = after_conv(helper.make_node(name, ["c"], ["y"], **attributes))
    steps = name in ("Floor", "Ceil", "Round", "Sign")  # their gradient is 0
    parity(nodes, {"x": image(2, 3, 5, 6)}, kernel, opset=opset, gradient=not steps)


@pytest.mark.parametrize("name", ["Sqrt", "Log", "Reciprocal"])
def test_functions_of_positive_numbers(parity: Any, image: Any, name: str) -> None:
    parity(helper.make_node(name, ["x"], ["y"]), {"x": np.abs(image(2, 3, 4, 5)) + 0.5})


SHAPES = {
    "same": (1, 5, 6, 7),
    "channels": (1, 5, 1, 1),
    "channels without batch": (5, 1, 1),
    "one number": (),
    "one entry": (1,),
    "a row": (7,),
    "a plane": (6, 7),
    "a column": (6, 1),
    "a batch": (2, 1, 1, 1),
}


@pytest.mark.parametrize("name", ["Add", "Sub", "Mul", "Div", "Pow"])
@pytest.mark.parametrize("case", SHAPES)
def test_broadcast_of_constants(parity: Any, image: Any, kernel: Any, name: str, case: str) -> None:
    """The constant stands behind and in front; it is laid as the model's layout says."""
    constant = np.abs(image(*SHAPES[case], seed=4)).astype(np.float32) + 0.5
    nodes = after_conv(
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node(name, ["s", "k"], ["a"]),
        helper.make_node(name, ["k", "a"], ["y"]),
    )
    program = parity(nodes, {"x": 0.2 * image(2, 3, 6, 7)}, {**kernel, "k": constant})
    shape = program.values["y"].shape
    assert shape is not None
    assert (len(shape), shape[-1]) == (4, 5)


@pytest.mark.parametrize("shape", [(2, 5, 6, 7), (5, 1, 1), (6, 7), (2, 5, 1, 1)])
def test_broadcast_of_values_in_both_layouts(
    parity: Any, image: Any, kernel: Any, shape: tuple[int, ...]
) -> None:
    """A computed value that no convolution has touched meets one in the moved layout."""
    nodes = after_conv(
        helper.make_node("Reshape", ["flat", "s"], ["k"]),
        helper.make_node("Tanh", ["k"], ["t"]),
        helper.make_node("Mul", ["t", "c"], ["y"]),
    )
    constants = {**kernel, "s": np.array(shape)}
    feeds = {"x": image(2, 3, 6, 7), "flat": image(int(np.prod(shape)), seed=2)}
    parity(nodes, feeds, constants, gradient=False)


def test_variadic(parity: Any, image: Any, kernel: Any) -> None:
    nodes = after_conv(
        *[
            helper.make_node(name, ["c", "k", "c2"], [name])
            for name in ("Sum", "Mean", "Max", "Min")
        ]
    )
    nodes.insert(1, helper.make_node("Tanh", ["c"], ["c2"]))
    parity(nodes, {"x": image(2, 3, 6, 7)}, {**kernel, "k": image(5, 1, 1, seed=2)})


def test_old_broadcast(parity: Any, image: Any, kernel: Any) -> None:
    """Before opset 7 `axis` says where the second operand lies; onnxruntime has dropped that."""
    from kerasviz.importers.onnx.graph import Node
    from kerasviz.importers.onnx.layout import Constant, LayoutTensor
    from kerasviz.importers.onnx.registry import Call, find

    node = Node("add", "Add", "", 6, ("a", "b"), ("y",), {"broadcast": 1, "axis": 1})
    a, b = image(2, 5, 6, 7), image(5, seed=1)
    laid = LayoutTensor(np_to_tensor(np.moveaxis(a, 1, -1)), channels_last=True)
    found = find(node)(Call(node, (laid, Constant(b))))
    assert isinstance(found, LayoutTensor)
    expected = np.moveaxis(a + b[:, None, None], 1, -1)
    np.testing.assert_allclose(found.tensor.numpy(), expected, rtol=1e-6)


def np_to_tensor(array: Any) -> Any:
    import tensorflow as tf

    return tf.constant(array)


def test_comparisons_and_where(parity: Any, image: Any, kernel: Any) -> None:
    nodes = after_conv(
        helper.make_node("Greater", ["c", "k"], ["g"]),
        helper.make_node("Not", ["g"], ["n"]),
        helper.make_node("Where", ["n", "c", "k"], ["v"]),
        helper.make_node("Cast", ["n"], ["f"], to=1),
        helper.make_node("Mul", ["f", "v"], ["y"]),
    )
    constants = {**kernel, "k": image(5, 1, 1, seed=2)}
    parity(nodes, {"x": image(2, 3, 6, 7)}, constants, gradient=False)


@pytest.mark.parametrize("slope", [(5, 1, 1), (1,), (1, 5, 1, 1)])
def test_prelu(parity: Any, image: Any, kernel: Any, slope: tuple[int, ...]) -> None:
    nodes = after_conv(helper.make_node("PRelu", ["c", "k"], ["y"]))
    parity(nodes, {"x": image(2, 3, 6, 7)}, {**kernel, "k": image(*slope, seed=2)})


@pytest.mark.parametrize(
    ("low", "high", "rectified"),
    [(0, 6, True), (0, None, True), (-1, 1, False), (None, 0.5, False), (0.2, None, False)],
)
@pytest.mark.parametrize("opset", [6, 13])
def test_clip(
    parity: Any, image: Any, kernel: Any, low: Any, high: Any, rectified: bool, opset: int
) -> None:
    """A clip that is a ReLU or a ReLU6 says so, and goes through the rectifier."""
    bounds = {n: np.float32(v) for n, v in (("min", low), ("max", high)) if v is not None}
    if opset == 6:
        node = helper.make_node("Clip", ["c"], ["y"], **{n: float(v) for n, v in bounds.items()})
        constants = kernel
    else:
        names = [n if n in bounds else "" for n in ("min", "max")]
        node = helper.make_node("Clip", ["c", *names], ["y"])
        constants = {**kernel, **bounds}
    feeds = {"x": 2 * image(2, 3, 6, 7)}
    program = parity(after_conv(node), feeds, constants, opset=opset)
    assert program.values["y"].relu_input == ("c" if rectified else None)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize(
    ("opset", "axis", "over_channels"),
    [
        (13, 1, True),
        (13, -1, False),
        (13, 2, False),
        (13, None, False),
        (11, 1, False),
        (11, 2, False),
        (11, None, False),
        (11, 3, False),
    ],
)
def test_softmax_of_an_image(
    parity: Any, image: Any, kernel: Any, name: str, opset: int, axis: Any, over_channels: bool
) -> None:
    """Before opset 13 the sum is over all axes from `axis` on."""
    attributes = {} if axis is None else {"axis": axis}
    nodes = after_conv(helper.make_node(name, ["c"], ["y"], **attributes))
    program = parity(nodes, {"x": 0.3 * image(2, 3, 4, 5)}, kernel, opset=opset)
    assert program.values["y"].softmax_input == ("c" if over_channels else None)


@pytest.mark.parametrize(("opset", "attributes"), [(11, {}), (13, {"axis": 1}), (13, {})])
@pytest.mark.parametrize("flat", [False, True])
def test_softmax_of_logits(
    parity: Any, image: Any, kernel: Any, opset: int, attributes: Any, flat: bool
) -> None:
    """Logits [N, C] and [N, C, 1, 1] (where the sum is over the channels) both have an input."""
    nodes = after_conv(helper.make_node("GlobalAveragePool", ["c"], ["g"]))
    if flat:
        nodes.append(helper.make_node("Flatten", ["g"], ["l"]))
    nodes.append(helper.make_node("Softmax", ["l" if flat else "g"], ["y"], **attributes))
    program = parity(nodes, {"x": image(2, 3, 6, 7)}, kernel, opset=opset)
    last_axis_of_4 = not flat and opset == 13 and not attributes
    wanted = None if last_axis_of_4 else ("l" if flat else "g")
    assert program.values["y"].softmax_input == wanted


@pytest.mark.parametrize("opset", [7, 9, 10, 12, 13])
def test_dropout_is_the_identity(parity: Any, image: Any, kernel: Any, opset: int) -> None:
    ratio = {"ratio": 0.4} if opset < 12 else {}
    nodes = after_conv(helper.make_node("Dropout", ["c"], ["y", "mask"], **ratio))
    # Before opset 12 the mask is not specified, and onnxruntime's is all 0.
    parity(nodes, {"x": image(2, 3, 6, 7)}, kernel, opset=opset, leave=["mask"])
    if opset >= 12:
        parity(nodes, {"x": image(2, 3, 6, 7)}, kernel, opset=opset)


@pytest.mark.parametrize("shape", [(2, 5, 6, 7), (2, 5, 9), (4, 5), (1, 5, 2, 3, 4)])
@pytest.mark.parametrize("opset", [7, 9, 15])
def test_batch_normalization(parity: Any, image: Any, shape: tuple[int, ...], opset: int) -> None:
    constants = {n: image(5, seed=k) for k, n in enumerate(("scale", "bias", "mean"))}
    constants["variance"] = np.abs(image(5, seed=9)) + 0.1
    node = helper.make_node(
        "BatchNormalization", ["x", *constants], ["y"], epsilon=0.01, momentum=0.7
    )
    parity(node, {"x": image(*shape)}, constants, opset=opset)


def test_batch_normalization_of_every_position(image: Any) -> None:
    """`spatial=0` of opset 7, which onnxruntime no longer has, against the formula."""
    from kerasviz.importers.onnx.graph import Node
    from kerasviz.importers.onnx.layout import Constant, LayoutTensor, model_layout
    from kerasviz.importers.onnx.registry import Call, find

    node = Node("bn", "BatchNormalization", "", 7, tuple("xsbmv"), ("y",), {"spatial": 0})
    x = image(2, 3, 4, 5)
    scale, bias, mean, variance = (image(3, 4, 5, seed=k) for k in range(4))
    variance = variance**2 + 0.1
    inputs = (LayoutTensor(np_to_tensor(x)), *(Constant(a) for a in (scale, bias, mean, variance)))
    found = find(node)(Call(node, inputs))
    assert isinstance(found, LayoutTensor)
    expected = scale * (x - mean) / np.sqrt(variance + 1e-5) + bias
    np.testing.assert_allclose(model_layout(found).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_local_response(parity: Any, image: Any, size: int) -> None:
    attributes = {"size": size, "alpha": 0.7, "beta": 0.6, "bias": 1.5}
    parity(helper.make_node("LRN", ["x"], ["y"], **attributes), {"x": image(2, 7, 5, 6)})


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("shape", [(2, 7, 5, 6), (2, 7, 5)])
def test_local_response_over_an_even_number(
    write: Any, image: Any, tmp_path: Any, size: int, shape: tuple[int, ...]
) -> None:
    """Which onnxruntime does not have: against the formula of the standard."""
    from kerasviz.importers.onnx import read_onnx

    node = helper.make_node("LRN", ["x"], ["y"], size=size, alpha=0.7, beta=0.6, bias=1.5)
    path = write(tmp_path / "m.onnx", [node], {"x": (np.float32, shape)})
    x, expected = image(*shape), np.empty(shape)
    for c in range(7):
        low, high = max(0, c - (size - 1) // 2), min(6, c + size // 2)
        sums = (x[:, low : high + 1].astype(np.float64) ** 2).sum(1)
        expected[:, c] = x[:, c] / (1.5 + 0.7 / size * sums) ** 0.6
    ours = read_onnx(path).program.compute({"x": x}, ["y"], channels_last=False)["y"]
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_local_response_gradient_in_float32(write: Any, image: Any, tmp_path: Any) -> None:
    """The fused kernel is float32 only: its gradient against that of the formula in float64."""
    import tensorflow as tf

    from kerasviz.importers.onnx import read_onnx

    node = helper.make_node("LRN", ["x"], ["y"], size=5, alpha=0.7, beta=0.6, bias=1.5)
    x, gradients = image(2, 7, 5, 6), []
    for dtype in (np.float32, np.float64):
        path = write(tmp_path / "m.onnx", [node], {"x": (dtype, x.shape)})
        given = tf.constant(x.astype(dtype))
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = read_onnx(path).program.compute({"x": given}, ["y"], channels_last=False)["y"]
            total = tf.reduce_sum(y**3)
        gradients.append(tape.gradient(total, given).numpy())
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)
