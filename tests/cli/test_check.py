"""``kerasviz check``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper
from support.onnx_parity import save_model

from kerasviz.importers.onnx import registry
from kerasviz.importers.onnx.layout import LayoutTensor, TensorValue

Run = Callable[..., Any]


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["conv"], ["gate"]),
        helper.make_node("Mul", ["conv", "gate"], ["swish"]),
        helper.make_node("Tanh", ["swish"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3, "H", "W"])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, ["N", 4, "H", "W"])],
        [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture
def wrong_sigmoid(monkeypatch: pytest.MonkeyPatch) -> None:
    """A converter that is a little wrong."""
    entries = registry._TABLE[("", "Sigmoid")]

    def wrong(entry: Any) -> Any:
        def convert(call: registry.Call) -> TensorValue:
            right = entry.convert(call)
            return LayoutTensor(right.tensor * 1.001, right.channels_last)

        return replace(entry, convert=convert)

    monkeypatch.setitem(registry._TABLE, ("", "Sigmoid"), [wrong(entry) for entry in entries])


def test_all_taps_agree(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("check", onnx_file, "--size", "10x12", "--batch", 2)
    header, *rows, last = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert header.split() == ["tap", "op", "shape", "difference"]
    assert [row.split()[0] for row in rows] == ["conv", "gate", "swish", "out"]  # the graph's order
    assert rows[0].split()[1:3] == ["Conv", "2x4x10x12"]
    assert last.startswith("4 taps agree with onnxruntime within 0.0001; largest difference ")


@pytest.mark.usefixtures("wrong_sigmoid")
def test_first_wrong_tap_is_named(run_cli: Run, onnx_file: Path) -> None:
    """The fault is in the gate; what comes after is off too, what comes before is not."""
    ended = run_cli("check", onnx_file, "--size", 10)
    *_, last = ended.out.splitlines()
    assert ended.code == 1
    assert last.startswith("3 of 4 taps are off by more than 0.0001; the first is gate [Sigmoid]")
    rows = {line.split()[0]: line.split() for line in ended.out.splitlines()[1:-1]}
    assert rows["conv"][-1] != "off"
    assert rows["gate"][-1] == rows["swish"][-1] == rows["out"][-1] == "off"
    assert float(rows["gate"][3]) == pytest.approx(1e-3, rel=0.05)


@pytest.mark.usefixtures("wrong_sigmoid")
def test_tolerance(run_cli: Run, onnx_file: Path) -> None:
    assert run_cli("check", onnx_file, "--size", 10, "--tolerance", "0.01").code == 0
    assert run_cli("check", onnx_file, "--size", 10, "--tolerance", "1e-4").code == 1


@pytest.mark.usefixtures("wrong_sigmoid")
def test_json(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("check", onnx_file, "--size", 10, "--json")
    data = json.loads(ended.out)
    assert ended.code == 1
    assert data["first_off"] == "gate"
    assert data["against"] == "onnxruntime"
    assert data["inputs"] == {"x": [1, 3, 10, 10]}
    assert [tap["name"] for tap in data["taps"]] == ["conv", "gate", "swish", "out"]
    assert data["taps"][1]["difference"] == pytest.approx(1e-3, rel=0.05)
    assert data["largest"] >= data["taps"][1]["difference"]
    assert data["not_compared"] == []


def test_data_of_a_file(run_cli: Run, onnx_file: Path) -> None:
    np.savez("in.npz", x=np.random.default_rng(0).normal(size=(3, 3, 5, 7)))
    data = json.loads(run_cli("check", onnx_file, "--data", "in.npz", "--json").out)
    assert data["inputs"] == {"x": [3, 3, 5, 7]}
    assert data["first_off"] is None
    both = run_cli("check", onnx_file, "--data", "in.npz", "--size", 9)
    assert both.code == 2
    assert "--data brings its own" in both.err


def test_keras_file(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("check", model_file, "--against", "keras", "--size", 20)
    assert ended.code == 0, ended.out
    assert "agree with keras" in ended.out.splitlines()[-1]
    rows = [line.split()[0] for line in ended.out.splitlines()[1:]]
    assert [name for name in rows if name in ("conv1", "conv2", "prob")] == [
        "conv1",
        "conv2",
        "prob",
    ]


def test_by_onnx_tf(run_cli: Run, onnx_file: Path) -> None:
    ended = run_cli("check", onnx_file, "--importer", "onnx-tf", "--size", "8x9")
    assert ended.code == 0, ended.err
    assert "4 taps agree with onnxruntime" in ended.out


def test_wrong_reference(run_cli: Run, onnx_file: Path, model_file: Path) -> None:
    for path, against in ((onnx_file, "keras"), (model_file, "onnxruntime")):
        ended = run_cli("check", path, "--against", against)
        assert ended.code == 2
        assert len(ended.err.splitlines()) == 1
    assert run_cli("check", "efficientnet-lite0").code == 2


def test_missing_onnxruntime(
    run_cli: Run, onnx_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ended = run_cli("check", onnx_file)
    assert ended.code == 2
    assert ended.err == (
        "kerasviz: error: checking an ONNX file needs onnxruntime; "
        "run: pip install 'kerasviz[check]'\n"
    )


# -- networks in which right runtimes differ ----------------------------------------------------

Nodes = list[Any]
node = helper.make_node
HALF = onnx.TensorProto.FLOAT16


def weights(*shape: int, scale: float = 0.1, dtype: Any = np.float32) -> Any:
    return (np.random.default_rng(sum(shape)).normal(size=shape) * scale).astype(dtype)


def normalization(x: str, name: str) -> Nodes:
    return [
        node("ReduceMean", [x], [f"{name}_mean"], axes=[-1]),
        node("Sub", [x, f"{name}_mean"], [f"{name}_gap"]),
        node("Mul", [f"{name}_gap", f"{name}_gap"], [f"{name}_square"]),
        node("ReduceMean", [f"{name}_square"], [f"{name}_variance"], axes=[-1]),
        node("Add", [f"{name}_variance", "small"], [f"{name}_more"]),
        node("Sqrt", [f"{name}_more"], [f"{name}_deviation"]),
        node("Div", [f"{name}_gap", f"{name}_deviation"], [name]),
    ]


def half() -> tuple[Nodes, dict[str, Any]]:
    """A network of float16 behind a float32 input, as exported with half=True."""
    nodes = [
        node("Cast", ["x"], ["h"], to=HALF),
        node("Conv", ["h", "w"], ["conv"], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["conv"], ["gate"]),
        node("Mul", ["conv", "gate"], ["swish"]),
        node("Conv", ["swish", "w2", "b2"], ["conv2"]),
        node("GlobalAveragePool", ["conv2"], ["pool"]),
        node("Cast", ["pool"], ["y"], to=1),
    ]
    kinds = {"w": (8, 3, 3, 3), "w2": (8, 8, 3, 3), "b2": (8,)}
    return nodes, {n: weights(*s, scale=0.3, dtype=np.float16) for n, s in kinds.items()}


def quantized() -> tuple[Nodes, dict[str, Any]]:
    """Quantized to int8 as onnxruntime's quantizer does (QDQ)."""

    def coded(x: str, scale: str) -> Nodes:
        return [
            node("QuantizeLinear", [x, scale, "zero"], [f"{x}_codes"]),
            node("DequantizeLinear", [f"{x}_codes", scale, "zero"], [f"{x}_real"]),
        ]

    nodes = [
        *coded("x", "s0"),
        node("DequantizeLinear", ["w", "sw", "zero"], ["w_real"]),
        node("Conv", ["x_real", "w_real"], ["conv"], pads=[1, 1, 1, 1]),
        *coded("conv", "s1"),
        node("Sigmoid", ["conv_real"], ["gate"]),
        node("Mul", ["conv_real", "gate"], ["swish"]),
        *coded("swish", "s1"),
        node("GlobalAveragePool", ["swish_real"], ["y"]),
    ]
    codes = np.random.default_rng(0).integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)
    scales = {"s0": 0.0079, "sw": 0.0041, "s1": 0.031}
    constants = {name: np.float32(value) for name, value in scales.items()}
    return nodes, {"w": codes, "zero": np.int8(0), **constants}


