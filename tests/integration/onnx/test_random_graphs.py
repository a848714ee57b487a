"""Random graphs with equal dimensions (N = C = H = W), where a wrong layout keeps every shape.

Every value is compared with onnxruntime. KERASVIZ_TEST_EXAMPLES=5000 makes that many graphs, new
ones at every run; without it the same ones are made each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from kerasviz.importers.onnx import read_onnx

Array = Any
OPSET = 18
EXAMPLES = int(os.environ.get("KERASVIZ_TEST_EXAMPLES", 0))
SETTINGS = settings(
    max_examples=EXAMPLES or 120,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LARGEST = 5000  # entries of a value


@dataclass
class Maker:
    """A graph that grows node by node; it knows the shape of every value."""

    draw: Callable[[Any], Any]
    side: int
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    rng: Any = field(default_factory=lambda: np.random.default_rng(5))

    def pick(self, ranks: Sequence[int] = range(7)) -> str | None:
        """A value; the newest are the likeliest."""
        fit = [name for name, shape in self.shapes.items() if len(shape) in ranks]
        if not fit:
            return None
        return fit[-1 - min(self.number(0, 3), self.number(0, len(fit) - 1), len(fit) - 1)]

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def one_of(self, choices: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def constant(self, array: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def weights(self, *shape: int, scale: float = 1.0, shift: float = 0.0) -> str:
        array = self.rng.normal(size=shape) * scale + shift
        return self.constant(array.astype(np.float32))

    def add(self, op: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> list[str]:
        names = [f"v{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names

    def keep(self, shape: Sequence[int], op: str, inputs: Sequence[str], **attributes: Any) -> str:
        (name,) = self.add(op, inputs, **attributes)
        self.shapes[name] = tuple(int(n) for n in shape)
        return name


# -- the operations: each takes the maker, and adds nodes if a value fits it -----------------

UNARY: dict[str, dict[str, Any]] = {
    "Relu": {},
    "Sigmoid": {},
    "Tanh": {},
    "Neg": {},
    "Abs": {},
    "Erf": {},
    "Softsign": {},
    "LeakyRelu": {"alpha": 0.2},
    "Elu": {"alpha": 0.7},
    "HardSwish": {},
    "HardSigmoid": {"alpha": 0.3},
    "Identity": {},
}


def unary(make: Maker) -> None:
    name = make.pick()
    assert name
    op = make.one_of(sorted(UNARY))
    make.keep(make.shapes[name], op, [name], **UNARY[op])


def clip(make: Maker) -> None:
    name = make.pick()
    assert name
    low, high = make.one_of([(0, 6), (-1, 1), (0, np.inf)])
    bounds = [make.constant(np.float32(low)), make.constant(np.float32(high))]
    make.keep(make.shapes[name], "Clip", [name, *bounds])


def binary(make: Maker) -> None:
    first = make.pick()
    assert first
    fit = []
    for name, shape in make.shapes.items():
        try:
            whole = np.broadcast_shapes(shape, make.shapes[first])
        except ValueError:
            continue
        if np.prod(whole) <= LARGEST:
            fit.append(name)
    pair = [first, make.one_of(fit)]
    if make.number(0, 1):
        pair = pair[::-1]
    shape = np.broadcast_shapes(*(make.shapes[n] for n in pair))
    make.keep(shape, make.one_of(["Add", "Sub", "Mul", "Max", "Min", "Mean"]), pair)


def with_constant(make: Maker) -> None:
    """The second operand is a constant with fewer axes, or of length 1 on some."""
    name = make.pick()
    assert name
    shape = list(make.shapes[name])
    kept = shape[make.number(0, len(shape)) :]
    part = [n if make.number(0, 2) else 1 for n in kept]
    op = make.one_of(["Add", "Mul", "Sub", "PRelu", "Max"])
    other = make.weights(*part)
    pair = [name, other] if op == "PRelu" or make.number(0, 1) else [other, name]
    make.keep(shape, op, pair)


def choose(make: Maker) -> None:
    """The larger of two, by way of a condition."""
    name = make.pick()
    assert name
    shape = make.shapes[name]
    same = [n for n, s in make.shapes.items() if s == shape]
    other = make.one_of(same)
    (condition,) = make.add("Greater", [name, other])
    make.keep(shape, "Where", [condition, name, other])


def windows(make: Maker, sizes: Sequence[int], dilate: bool) -> tuple[dict[str, Any], list[int]]:
    """Attributes of a window over axes of ``sizes``, and the lengths after it."""
    kernel, strides, dilations, begins, ends, after = [], [], [], [], [], []
    for size in sizes:
        k, s, d = make.number(1, 3), make.number(1, 2), make.number(1, 2) if dilate else 1
        span = (k - 1) * d + 1
        begin, end = make.number(0, k - 1), make.number(0, k - 1)
        if size + begin + end < span:
            k, d, span, begin, end = 1, 1, 1, 0, 0
        for values, value in zip(
            (kernel, strides, dilations, begins, ends), (k, s, d, begin, end), strict=True
        ):
            values.append(value)
        after.append((size + begin + end - span) // s + 1)
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": begins + ends}
    return {**attributes, **({"dilations": dilations} if dilate else {})}, after


def conv(make: Maker) -> None:
    name = make.pick((3, 4, 5))
    if name is None:
        return
    batch, channels, *sizes = make.shapes[name]
    group = make.one_of([g for g in range(1, channels + 1) if channels % g == 0])
    filters = group * make.one_of([1, max(make.side // group, 1)])
    attributes, after = windows(make, sizes, dilate=bool(make.number(0, 1)))
    if make.number(0, 2) == 0:  # keeps every length
        attributes, after = {"kernel_shape": [3] * len(sizes), "auto_pad": "SAME_UPPER"}, sizes
    kernel = attributes["kernel_shape"]
    fan = channels // group * int(np.prod(kernel))
    inputs = [name, make.weights(filters, channels // group, *kernel, scale=fan**-0.5)]
    if make.number(0, 1):
        inputs.append(make.weights(filters))
    make.keep((batch, filters, *after), "Conv", inputs, group=group, **attributes)


def pool(make: Maker) -> None:
    name = make.pick((3, 4, 5))
    if name is None:
        return
    batch, channels, *sizes = make.shapes[name]
    op = make.one_of(["MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"])
    if op.startswith("Global"):
        make.keep((batch, channels, *[1] * len(sizes)), op, [name])
        return
    attributes, after = windows(make, sizes, dilate=False)
    if op == "AveragePool":
        attributes["count_include_pad"] = make.number(0, 1)
    make.keep((batch, channels, *after), op, [name], **attributes)


def norm(make: Maker) -> None:
    op = make.one_of(["Batch", "Instance", "Layer", "Lrn", "Softmax", "LogSoftmax", "Group"])
    ranks = {"Batch": range(2, 6), "Instance": (3, 4), "Lrn": (4,), "Group": (4,)}
    name = make.pick(ranks.get(op, range(1, 6)))
    if name is None:
        return
    shape = make.shapes[name]
    rank = len(shape)
    channels = shape[1] if rank > 1 else 1
    if op == "Batch":
        parts = [make.weights(channels, scale=0.3, shift=s) for s in (1, 0, 0)]
        spread = make.constant(make.rng.uniform(0.5, 2, channels).astype(np.float32))
        make.keep(shape, "BatchNormalization", [name, *parts, spread], epsilon=1e-3)
    elif op == "Instance":
        parts = [make.weights(channels, shift=1), make.weights(channels)]
        make.keep(shape, "InstanceNormalization", [name, *parts], epsilon=0.1)
    elif op == "Layer":
        axis = make.number(0, rank - 1)
        parts = [make.weights(*shape[axis:], shift=1), make.weights(*shape[axis:])]
        axis -= rank * make.number(0, 1)
        make.keep(shape, "LayerNormalization", [name, *parts], axis=axis, epsilon=0.1)
    elif op == "Lrn":
        size = make.one_of([1, 3, 5])
        make.keep(shape, "LRN", [name], size=size, alpha=0.5, beta=0.75, bias=2.0)
    elif op == "Group":
        groups = make.one_of([g for g in range(1, channels + 1) if channels % g == 0])
        parts = [make.weights(groups, shift=1), make.weights(groups)]
        make.keep(shape, "GroupNormalization", [name, *parts], num_groups=groups, epsilon=0.1)
    else:
        make.keep(shape, op, [name], axis=make.number(-rank, rank - 1))


def transpose(make: Maker) -> None:
    name = make.pick(range(2, 6))
    if name is None:
        return
    shape = make.shapes[name]
    rank = len(shape)
    usual = [[0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]]
    order = make.one_of(usual) if make.number(0, 2) else make.draw(st.permutations(range(rank)))
    make.keep([shape[a] for a in order], "Transpose", [name], perm=order)


def reshape(make: Maker) -> None:
    """Axes are split and joined; some of the target is 0 or -1."""
    name = make.pick()
    assert name
    shape = list(make.shapes[name])
    target = list(shape)
    for _ in range(make.number(1, 3)):
        if make.number(0, 1) and len(target) > 1:
            k = make.number(0, len(target) - 2)
            target[k : k + 2] = [target[k] * target[k + 1]]
        else:
            k = make.number(0, len(target)) if target else 0
            factors = [n for n in range(1, 7) if k < len(target) and target[k] % n == 0] or [1]
            f = make.one_of(factors)
            target[k : k + 1] = [f, target[k] // f] if k < len(target) else [1]
    if len(target) > 5:
        return
    written: list[int] = list(target)
    for k in range(min(len(target), len(shape))):
        if target[k] == shape[k] and make.number(0, 2) == 0:
            written[k] = 0
    if target and make.number(0, 1):
        written[make.number(0, len(target) - 1)] = -1
    make.keep(target, "Reshape", [name, make.constant(np.int64(written).reshape(-1))])


def flatten(make: Maker) -> None:
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = make.shapes[name]
    axis = make.number(0, len(shape))
    made = (int(np.prod(shape[:axis])), int(np.prod(shape[axis:])))
    make.keep(made, "Flatten", [name], axis=axis)


def squeeze(make: Maker) -> None:
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = make.shapes[name]
    axes = [a for a, n in enumerate(shape) if n == 1 and make.number(0, 2)]
    if axes:
        made = [n for a, n in enumerate(shape) if a not in axes]
        make.keep(made, "Squeeze", [name, make.constant(np.int64(axes))])


def unsqueeze(make: Maker) -> None:
    name = make.pick(range(5))
    if name is None:
        return
    shape = list(make.shapes[name])
    axis = make.number(-len(shape) - 1, len(shape))
    place = axis % (len(shape) + 1)
    made = [*shape[:place], 1, *shape[place:]]
    make.keep(made, "Unsqueeze", [name, make.constant(np.int64([axis]))])


def concat(make: Maker) -> None:
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = make.shapes[name]
    axis = make.number(0, len(shape) - 1)
    fit = [
        other
        for other, s in make.shapes.items()
        if len(s) == len(shape) and all(a in (axis,) or s[a] == shape[a] for a in range(len(s)))
    ]
    parts = [name, *(make.one_of(fit) for _ in range(make.number(1, 2)))]
    if make.number(0, 3) == 0:
        extra = make.weights(*shape)
        make.shapes[extra] = shape
        parts.insert(make.number(0, len(parts)), extra)
    total = sum(make.shapes[p][axis] for p in parts)
    made = [total if a == axis else n for a, n in enumerate(shape)]
    if np.prod(made) <= LARGEST:
        axis -= len(shape) * make.number(0, 1)
        make.keep(made, "Concat", parts, axis=axis)
    for part in parts:
        if part in make.constants:
            del make.shapes[part]


REDUCTIONS = [
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
]


def reduction(make: Maker) -> None:
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = make.shapes[name]
    rank = len(shape)
    axes = [a for a in range(rank) if make.number(0, 1)]
    keep = make.number(0, 1)
    gone = axes or list(range(rank))
    made = [1 if a in gone else n for a, n in enumerate(shape) if keep or a not in gone]
    written = [a - rank * make.number(0, 1) for a in axes]
    inputs = [name, make.constant(np.int64(written))] if written else [name]
    make.keep(made, make.one_of(REDUCTIONS), inputs, keepdims=keep)


def cut(make: Maker) -> None:
    """A part of an axis, forwards or backwards."""
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = list(make.shapes[name])
    axis = make.number(0, len(shape) - 1)
    start, step = make.number(0, shape[axis] - 1), make.one_of([1, 2, -1])
    end = make.number(start + 1, shape[axis]) if step > 0 else -(2**40)
    shape[axis] = len(range(shape[axis])[start : None if step < 0 else end : step])
    lists = [[start], [end], [axis - len(shape) * make.number(0, 1)], [step]]
    make.keep(shape, "Slice", [name, *(make.constant(np.int64(n)) for n in lists)])


def gather(make: Maker) -> None:
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = list(make.shapes[name])
    axis = make.number(0, len(shape) - 1)
    wide = make.one_of([(), (1,), (2,), (2, 2)])
    if len(shape) - 1 + len(wide) > 5:
        return
    places = make.rng.integers(-shape[axis], shape[axis], wide)
    made = [*shape[:axis], *wide, *shape[axis + 1 :]]
    make.keep(made, "Gather", [name, make.constant(np.asarray(places, np.int64))], axis=axis)


def split(make: Maker) -> None:
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = list(make.shapes[name])
    axis = make.number(0, len(shape) - 1)
    if shape[axis] < 2:
        return
    first = make.number(1, shape[axis] - 1)
    lengths = [first, shape[axis] - first]
    pieces = make.add("Split", [name, make.constant(np.int64(lengths))], 2, axis=axis)
    for piece, length in zip(pieces, lengths, strict=True):
        make.shapes[piece] = (*shape[:axis], length, *shape[axis + 1 :])


def pad(make: Maker) -> None:
    name = make.pick(range(1, 6))
    if name is None:
        return
    shape = make.shapes[name]
    mode = make.one_of(["constant", "edge", "reflect"])
    most = [min(n - 1, 1) if mode == "reflect" else 1 for n in shape]
    pads = [make.number(0, m) for m in most] + [make.number(0, m) for m in most]
    made = [n + pads[a] + pads[a + len(shape)] for a, n in enumerate(shape)]
    if np.prod(made) <= LARGEST:
        make.keep(made, "Pad", [name, make.constant(np.int64(pads))], mode=mode)


def product(make: Maker) -> None:
    name = make.pick(range(2, 6))
    if name is None:
        return
    shape = make.shapes[name]
    fit = [n for n, s in make.shapes.items() if len(s) > 1 and s[-2] == shape[-1]]
    others = []
    for other in fit:
        try:
            stack = np.broadcast_shapes(shape[:-2], make.shapes[other][:-2])
        except ValueError:
            continue
        others.append((other, (*stack, shape[-2], make.shapes[other][-1])))
    if not others or make.number(0, 1):
        width = make.side
        weights = make.weights(shape[-1], width, scale=shape[-1] ** -0.5)
        others = [(weights, (*shape[:-1], width))]
    other, made = make.one_of(others)
    if np.prod(made) <= LARGEST:
        make.keep(made, "MatMul", [name, other])


def expand(make: Maker) -> None:
    name = make.pick(range(5))
    if name is None:
        return
    shape = make.shapes[name]
    made = [n if n > 1 else make.one_of([1, make.side]) for n in shape]
    if make.number(0, 2) == 0:
        made = [make.side, *made]
    if np.prod(made) <= LARGEST:
        make.keep(made, "Expand", [name, make.constant(np.int64(made).reshape(-1))])


OPERATIONS = {
    unary: 4,
    clip: 1,
    binary: 5,
    with_constant: 3,
    choose: 1,
    conv: 6,
    pool: 3,
    norm: 4,
    transpose: 5,
    reshape: 4,
    flatten: 1,
    squeeze: 2,
    unsqueeze: 2,
    concat: 3,
    reduction: 3,
    cut: 2,
    gather: 2,
    split: 1,
    pad: 2,
    product: 2,
    expand: 1,
}
KINDS = [make for make, weight in OPERATIONS.items() for _ in range(weight)]


@dataclass(frozen=True)
class Example:
    """A model and what to feed it."""

    data: bytes
    feeds: dict[str, Array]

    def __repr__(self) -> str:
        model = onnx.load_from_string(self.data)
        sizes = {
            n: a.tolist() if a.dtype == np.int64 else a.shape
            for n, a in ((t.name, numpy_helper.to_array(t)) for t in model.graph.initializer)
        }
        return "\n".join(
            [
                "",
                *(f"input {n} {a.shape}" for n, a in self.feeds.items()),
                f"free: {'batch' in str(model.graph.input)}; constants {sizes}",
                *(" ".join(onnx.printer.to_text(n).split()) for n in model.graph.node),
            ]
        )


@st.composite
def examples(draw: Callable[[Any], Any]) -> Example:
    side = draw(st.sampled_from([2, 3, 3, 4]))
    make = Maker(draw, side)
    ranks = draw(st.sampled_from([(4,), (4,), (4,), (3,), (4, 4), (5,), (4, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    feeds = {
        f"x{k}": rng.normal(size=(side,) * rank).astype(np.float32) for k, rank in enumerate(ranks)
    }
    make.shapes.update({name: array.shape for name, array in feeds.items()})
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=3, max_size=14)):
        kind(make)
    if not make.nodes:
        unary(make)
    names = [o for node in make.nodes for o in node.output]
    graph = helper.make_graph(
        make.nodes,
        "random",
        [helper.make_tensor_value_info(n, 1, list(a.shape)) for n, a in feeds.items()],
        [onnx.ValueInfoProto(name=n) for n in names],
        [numpy_helper.from_array(a, n) for n, a in make.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return Example(model.SerializeToString(), feeds)


# -- the comparison ---------------------------------------------------------------------------


def theirs(example: Example, names: Sequence[str]) -> tuple[dict[str, Array], dict[str, float]]:
    """The values by onnxruntime, and how much each changes when the inputs are rounded otherwise.

    A difference of two nearly equal numbers is all rounding, here as there; what is let pass is
    measured and not guessed.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        example.data, options, providers=["CPUExecutionProvider"]
    )
    exact = dict(zip(names, session.run(list(names), example.feeds), strict=True))
    rng = np.random.default_rng(0)
    noise = dict.fromkeys(names, 0.0)
    for _ in range(3):
        shaken = {
            n: (a * (1 + 3e-7 * rng.uniform(-1, 1, a.shape))).astype(np.float32)
            for n, a in example.feeds.items()
        }
        for name, array in zip(names, session.run(list(names), shaken), strict=True):
            if array.dtype != bool and array.size:
                gap = float(np.abs(array - exact[name]).max())
                noise[name] = max(noise[name], gap)
    return exact, noise


