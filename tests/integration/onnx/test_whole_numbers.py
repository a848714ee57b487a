"""Arithmetic of whole numbers for which TensorFlow has no kernel: onnxruntime and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from kerasviz.importers.onnx import read_onnx

KINDS = [np.dtype(k) for k in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()]  # noqa: SIM905
UNSIGNED = KINDS[4:]


def numbers(kind: Any, *shape: int, seed: int = 0) -> Any:
    """Of the whole range, so that products wrap around."""
    limits = np.iinfo(kind)
    return np.random.default_rng(seed).integers(
        limits.min, limits.max, shape, dtype=kind, endpoint=True
    )


@pytest.fixture
def computed(write: Any, tmp_path: Any) -> Any:
    def run(op: str, feeds: Any, **given: Any) -> Any:
        node = helper.make_node(op, list(feeds), ["y"], **given)
        shapes = {name: (array.dtype, array.shape) for name, array in feeds.items()}
        program = read_onnx(write(tmp_path / "m.onnx", [node], shapes, {})).program
        found = program.compute(feeds, ["y"], channels_last=False)["y"].numpy()
        return found

    return run


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_matrix_products(computed: Any, kind: Any) -> None:
    a, b, c = numbers(kind, 2, 5, 7), numbers(kind, 7, 3, seed=1), numbers(kind, 3, seed=2)
    for found, expected in (
        (computed("MatMul", {"a": a, "b": b}), a @ b),
        (computed("Gemm", {"a": a[0], "b": b, "c": c}), a[0] @ b + c),
        (computed("Gemm", {"a": a[0].T, "b": b.T, "c": c}, transA=1, transB=1), a[0] @ b + c),
    ):
        assert found.dtype == kind
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", UNSIGNED, ids=str)
def test_unsigned_numbers(computed: Any, kind: Any) -> None:
    a, b = numbers(kind, 3, 5), numbers(kind, 3, 5, seed=1) // 2 + kind.type(1)
    small = np.random.default_rng(2).integers(0, 6, (3, 5)).astype(kind)
    a[0, 0] = 0
    for found, expected in (
        (computed("Pow", {"a": a, "b": small}), a**small),
        (computed("Sign", {"a": a}), np.sign(a)),
        (computed("Mod", {"a": a, "b": b}), a % b),
        (computed("Mod", {"a": a, "b": b}, fmod=1), a % b),
    ):
        assert found.dtype == kind
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [np.uint32, np.uint64])
def test_as_onnxruntime_has_it(parity: Any, kind: Any) -> None:
    a, b = numbers(kind, 4, 5), numbers(kind, 5, 3, seed=1)
    parity(helper.make_node("MatMul", ["a", "b"], ["y"]), {"a": a, "b": b}, gradient=False)
    parity(helper.make_node("Sign", ["a"], ["y"]), {"a": a}, gradient=False)
