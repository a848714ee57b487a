"""Fourier transforms, windows and values made from a shape or chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from kerasviz.importers.onnx import read_onnx


def after_conv(*nodes: Any) -> list[Any]:
    """The nodes behind a convolution, whose output is stored channels last."""
    return [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), *nodes]


@pytest.mark.parametrize("length", [None, 4, 9])
@pytest.mark.parametrize(("parts", "axis"), [(1, 1), (2, 2)])
def test_dft(parity: Any, image: Any, length: Any, parts: int, axis: int) -> None:
    inputs = ["x", "n"] if length else ["x"]
    constants = {"n": np.int64(length)} if length else {}
    kinds = [(0, 0), (1, 0)] + ([(0, 1)] if parts == 1 else [])
    for inverse, onesided in kinds:
        node = helper.make_node("DFT", inputs, ["y"], axis=axis, inverse=inverse, onesided=onesided)
        parity(node, {"x": image(2, 5, 7, parts)}, constants, opset=17)


@pytest.mark.parametrize("length", [6, 7])
def test_the_inverse_of_a_onesided_dft(write: Any, image: Any, tmp_path: Any, length: int) -> None:
    """onnxruntime refuses it; it must give the signal back."""
    nodes = [
        helper.make_node("DFT", ["x", "n", "a"], ["f"], onesided=1),
        helper.make_node("DFT", ["f", "n", "a"], ["y"], onesided=1, inverse=1),
    ]
    x = image(2, length, 3, 1)
    constants = {"n": np.int64(length), "a": np.int64(1)}
    path = write(tmp_path / "m.onnx", nodes, {"x": (np.float32, x.shape)}, constants, opset=20)
    program = read_onnx(path).program
    found = program.compute({"x": x}, ["f", "y"], channels_last=False)
    half = np.fft.rfft(x[..., 0], axis=1)
    np.testing.assert_allclose(found["f"], np.stack([half.real, half.imag], -1), atol=1e-5)
    np.testing.assert_allclose(found["y"], x, atol=1e-5)


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("given", ["window", "length", "both"])
def test_stft(parity: Any, image: Any, onesided: int, given: str) -> None:
    inputs = ["x", "s", "" if given == "length" else "w", "" if given == "window" else "n"]
    node = helper.make_node("STFT", inputs, ["y"], onesided=onesided)
    window = np.hanning(8).astype(np.float32)
    constants = {"s": np.int64(3), "w": window, "n": np.int64(8)}
    used = {k: a for k, a in constants.items() if k in inputs}
    parity(node, {"x": image(2, 31, 1)}, used, opset=17)


@pytest.mark.parametrize("name", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
def test_windows(parity: Any, name: str, periodic: int) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["n"], keepdims=0),
        helper.make_node(name, ["n"], ["y"], periodic=periodic),
    ]
    parity(nodes, {"x": np.array([4, 11, 7], np.int64)}, opset=17, gradient=False)


def test_mel_weight_matrix(parity: Any) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["n"], keepdims=0),
        helper.make_node("MelWeightMatrix", ["n", "d", "r", "l", "h"], ["y"]),
    ]
    constants = {
        "d": np.int64(64),
        "r": np.int64(8192),
        "l": np.float32(100),
        "h": np.float32(4096),
    }
    parity(nodes, {"x": np.array([9], np.int64)}, constants, opset=17, gradient=False)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_one_hot(parity: Any, axis: int) -> None:
    node = helper.make_node("OneHot", ["x", "d", "v"], ["y"], axis=axis)
    constants = {"d": np.int64(4), "v": np.array([-1.5, 2], np.float32)}
    parity(node, {"x": np.array([[0, -1, 3], [4, -4, 9]], np.int64)}, constants, gradient=False)


def test_a_negative_index_was_no_place_before_opset_11(write: Any, tmp_path: Any) -> None:
    node = helper.make_node("OneHot", ["x", "d", "v"], ["y"])
    constants = {"d": np.int64(3), "v": np.array([0, 1])}
    path = write(tmp_path / "m.onnx", [node], {"x": (np.int64, (2,))}, constants, opset=9)
    found = read_onnx(path).program.compute({"x": [-1, 1]}, ["y"])
    np.testing.assert_array_equal(found["y"], [[0, 0, 0], [0, 1, 0]])


def test_eye_like(parity: Any, image: Any) -> None:
    for k in (-2, 0, 3):
        node = helper.make_node("EyeLike", ["x"], ["y"], k=k, dtype=TensorProto.DOUBLE)
        parity(node, {"x": image(3, 5)}, gradient=False, opset=9)


def test_det(parity: Any, image: Any) -> None:
    parity(helper.make_node("Det", ["x"], ["y"]), {"x": image(2, 4, 3, 3)}, free=False, opset=11)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("numbers", [(2, 9, 3), (9, 2, -2), (2, 9, -1)])
def test_range(write: Any, tmp_path: Any, dtype: str, numbers: Any) -> None:
    node = helper.make_node("Range", ["a", "b", "c"], ["y"])
    path = write(tmp_path / "m.onnx", [node], dict.fromkeys("abc", (dtype, ())), opset=11)
    fed = {k: np.array(n, dtype) for k, n in zip("abc", numbers, strict=True)}
    found = read_onnx(path).program.compute(fed, ["y"])["y"].numpy()
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.arange(*numbers))


def test_chance_has_its_distribution_and_is_the_same_in_every_run(
    write: Any, tmp_path: Any
) -> None:
    like = {"dtype": TensorProto.DOUBLE}
    nodes = [
        helper.make_node("RandomUniform", [], ["u"], low=2.0, high=4.0, shape=[4000]),
        helper.make_node("RandomNormal", [], ["n"], mean=3.0, scale=2.0, shape=[4000]),
        helper.make_node("RandomUniformLike", ["x"], ["ul"], low=2.0, high=4.0, **like),
        helper.make_node("RandomNormalLike", ["x"], ["nl"], mean=3.0, scale=2.0),
        helper.make_node("Bernoulli", ["x"], ["b"], **like),
        helper.make_node("RandomUniformLike", ["x"], ["s1"], seed=5.0),
        helper.make_node("RandomUniformLike", ["x"], ["s2"], seed=5.0),
        helper.make_node("RandomUniformLike", ["x"], ["s3"], seed=6.0),
        helper.make_node("Log", ["x"], ["logs"]),
        helper.make_node("Multinomial", ["logs"], ["m"], sample_size=4000),
    ]
    x = np.full((2, 2000), 0.25, np.float32)
    x[1] = 0.75
    path = write(tmp_path / "m.onnx", nodes, {"x": (np.float32, x.shape)}, opset=15)
    names = ["u", "n", "ul", "nl", "b", "s1", "s2", "s3", "m"]
    first = read_onnx(path).program.compute({"x": x}, names)
    again = read_onnx(path).program.compute({"x": x}, names)
    for name in names:
        np.testing.assert_array_equal(first[name], again[name])
    a = {name: first[name].numpy() for name in names}
    for name in ("u", "ul"):
        assert a[name].min() >= 2
        assert a[name].max() <= 4
        assert abs(a[name].mean() - 3) < 0.05
    for name in ("n", "nl"):
        assert abs(a[name].mean() - 3) < 0.15
        assert abs(a[name].std() - 2) < 0.1
    assert a["ul"].dtype == a["b"].dtype == np.float64
    np.testing.assert_allclose(a["b"].mean(1), [0.25, 0.75], atol=0.05)
    np.testing.assert_array_equal(a["s1"], a["s2"])
    assert (a["s1"] != a["s3"]).mean() > 0.99
    assert a["m"].dtype == np.int32
    assert a["m"].shape == (2, 4000)
    assert abs(a["m"].mean() - 999.5) < 30