def clip_like() -> tuple[Nodes, dict[str, Any]]:
    """Patches, two normalizations that are written out, attention, a quick GELU."""
    nodes = [
        node("Conv", ["x", "patches"], ["grid"], strides=[8, 8]),
        node("Reshape", ["grid", "shape"], ["flat"]),
        node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
        *normalization("tokens", "first"),
        *normalization("first", "second"),
        node("MatMul", ["second", "wq"], ["q"]),
        node("Transpose", ["second"], ["k"], perm=[0, 2, 1]),
        node("MatMul", ["q", "k"], ["products"]),
        node("Softmax", ["products"], ["share"], axis=-1),
        node("MatMul", ["share", "second"], ["mixed"]),
        node("Mul", ["mixed", "quick"], ["scaled"]),
        node("Sigmoid", ["scaled"], ["gate"]),
        node("Mul", ["mixed", "gate"], ["y"]),
    ]
    constants = {"small": np.float32(1e-5), "quick": np.float32(1.702)}
    tensors = {"patches": weights(16, 3, 8, 8), "wq": weights(16, 16)}
    return nodes, {**tensors, **constants, "shape": np.array([0, 16, -1])}


def tiny_sigmoid() -> tuple[Nodes, dict[str, Any]]:
    """A head whose scores are about 1e-11, where fast sigmoids have no right digit."""
    nodes = [
        node("Conv", ["x", "w", "b"], ["logit"], pads=[1, 1, 1, 1]),
        node("Sigmoid", ["logit"], ["score"]),
        node("ReduceMax", ["score"], ["y"], axes=[2, 3]),
    ]
    return nodes, {"w": weights(4, 3, 3, 3), "b": np.full(4, -25, np.float32)}


