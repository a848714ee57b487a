"""Graphs as PyTorch exports them: scoped names, Constant nodes, shape arithmetic, pieces of layers.

Every value is compared with onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import helper, numpy_helper

from kerasviz.importers.onnx import read_onnx

Array = Any


class Exported:
    """A module that is being exported: its nodes, with names as PyTorch gives them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}
        self.counts: dict[str, int] = {}
        self.scope = ""
        self.rng = np.random.default_rng(11)

    def __call__(self, op: str, *inputs: str, count: int = 1, **attributes: Any) -> Any:
        place = f"{self.scope}/{op}"
        number = self.counts.get(place, 0)
        self.counts[place] = number + 1
        name = f"{place}_{number}" if number else place
        outputs = [f"{name}_output_{k}" for k in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name, **attributes))
        return outputs[0] if count == 1 else outputs

    def const(self, value: Any, dtype: Any = np.int64) -> str:
        made: str = self("Constant", value=numpy_helper.from_array(np.asarray(value, dtype)))
        return made

    def weight(self, name: str, *shape: int, shift: float = 0.0) -> str:
        scale = max(int(np.prod(shape[1:])), 1) ** -0.5 if len(shape) > 1 else 0.3
        array = self.rng.normal(size=shape) * scale + shift
        self.weights[name] = array.astype(np.float32)
        return name

    def length(self, x: str, axis: int) -> str:
        """``x.size(axis)`` as the old exporter writes it."""
        made: str = self("Gather", self("Shape", x), self.const(axis), axis=0)
        return made

    def shape(self, *parts: str | int) -> str:
        """A shape out of lengths, each made a vector first."""
        given = [self.const(p) if isinstance(p, int) else p for p in parts]
        axis = self.const([0])
        made: str = self("Concat", *(self("Unsqueeze", p, axis) for p in given), axis=0)
        return made

    def conv(self, name: str, x: str, cin: int, cout: int, k: int = 3, **attributes: Any) -> str:
        self.scope = "/" + name
        group = attributes.get("group", 1)
        kernel = self.weight(f"{name}.weight", cout, cin // group, k, k)
        bias = self.weight(f"{name}.bias", cout)
        given = {"pads": [k // 2] * 4, **attributes}
        made: str = self("Conv", x, kernel, bias, kernel_shape=[k, k], **given)
        return made

    def linear(self, name: str, x: str, cin: int, cout: int) -> str:
        self.scope = "/" + name
        matrix = self.weight(f"onnx::MatMul_{name}", cin, cout)
        bias = self.weight(f"{name}.bias", cout)
        made: str = self("Add", bias, self("MatMul", x, matrix))
        return made

    def save(self, path: Path, shape: Sequence[Any], output: str, opset: int) -> Path:
        names = [o for n in self.nodes if n.op_type != "Constant" for o in n.output]
        graph = helper.make_graph(
            self.nodes,
            "main_graph",
            [helper.make_tensor_value_info("input", 1, list(shape))],
            [onnx.ValueInfoProto(name=n) for n in [output, *(n for n in names if n != output)]],
            [numpy_helper.from_array(a, n) for n, a in self.weights.items()],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", opset)],
            ir_version=8,
            producer_name="pytorch",
        )
        path.write_bytes(model.SerializeToString())
        return path


@pytest.fixture
def compare(tmp_path: Path, tap_errors: Callable[..., dict[str, float]]) -> Callable[..., Any]:
    """Build a module with an image stem before it, and compare it for each feed."""

    def run(
        build: Callable[[Exported, str], str],
        feeds: Sequence[Array],
        opset: int = 17,
        axes: Sequence[Any] | None = None,
        gradient: bool = True,
    ) -> Any:
        module = Exported()
        output = build(module, "input")
        free = [f"d{k}" if k != 1 else n for k, n in enumerate(feeds[0].shape)]
        path = module.save(tmp_path / "torch.onnx", axes or free, output, opset)
        for feed in feeds:
            errors = tap_errors(path, {"input": feed})
            worst = max(errors, key=lambda n: errors[n])
            assert errors[worst] <= 1e-4, (worst, errors[worst])
        program = read_onnx(path).program
        if gradient:
            _check_gradient(program, feeds[0], output)
        return program

    return run


def _check_gradient(program: Any, feed: Array, name: str) -> None:
    """Along its own direction the gradient is the slope; float32, so a loose comparison."""

    def score(x: Any) -> Any:
        y = program.compute({"input": x}, [name], channels_last=False)[name]
        weights = np.random.default_rng(1).normal(size=y.shape).astype(np.float32)
        return tf.reduce_sum(tf.cast(y * weights, tf.float64))

    x = tf.constant(feed)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = score(x)
    gradient = tape.gradient(total, x)
    assert gradient is not None
    assert np.isfinite(gradient).all()
    norm = float(tf.norm(gradient))
    assert norm > 0
    way = gradient / norm
    slopes = [(score(x + s * way) - score(x - s * way)) / (2 * s) for s in (1e-1, 3e-2, 1e-2, 3e-3)]
    assert min(abs(float(s) - norm) for s in slopes) <= 0.02 * norm, (slopes, norm)


# -- pieces of layers -------------------------------------------------------------------------


def gelu(m: Exported, x: str) -> str:
    scaled = m("Div", x, m.const(np.sqrt(2), np.float32))
    half = m("Add", m("Erf", scaled), m.const(1, np.float32))
    made: str = m("Mul", m("Mul", x, half), m.const(0.5, np.float32))
    return made


def layer_norm(m: Exported, name: str, x: str, width: int) -> str:
    m.scope = "/" + name
    mean = m("ReduceMean", x, axes=[-1])
    apart = m("Sub", x, mean)
    power = m("Pow", apart, m.const(2, np.float32))
    variance = m("ReduceMean", power, axes=[-1])
    deviation = m("Sqrt", m("Add", variance, m.const(1e-5, np.float32)))
    normal = m("Div", apart, deviation)
    scaled = m("Mul", normal, m.weight(f"{name}.weight", width, shift=1))
    made: str = m("Add", scaled, m.weight(f"{name}.bias", width))
    return made


def attention(m: Exported, name: str, x: str, width: int, heads: int) -> str:
    size = width // heads
    joint = m.linear(f"{name}.qkv", x, width, 3 * width)
    m.scope = "/" + name
    batch, tokens = m.length(x, 0), m.length(x, 1)
    target = m.shape(batch, tokens, 3, heads, size)
    split = m("Transpose", m("Reshape", joint, target), perm=[2, 0, 3, 1, 4])
    q, k, v = (m("Gather", split, m.const(n), axis=0) for n in range(3))
    scores = m("MatMul", q, m("Transpose", k, perm=[0, 1, 3, 2]))
    share = m("Softmax", m("Mul", scores, m.const(size**-0.5, np.float32)), axis=-1)
    mixed = m("Transpose", m("MatMul", share, v), perm=[0, 2, 1, 3])
    rows = m("Reshape", mixed, m.shape(batch, tokens, width))
    return m.linear(f"{name}.proj", rows, width, width)


def test_vision_transformer(compare: Any, image: Any) -> None:
    width = 12

    def build(m: Exported, x: str) -> str:
        patches = m.conv("patch_embed.proj", x, 3, width, 4, strides=[4, 4], pads=[0] * 4)
        m.scope = "/patch_embed"
        batch = m.length(patches, 0)
        rows = m("Reshape", patches, m.shape(batch, width, -1))
        tokens = m("Transpose", rows, perm=[0, 2, 1])
        m.scope = ""
        once = m.weight("cls_token", 1, 1, width)
        first = m("Expand", once, m.shape(batch, 1, width))
        tokens = m("Concat", first, tokens, axis=1)
        tokens = m("Add", tokens, m.weight("pos_embed", 1, 13, width))
        for k in range(2):
            block = f"blocks.{k}"
            normal = layer_norm(m, f"{block}.norm1", tokens, width)
            mixed = attention(m, f"{block}.attn", normal, width, 3)
            m.scope = f"/{block}"
            tokens = m("Add", tokens, mixed)
            normal = layer_norm(m, f"{block}.norm2", tokens, width)
            hidden = m.linear(f"{block}.mlp.fc1", normal, width, 2 * width)
            m.scope = f"/{block}/mlp.act"
            hidden = m.linear(f"{block}.mlp.fc2", gelu(m, hidden), 2 * width, width)
            m.scope = f"/{block}"
            tokens = m("Add", tokens, hidden)
        m.scope = ""
        tokens = layer_norm(m, "norm", tokens, width)
        m.scope = ""
        head = m("Gather", tokens, m.const(0), axis=1)
        return str(m("Gemm", head, m.weight("head.weight", 7, width), transB=1))

    program = compare(build, [image(2, 3, 12, 16), image(1, 3, 12, 16, seed=3)])
    assert program.values["/blocks.0/Add_output_0"].shape[-1] == width


def test_window_attention_of_swin(compare: Any, image: Any) -> None:
    """Windows by reshapes and transposes of rank 6, and a roll by slices and a concatenation."""
    side, channels = 4, 5

    def roll(m: Exported, x: str, shift: int) -> str:
        for axis in (1, 2):
            far = m.const([np.iinfo(np.int64).max])
            ax = m.const([axis])
            head = m("Slice", x, m.const([shift]), far, ax, m.const([1]))
            tail = m("Slice", x, m.const([0]), m.const([shift]), ax, m.const([1]))
            x = m("Concat", head, tail, axis=axis)
        return x

    def build(m: Exported, x: str) -> str:
        y = m.conv("stem", x, 3, channels)
        m.scope = "/layers.0"
        rows = m("Transpose", y, perm=[0, 2, 3, 1])
        rows = roll(m, rows, 2)
        b, h, w = (m.length(rows, k) for k in range(3))
        four = m.const(side)
        hs, ws = m("Div", h, four), m("Div", w, four)
        parts = m("Reshape", rows, m.shape(b, hs, side, ws, side, channels))
        parts = m("Transpose", parts, perm=[0, 1, 3, 2, 4, 5])
        windows = m("Reshape", parts, m.shape(-1, side * side, channels))
        scores = m("MatMul", windows, m("Transpose", windows, perm=[0, 2, 1]))
        scores = m("Add", scores, m.weight("bias", 1, side * side, side * side))
        mixed = m("MatMul", m("Softmax", scores, axis=-1), windows)
        m.scope = "/layers.0/reverse"
        parts = m("Reshape", mixed, m.shape(b, hs, ws, side, side, channels))
        parts = m("Transpose", parts, perm=[0, 1, 3, 2, 4, 5])
        back = m("Reshape", parts, m.shape(b, h, w, channels))
        back = m("Transpose", roll(m, back, -2), perm=[0, 3, 1, 2])
        return m.conv("head", m("Add", back, y), channels, 4)

    compare(build, [image(2, 3, 8, 12), image(1, 3, 4, 16)])


def hard_swish(m: Exported, x: str) -> str:
    plus = m("Add", x, m.const(3, np.float32))
    clipped = m("Clip", plus, m.const(0, np.float32), m.const(6, np.float32))
    made: str = m("Div", m("Mul", x, clipped), m.const(6, np.float32))
    return made


def squeeze_excite(m: Exported, name: str, x: str, width: int) -> str:
    m.scope = f"/{name}/avgpool"
    pooled = m("ReduceMean", x, axes=[2, 3], keepdims=1)
    y = m.conv(f"{name}.fc1", pooled, width, 4, 1)
    y = m.conv(f"{name}.fc2", m("Relu", y), 4, width, 1)
    made: str = m("Mul", m("HardSigmoid", y, alpha=1 / 6), x)
    return made


def test_mobilenet_v3(compare: Any, image: Any) -> None:
    def build(m: Exported, x: str) -> str:
        y = m.conv("features.0.0", x, 3, 8, strides=[2, 2])
        m.scope = "/features.0/features.0.2"
        y = skip = hard_swish(m, y)
        y = m.conv("features.1.block.0.0", y, 8, 8, group=8)
        m.scope = "/features.1/relu"
        y = squeeze_excite(m, "features.1.block.1", m("Relu", y), 8)
        y = m("Add", y, skip)
        m.scope = "/avgpool"
        y = m("GlobalAveragePool", y)
        m.scope = ""
        y = m("Flatten", y, axis=1)
        return str(m("Gemm", y, m.weight("classifier.weight", 6, 8), transB=1))

    program = compare(build, [image(2, 3, 9, 14), image(1, 3, 32, 17)])
    assert sum(v.relu_input is not None for v in program.values.values()) >= 2


def test_hard_swish_is_a_switchable_relu6(tmp_path: Path) -> None:
    """The clip between 0 and 6 goes through the rectifier."""
    m = Exported()
    y = hard_swish(m, m.conv("stem", "input", 3, 4))
    path = m.save(tmp_path / "m.onnx", ("n", 3, "h", "w"), y, 17)
    values = read_onnx(path).program.values
    assert [v.op for v in values.values() if v.relu_input] == ["Clip"]


def shuffle(m: Exported, x: str, groups: int, channels: int, static: bool) -> str:
    if static:
        parts = m("Reshape", x, m.const([0, groups, channels // groups, 6, 6]))
        turned = m("Transpose", parts, perm=[0, 2, 1, 3, 4])
        return str(m("Reshape", turned, m.const([0, -1, 6, 6])))
    b, h, w = (m.length(x, k) for k in (0, 2, 3))
    parts = m("Reshape", x, m.shape(b, groups, channels // groups, h, w))
    turned = m("Transpose", parts, perm=[0, 2, 1, 3, 4])
    return str(m("Reshape", turned, m.shape(b, -1, h, w)))


@pytest.mark.parametrize("static", [True, False])
def test_channel_shuffle(static: bool, compare: Any, image: Any) -> None:
    def build(m: Exported, x: str) -> str:
        y = m.conv("conv1", x, 6, 6)
        m.scope = "/stage2.0"
        a, b = m("Split", y, m.const([2, 4]), axis=1, count=2)
        b = m.conv("stage2.0.branch2", m("Relu", b), 4, 4, group=2)
        m.scope = "/stage2.0"
        y = shuffle(m, m("Concat", a, b, axis=1), 2, 6, static)
        return m.conv("conv5", y, 6, 3, group=3)

    compare(build, [image(6, 6, 6, 6), image(2, 6, 6, 6, seed=2)])


def test_pixel_shuffle_by_hand(compare: Any, image: Any) -> None:
    """Equal lengths everywhere: [4, 4, 4, 4]."""

    def build(m: Exported, x: str) -> str:
        y = m.conv("up.0", x, 4, 16)
        m.scope = "/up.1"
        b, h, w = (m.length(y, k) for k in (0, 2, 3))
        parts = m("Reshape", y, m.shape(b, 4, 2, 2, h, w))
        turned = m("Transpose", parts, perm=[0, 1, 4, 2, 5, 3])
        two = m.const(2)
        y = m("Reshape", turned, m.shape(b, 4, m("Mul", h, two), m("Mul", w, two)))
        y = m("DepthToSpace", m.conv("up.2", y, 4, 4), blocksize=2, mode="CRD")
        return m.conv("up.3", y, 1, 2)

    compare(build, [image(4, 4, 4, 4), image(1, 4, 3, 5)])


@pytest.mark.parametrize("kind", ["mean", "global", "reshape", "bins"])
def test_adaptive_pools(kind: str, compare: Any, image: Any) -> None:
    def build(m: Exported, x: str) -> str:
        y = m.conv("features.0", x, 3, 5)
        m.scope = "/avgpool"
        if kind == "mean":
            y = m("ReduceMean", y, axes=[-1, -2], keepdims=0)
        elif kind == "global":
            y = m("Squeeze", m("GlobalAveragePool", y), m.const([2, 3]))
        elif kind == "reshape":
            y = m("Reshape", m("GlobalMaxPool", y), m.shape(m.length(y, 0), -1))
        else:  # AdaptiveAvgPool2d((2, 3)) of a fixed size
            y = m("AveragePool", y, kernel_shape=[4, 3], strides=[4, 3])
            y = m("Flatten", y, axis=1)
        m.scope = "/fc"
        width = 30 if kind == "bins" else 5
        return str(m("Gemm", y, m.weight("fc.weight", 4, width), m.weight("fc.bias", 4), transB=1))

    others = [] if kind == "bins" else [image(1, 3, 11, 6)]
    compare(build, [image(2, 3, 8, 9), *others])


# -- Resize, in all modes ---------------------------------------------------------------------

RESIZES = [
    ("nearest", "asymmetric", "floor"),
    ("nearest", "half_pixel", "round_prefer_floor"),
    ("nearest", "pytorch_half_pixel", "ceil"),
    ("nearest", "align_corners", "round_prefer_ceil"),
    ("linear", "pytorch_half_pixel", "floor"),
    ("linear", "half_pixel", "floor"),
    ("linear", "align_corners", "floor"),
    ("linear", "asymmetric", "floor"),
    ("cubic", "pytorch_half_pixel", "floor"),
    ("cubic", "align_corners", "floor"),
]


@pytest.mark.parametrize(("mode", "place", "nearest"), RESIZES)
@pytest.mark.parametrize("by", ["scales", "sizes"])
def test_resize(mode: str, place: str, nearest: str, by: str, compare: Any, image: Any) -> None:
    def build(m: Exported, x: str) -> str:
        y = m.conv("backbone.0", x, 3, 4, strides=[2, 2])
        m.scope = "/upsample"
        options = {"mode": mode, "coordinate_transformation_mode": place}
        if mode == "nearest":
            options["nearest_mode"] = nearest
        if mode == "cubic":
            options["cubic_coeff_a"] = -0.75
        if by == "scales":
            y = m("Resize", y, "", m.const([1, 1, 2, 1.5], np.float32), **options)
        else:  # F.interpolate(y, size=x.shape[-2:])
            lengths = m("Slice", m("Shape", x), m.const([2]), m.const([4]), m.const([0]))
            head = m("Slice", m("Shape", y), m.const([0]), m.const([2]), m.const([0]))
            y = m("Resize", y, "", "", m("Concat", head, lengths, axis=0), **options)
        return m.conv("head", y, 4, 2)

    program = compare(build, [image(2, 3, 8, 10), image(1, 3, 6, 4)])
    assert program.values["/upsample/Resize_output_0"].shape == (None, None, None, 4)


@pytest.mark.parametrize("opset", [9, 10])
def test_upsample_of_old_exports(opset: int, compare: Any, image: Any) -> None:
    def build(m: Exported, x: str) -> str:
        y = m.conv("conv", x, 3, 4)
        m.scope = "/up"
        op = "Upsample" if opset == 9 else "Resize"
        return str(m(op, y, m.const([1, 1, 2, 3], np.float32), mode="nearest"))

    compare(build, [image(2, 3, 4, 5), image(1, 3, 3, 3)], opset=opset)


# -- control flow and odds and ends -----------------------------------------------------------


def squeezed_if_one(m: Exported, y: str, axis: int) -> str:
    """PyTorch's ``squeeze(axis)`` of an unknown length asks whether it is 1."""
    m.scope = ""
    one = m("Equal", m.length(y, axis), m.const(1))
    m.weights["squeezed_axis"] = np.array([axis], np.int64)
    yes = helper.make_node("Squeeze", [y, "squeezed_axis"], ["then"])
    no = helper.make_node("Identity", [y], ["else"])
    branches = {
        f"{name}_branch": helper.make_graph([node], name, [], [onnx.ValueInfoProto(name=name)], [])
        for name, node in (("then", yes), ("else", no))
    }
    return str(m("Relu", m("If", one, **branches)))


def test_if_of_a_squeeze(tmp_path: Path, image: Any, tap_errors: Any) -> None:
    """The height is known in the run only."""
    m = Exported()
    y = squeezed_if_one(m, m.conv("conv", "input", 3, 4), 2)
    path = m.save(tmp_path / "if.onnx", ("n", 3, "h", "w"), y, 13)
    for height in (1, 3):
        errors = tap_errors(path, {"input": image(2, 3, height, 4)})
        assert max(errors.values()) <= 1e-4, errors


def test_if_of_a_squeeze_of_known_length(tmp_path: Path, image: Any, tap_errors: Any) -> None:
    """The channels are known when the model is read, so the branch is, and the rank."""
    m = Exported()
    y = squeezed_if_one(m, m.conv("conv", "input", 3, 1), 1)
    path = m.save(tmp_path / "if.onnx", ("n", 3, "h", "w"), y, 13)
    assert max(tap_errors(path, {"input": image(2, 3, 5, 4)}).values()) <= 1e-4
    assert len(read_onnx(path).program.values[y].shape or ()) == 3


def test_flattened_in_code(compare: Any, image: Any) -> None:
    """``x.view(x.size(0), -1)`` and ``x.view(-1, 4 * 3 * 2)``."""

    def build(m: Exported, x: str) -> str:
        y = m.conv("conv", x, 3, 4, strides=[2, 2])
        m.scope = ""
        first = m("Reshape", y, m.shape(m.length(y, 0), -1))
        second = m("Reshape", y, m.const([-1, 24]))
        y = m("Sub", m("Tanh", first), m("Sigmoid", second))
        return m.linear("fc", y, 24, 5)

    compare(build, [image(2, 3, 6, 4), image(1, 3, 6, 4)])


def test_positions_from_a_grid(compare: Any, image: Any) -> None:
    """A grid of coordinates by Range, Expand and Concat, as detectors and CoordConv have it."""

    def build(m: Exported, x: str) -> str:
        y = m.conv("stem", x, 3, 4)
        m.scope = "/coords"
        b, h, w = (m.length(y, k) for k in (0, 2, 3))
        zero, one = m.const(0), m.const(1)
        grids = []
        for length, target in ((h, (1, 1, -1, 1)), (w, (1, 1, 1, -1))):
            line = m("Cast", m("Range", zero, length, one), to=1)
            last = m("Cast", m("Sub", length, one), to=1)
            line = m("Reshape", m("Div", line, last), m.const(target))
            grids.append(m("Expand", line, m.shape(b, 1, h, w)))
        y = m("Concat", y, *grids, axis=1)
        return m.conv("head", y, 6, 3)

    compare(build, [image(2, 3, 6, 5), image(3, 3, 3, 3)])


def test_group_norm_by_instance_norm(compare: Any, image: Any) -> None:
    """``GroupNorm`` as the exporter writes it, with equal lengths."""

    def build(m: Exported, x: str) -> str:
        y = m.conv("conv", x, 4, 4)
        m.scope = "/norm"
        lengths = m("Shape", y)
        flat = m("Reshape", y, m.const([0, 2, -1]))
        ones, zeros = m.const([1, 1], np.float32), m.const([0, 0], np.float32)
        normal = m("InstanceNormalization", flat, ones, zeros, epsilon=1e-3)
        y = m("Reshape", normal, lengths)
        y = m("Mul", y, m.weight("norm.weight", 4, 1, 1, shift=1))
        y = m("Add", y, m.weight("norm.bias", 4, 1, 1))
        return m.conv("out", m("Mul", y, m("Sigmoid", y)), 4, 4)

    compare(build, [image(4, 4, 4, 4), image(1, 4, 5, 3)])


def test_layer_norm_over_channels_of_images(compare: Any, image: Any) -> None:
    """ConvNeXt: a permutation, LayerNormalization, a linear layer, and the way back."""

    def build(m: Exported, x: str) -> str:
        y = skip = m.conv("stem", x, 3, 4)
        y = m.conv("block.dwconv", y, 4, 4, 7, group=4)
        m.scope = "/block"
        y = m("Transpose", y, perm=[0, 2, 3, 1])
        scale, bias = m.weight("norm.weight", 4, shift=1), m.weight("norm.bias", 4)
        y = m("LayerNormalization", y, scale, bias, axis=-1, epsilon=1e-6)
        y = m.linear("block.pwconv1", y, 4, 16)
        y = m.linear("block.pwconv2", gelu(m, y), 16, 4)
        m.scope = "/block"
        y = m("Mul", m.weight("gamma", 4, shift=1), y)
        y = m("Transpose", y, perm=[0, 3, 1, 2])
        return m.conv("downsample", m("Add", skip, y), 4, 4, 2, strides=[2, 2], pads=[0] * 4)

    program = compare(build, [image(4, 3, 4, 4), image(2, 3, 9, 8)])

    @tf.function(autograph=False)
    def run(x: Any) -> Any:
        return list(program.compute({"input": x}, program.outputs[:1]).values())

    graph = run.get_concrete_function(tf.TensorSpec((None, None, None, 3), tf.float32)).graph
    assert [op.name for op in graph.get_operations() if op.type == "Transpose"] == []


def test_scoped_names_have_short_aliases(tmp_path: Path) -> None:
    m = Exported()
    y = m.conv("layer3.0.conv1", "input", 3, 4)
    m.nodes[-1].name = "/layer3/layer3.0/conv1/Conv"
    m.nodes[-1].output[0] = y = "/layer3/layer3.0/conv1/Conv_output_0"
    path = m.save(tmp_path / "m.onnx", ("n", 3, "h", "w"), y, 17)
    assert "layer3.0.conv1" in read_onnx(path).program.values[y].aliases
