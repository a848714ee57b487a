"""Flattened and shuffled values that are never transposed, against onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx.layout import Interleaved
from kerasviz.importers.onnx.report import ExecutedTranspose, report_of

Array = Any
Write = Callable[..., Path]


def node(op: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(), [output], output, **attributes)


def weights(*shape: int, seed: int = 0) -> Array:
    fan = max(int(np.prod(shape[1:])), 1)
    array = np.random.default_rng(seed).normal(size=shape) * fan**-0.5
    return np.asarray(array, np.float32)


CONV = node("Conv", "x w", "conv")
KERNEL = weights(5, 3, 2, 2)


def transposes(path: Path) -> list[tuple[str, str]]:
    found = report_of(path).transposes
    assert found is not None
    return [(place.after, place.before) for place in found if not place.after.startswith("input")]


# -- the tagged value itself ---------------------------------------------------------------------


@pytest.mark.parametrize("free", [(), (0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("shape", [(2, 4, 3, 5), (3, 1, 1, 4), (2, 3, 2, 1), (1, 2, 2, 2)])
def test_planar_of_a_matrix_is_numpys(shape: tuple[int, ...], free: tuple[int, ...]) -> None:
    x = weights(*shape)
    count, channels = shape[:2]

    @tf.function(autograph=False)
    def in_model_layout(moved: Any) -> Any:
        pixels = tf.shape(moved)
        width = int(np.prod(shape[1:]))
        rows = [-1, width] if not {1, 2} & set(free) else [pixels[0], -1]
        return Interleaved(tf.reshape(moved, rows), channels).in_model_layout().tensor

    moved = np.moveaxis(x, 1, -1)
    spec = tf.TensorSpec([None if k in free else n for k, n in enumerate(moved.shape)], tf.float32)
    found = in_model_layout.get_concrete_function(spec)(tf.constant(moved))
    np.testing.assert_array_equal(found, x.reshape(count, -1))


def test_planar_of_parts_is_numpys() -> None:
    x = weights(2, 3, 4, 5, 7)  # channels 3 * 4, pixels 5 * 7
    held = Interleaved(tf.constant(x.transpose(0, 3, 4, 1, 2)), 12, 2)
    assert held.lengths() == [2, 3, 4, 5, 7]
    np.testing.assert_array_equal(held.in_model_layout().tensor, x)


# -- flattened for weights -----------------------------------------------------------------------

SHAPE = (2, 3, 5, 4)  # after the convolution [2, 5, 4, 3]: 60 numbers
FLATTENINGS: dict[str, tuple[Any, dict[str, Array]]] = {
    "Flatten": (node("Flatten", "conv", "flat"), {}),
    "Flatten -3": (node("Flatten", "conv", "flat", axis=-3), {}),
    "0, -1": (node("Reshape", "conv to", "flat"), {"to": np.array([0, -1])}),
    "0, 60": (node("Reshape", "conv to", "flat"), {"to": np.array([0, 60])}),
    "-1, 60": (node("Reshape", "conv to", "flat"), {"to": np.array([-1, 60])}),
    "2, -1": (node("Reshape", "conv to", "flat"), {"to": np.array([2, -1])}),
    "2, 60": (node("Reshape", "conv to", "flat"), {"to": np.array([2, 60])}),
}
PRODUCTS: dict[str, tuple[Any, Array]] = {
    "Gemm": (node("Gemm", "in v b", "y", alpha=0.5, beta=2.0), weights(60, 7)),
    "Gemm, transposed": (node("Gemm", "in v b", "y", transB=1), weights(7, 60)),
    "MatMul": (node("MatMul", "in v", "y"), weights(60, 7)),
}


def fixed_shape(path: Path, write: Write, nodes: Sequence[Any], constants: Any) -> Path:
    """A model whose only output is the last value, of images of one size."""
    shape = ["n", *SHAPE[1:]]
    return write(path, nodes, {"x": (np.float32, shape)}, constants, [nodes[-1].output[0]])


@pytest.mark.parametrize("kind", FLATTENINGS)
@pytest.mark.parametrize("product", PRODUCTS)
def test_weights_are_permuted_and_not_values(
    kind: str, product: str, tmp_path: Path, write: Write, parity: Any
) -> None:
    flatten, constants = FLATTENINGS[kind]
    multiply, matrix = PRODUCTS[product]
    nodes = [
        CONV,
        flatten,
        node("LeakyRelu", "flat", "leaky"),
        node("Mul", "two leaky", "in"),
        multiply,
    ]
    b = weights(7, seed=2)
    fixed = {"w": KERNEL, "v": matrix, "b": b, "two": np.float32(2), **constants}
    parity(nodes, {"x": weights(*SHAPE, seed=3)}, fixed, free=False)
    path = fixed_shape(tmp_path / "m.onnx", write, nodes, fixed)
    found = transposes(path)
    # With a fixed number of rows in the target and a free batch, rows could be mixed.
    assert found == ([("Conv 'conv'", "Reshape 'flat'")] if kind == "2, -1" else [])


@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 3, 4, 3, 5)])
def test_one_and_three_spatial_axes(shape: Any, tmp_path: Path, write: Write, parity: Any) -> None:
    kernel = weights(4, 3, *[2] * (len(shape) - 2))
    width = 4 * int(np.prod([n - 1 for n in shape[2:]]))
    nodes = [CONV, node("Flatten", "conv", "flat"), node("Gemm", "flat v", "y")]
    fixed = {"w": kernel, "v": weights(width, 6)}
    parity(nodes, {"x": weights(*shape)}, fixed, free=False)
    inputs = {"x": (np.float32, ["n", *shape[1:]])}
    path = write(tmp_path / "m.onnx", nodes, inputs, fixed, ["y"])
    assert transposes(path) == []


@pytest.mark.parametrize("to", [None, [0, -1], [0, 60]])
def test_the_rows_of_the_weights_decide_where_the_size_is_free(
    to: Any, tmp_path: Path, write: Write, parity: Any
) -> None:
    flatten = node("Flatten", "conv", "flat") if to is None else node("Reshape", "conv to", "flat")
    nodes = [CONV, flatten, node("Relu", "flat", "relu"), node("Gemm", "relu v", "y")]
    fixed = {"w": KERNEL, "v": weights(60, 7), **({} if to is None else {"to": np.array(to)})}
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=True)
    inputs = {"x": (np.float32, ["n", 3, "h", "w"])}
    path = write(tmp_path / "m.onnx", nodes, inputs, fixed, ["y"])
    assert transposes(path) == []
    program = read_onnx(path).program
    other = tf.zeros([2, 6, 5, 3])  # 5 * 5 * 4 numbers where the weights want 60
    with pytest.raises(ModelError, match="'flat'" if to == [0, 60] else "'y'"):
        program.compute({"x": other}, ["y"])
    turned = tf.zeros([2, 4, 5, 3])  # 3 * 4 pixels instead of 4 * 3
    assert program.compute({"x": turned}, ["y"])["y"].shape == (2, 7)


VIEWS: dict[str, list[Any]] = {
    "one number": [
        node("Shape", "conv", "lengths"),
        node("Gather", "lengths zero", "count"),
        node("Unsqueeze", "count first", "images"),
        node("Concat", "images rest", "to", axis=0),
    ],
    "a list of one": [
        node("Shape", "conv", "lengths"),
        node("Gather", "lengths first", "images"),
        node("Concat", "images rest", "to", axis=0),
    ],
}


@pytest.mark.parametrize("rest", [-1, 60])
@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("kind", VIEWS)
def test_rows_that_are_counted_in_the_model(
    kind: str, free: bool, rest: int, tmp_path: Path, write: Write, parity: Any
) -> None:
    """``x.view(x.size(0), -1)`` of PyTorch."""
    nodes = [CONV, *VIEWS[kind], node("Reshape", "conv to", "flat"), node("MatMul", "flat v", "y")]
    fixed = {
        "w": KERNEL,
        "v": weights(60, 7),
        "zero": np.array(0),
        "first": np.array([0]),
        "rest": np.array([rest]),
    }
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=free)
    shape = ["n", 3, "h", "w"] if free else ["n", *SHAPE[1:]]
    path = write(tmp_path / "m.onnx", nodes, {"x": (np.float32, shape)}, fixed, ["y"])
    assert transposes(path) == []
    program = read_onnx(path).program
    (found,) = program.compute({"x": weights(2, 6, 5, 3)}, ["flat"]).values() if rest < 0 else (0,)
    assert rest > 0 or found.shape == (2, 100)


@pytest.mark.parametrize("axis", [2, 0])
def test_rows_that_are_counted_elsewhere(
    axis: int, parity: Any, tmp_path: Path, write: Any
) -> None:
    """With equal lengths another axis looks the same; another value may have as many images."""
    of = "conv" if axis else "x"
    nodes = [
        CONV,
        node("Shape", of, "lengths"),
        node("Gather", "lengths place", "images"),
        node("Concat", "images rest", "to", axis=0),
        node("Reshape", "conv to", "flat"),
        node("MatMul", "flat v", "y"),
    ]
    fixed = {
        "w": weights(3, 3, 1, 1),
        "v": weights(27, 7),
        "place": np.array([axis]),
        "rest": np.array([-1]),
    }
    parity(nodes, {"x": weights(3, 3, 3, 3)}, fixed, free=True)
    inputs = {"x": (np.float32, ["n", 3, "h", "w"])}
    path = write(tmp_path / "m.onnx", nodes, inputs, fixed, ["y"])
    assert transposes(path) == ([("Conv 'conv'", "Reshape 'flat'")] if axis else [])


def test_a_global_pool_needs_no_permutation(tmp_path: Path, write: Write) -> None:
    nodes = [
        CONV,
        node("GlobalAveragePool", "conv", "pool"),
        node("Flatten", "pool", "flat"),
        node("Gemm", "flat v", "y"),
    ]
    path = fixed_shape(tmp_path / "m.onnx", write, nodes, {"w": KERNEL, "v": weights(5, 7)})
    assert transposes(path) == []
    program = read_onnx(path).program
    weight = program.scope.constants["v"]  # type: ignore[attr-defined]
    assert [form[-1] for form in weight._forms] == [0]


def test_a_model_for_one_image_takes_several(tmp_path: Path, write: Write) -> None:
    nodes = [
        CONV,
        node("Reshape", "conv to", "flat"),
        helper.make_node("Dropout", ["flat"], ["in", "mask"], "drop"),
        node("Gemm", "in v", "y", transB=1),
    ]
    fixed = {"w": KERNEL, "v": weights(7, 60), "to": np.array([1, 60])}
    inputs = {"x": (np.float32, [1, *SHAPE[1:]])}
    path = write(tmp_path / "m.onnx", nodes, inputs, fixed, ["y"], 9)
    assert transposes(path) == []
    program = read_onnx(path).program
    assert program.values["flat"].shape == (None, 60)
    x = weights(3, *SHAPE[1:])
    names = ["conv", "flat", "in", "y"]
    found = program.compute({"x": x}, names, channels_last=False)
    flat = found["conv"].numpy().reshape(3, 60)
    np.testing.assert_array_equal(found["flat"], flat)
    np.testing.assert_array_equal(found["in"], flat)
    np.testing.assert_allclose(found["y"], flat @ fixed["v"].T, rtol=1e-4, atol=1e-5)
    last = program.compute({"x": np.moveaxis(x, 1, -1)}, ["flat"])["flat"]
    np.testing.assert_array_equal(last, flat)


# -- who wants the model's order gets it ---------------------------------------------------------

OTHERS: dict[str, list[Any]] = {
    "Softmax": [node("Softmax", "flat", "other")],
    "not pointwise": [node("Mul", "flat row", "other")],
    "with itself": [node("Mul", "flat flat", "other")],
    "two values": [node("Relu", "flat", "a"), node("Add", "flat a", "other")],
    "product of two values": [node("MatMul", "flat made", "other")],
    "the second factor": [node("MatMul", "left flat", "other")],
    "transposed": [node("Gemm", "flat left", "other", transA=1, transB=1)],
    "Slice": [node("Slice", "flat from till axis", "other")],
    "Reshape": [node("Reshape", "flat back", "other")],
    "Transpose": [node("Transpose", "flat", "other")],
    "Concat": [node("Concat", "flat flat", "other", axis=1)],
    "Dropout in training": [node("Dropout", "flat half true", "other", seed=4)],
    "CumSum": [node("CumSum", "flat axis", "other")],
    "TopK": [helper.make_node("TopK", ["flat", "three"], ["other", "place"], "top")],
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("alone", [True, False])
def test_other_takers(kind: str, alone: bool, parity: Any, tmp_path: Path, write: Write) -> None:
    nodes = [
        CONV,
        node("Flatten", "conv", "flat"),
        node("ReduceSum", "x two", "sum", keepdims=0),
        node("Mul", "big sum", "made"),
        *OTHERS[kind],
    ]
    if not alone:
        nodes.append(node("MatMul", "flat v", "y"))
    fixed = {
        "w": KERNEL,
        "v": weights(60, 7),
        "row": weights(60),
        "big": weights(60, 4),
        "two": np.array([0, 1, 2]),
        "left": weights(5, 2),
        "from": np.array([3]),
        "till": np.array([50]),
        "axis": np.array(1),
        "three": np.array([3]),
        "half": np.float32(0.5),
        "true": np.array(True),
        "back": np.array([0, 3, 4, 5]),
    }
    if kind in ("Slice", "CumSum"):
        fixed["axis"] = np.array([1] if kind == "Slice" else 1)
    random = "Dropout" in kind
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=False, leave=["other"] if random else ())
    ends = [n for n in ("other", "y") if any(n in made.output for made in nodes)]
    inputs = {"x": (np.float32, ["n", *SHAPE[1:]])}
    if kind != "transposed" and kind != "the second factor":
        path = write(tmp_path / "m.onnx", nodes, inputs, fixed, ends)
        found = [place for place in transposes(path) if "Transpose" not in place[1]]
        assert len(found) == 1


def test_the_mask_of_a_training_dropout_has_the_models_order(tmp_path: Path, write: Write) -> None:
    nodes = [
        CONV,
        node("Flatten", "conv", "flat"),
        node("Dropout", "flat half true", "drop", seed=4),
        node("Gemm", "drop v", "y"),
    ]
    fixed = {"w": KERNEL, "v": weights(60, 7), "half": np.float32(0.5), "true": np.array(True)}
    path = fixed_shape(tmp_path / "m.onnx", write, nodes, fixed)
    program = read_onnx(path).program
    found = program.compute({"x": weights(*SHAPE)}, ["flat", "drop"], channels_last=False)
    mask = np.random.RandomState(4).uniform(0.0, 1.0, (2, 60)) >= 0.5
    np.testing.assert_allclose(found["drop"], np.where(mask, 2 * found["flat"], 0), rtol=1e-6)


def test_a_row_of_numbers_before_the_weights(parity: Any) -> None:
    nodes = [
        CONV,
        node("Flatten", "conv", "flat"),
        node("Mul", "flat row", "scaled"),
        node("MatMul", "scaled v", "y"),
    ]
    fixed = {"w": KERNEL, "v": weights(60, 7), "row": weights(60)}
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=False)


def test_a_second_output_has_other_takers(parity: Any) -> None:
    """What the mask picks is in the model's order."""
    nodes = [
        CONV,
        node("Flatten", "conv", "flat"),
        helper.make_node("Dropout", ["flat"], ["in", "mask"], "drop"),
        node("MatMul", "in v", "y"),
        node("Where", "mask flat row", "same"),
    ]
    fixed = {"w": KERNEL, "v": weights(60, 7), "row": weights(60)}
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=False, gradient=False)
    nodes[-1:] = [node("Where", "mask row zero", "same")]
    fixed["zero"] = np.float32(0)
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=False, gradient=False)