def check(example: Example, path: Path) -> None:
    path.write_bytes(example.data)
    names = [o for n in onnx.load_from_string(example.data).graph.node for o in n.output]
    exact, noise = theirs(example, names)
    program = read_onnx(path).program
    taps = list(program.values)
    constant = set(names) - set(taps)
    ours = program.compute(example.feeds, names, channels_last=False)
    for name in names:
        found, wanted = ours[name].numpy(), exact[name]
        assert found.shape == wanted.shape, (name, found.shape, wanted.shape)
        assert found.dtype == wanted.dtype, name
        if wanted.dtype == bool or name in constant or not wanted.size:
            continue
        gap = np.abs(found - wanted).max()
        allowed = 1e-4 * np.abs(wanted).max() + 20 * noise[name] + 1e-6
        assert gap <= allowed, (name, gap, allowed)
    fed = {
        n: np.moveaxis(a, 1, -1) if program.inputs[n].channels_first else a
        for n, a in example.feeds.items()
    }
    last = program.compute(fed, taps)
    for name in taps:
        stored, own = last[name].numpy(), ours[name].numpy()
        described = program.values[name].shape
        assert described is not None
        assert len(described) == stored.ndim, name
        pairs = zip(described, stored.shape, strict=True)
        # Where the channels are the free batch, seen from another side, nothing is promised.
        assert described[-1:] == (None,) or all(want in (None, have) for want, have in pairs), name
        room = 40 * noise[name] + 1e-5
        forms = [own, *(np.moveaxis(own, k, -1) for k in range(1, own.ndim - 1))]
        assert any(
            f.shape == stored.shape and np.allclose(f, stored, rtol=1e-3, atol=room) for f in forms
        ), (name, stored.shape)