NETWORKS = {f.__name__: f for f in (half, quantized, clip_like, tiny_sigmoid)}


@pytest.fixture(params=NETWORKS)
def hard_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    nodes, constants = NETWORKS[request.param]()
    return save_model(
        tmp_path / f"{request.param}.onnx",
        nodes,
        {"x": (np.float32, (1, 3, 32, 32))},
        constants,
        ["y"],
    )


def plant(monkeypatch: pytest.MonkeyPatch, op: str) -> None:
    """Make an operator wrong by a factor of 1.001."""
    entries = registry._TABLE[("", op)]

    def wrong(entry: Any) -> Any:
        def convert(call: registry.Call) -> Any:
            if op == "QuantizeLinear":
                x = tf.cast(1.001, tf.float32) * call.tensor(0)
                return entry.convert(replace(call, inputs=(LayoutTensor(x), *call.inputs[1:])))
            right = entry.convert(call)
            factor = tf.cast(1.001, right.tensor.dtype)
            return replace(right, tensor=right.tensor * factor)

        return replace(entry, convert=convert)

    monkeypatch.setitem(registry._TABLE, ("", op), [wrong(entry) for entry in entries])


def test_right_imports_pass_where_runtimes_differ(run_cli: Run, hard_file: Path) -> None:
    ended = run_cli("check", hard_file)
    assert ended.code == 0, ended.out


PLANTED = {
    "half": ("Conv", "Sigmoid", "Mul", "GlobalAveragePool"),
    "quantized": ("Conv", "Sigmoid", "QuantizeLinear", "GlobalAveragePool"),
    "clip_like": ("Conv", "MatMul", "Softmax", "Div", "Sqrt", "ReduceMean", "Sub"),
    "tiny_sigmoid": ("Conv", "Sigmoid", "ReduceMax"),
}


def test_an_error_of_a_thousandth_is_seen_in_each(
    run_cli: Run, hard_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for op in PLANTED[hard_file.stem]:
        with monkeypatch.context() as patch:
            plant(patch, op)
            ended = run_cli("check", hard_file)
        assert ended.code == 1, (op, ended.out)
        last = ended.out.splitlines()[-1]
        assert f"[{op}]" in last, (op, last)


def test_what_decided_is_said(run_cli: Run, tmp_path: Path) -> None:
    nodes, constants = clip_like()
    path = save_model(
        tmp_path / "m.onnx", nodes, {"x": (np.float32, (1, 3, 32, 32))}, constants, ["y"]
    )
    ended = run_cli("check", path)
    line = next(t for t in ended.out.splitlines() if t.startswith("second_mean "))
    assert line.endswith("float64 agrees with kerasviz")
    *_, last = ended.out.splitlines()
    assert "within 0.0001 or the rounding of their types" in last
    taps = json.loads(run_cli("check", path, "--json").out)["taps"]
    assert all(tap["agrees"] for tap in taps)


def test_what_comes_before_an_unknown_operator_is_compared(run_cli: Run, tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["conv"]),
        node("Relu", ["conv"], ["relu"]),
        node("Beyond", ["relu"], ["boxes"], domain="com.example"),
        node("Neg", ["boxes"], ["y"]),
    ]
    path = save_model(
        tmp_path / "m.onnx",
        nodes,
        {"x": (np.float32, (1, 3, 9, 8))},
        {"w": weights(4, 3, 3, 3)},
        ["y"],
    )
    ended = run_cli("check", path)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1].startswith("2 taps agree with onnxruntime")


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_operators_without_float64_are_compared_on_the_inputs_of_the_other_runtime(
    run_cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    """ONNX's evaluator does not know onnxruntime's own operators."""
    nodes, constants = tiny_sigmoid()
    constants["b"] = np.full(4, -15, np.float32)
    nodes = [*nodes[:2], node("QuickGelu", ["score"], ["y"], domain="com.microsoft")]
    path = save_model(
        tmp_path / "m.onnx", nodes, {"x": (np.float32, (1, 3, 32, 32))}, constants, ["y"]
    )
    entries = registry._TABLE[("com.microsoft", "QuickGelu")]

    def convert(call: registry.Call) -> TensorValue:
        right = entries[0].convert(call)
        return LayoutTensor(right.tensor * factor, right.channels_last)

    changed = [replace(entries[0], convert=convert)]
    monkeypatch.setitem(registry._TABLE, ("com.microsoft", "QuickGelu"), changed)
    ended = run_cli("check", path)
    assert ended.code == (0 if factor == 1 else 1), ended.out
    if factor == 1:
        assert "agrees on the inputs of onnxruntime" in ended.out
    else:
        assert "the first is y [QuickGelu]" in ended.out