def test_an_output_that_is_flattened_is_transposed_there(tmp_path: Path, write: Write) -> None:
    nodes = [CONV, node("Flatten", "conv", "flat"), node("Gemm", "flat v", "y")]
    path = write(
        tmp_path / "m.onnx",
        nodes,
        {"x": (np.float32, ["n", *SHAPE[1:]])},
        {"w": KERNEL, "v": weights(60, 7)},
        ["flat", "y"],
    )
    places = report_of(path).transposes or ()
    assert places[1:] == (ExecutedTranspose("Flatten 'flat'", "output", False),)


def test_the_branches_of_an_if_get_the_models_order(parity: Any) -> None:
    def branch(op: str) -> Any:
        info = helper.make_tensor_value_info("z", 1, None)
        return helper.make_graph([node(op, "flat", "z")], op, [], [info])

    nodes = [
        CONV,
        node("Flatten", "conv", "flat"),
        node("MatMul", "flat v", "y"),
        node("ReduceSum", "x", "sum", keepdims=0),
        node("Greater", "sum zero", "positive"),
        node("If", "positive", "z1", then_branch=branch("Softmax"), else_branch=branch("Relu")),
    ]
    fixed = {"w": KERNEL, "v": weights(60, 7), "zero": np.float32(0)}
    for sign in (1, -1):
        parity(nodes, {"x": sign * np.abs(weights(*SHAPE))}, fixed, free=False, gradient=False)