@SETTINGS
@given(examples())
def test_random_graph(tmp_path_factory: Any, example: Example) -> None:
    check(example, tmp_path_factory.getbasetemp() / "random.onnx")


@settings(SETTINGS, max_examples=max(EXAMPLES // 4, 25))
@given(examples())
def test_random_graph_in_a_trace(tmp_path_factory: Any, example: Example) -> None:
    """The same numbers from a traced function whose inputs have no known length."""
    path = tmp_path_factory.getbasetemp() / "traced.onnx"
    path.write_bytes(example.data)
    program = read_onnx(path).program
    names = list(program.values)

    @tf.function(autograph=False)
    def traced(*feeds: Any) -> Any:
        given = dict(zip(example.feeds, feeds, strict=True))
        return list(program.compute(given, names, channels_last=False).values())

    ours = program.compute(example.feeds, names, channels_last=False)
    specs = [tf.TensorSpec(a.shape, tf.float32) for a in example.feeds.values()]
    found = traced.get_concrete_function(*specs)(*map(tf.constant, example.feeds.values()))
    for name, array in zip(names, found, strict=True):
        if array.dtype == tf.bool:
            continue
        np.testing.assert_allclose(array, ours[name], rtol=1e-3, atol=1e-4, err_msg=name)


# -- what such graphs have found: TensorFlow's own kernels on a CPU ---------------------------


@pytest.mark.parametrize("lengths", [(4, 1), (5, 7), (3, 1, 2), (2, 4, 5)])
@pytest.mark.parametrize("group", [1, 3])
def test_convolution_of_one_channel_with_strides_1_and_n(
    lengths: tuple[int, ...], group: int, parity: Any
) -> None:
    """oneDNN reads beyond the image."""
    count = len(lengths)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(4, group, *lengths)).astype(np.float32)
    kernel = rng.normal(size=(2 * group, 1, *[1] * (count - 1), 2)).astype(np.float32)
    strides = [*[2] * (count - 2), 1, 2]
    pads = [*[0] * count, *[0] * (count - 1), 1]
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=strides, pads=pads, group=group)
    for _ in range(5):  # it is memory that is not the image's: sometimes right
        parity([node], {"x": image}, {"w": kernel})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((3, 1, 9, 4), (4, 3)),
        ((3, 1, 9, 4), (1, 4, 3)),
        ((1, 3, 9, 4), (4, 3)),
        ((9, 4), (3, 4, 2)),
    ],
)
def test_product_of_stacks_that_are_broadcast(first: Any, second: Any, parity: Any) -> None:
    """A batched product with a stack [n, 1] wrote beyond its result."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in (first, second))
    node = helper.make_node("MatMul", ["x", "b"], ["y"])
    for _ in range(5):
        parity([node], {"x": a}, {"b": b})


def test_a_padded_depthwise_convolution_in_a_loop(tmp_path: Path) -> None:
    """TensorFlow's optimizer of graphs ended the process at one with a list of paddings."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(6, 1, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], group=6, pads=[2] * 4, strides=[2, 2]),
        helper.make_node("Add", ["c", "b"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "depthwise",
        [helper.make_tensor_value_info("x", 1, ["n", 6, "h", "w"])],
        [onnx.ValueInfoProto(name="y")],
        [
            numpy_helper.from_array(kernel, "w"),
            numpy_helper.from_array(np.ones((6, 1, 1), np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    path = tmp_path / "depthwise.onnx"
    path.write_bytes(model.SerializeToString())
    program = read_onnx(path).program

    @tf.function(autograph=False)
    def score(x: Any) -> Any:
        return tf.reduce_sum(program.compute({"x": x}, ["y"])["y"])

    @tf.function(autograph=False)
    def climbed(x: Any) -> Any:
        def step(x: Any) -> tuple[Any]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                total = score(x)
            return (x + 0.01 * tape.gradient(total, x),)

        return tf.while_loop(lambda _: tf.constant(True), step, (x,), maximum_iterations=3)

    image = tf.constant(rng.normal(size=(2, 8, 10, 6)).astype(np.float32))
    (after,) = climbed(image)
    assert float(score(after)) > float(score(image))
