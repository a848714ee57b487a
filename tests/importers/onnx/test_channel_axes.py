"""Where the channels are in every value, against onnxruntime and numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.importers.onnx import read_onnx

Array = Any
Check = Callable[..., Any]


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(op, inputs.split(), outputs.split(), outputs.split()[0], **attributes)


def weights(*shape: int, seed: int = 0) -> Array:
    fan = max(int(np.prod(shape[1:])), 1)
    return np.float32(np.random.default_rng(seed).normal(size=shape) * fan**-0.5)


def conv(source: str, target: str, outs: int, ins: int, size: int = 2, **attributes: Any) -> Any:
    """A convolution and its weights."""
    kernel = weights(outs, ins, size, size, seed=outs)
    return node("Conv", f"{source} {target}_w", target, **attributes), {f"{target}_w": kernel}


def computed_shape(source: str, name: str, *lengths: int | str) -> list[Any]:
    """The nodes of a target; a letter is the length of that axis of ``source``."""
    nodes = [node("Shape", source, f"{name}_s")]
    parts = []
    for k, length in enumerate(lengths):
        part = f"{name}_{k}"
        if isinstance(length, str):
            index = f"{name}_{k}_i"
            nodes.append(helper.make_node("Constant", [], [index], value_int="nchw".index(length)))
            nodes.append(node("Gather", f"{name}_s {index}", f"{part}_g"))
            nodes.append(node("Unsqueeze", f"{part}_g zero", part))
        else:
            nodes.append(helper.make_node("Constant", [], [part], value_ints=[length]))
        parts.append(part)
    return [*nodes, node("Concat", " ".join(parts), name, axis=0)]


@pytest.fixture
def check(tmp_path: Path, write: Any, tap_errors: Any) -> Check:
    """Import nodes behind an image ``x``; compare every value and its row with onnxruntime's."""

    def run(
        nodes: Sequence[Any],
        constants: Mapping[str, Array],
        axes: Mapping[str, int],
        shape: Sequence[int] = (3, 3, 9, 14),
        opset: int = 17,
    ) -> Any:
        """``axes``: the model's axis of the channels of some values."""
        free = [n if k == 1 else f"d{k}" for k, n in enumerate(shape)]
        fixed = {"zero": np.array([0]), **constants}
        path = write(
            tmp_path / "m.onnx", list(nodes), {"x": (np.float32, free)}, fixed, None, opset
        )
        x = weights(*shape, seed=9)
        errors = tap_errors(path, {"x": x})
        assert max(errors.values()) <= 1e-5, errors
        program = read_onnx(path).program
        last = np.moveaxis(x, 1, -1)

        @tf.function(autograph=False)
        def traced(given: Any) -> Any:
            return program.compute({"x": given}, list(axes))

        spec = tf.TensorSpec([None] * len(shape[:-1]) + [shape[1]], tf.float32)
        own = program.compute({"x": x}, list(axes), channels_last=False)
        eager = program.compute({"x": last}, list(axes))
        whole = traced.get_concrete_function(spec)(tf.constant(last))
        alone = traced.get_concrete_function(spec)(tf.constant(last[1:2]))
        for name, axis in axes.items():
            wanted = np.moveaxis(own[name].numpy(), axis, -1)
            for result in (eager[name], whole[name]):
                np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6, err_msg=name)
            np.testing.assert_allclose(alone[name], wanted[1:2], rtol=1e-4, atol=1e-6)
            described = program.values[name].shape
            assert len(described) == wanted.ndim
            assert described[-1] == wanted.shape[-1], (name, described)
            assert all(n in (None, m) for n, m in zip(described, wanted.shape, strict=True))
        return program

    return run


def transposes(program: Any, names: Sequence[str], channels: int = 3, rank: int = 4) -> list[str]:
    @tf.function(autograph=False)
    def run(x: Any) -> Any:
        return program.compute({"x": x}, list(names))

    spec = tf.TensorSpec([None] * (rank - 1) + [channels], tf.float32)
    graph = run.get_concrete_function(spec).graph
    return [op.name for op in graph.get_operations() if op.type == "Transpose"]


