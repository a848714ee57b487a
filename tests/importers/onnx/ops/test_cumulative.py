"""Running sums and products, sums of products and triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx

WAYS = [(0, 0), (1, 0), (0, 1), (1, 1)]


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output ``c`` is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.mark.parametrize(("exclusive", "reverse"), WAYS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_running_sums(parity: Any, image: Any, axis: int, exclusive: int, reverse: int) -> None:
    node = helper.make_node("CumSum", ["c", "a"], ["y"], exclusive=exclusive, reverse=reverse)
    fixed = {"w": image(4, 3, 3, 3, seed=1), "a": np.array(axis)}
    program = parity(after_conv(node), {"x": image(4, 3, 4, 4)}, fixed, opset=14)
    assert program.values["y"].shape == program.values["c"].shape


@pytest.mark.parametrize(("exclusive", "reverse"), WAYS)
@pytest.mark.parametrize("fixed_axis", [True, False])
def test_running_products_have_a_gradient_at_zero(
    write: Any, image: Any, tmp_path: Any, exclusive: int, reverse: int, fixed_axis: bool
) -> None:
    node = helper.make_node("CumProd", ["x", "a"], ["y"], exclusive=exclusive, reverse=reverse)
    x = image(3, 5).astype(np.float64)
    x[0, 2] = x[1, 0] = x[1, 3] = 0
    axis, shapes = np.array(1), {"x": (np.float64, x.shape)}
    fixed = {"a": axis} if fixed_axis else {}
    shapes |= {} if fixed_axis else {"a": (np.int64, ())}
    path = write(tmp_path / "p.onnx", [node], shapes, fixed, opset=26)
    program = read_onnx(path).program
    more = {} if fixed_axis else {"a": axis}

    @tf.function(autograph=False)
    def run(given: Any) -> Any:
        return program.compute({"x": given, **more}, ["y"])["y"]

    rows = x[:, ::-1] if reverse else x
    expected = np.cumprod(rows, 1)
    if exclusive:
        expected = np.concatenate([np.ones((3, 1)), expected[:, :-1]], 1)
    expected = expected[:, ::-1] if reverse else expected
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(run(given) * tf.constant(image(3, 5, seed=3).astype(np.float64)))
    np.testing.assert_allclose(run(given).numpy(), expected, rtol=1e-12)
    gradient, weights = tape.gradient(total, given).numpy(), image(3, 5, seed=3)
    for k in range(15):
        way = np.zeros(15)
        way[k] = 1e-6
        apart = run(given + way.reshape(3, 5)) - run(given - way.reshape(3, 5))
        assert float((apart.numpy() * weights).sum()) / 2e-6 == pytest.approx(
            gradient.reshape(-1)[k], abs=1e-6
        )


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("nchw,cd->ndhw", [(2, 4, 5, 6), (4, 3)]),
        ("...c , cd -> ...d", [(2, 3, 4), (4, 5)]),
        ("bij,bjk", [(2, 3, 4), (2, 4, 5)]),
        ("ij->ji", [(3, 4)]),
        ("bii->bi", [(2, 4, 4)]),
        ("...ii->...i", [(2, 4, 4)]),
        ("i,j->ij", [(3,), (4,)]),
        ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
        ("aB->Ba", [(2, 3)]),
    ],
)
def test_sums_of_products(parity: Any, image: Any, equation: str, shapes: Any) -> None:
    names = ["x", *[f"p{k}" for k in range(1, len(shapes))]]
    fixed = {n: image(*s, seed=k) for k, (n, s) in enumerate(zip(names, shapes, strict=True)) if k}
    node = helper.make_node("Einsum", names, ["y"], equation=equation)
    parity(node, {"x": image(*shapes[0])}, fixed, opset=12, free=False)


@pytest.mark.parametrize("k", [-3, 0, 2])
@pytest.mark.parametrize("upper", [0, 1])
def test_triangles(parity: Any, image: Any, k: int, upper: int) -> None:
    node = helper.make_node("Trilu", ["c", "k"], ["y"], upper=upper)
    fixed = {"w": image(4, 3, 3, 3, seed=1), "k": np.array(k)}
    parity(after_conv(node), {"x": image(2, 3, 5, 7)}, fixed, opset=14)
