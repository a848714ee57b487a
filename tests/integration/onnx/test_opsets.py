"""Opsets: one graph of each family through all versions, and old files by hand.

Where onnxruntime refuses a file of opset 1 to 6, numpy is the oracle.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper, version_converter

from kerasviz.importers.onnx import read_onnx

Array = Any
NEWEST = onnx.defs.onnx_opset_version()
RUNTIME_NEWEST = 24  # what every onnxruntime that we test with can read
node = helper.make_node


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed + sum(shape)).normal(size=shape).astype(np.float32)


def model_of(
    nodes: Sequence[Any],
    feeds: Mapping[str, Array],
    constants: Mapping[str, Array],
    outputs: Sequence[str],
    opset: int,
    *,
    ir: int = 8,
    listed: bool = False,
) -> Any:
    """``listed``: the initializers are inputs too, as before IR version 4."""

    def info(name: str, array: Array) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        return helper.make_tensor_value_info(name, kind, list(array.shape))

    tensors = {n: np.asarray(a) for n, a in constants.items()}
    graph = helper.make_graph(
        list(nodes),
        "test",
        [info(n, a) for n, a in {**feeds, **(tensors if listed else {})}.items()],
        [helper.make_tensor_value_info(n, 1, None) for n in outputs],
        [numpy_helper.from_array(a, n) for n, a in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def computed(model: Any, feeds: Mapping[str, Array], path: Path) -> list[Array]:
    path.write_bytes(model.SerializeToString())
    program = read_onnx(path).program
    found = program.compute(feeds, program.outputs, channels_last=False)
    return [found[name].numpy() for name in program.outputs]


def by_runtime(model: Any, feeds: Mapping[str, Array]) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(feeds)))


# -- one graph of each family -----------------------------------------------------------------

X = {"x": normal(2, 4, 6, 5)}
FLAT = {"x": normal(3, 6)}
Family = tuple[list[Any], dict[str, Array], dict[str, Array], int]


def convolutions() -> Family:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 1]),
        node("ConvTranspose", ["c", "t"], ["d"], strides=[2, 2]),
        node("Conv", ["d", "g"], ["y"], group=2, dilations=[2, 1]),
    ]
    constants = {"w": normal(4, 4, 3, 3), "b": normal(4), "t": normal(4, 4, 2, 2)}
    return nodes, X, {**constants, "g": normal(4, 2, 2, 3)}, 7


def pools() -> Family:
    nodes = [
        node("MaxPool", ["x"], ["a"], kernel_shape=[3, 2], pads=[1, 0, 1, 1], strides=[2, 1]),
        node("AveragePool", ["a"], ["b"], kernel_shape=[2, 2], pads=[0, 1, 1, 0]),
        node("LpPool", ["x"], ["l"], kernel_shape=[2, 2], p=2),
        node("GlobalMaxPool", ["b"], ["m"]),
        node("GlobalAveragePool", ["l"], ["g"]),
        node("Add", ["m", "g"], ["y"]),
    ]
    return nodes, X, {}, 7


def normalizations() -> Family:
    nodes = [
        node("BatchNormalization", ["x", "s", "b", "m", "v"], ["n"], epsilon=1e-3),
        node("InstanceNormalization", ["n", "s", "b"], ["i"]),
        node("LRN", ["i"], ["l"], size=3, alpha=0.1),
        node("LpNormalization", ["l"], ["y"], axis=1, p=2),
    ]
    constants = {"s": normal(4), "b": normal(4, seed=1), "m": normal(4, seed=2)}
    return nodes, X, {**constants, "v": np.float32([0.5, 1, 2, 0.7])}, 7


def activations() -> Family:
    ops = [
        "Relu",
        "Sigmoid",
        "Tanh",
        "Softplus",
        "Softsign",
        "Elu",
        "Selu",
        "LeakyRelu",
        "HardSigmoid",
    ]
    nodes = [node(op, ["x" if k == 0 else f"v{k - 1}"], [f"v{k}"]) for k, op in enumerate(ops)]
    nodes += [
        node("PRelu", ["x", "slope"], ["p"]),
        node("Softmax", ["x"], ["s"], axis=3),
        node("LogSoftmax", ["x"], ["t"], axis=3),
        node("Hardmax", ["x"], ["h"], axis=3),
        node("Sum", [f"v{len(ops) - 1}", "p", "s", "t", "h"], ["y"]),
    ]
    return nodes, X, {"slope": normal(4, 1, 1)}, 7


def clips() -> Family:
    nodes = [
        node("Clip", ["x"], ["a"], min=-0.5, max=0.75),
        node("Dropout", ["a"], ["b"], ratio=0.3),
        node("Identity", ["b"], ["y"]),
    ]
    return nodes, X, {}, 7


def arithmetic() -> Family:
    nodes = [
        node("Add", ["x", "c"], ["a"]),
        node("Mul", ["a", "x"], ["b"]),
        node("Sub", ["b", "k"], ["d"]),
        node("Div", ["d", "k"], ["e"]),
        node("Abs", ["e"], ["f"]),
        node("Pow", ["f", "two"], ["g"]),
        node("Sqrt", ["f"], ["h"]),
        node("Exp", ["x"], ["i"]),
        node("Max", ["g", "h", "i"], ["j"]),
        node("Min", ["j", "h"], ["l"]),
        node("Mean", ["l", "i"], ["m"]),
        node("Greater", ["m", "x"], ["n"]),
        node("Cast", ["n"], ["o"], to=1),
        node("Reciprocal", ["i"], ["p"]),
        node("Floor", ["m"], ["q"]),
        node("Sum", ["o", "p", "q", "m"], ["y"]),
    ]
    return nodes, X, {"c": normal(4, 1, 1), "k": normal(5), "two": np.float32(2)}, 7


def shapes() -> Family:
    nodes = [
        node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        node("Reshape", ["a", "target"], ["b"]),
        node("Unsqueeze", ["b"], ["c"], axes=[1]),
        node("Split", ["c"], ["d", "e"], axis=3, split=[1, 3]),
        node("Concat", ["e", "d"], ["f"], axis=3),
        node("Squeeze", ["f"], ["g"], axes=[1]),
        node("Slice", ["g"], ["h"], axes=[1, 2], starts=[1, -3], ends=[100, 4]),
        node("Pad", ["h"], ["i"], pads=[0, 1, 0, 0, 0, 2], value=0.5),
        node("Gather", ["i", "places"], ["j"], axis=1),
        node("Tile", ["j", "repeats"], ["k"]),
        node("Flatten", ["k"], ["y"], axis=1),
    ]
    constants = {"target": np.int64([0, -1, 4]), "places": np.int64([3, 0, 2])}
    return nodes, X, {**constants, "repeats": np.int64([1, 2, 1])}, 7


def reductions() -> Family:
    ops = ["Mean", "Sum", "Max", "Min", "L1", "L2", "LogSum", "LogSumExp", "Prod", "SumSquare"]
    nodes = [node("Abs", ["x"], ["a"])]
    nodes += [node(f"Reduce{op}", ["a"], [f"r{op}"], axes=[1, -1], keepdims=1) for op in ops[:2]]
    nodes += [node(f"Reduce{op}", ["a"], [f"r{op}"], axes=[1, 3], keepdims=1) for op in ops[2:]]
    nodes += [
        node("ArgMax", ["x"], ["am"], axis=1),
        node("Cast", ["am"], ["af"], to=1),
        node("ReduceSum", ["af"], ["as"], axes=[3], keepdims=1),
        node("Sum", [*(f"r{op}" for op in ops), "as"], ["y"]),
    ]
    nodes[1] = node("ReduceMean", ["a"], ["rMean"], axes=[1, 3], keepdims=1)
    nodes[2] = node("ReduceSum", ["a"], ["rSum"], axes=[1, 3], keepdims=1)
    return nodes, X, {}, 7


def products() -> Family:
    nodes = [
        node("Gemm", ["x", "k", "q"], ["a"], alpha=0.5, beta=2.0, transB=1),
        node("MatMul", ["a", "m"], ["b"]),
        node("TopK", ["b"], ["c", "places"], k=2, axis=-1),
        node("Add", ["c", "q2"], ["y"]),
    ]
    constants = {"k": normal(5, 6), "q": normal(5), "m": normal(5, 4), "q2": normal(2)}
    return nodes, FLAT, constants, 7


def upsamples() -> Family:
    nodes = [
        node("Upsample", ["x"], ["a"], mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]),
        node("DepthToSpace", ["a"], ["b"], blocksize=2),
        node("SpaceToDepth", ["b"], ["y"], blocksize=2),
    ]
    return nodes, X, {}, 7


def recurrent() -> Family:
    nodes = [
        node("LSTM", ["x", "w", "r", "b"], ["all", "h"], hidden_size=3),
        node("GRU", ["x", "gw", "gr"], ["", "g"], hidden_size=3),
        node("RNN", ["x", "nw", "nr"], ["", "n"], hidden_size=3),
        node("Sum", ["h", "g", "n"], ["y"]),
    ]
    feeds = {"x": normal(5, 2, 4)}
    constants = {"w": normal(1, 12, 4), "r": normal(1, 12, 3), "b": normal(1, 24)}
    constants |= {"gw": normal(1, 9, 4), "gr": normal(1, 9, 3)}
    return nodes, feeds, {**constants, "nw": normal(1, 3, 4), "nr": normal(1, 3, 3)}, 7


def newer() -> Family:
    """What came with opset 13 or so."""
    nodes = [
        node("Einsum", ["x", "m"], ["a"], equation="nchw,cd->ndhw"),
        node("GatherND", ["a", "at"], ["b"]),
        node("CumSum", ["b", "axis"], ["c"]),
        node("Erf", ["c"], ["d"]),
        node("HardSwish", ["d"], ["e"]),
        node("Trilu", ["e"], ["f"]),
        node("Where", ["mask", "f", "d"], ["y"]),
    ]
    constants = {
        "m": normal(4, 3),
        "at": np.int64([[0, 1], [1, 2]]),
        "axis": np.int64(1),
        "mask": np.array([True, False, True, True, False]),
    }
    return nodes, X, constants, 14


FAMILIES = (
    convolutions,
    pools,
    normalizations,
    activations,
    clips,
    arithmetic,
    shapes,
    reductions,
    products,
    upsamples,
    recurrent,
    newer,
)


def converted(model: Any, opset: int) -> Any:
    """The model in another opset, ``None`` where the converter of onnx does not reach it."""
    try:
        return version_converter.convert_version(model, opset)
    except (RuntimeError, IndexError):
        return None


@pytest.mark.parametrize("family", FAMILIES)
def test_all_opsets(family: Callable[[], Family], tmp_path: Path) -> None:
    nodes, feeds, constants, first = family()
    model = model_of(nodes, feeds, constants, ["y"], first)
    path = tmp_path / "model.onnx"
    (expected,) = by_runtime(model, feeds)
    reached = []
    for opset in range(1, NEWEST + 1):
        # Always from the first one on, and step by step where one leap is too far.
        other = model if opset == first else converted(model, opset)
        if other is None:
            continue
        assert {e.domain: e.version for e in other.opset_import}[""] == opset
        (found,) = computed(other, feeds, path)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=f"opset {opset}")
        if 7 <= opset <= RUNTIME_NEWEST:
            (again,) = by_runtime(other, feeds)
            np.testing.assert_allclose(found, again, rtol=1e-4, atol=1e-5)
        reached.append(opset)
    print(family.__name__, "reached", reached)
    assert len(reached) >= 8, reached
    assert first in reached


def test_the_sweep_reaches_the_newest_opset() -> None:
    for family in (convolutions, pools, arithmetic, shapes):
        nodes, feeds, constants, first = family()
        assert converted(model_of(nodes, feeds, constants, ["y"], first), NEWEST) is not None


# -- opsets 1 to 6, by hand -------------------------------------------------------------------


def old(
    nodes: Any,
    feeds: Mapping[str, Array],
    constants: Mapping[str, Array],
    tmp_path: Path,
    opset: int,
) -> Array:
    """The value ``y`` of an old file, whose initializers are listed as inputs."""
    nodes = nodes if isinstance(nodes, list) else [nodes]
    model = model_of(nodes, feeds, constants, ["y"], opset, ir=3, listed=True)
    (found,) = computed(model, feeds, tmp_path / "old.onnx")
    return found


def close(found: Array, expected: Array) -> None:
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


PAIRS = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}


@pytest.mark.parametrize("op", PAIRS)
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -2])
@pytest.mark.parametrize("computed_second", [False, True])
def test_broadcast_attributes(
    op: str, axis: int | None, computed_second: bool, tmp_path: Path
) -> None:
    x = X["x"]
    start = 2 if axis is None else axis % 4
    second = normal(*x.shape[start : start + 2]) + 3
    placed = second.reshape(second.shape + (1,) * (4 - start - second.ndim))
    attributes = {"broadcast": 1} if axis is None else {"broadcast": 1, "axis": axis}
    nodes = [node(op, ["x", "b"], ["y"], consumed_inputs=[0, 0], **attributes)]
    feeds, constants = dict(X), {"b": second}
    if computed_second:
        nodes = [node("Relu", ["c"], ["b"]), *nodes]
        feeds, constants = {**X, "c": second}, {}
        placed = np.maximum(placed, 0)
        if op == "Div":
            feeds["c"] = np.abs(second) + 1
            placed = feeds["c"].reshape(placed.shape)
    found = old(nodes, feeds, constants, tmp_path, 1)
    close(found, PAIRS[op](x, placed))


def test_pow_and_comparisons_with_broadcast(tmp_path: Path) -> None:
    x = np.abs(X["x"]) + 0.1
    power = np.float32([1, 2, 0.5, 3])
    found = old(
        node("Pow", ["x", "p"], ["y"], broadcast=1, axis=1), {"x": x}, {"p": power}, tmp_path, 1
    )
    close(found, x ** power[:, None, None])
    for op, apply in (("Greater", np.greater), ("Less", np.less)):
        found = old(
            [
                node(op, ["x", "p"], ["b"], broadcast=1, axis=1),
                node("Cast", ["b"], ["y"], to="FLOAT"),
            ],
            {"x": x},
            {"p": power},
            tmp_path,
            1,
        )
        close(found, apply(x, power[:, None, None]).astype(np.float32))


def test_gemm_with_broadcast(tmp_path: Path) -> None:
    k, q = normal(6, 5), normal(5)
    found = old(
        node("Gemm", ["x", "k", "q"], ["y"], broadcast=1, alpha=0.5, beta=3.0),
        FLAT,
        {"k": k, "q": q},
        tmp_path,
        1,
    )
    close(found, 0.5 * FLAT["x"] @ k + 3 * q)


@pytest.mark.parametrize("opset", [1, 6, 7])
def test_batch_norm(opset: int, tmp_path: Path) -> None:
    given = {"s": normal(4), "b": normal(4, seed=1), "m": normal(4, seed=2)}
    given["v"] = np.float32([0.5, 1, 2, 0.7])
    extra: dict[str, Any] = {"is_test": 1, "spatial": 1} if opset < 7 else {"spatial": 1}
    if opset == 1:
        extra["consumed_inputs"] = [0, 0, 0, 1, 1]
    found = old(
        node("BatchNormalization", ["x", *given], ["y"], epsilon=1e-3, **extra),
        X,
        given,
        tmp_path,
        opset,
    )
    s, b, m, v = (a[:, None, None] for a in given.values())
    close(found, s * (X["x"] - m) / np.sqrt(v + 1e-3) + b)


@pytest.mark.parametrize("opset", [1, 6, 7])
def test_batch_norm_of_every_position(opset: int, tmp_path: Path) -> None:
    """``spatial=0``: statistics [C, H, W]."""
    shape = X["x"].shape[1:]
    given = {"s": normal(*shape), "b": normal(*shape, seed=1), "m": normal(*shape, seed=2)}
    given["v"] = np.abs(normal(*shape, seed=3)) + 0.5
    extra = {"is_test": 1} if opset < 7 else {}
    if opset == 1:
        extra["consumed_inputs"] = [0, 0, 0, 1, 1]
    found = old(
        node("BatchNormalization", ["x", *given], ["y"], spatial=0, **extra),
        X,
        given,
        tmp_path,
        opset,
    )
    s, b, m, v = given.values()
    close(found, s * (X["x"] - m) / np.sqrt(v + 1e-5) + b)


@pytest.mark.parametrize("opset", [1, 6, 7, 10])
def test_dropout(opset: int, tmp_path: Path) -> None:
    extra: dict[str, Any] = {"is_test": 1} if opset < 7 else {}
    if opset == 1:
        extra["consumed_inputs"] = [0]
    for outputs in (["y"], ["y", "mask"]):
        close(
            old(node("Dropout", ["x"], outputs, ratio=0.9, **extra), X, {}, tmp_path, opset), X["x"]
        )


@pytest.mark.parametrize("opset", [1, 4])
def test_reshape_and_concat(opset: int, tmp_path: Path) -> None:
    """The shape as an attribute; Concat along axis 1 where none is said."""
    x = X["x"]
    close(
        old(
            node("Reshape", ["x"], ["y"], shape=[0, -1, 5], consumed_inputs=[0]), X, {}, tmp_path, 1
        ),
        x.reshape(2, -1, 5),
    )
    extra = {} if opset == 1 else {"axis": 1}
    close(
        old(node("Concat", ["x", "x"], ["y"], **extra), X, {}, tmp_path, opset),
        np.concatenate([x, x], 1),
    )


def test_pad(tmp_path: Path) -> None:
    x = X["x"]
    widths = [(0, 0), (0, 1), (2, 0), (1, 1)]
    flat = [a for a, _ in widths] + [b for _, b in widths]
    for name, opset in (("paddings", 1), ("pads", 2)):
        for mode in ("constant", "reflect", "edge"):
            options = {"constant_values": 2.5} if mode == "constant" else {}
            found = old(
                node("Pad", ["x"], ["y"], mode=mode, value=2.5, **{name: flat}),
                X,
                {},
                tmp_path,
                opset,
            )
            close(found, np.pad(x, widths, mode=mode, **options))


def test_clip_and_elu(tmp_path: Path) -> None:
    x = X["x"]
    clip = node("Clip", ["x"], ["y"], min=-0.25, max=0.5, consumed_inputs=[0])
    close(old(clip, X, {}, tmp_path, 1), np.clip(x, -0.25, 0.5))
    close(old(node("Clip", ["x"], ["y"], max=0.5), X, {}, tmp_path, 6), np.minimum(x, 0.5))
    close(old(node("Clip", ["x"], ["y"]), X, {}, tmp_path, 6), x)
    elu = node("Elu", ["x"], ["y"], alpha=0.5, consumed_inputs=[0])
    close(old(elu, X, {}, tmp_path, 1), np.where(x > 0, x, 0.5 * np.expm1(x)))


def test_prelu_of_channels(tmp_path: Path) -> None:
    """Before opset 7 a slope [C] is one for each channel."""
    x, slope = X["x"], normal(4)
    found = old(node("PRelu", ["x", "s"], ["y"]), X, {"s": slope}, tmp_path, 6)
    close(found, np.where(x > 0, x, slope[:, None, None] * x))
    one = old(node("PRelu", ["x", "s"], ["y"]), X, {"s": slope[:1]}, tmp_path, 6)
    close(one, np.where(x > 0, x, slope[0] * x))


def test_split(tmp_path: Path) -> None:
    x = X["x"]
    nodes = [
        node("Split", ["x"], ["a", "b"], axis=1, split=[1, 3]),
        node("Concat", ["b", "a"], ["y"], axis=1),
    ]
    close(old(nodes, X, {}, tmp_path, 2), np.concatenate([x[:, 1:], x[:, :1]], 1))
    by_input = [node("Split", ["x", "s"], ["a", "b"], axis=1), nodes[1]]
    close(
        old(by_input, X, {"s": np.float32([1, 3])}, tmp_path, 1),
        np.concatenate([x[:, 1:], x[:, :1]], 1),
    )
    nodes[0] = node("Split", ["x"], ["a", "b"], axis=1)
    close(old(nodes, X, {}, tmp_path, 2), np.concatenate([x[:, 2:], x[:, :2]], 1))


def test_slice(tmp_path: Path) -> None:
    x = X["x"]
    cut = node("Slice", ["x"], ["y"], axes=[2, 1], starts=[1, 0], ends=[-1, 3])
    close(old(cut, X, {}, tmp_path, 1), x[:, :3, 1:-1])
    close(
        old(node("Slice", ["x"], ["y"], starts=[0, 1], ends=[1, 9999]), X, {}, tmp_path, 1),
        x[:1, 1:],
    )


def test_upsample(tmp_path: Path) -> None:
    x = X["x"]
    tall = np.repeat(np.repeat(x, 2, 2), 3, 3)
    options = {"mode": "nearest"}
    first = node("Upsample", ["x"], ["y"], height_scale=2.0, width_scale=3.0, **options)
    close(old(first, X, {}, tmp_path, 1), tall)
    seventh = node("Upsample", ["x"], ["y"], scales=[1.0, 1.0, 2.0, 3.0], **options)
    close(old(seventh, X, {}, tmp_path, 7), tall)
    ninth = node("Upsample", ["x", "s"], ["y"], **options)
    close(old(ninth, X, {"s": np.float32([1, 1, 2, 3])}, tmp_path, 9), tall)


def test_softmax_of_a_matrix(tmp_path: Path) -> None:
    """Before opset 13 all axes from ``axis`` on sum to 1 together, 1 by default."""
    e = np.exp(X["x"])
    close(
        old(node("Softmax", ["x"], ["y"]), X, {}, tmp_path, 1), e / e.sum((1, 2, 3), keepdims=True)
    )
    close(
        old(node("Softmax", ["x"], ["y"], axis=2), X, {}, tmp_path, 1),
        e / e.sum((2, 3), keepdims=True),
    )


def test_cast_by_name(tmp_path: Path) -> None:
    nodes = [node("Cast", ["x"], ["i"], to="INT32"), node("Cast", ["i"], ["y"], to="FLOAT")]
    close(old(nodes, X, {}, tmp_path, 1), np.trunc(X["x"]))


def test_many_operands(tmp_path: Path) -> None:
    x = X["x"]
    for op, apply in (("Sum", np.sum), ("Mean", np.mean), ("Max", np.max), ("Min", np.min)):
        found = old(
            node(op, ["x", "b", "x"], ["y"], consumed_inputs=[0, 0, 0]),
            X,
            {"b": x[::-1].copy()},
            tmp_path,
            1,
        )
        close(found, apply(np.stack([x, x[::-1], x]), axis=0))


def test_tile_and_reductions(tmp_path: Path) -> None:
    x = X["x"]
    tiled = node("Tile", ["x", "tiles", "axis"], ["y"])
    close(
        old(tiled, X, {"tiles": np.float32(2), "axis": np.float32(1)}, tmp_path, 1),
        np.tile(x, (1, 2, 1, 1)),
    )
    close(
        old(node("ReduceSum", ["x"], ["y"], axes=[1]), X, {}, tmp_path, 1), x.sum(1, keepdims=True)
    )
    top = [node("TopK", ["x"], ["y", "places"], k=2, axis=1)]
    close(old(top, X, {}, tmp_path, 1), -np.sort(-x, 1)[:, :2])


def test_global_lp_pool_and_lrn(tmp_path: Path) -> None:
    x = X["x"]
    found = old(node("GlobalLpPool", ["x"], ["y"], p=2.0), X, {}, tmp_path, 1)
    close(found, np.sqrt((x**2).sum((2, 3), keepdims=True)))
    found = old(
        node("LRN", ["x"], ["y"], size=3, alpha=0.3, beta=0.5, bias=2.0), X, {}, tmp_path, 1
    )
    padded = np.pad(x**2, [(0, 0), (1, 1), (0, 0), (0, 0)])
    sums = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    close(found, x / np.sqrt(2 + 0.1 * sums))


# -- IR versions ------------------------------------------------------------------------------


@pytest.mark.parametrize("ir", range(3, onnx.IR_VERSION + 1))
def test_ir_versions(ir: int, tmp_path: Path) -> None:
    """Before version 4 the initializers are listed as inputs; later that is free."""
    nodes, feeds, constants, opset = convolutions()
    (expected,) = by_runtime(model_of(nodes, feeds, constants, ["y"], opset), feeds)
    for listed in (True, False):
        model = model_of(nodes, feeds, constants, ["y"], opset, ir=ir, listed=listed)
        path = tmp_path / "ir.onnx"
        (found,) = computed(model, feeds, path)
        close(found / np.abs(expected).max(), expected / np.abs(expected).max())
        assert list(read_onnx(path).program.inputs) == ["x"]


def test_the_families_cover_the_operators_that_changed() -> None:
    """Operators whose attributes became inputs are all in the sweep or in the old files."""
    ops = {n.op_type for family in FAMILIES for n in family()[0]}
    changed = "Clip Dropout Pad Reshape Slice Split Squeeze Tile TopK Unsqueeze Upsample ReduceSum"
    assert set(changed.split()) <= ops
    assert len(list(itertools.chain.from_iterable(f()[0] for f in FAMILIES))) > 80