TARGETS: dict[str, tuple[int | str, ...]] = {
    "constant with zeros": (0, 0, -1),
    "constant with channels": (0, 9, -1),
    "computed": ("n", "c", -1),
    "computed images": ("n", 9, -1),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_detector_has_its_classes_in_the_middle(kind: str, check: Check) -> None:
    nodes, fixed, parts = [], {"four": np.array([4, 5])}, []
    for name, stride in (("small", 2), ("large", 3)):
        layer, kernel = conv("x", name, 9, 3, 3, strides=[stride, stride])
        nodes.append(layer)
        fixed |= kernel
        if "computed" in kind:
            nodes += computed_shape(name, f"{name}_t", *TARGETS[kind])
        else:
            fixed[f"{name}_t"] = np.array(TARGETS[kind])
        nodes.append(node("Reshape", f"{name} {name}_t", f"{name}_rows"))
        parts.append(f"{name}_rows")
    nodes += [
        node("Concat", " ".join(parts), "all", axis=2),
        node("Split", "all four", "boxes classes", axis=1),
        node("Sigmoid", "classes", "scores"),
        node("Concat", "boxes scores", "y", axis=1),
        node("Softmax", "classes", "p", axis=1),
        node("Slice", "y zero two one", "corner"),
        node("ReduceMax", "scores", "best", axes=[2], keepdims=1),
    ]
    fixed |= {"two": np.array([2]), "one": np.array([1])}
    moved = [*parts, "all", "boxes", "classes", "scores", "y", "p", "corner", "best"]
    program = check(nodes, fixed, dict.fromkeys(moved, 1))
    assert program.values["y"].parts == ("boxes", "scores")
    assert program.values["p"].softmax_input == "classes"
    assert transposes(program, ["y", "p"]) == []


def test_patches_become_tokens(check: Check) -> None:
    layer, fixed = conv("x", "patches", 6, 3, 4, strides=[4, 4])
    nodes = [
        layer,
        *computed_shape("patches", "t", "n", "c", -1),
        node("Reshape", "patches t", "rows"),
        node("Transpose", "rows", "tokens", perm=[0, 2, 1]),
        node("MatMul", "tokens m", "hidden"),
        node("Transpose", "hidden", "first", perm=[0, 2, 1]),
    ]
    axes = {"rows": 1, "tokens": 2, "hidden": 2, "first": 1}
    program = check(nodes, {**fixed, "m": weights(6, 10)}, axes)
    assert program.values["tokens"].shape == (None, None, 6)
    assert transposes(program, ["tokens"]) == []


def test_squeezed_and_flattened_positions(check: Check) -> None:
    layer, fixed = conv("x", "c", 6, 3, 3)
    nodes = [
        layer,
        node("ReduceMean", "c", "columns", axes=[2], keepdims=1),
        node("Squeeze", "columns two", "line"),
        node("Unsqueeze", "line three", "again"),
        node("ReduceMean", "line", "p", axes=[2], keepdims=0),
        node("Unsqueeze", "p axes", "wide"),
        node("Mul", "c wide", "gated"),
    ]
    fixed |= {"two": np.array([2]), "three": np.array([3]), "axes": np.array([2, 3])}
    check(nodes, fixed, {"line": 1, "again": 1, "gated": 1})


def test_one_dimensional_convolutions(check: Check) -> None:
    nodes = [
        node("Conv", "x w", "c", strides=[2]),
        node("Transpose", "c", "tokens", perm=[0, 2, 1]),
        node("LayerNormalization", "tokens g", "normal", axis=-1),
        node("Transpose", "normal", "back", perm=[0, 2, 1]),
        node("Relu", "back", "relu"),
        node("Conv", "relu v", "d"),
        node("Softmax", "d", "p", axis=1),
    ]
    fixed = {"w": weights(6, 4, 3), "v": weights(5, 6, 1), "g": weights(6)}
    axes = {"c": 1, "tokens": 2, "normal": 2, "back": 1, "relu": 1, "d": 1, "p": 1}
    program = check(nodes, fixed, axes, shape=(2, 4, 13))
    assert transposes(program, ["p"], 4, 3) == []


def test_distribution_of_distances(check: Check) -> None:
    """YOLOv8: 4 sides x 5 bins; a fixed convolution takes the mean over the bins."""
    head, fixed = conv("x", "head", 20, 3, 3)
    nodes = [
        head,
        *computed_shape("head", "t", "n", 20, -1),
        node("Reshape", "head t", "rows"),
        *computed_shape("rows", "parts_t", "n", 4, 5, -1),
        node("Reshape", "rows parts_t", "parts"),
        node("Transpose", "parts", "bins", perm=[0, 2, 1, 3]),
        node("Softmax", "bins", "p", axis=1),
        node("Conv", "p mean", "sides"),
        *computed_shape("rows", "sides_t", "n", 4, -1),
        node("Reshape", "sides sides_t", "distances"),
        node("Split", "distances", "near far", axis=1),
        node("Sub", "near far", "size"),
        node("Concat", "near size", "boxes", axis=1),
    ]
    fixed["mean"] = np.arange(5, dtype=np.float32).reshape(1, 5, 1, 1)
    axes = {"rows": 1, "parts": 2, "bins": 1, "p": 1, "distances": 1, "near": 1, "boxes": 1}
    check(nodes, fixed, axes)


@pytest.mark.parametrize("fixed_target", [False, True])
def test_anchors_times_classes(fixed_target: bool, check: Check) -> None:
    """YOLOv5: [N, 2 x 7, H, W] becomes [N, -1, 7]; its transpose has the 7 in the middle."""
    head, fixed = conv("x", "head", 14, 3, 3)
    nodes = [head]
    if fixed_target:
        fixed |= {"t": np.array([-1, 2, 7, 7, 12]), "u": np.array([0, -1, 7])}
    else:
        nodes += computed_shape("head", "t", "n", 2, 7, "h", "w")
        nodes += computed_shape("head", "u", "n", -1, 7)
    nodes += [
        node("Reshape", "head t", "parts"),
        node("Transpose", "parts", "turned", perm=[0, 1, 3, 4, 2]),
        node("Sigmoid", "turned", "s"),
        node("Reshape", "s u", "rows"),
        node("Concat", "rows rows", "y", axis=1),
        node("Transpose", "y", "first", perm=[0, 2, 1]),
    ]
    check(nodes, fixed, {"parts": 2, "turned": 4, "s": 4, "rows": 2, "y": 2, "first": 1})


def test_heads_in_nhwc(check: Check) -> None:
    """RetinaNet and SSD: a transposition, then rows of classes."""
    head, fixed = conv("x", "head", 15, 3, 3)
    nodes = [
        head,
        node("Transpose", "head", "nhwc", perm=[0, 2, 3, 1]),
        *computed_shape("head", "t", "n", -1, 5),
        node("Reshape", "nhwc t", "rows"),
        node("Softmax", "rows", "p", axis=-1),
    ]
    program = check(nodes, fixed, {"nhwc": 3, "rows": 2, "p": 2})
    assert program.values["p"].softmax_input == "rows"


@pytest.mark.parametrize("computed", [False, True])
def test_attention_of_a_convolutional_network(computed: bool, check: Check) -> None:
    """[N, heads, d, H W]: the channels of each head, then one map per head."""
    layer, fixed = conv("x", "qkv", 18, 3, 3)
    nodes = [layer]
    if computed:
        nodes += computed_shape("qkv", "t", "n", 2, 9, -1)
        nodes += computed_shape("qkv", "u", "n", 6, "h", "w")
    else:
        fixed |= {"t": np.array([0, 2, 9, -1]), "u": np.array([0, 6, 7, 12])}
    out, more = conv("image", "out", 4, 6, 1)
    nodes += [
        node("Reshape", "qkv t", "heads"),
        node("Split", "heads", "q k v", axis=2),
        node("Transpose", "q", "rows", perm=[0, 1, 3, 2]),
        node("MatMul", "rows k", "scores"),
        node("Softmax", "scores", "maps", axis=-1),
        node("Transpose", "maps", "turned", perm=[0, 1, 3, 2]),
        node("MatMul", "v turned", "mixed"),
        node("Reshape", "mixed u", "image"),
        out,
    ]
    axes = {"heads": 2, "q": 2, "rows": 3, "scores": 1, "maps": 1, "mixed": 2, "image": 1, "out": 1}
    program = check(nodes, fixed | more, axes)
    assert program.values["maps"].softmax_input is None


@pytest.mark.parametrize("computed", [False, True])
def test_a_channel_shuffle_keeps_channels_and_needs_one_transpose(
    computed: bool, check: Check
) -> None:
    layer, fixed = conv("x", "c", 6, 3, 3)
    nodes = [layer]
    if computed:
        nodes += computed_shape("c", "t", "n", 2, 3, "h", "w")
        nodes += computed_shape("c", "u", "n", 6, "h", "w")
    else:
        fixed |= {"t": np.array([-1, 2, 3, 7, 12]), "u": np.array([-1, 6, 7, 12])}
    out, more = conv("mixed", "out", 4, 6, 1)
    nodes += [
        node("Reshape", "c t", "parts"),
        node("Transpose", "parts", "turned", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "turned u", "mixed"),
        out,
    ]
    axes = {"parts": 2, "turned": 2, "mixed": 1, "out": 1}
    program = check(nodes, fixed | more, axes)
    if computed:
        assert len(transposes(program, ["out"])) == 1


def test_half_of_the_channels(check: Check) -> None:
    """``x.chunk(2, dim=1)`` computes where to cut, from a vector that has free lengths too."""
    layer, fixed = conv("x", "c", 6, 3, 3)
    nodes = [
        layer,
        node("Shape", "c", "s"),
        node("Gather", "s one", "channels"),
        node("Add", "channels one", "more"),
        node("Div", "more two", "half"),
        node("Slice", "c zero half one", "a"),
        node("Slice", "c half channels one", "b"),
        node("Concat", "b a", "y", axis=1),
    ]
    fixed |= {"one": np.array([1]), "two": np.array([2])}
    program = check(nodes, fixed, {"a": 1, "b": 1, "y": 1})
    assert program.values["a"].shape == (None, None, None, 3)


def test_efficient_channel_attention(check: Check) -> None:
    """A convolution over the channels: [N, C, 1, 1] to [N, 1, C] and back."""
    layer, fixed = conv("x", "c", 6, 3, 3)
    nodes = [
        layer,
        node("GlobalAveragePool", "c", "pool"),
        node("Squeeze", "pool three", "column"),
        node("Transpose", "column", "row", perm=[0, 2, 1]),
        node("Conv", "row k", "mixed", pads=[1, 1]),
        node("Transpose", "mixed", "back", perm=[0, 2, 1]),
        node("Unsqueeze", "back three", "gate"),
        node("Mul", "c gate", "y"),
    ]
    fixed |= {"three": np.array([3]), "k": weights(1, 1, 3)}
    check(nodes, fixed, {"column": 1, "back": 1, "gate": 1, "y": 1})


def test_einsum_follows_its_letters(check: Check) -> None:
    layer, fixed = conv("x", "c", 6, 3, 3)
    nodes = [
        layer,
        node("Einsum", "c m", "a", equation="nchw,cd->ndhw"),
        node("Einsum", "c m", "b", equation="nchw,cd->nhwd"),
    ]
    check(nodes, fixed | {"m": weights(6, 5)}, {"a": 1, "b": 3})


def test_masks_of_a_segmenter(check: Check) -> None:
    """Queries [N, Q, C] times features [N, C, H W]: one mask per query."""
    layer, fixed = conv("x", "c", 6, 3, 3)
    nodes = [
        layer,
        *computed_shape("c", "t", "n", 6, -1),
        node("Reshape", "c t", "rows"),
        node("MatMul", "queries rows", "masks"),
        *computed_shape("c", "u", "n", 5, "h", "w"),
        node("Reshape", "masks u", "images"),
        node("Softmax", "images", "p", axis=1),
    ]
    check(nodes, fixed | {"queries": weights(5, 6)}, {"masks": 1, "images": 1, "p": 1})


def test_a_concatenation_of_unlike_parts_has_none(check: Check) -> None:
    """One part comes from a matrix product of positions, whose last axis holds the units."""
    layer, fixed = conv("x", "c", 5, 3, 3)
    nodes = [
        layer,
        node("Reshape", "c t", "rows"),
        node("MatMul", "rows m", "mixed"),
        node("Relu", "mixed", "positive"),
        node("Relu", "rows", "scores"),
        node("Concat", "scores positive", "y", axis=1),
    ]
    fixed |= {"t": np.array([0, 0, 84]), "m": weights(84, 84)}
    program = check(nodes, fixed, {"rows": 1, "mixed": 2, "scores": 1, "y": 1})
    assert program.values["y"].parts == ()