# -- channels that are shuffled ------------------------------------------------------------------


def shuffle(groups: int, channels: int, size: tuple[int, int], first: int) -> tuple[Any, Any]:
    nodes = [
        node("Reshape", "conv apart", "cut"),
        node("Transpose", "cut", "turned", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "turned whole", "shuffled"),
        node("Conv", "shuffled u", "y", group=channels),
    ]
    fixed = {
        "apart": np.array([first, groups, channels // groups, *size]),
        "whole": np.array([first, channels, *size]),
        "u": weights(channels, 1, 2, 2),
    }
    return nodes, fixed


@pytest.mark.parametrize("first", [-1, 0, 2])
@pytest.mark.parametrize("groups", [2, 3])
def test_channel_shuffle(
    first: int, groups: int, parity: Any, tmp_path: Path, write: Write
) -> None:
    nodes, fixed = shuffle(groups, 6, (4, 3), first)
    nodes, fixed = [CONV, *nodes], {"w": weights(6, 3, 2, 2), **fixed}
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=False)
    path = fixed_shape(tmp_path / "m.onnx", write, nodes, fixed)
    assert transposes(path) == [
        ("Reshape 'cut'", "Transpose 'turned'"),
        ("Conv 'y'", "output"),
    ]


@pytest.mark.parametrize("perm", [[0, 3, 4, 1, 2], [0, 1, 3, 4, 2], [4, 0, 3, 1, 2]])
def test_other_transposes_of_channels_in_parts(
    perm: list[int], parity: Any, tmp_path: Path, write: Write
) -> None:
    """As in the heads of detectors: one transpose, not two."""
    nodes = [
        CONV,
        node("Reshape", "conv apart", "cut"),
        node("Transpose", "cut", "turned", perm=perm),
        node("Reshape", "turned rows", "y"),
    ]
    fixed = {"w": weights(6, 3, 2, 2), "apart": np.array([0, 3, 2, 4, 3]), "rows": np.array([-1])}
    parity(nodes, {"x": weights(*SHAPE)}, fixed, free=False)
    path = fixed_shape(tmp_path / "m.onnx", write, nodes, fixed)
    assert transposes(path) == [("Reshape 'cut'", "Transpose 'turned'")]


# -- random graphs -------------------------------------------------------------------------------

POINTWISE: dict[str, Any] = {
    "Relu": lambda name, out: node("Relu", name, out),
    "Identity": lambda name, out: node("Identity", name, out),
    "Elu": lambda name, out: node("Elu", name, out, alpha=0.5),
    "Clip": lambda name, out: node("Clip", f"{name} low high", out),
    "Dropout": lambda name, out: helper.make_node("Dropout", [name], [out, f"{out}_mask"], out),
    "Add": lambda name, out: node("Add", f"{name} number", out),
    "Sub": lambda name, out: node("Sub", f"number {name}", out),
}
EXAMPLES = int(os.environ.get("KERASVIZ_TEST_EXAMPLES", 0))
SETTINGS = settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Graph:
    """A random graph of values [side] * rank with a flattening, whose takers are random too."""

    def __init__(self, draw: Any):
        self.draw = draw
        self.side = side = draw(st.sampled_from([2, 3, 4]))
        self.rank = rank = draw(st.sampled_from([3, 4, 4, 4, 5]))
        self.width = width = side ** (rank - 1)
        self.constants: dict[str, Array] = {
            "w": weights(side, side, *[1] * (rank - 2)),
            "square": weights(width, width),
            "tall": weights(width, side, seed=1),
            "vector": weights(side),
            "number": np.float32(0.3),
            "low": np.float32(-1),
            "high": np.float32(1),
            "images": np.array([side] * rank),
            "whole": np.array([0, *[side] * (rank - 1)]),
            "row": weights(width),
        }
        self.nodes = [node("Conv", "x w", "conv")]
        name = self.pointwise("conv")
        self.flat = [self.flattened(name)]
        for _ in range(draw(st.integers(1, 4))):
            taker = draw(st.sampled_from(TAKERS))
            taker(self, draw(st.sampled_from(self.flat)))

    def add(self, op: str, inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(node(op, inputs, name, **attributes))
        return name

    def pointwise(self, name: str) -> str:
        for kind in self.draw(st.lists(st.sampled_from(sorted(POINTWISE)), max_size=2)):
            out = f"v{len(self.nodes)}"
            self.nodes.append(POINTWISE[kind](name, out))
            name = out
        return name

    def flattened(self, name: str) -> str:
        targets = [[0, -1], [-1, self.width], [self.side, -1], [self.side, self.width], None]
        target = self.draw(st.sampled_from(targets))
        if target is None:
            made = self.add("Flatten", name)
        else:
            self.constants["flat"] = np.array(target)
            made = self.add("Reshape", f"{name} flat")
        return self.pointwise(made)


def by_weights(graph: Graph, name: str) -> None:
    if graph.draw(st.booleans()):
        turned = graph.draw(st.integers(0, 1))
        graph.flat.append(graph.add("Gemm", f"{name} square row", transB=turned, alpha=0.5))
    else:
        graph.add("Gemm", f"{name} tall vector", beta=0.7)


def by_product(graph: Graph, name: str) -> None:
    graph.flat.append(graph.add("MatMul", f"{name} square"))


def by_axis(graph: Graph, name: str) -> None:
    op = graph.draw(st.sampled_from(["Softmax", "LogSoftmax", "Hardmax"]))
    graph.add(op, name, axis=1)


def by_row(graph: Graph, name: str) -> None:
    graph.flat.append(graph.add("Add", f"{name} row"))


def by_pair(graph: Graph, name: str) -> None:
    other = graph.draw(st.sampled_from(graph.flat))
    graph.flat.append(graph.add("Add", f"{name} {other}"))


def by_images(graph: Graph, name: str) -> None:
    target = graph.draw(st.sampled_from(["images", "whole"]))
    whole = graph.add("Reshape", f"{name} {target}")
    if graph.draw(st.booleans()):
        order = graph.draw(st.permutations(range(graph.rank)))
        whole = graph.add("Transpose", whole, perm=order)
    if graph.draw(st.booleans()):
        whole = graph.add("Conv", f"{whole} w")
    graph.flat.append(graph.flattened(whole))


def by_parts(graph: Graph, name: str) -> None:
    """Channels in two parts, perhaps shuffled, and back."""
    if graph.rank > 4 or graph.side != 4:
        return
    graph.constants["parts"] = np.array([-1, 2, 2, *[4] * (graph.rank - 2)])
    whole = graph.add("Reshape", f"{name} images")
    image = graph.add("Conv", f"{whole} w") if graph.draw(st.booleans()) else whole
    cut = graph.pointwise(graph.add("Reshape", f"{image} parts"))
    orders = [st.just((0, 2, 1, *range(3, graph.rank + 1))), st.permutations(range(graph.rank + 1))]
    turned = graph.add("Transpose", cut, perm=graph.draw(st.one_of(orders)))
    back = graph.add("Reshape", f"{graph.pointwise(turned)} images")
    graph.flat.append(graph.flattened(back))
    if graph.draw(st.booleans()):
        graph.add("Conv", f"{back} w")


TAKERS = [by_weights, by_weights, by_product, by_axis, by_row, by_pair, by_images, by_parts]


@st.composite
def graphs(draw: Any) -> Graph:
    return Graph(draw)


@pytest.mark.parametrize("free", [False, True])
@given(graph=graphs())
@SETTINGS
def test_random_takers(
    tmp_path_factory: Any, write: Write, tap_errors: Any, free: bool, graph: Graph
) -> None:
    """All values are asked for at once, and each by itself."""
    path = tmp_path_factory.getbasetemp() / "takers.onnx"
    lengths = [graph.side] * graph.rank
    shape: list[Any] = ["n", graph.side, *("hwd"[: graph.rank - 2])] if free else lengths
    write(path, graph.nodes, {"x": (np.float32, shape)}, graph.constants)
    feeds = {"x": weights(*lengths, seed=5)}
    errors = tap_errors(path, feeds)
    assert max(errors.values()) < 1e-4, errors
    program = read_onnx(path).program
    together = program.compute(feeds, list(program.values), channels_last=False)
    for name in program.values:
        (alone,) = program.compute(feeds, [name], channels_last=False).values()
        np.testing.assert_allclose(alone, together[name], rtol=1e-4, atol=1e-5, err_msg=name)

    @tf.function(autograph=False)
    def traced(x: Any) -> Any:
        return program.compute({"x": x}, list(program.values), channels_last=False)

    found = traced.get_concrete_function(tf.TensorSpec([None] * graph.rank, tf.float32))
    for name, array in found(tf.constant(feeds["x"])).items():
        np.testing.assert_allclose(array, together[name], rtol=1e-4, atol=1e-5, err_msg=name)
