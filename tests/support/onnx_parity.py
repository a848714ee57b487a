"""One helper for all tests of operators: onnxruntime and finite differences as the oracles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper

from kerasviz.importers.onnx import read_onnx
from kerasviz.importers.onnx.program import OnnxProgram
from support.onnx_models import session

Array = Any


def save_model(
    path: Path,
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[Any, Sequence[Any]]],
    constants: Mapping[str, Array] | None = None,
    outputs: Sequence[str] | None = None,
    opset: int = 13,
) -> Path:
    """Write a model; ``inputs`` maps names to (numpy dtype, shape); all values are outputs."""
    if outputs is None:
        outputs = [name for node in nodes for name in node.output if name]
    graph = helper.make_graph(
        list(nodes),
        "test",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape)
            )
            for name, (dtype, shape) in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()],
    )
    others = sorted({node.domain for node in nodes if node.domain})
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in others)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def relative_error(ours: Array, theirs: Array) -> float:
    """The largest difference over the largest entry."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if ours.dtype == bool:
        return float((ours != theirs).any())
    finite = np.isfinite(theirs)
    assert (finite == np.isfinite(ours)).all()
    if not finite.any():
        return 0.0
    gap = np.abs(ours[finite].astype(np.float64) - theirs[finite]).max()
    return float(gap / max(np.abs(theirs[finite]).max(), 1e-12)) if gap else 0.0


def every_tap(
    path: Path, feeds: Mapping[str, Array], leave: Sequence[str] = (), program: Any = None
) -> dict[str, float]:
    """The relative error of every value against onnxruntime; ``program`` is the file's, if read."""
    program = program or read_onnx(path).program
    inside = {name for node in onnx.load(path).graph.node for name in node.output}
    names = [n for n in dict.fromkeys([*program.values, *program.outputs]) if n not in leave]
    names = [n for n in names if n in inside]  # not those of operators that are written out
    theirs = session(path, names).run(names, dict(feeds))
    ours = program.compute(feeds, names, channels_last=False)
    return {n: relative_error(ours[n].numpy(), r) for n, r in zip(names, theirs, strict=True)}


def gradient_error(program: Any, feeds: Mapping[str, Array], name: str) -> float:
    """How far the input gradient of a random projection of ``name`` is from finite differences."""
    rng = np.random.default_rng(3)
    (key,) = [n for n, a in feeds.items() if a.dtype == np.float64]
    x = feeds[key]
    shape = program.compute(feeds, [name], channels_last=False)[name].shape
    weights = rng.normal(size=shape)

    @tf.function(autograph=False)
    def score(given: Any) -> Any:
        fed = {**feeds, key: given}
        return tf.reduce_sum(program.compute(fed, [name], channels_last=False)[name] * weights)

    @tf.function(autograph=False)
    def slope(given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            total = score(given)
        return tape.gradient(total, given)

    gradient = slope(tf.constant(x)).numpy()
    errors = []
    for _ in range(3):
        way = rng.normal(size=x.shape)
        step = 1e-6
        measured = (score(tf.constant(x + step * way)) - score(tf.constant(x - step * way))) / (
            2 * step
        )
        scale = np.linalg.norm(gradient) * np.linalg.norm(way) / np.sqrt(way.size) + 1e-9
        errors.append(abs(float(measured) - float((gradient * way).sum())) / scale)
    return max(errors)


@dataclass(frozen=True)
class Parity:
    """Build a graph, compare it with onnxruntime and its gradient with finite differences."""

    folder: Path

    def __call__(
        self,
        nodes: Sequence[Any] | Any,
        inputs: Mapping[str, Array],
        constants: Mapping[str, Array] | None = None,
        *,
        opset: int = 13,
        gradient: bool = True,
        free: bool = True,
        leave: Sequence[str] = (),
    ) -> OnnxProgram:
        """``free``: the shape of every input is symbolic, but for the channels (axis 1)."""
        nodes = nodes if isinstance(nodes, list) else [nodes]
        path = self.folder / "test.onnx"

        def shape_of(array: Array) -> list[Any]:
            if not free or array.ndim < 3:
                return list(array.shape)
            return [n if k == 1 else f"d{k}" for k, n in enumerate(array.shape)]

        shapes = {n: (a.dtype, shape_of(a)) for n, a in inputs.items()}
        save_model(path, nodes, shapes, constants, opset=opset)
        errors = every_tap(path, inputs, leave)
        assert max(errors.values()) <= 1e-4, errors
        program = read_onnx(path).program
        _check_layouts(program, inputs)
        if gradient:
            self._check_gradient(nodes, inputs, constants or {}, opset)
        return program

    def _check_gradient(
        self, nodes: list[Any], inputs: Mapping[str, Array], constants: Any, opset: int
    ) -> None:
        def double(array: Array) -> Array:
            return array.astype(np.float64) if array.dtype == np.float32 else array

        wide = {n: double(a) for n, a in inputs.items()}
        fixed = {n: double(np.asarray(a)) for n, a in constants.items()}
        path = self.folder / "double.onnx"
        save_model(
            path, nodes, {n: (a.dtype, a.shape) for n, a in wide.items()}, fixed, None, opset
        )
        name = nodes[-1].output[0]
        error = gradient_error(read_onnx(path).program, wide, name)
        assert error < 1e-5, f"gradient of {name} is off by {error}"


def _check_layouts(program: Any, inputs: Mapping[str, Array]) -> None:
    """What is given and taken channels last is the same as in the model's own layout.

    Only the axis of the channels moves, behind all others.
    """
    own = program.compute(inputs, list(program.values), channels_last=False)
    fed = {
        n: np.moveaxis(a, 1, -1) if program.inputs[n].channels_first else a
        for n, a in inputs.items()
    }
    last = program.compute(fed, list(program.values))
    for name, value in program.values.items():
        a, b = own[name].numpy(), last[name].numpy()
        assert value.shape is not None
        assert len(value.shape) == b.ndim
        assert all(want in (None, have) for want, have in zip(value.shape, b.shape, strict=True))
        if a.dtype != b.dtype:  # quantized: channels last come the numbers that are meant
            assert b.dtype == np.float32
            continue
        moved = [np.moveaxis(a, k, -1) for k in range(1, a.ndim)]
        assert any(
            m.shape == b.shape and np.allclose(m, b, rtol=1e-4, atol=1e-5) for m in [a, *moved]
        ), name


@pytest.fixture
def parity(tmp_path: Path) -> Parity:
    return Parity(tmp_path)


@pytest.fixture
def write() -> Callable[..., Path]:
    return save_model


@pytest.fixture
def tap_errors() -> Callable[..., dict[str, float]]:
    return every_tap


@pytest.fixture
def image() -> Callable[..., Array]:
    """Random images [N, C, ...] of odd, unequal sizes."""

    def make(*shape: int, seed: int = 0) -> Array:
        return np.random.default_rng(seed).normal(size=shape).astype(np.float32)

    return make
