"""Damaged and hostile files: a clear error or a right result; never a crash, a hang or a flood.

The mutants are made and read in a child process, for a failed check inside TensorFlow would end
the process. By hand, for any number of mutants from any seed on:

    python tests/importers/onnx/test_fuzz.py FOLDER FIRST LAST
"""

from __future__ import annotations

import os
import queue
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

COUNT = 500
WORKERS = 2
PATIENCE = 60  # seconds for one mutant, on a machine that is busy
MEMORY = 4 << 30
GROWTH = 6 << 30  # what a child may reserve at all, TensorFlow's own pools included

# -- models -----------------------------------------------------------------------------------


def _model(
    nodes: Sequence[Any],
    shape: Sequence[Any],
    constants: dict[str, Any],
    outputs: dict[str, int],
    opset: int,
) -> Any:
    """``outputs`` are names and numbers of axes."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(n, 1, [None] * rank) for n, rank in outputs.items()],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _weights(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def convolutional() -> Any:
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1),
        node("Conv", ["r", "d"], ["e"], group=4, dilations=[2, 2], pads=[2, 2, 2, 2]),
        node("AveragePool", ["e"], ["a"], kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
        node("LRN", ["a"], ["l"], size=3),
        node("Concat", ["p", "l"], ["j"], axis=1),
        node("GlobalAveragePool", ["j"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "k", "q"], ["z"], transB=1, alpha=0.5),
        node("Softmax", ["z"], ["y"]),
    ]
    constants = {
        "w": _weights(4, 3, 3, 3),
        "b": _weights(4),
        "s": _weights(4),
        "m": _weights(4),
        "v": np.abs(_weights(4)) + 1,
        "d": _weights(4, 1, 3, 3),
        "k": _weights(5, 8),
        "q": _weights(5),
    }
    return _model(nodes, ("n", 3, 9, 8), constants, {"y": 2}, 13)


def transformer() -> Any:
    node = helper.make_node
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axis"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("MatMul", ["x", "wq"], ["q"]),
        node("Reshape", ["q", "target"], ["h"]),
        node("Transpose", ["h"], ["t"], perm=[0, 2, 1, 3]),
        node("Transpose", ["h"], ["u"], perm=[0, 2, 3, 1]),
        node("MatMul", ["t", "u"], ["scores"]),
        node("Softmax", ["scores"], ["share"], axis=-1),
        node("MatMul", ["share", "t"], ["mixed"]),
        node("Transpose", ["mixed"], ["back"], perm=[0, 2, 1, 3]),
        node("Reshape", ["back", "flat"], ["rows"]),
        node("LayerNormalization", ["rows", "g", "b"], ["norm"], axis=-1),
        node("Erf", ["norm"], ["e"]),
        node("Split", ["e", "pieces"], ["left", "right"], axis=2),
        node("Where", ["mask", "left", "right"], ["chosen"]),
        node("ReduceMean", ["chosen"], ["y"], axes=[1], keepdims=0),
    ]
    constants = {
        "zero": np.int64(0),
        "axis": np.int64([0]),
        "rest": np.int64([-1, 2, 3]),
        "flat": np.int64([0, -1, 6]),
        "pieces": np.int64([3, 3]),
        "mask": np.array([True, False, True]),
        "wq": _weights(6, 6),
        "g": _weights(6),
        "b": _weights(6),
    }
    return _model(nodes, ("n", 5, 6), constants, {"y": 2}, 17)


def resizing() -> Any:
    node = helper.make_node
    nodes = [
        node("Pad", ["x", "pads", "fill"], ["a"], mode="constant"),
        node("Slice", ["a", "starts", "ends", "axes", "steps"], ["b"]),
        node("Resize", ["b", "", "scales"], ["c"], mode="linear"),
        node("ConvTranspose", ["c", "w"], ["d"], strides=[2, 2], output_padding=[1, 0]),
        node("Tile", ["d", "repeats"], ["e"]),
        node("Expand", ["small", "wide"], ["f"]),
        node("ConstantOfShape", ["wide"], ["g"]),
        node("Add", ["f", "g"], ["h"]),
        node("Mul", ["e", "h"], ["i"]),
        node("DepthToSpace", ["i"], ["j"], blocksize=2),
        node("Range", ["zero", "four", "one"], ["k"]),
        node("OneHot", ["k", "depth", "values"], ["l"], axis=-1),
        node("TopK", ["j", "one_v"], ["top", "place"], axis=-1),
        node("CumSum", ["top", "zero"], ["m"]),
        node("GatherElements", ["j", "place"], ["o"], axis=-1),
        node("ReduceSum", ["l"], ["p"], keepdims=0),
        node("Add", ["o", "p"], ["q"]),
        node("Sub", ["q", "m"], ["y"]),
    ]
    constants = {
        "pads": np.int64([0, 0, 1, 1, 0, 0, 2, 1]),
        "fill": np.float32(0.5),
        "starts": np.int64([1, 0]),
        "ends": np.int64([100, -1]),
        "axes": np.int64([2, 3]),
        "steps": np.int64([1, 2]),
        "scales": np.float32([1, 1, 2, 2]),
        "w": _weights(3, 4, 3, 3),
        "repeats": np.int64([1, 1, 1, 2]),
        "small": _weights(4, 1, 1),
        "wide": np.int64([1, 4, 1, 1]),
        "zero": np.int64(0),
        "four": np.int64(4),
        "one": np.int64(1),
        "one_v": np.int64([1]),
        "depth": np.int64(4),
        "values": np.float32([0, 1]),
    }
    return _model(nodes, (2, 3, 6, 7), constants, {"y": 4}, 13)


def recurrent() -> Any:
    """Control flow and an LSTM."""
    node = helper.make_node
    info = helper.make_tensor_value_info
    yes = helper.make_graph([node("Relu", ["last"], ["yes"])], "yes", [], [info("yes", 1, None)])
    no = helper.make_graph([node("Neg", ["last"], ["no"])], "no", [], [info("no", 1, None)])
    body = helper.make_graph(
        [
            node("Add", ["state", "chosen"], ["next"]),
            node("ReduceMean", ["next"], ["seen"], keepdims=0),
            node("Identity", ["going"], ["goes"]),
        ],
        "body",
        [info("k", 7, []), info("going", 9, []), info("state", 1, None)],
        [info("goes", 9, []), info("next", 1, None), info("seen", 1, None)],
    )
    nodes = [
        node("Transpose", ["x"], ["time"], perm=[1, 0, 2]),
        node("LSTM", ["time", "W", "R", "B"], ["all", "h"], hidden_size=4),
        node("Squeeze", ["h", "axis"], ["last"]),
        node("ReduceSum", ["last"], ["total"], keepdims=0),
        node("Greater", ["total", "limit"], ["positive"]),
        node("If", ["positive"], ["chosen"], then_branch=yes, else_branch=no),
        node("Loop", ["trips", "true", "chosen"], ["end", "scan"], body=body),
        node("SequenceConstruct", ["end", "chosen"], ["list"]),
        node("ConcatFromSequence", ["list"], ["joined"], axis=1),
        node("MatMul", ["joined", "k8"], ["y"]),
    ]
    constants = {
        "W": _weights(1, 16, 3),
        "R": _weights(1, 16, 4),
        "B": _weights(1, 32),
        "axis": np.int64([0]),
        "limit": np.float32(0),
        "trips": np.int64(3),
        "true": np.bool_(True),
        "k8": _weights(8, 2),
    }
    return _model(nodes, (2, 5, 3), constants, {"y": 2, "scan": 1}, 13)


def old() -> Any:
    """Opset 6: attributes for what is an input today."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3]),
        node("Add", ["c", "b"], ["d"], broadcast=1, axis=1),
        node("Pad", ["d"], ["e"], pads=[0, 0, 1, 0, 0, 0, 0, 1], mode="reflect"),
        node("Clip", ["e"], ["f"], min=0.0, max=6.0),
        node("Dropout", ["f"], ["g"], ratio=0.5),
        node("Slice", ["g"], ["h"], starts=[0], ends=[2], axes=[1]),
        node("InstanceNormalization", ["h", "s", "s"], ["i"]),
        node("Reshape", ["i", "shape"], ["j"]),
        node("Gemm", ["j", "k", "q"], ["y"], broadcast=1),
    ]
    constants = {
        "w": _weights(4, 3, 3, 3),
        "b": _weights(4),
        "s": _weights(2),
        "shape": np.int64([0, -1]),
        "k": _weights(2 * 5 * 5, 3),
        "q": _weights(3),
    }
    return _model(nodes, (1, 3, 6, 6), constants, {"y": 2}, 6)


def quantized() -> Any:
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        node("DequantizeLinear", ["w8", "ws", "wz"], ["w"], axis=0),
        node("Conv", ["d", "w"], ["c"]),
        node("HardSwish", ["c"], ["h"]),
        node("Cast", ["h"], ["half"], to=TensorProto.FLOAT16),
        node("Sigmoid", ["half"], ["s"]),
        node("Cast", ["s"], ["y"], to=TensorProto.FLOAT),
    ]
    constants = {
        "scale": np.float32(0.05),
        "zero": np.uint8(128),
        "w8": np.random.default_rng(0).integers(-128, 127, (4, 3, 3, 3)).astype(np.int8),
        "ws": np.float32([0.01, 0.02, 0.01, 0.03]),
        "wz": np.int8([0, 0, 0, 0]),
    }
    return _model(nodes, ("n", 3, "h", "w"), constants, {"y": 4}, 14)


MODELS: tuple[Callable[[], Any], ...] = (
    convolutional,
    transformer,
    resizing,
    recurrent,
    old,
    quantized,
)

# -- mutations --------------------------------------------------------------------------------

NUMBERS = [0, 1, -1, 2, 3, 7, -7, 100, 65536, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, -(2**63)]
OTHER_OPS = [
    "Relu",
    "Conv",
    "MaxPool",
    "AveragePool",
    "GlobalMaxPool",
    "BatchNormalization",
    "InstanceNormalization",
    "LRN",
    "Gemm",
    "MatMul",
    "Add",
    "Div",
    "Mod",
    "Pow",
    "Concat",
    "Split",
    "Slice",
    "Gather",
    "GatherND",
    "ScatterND",
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Tile",
    "Expand",
    "Pad",
    "ConstantOfShape",
    "Range",
    "OneHot",
    "TopK",
    "Resize",
    "ConvTranspose",
    "DepthToSpace",
    "SpaceToDepth",
    "Softmax",
    "Cast",
    "Shape",
    "Size",
    "NonZero",
    "Where",
    "CumSum",
    "ReduceMean",
    "ReduceMax",
    "ArgMax",
    "LSTM",
    "GRU",
    "Einsum",
    "Loop",
    "If",
    "Scan",
    "Identity",
    "Dropout",
    "Constant",
    "EyeLike",
    "Trilu",
    "Det",
    "GridSample",
    "MaxUnpool",
    "RoiAlign",
    "NonMaxSuppression",
    "SequenceAt",
    "QuantizeLinear",
    "DequantizeLinear",
    "Nonsense",
]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        place = rng.randrange(len(found))
        found[place] = rng.choice([found[place] ^ 1 << rng.randrange(8), rng.randrange(256)])
    return bytes(found)


def _cut(data: bytes, rng: random.Random) -> bytes:
    a, b = sorted(rng.sample(range(len(data) + 1), 2))
    return rng.choice([data[:a], data[a:], data[:a] + data[b:], data[:b] + data[a:]])


def _an_attribute(model: Any, rng: random.Random) -> None:
    found = [a for n in model.graph.node for a in n.attribute]
    if not found:
        return
    attribute = rng.choice(found)
    kind = rng.randrange(6)
    if kind == 0 and attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
    elif kind == 1 and attribute.ints:
        del attribute.ints[rng.randrange(len(attribute.ints))]
    elif kind == 2:
        attribute.ints.append(rng.choice(NUMBERS))
        attribute.type = onnx.AttributeProto.INTS
    elif kind == 3:
        attribute.i = rng.choice(NUMBERS)
        if rng.random() < 0.3:
            attribute.type = onnx.AttributeProto.INT
    elif kind == 4:
        attribute.s = rng.choice(
            [b"", b"SAME_UPPER", b"VALID", b"\xff\xfe", b"reflect", b"nothing"]
        )
        attribute.type = onnx.AttributeProto.STRING
    else:
        attribute.name = rng.choice(["axis", "pads", "strides", "group", "kernel_shape", "odd", ""])


def _no_attribute(model: Any, rng: random.Random) -> None:
    node = rng.choice(model.graph.node)
    if node.attribute:
        del node.attribute[rng.randrange(len(node.attribute))]


def _an_operator(model: Any, rng: random.Random) -> None:
    rng.choice(model.graph.node).op_type = rng.choice(OTHER_OPS)


def _the_inputs(model: Any, rng: random.Random) -> None:
    """Inputs of a node swapped, left out, doubled or taken from anywhere, its own future too."""
    node = rng.choice(model.graph.node)
    names = [o for n in model.graph.node for o in n.output]
    names += [t.name for t in model.graph.initializer] + ["x", "", "nowhere"]
    kind = rng.randrange(4)
    if not node.input or kind == 0:
        node.input.append(rng.choice(names))
    elif kind == 1:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif kind == 2:
        mixed = list(node.input)
        rng.shuffle(mixed)
        node.input[:] = mixed
    else:
        del node.input[rng.randrange(len(node.input))]


def _the_outputs(model: Any, rng: random.Random) -> None:
    node = rng.choice(model.graph.node)
    names = [o for n in model.graph.node for o in n.output] + ["x", "", "new"]
    node.output[rng.randrange(len(node.output))] = rng.choice(names)


def _no_node(model: Any, rng: random.Random) -> None:
    del model.graph.node[rng.randrange(len(model.graph.node))]


def _another_order(model: Any, rng: random.Random) -> None:
    nodes = list(model.graph.node)
    a, b = rng.randrange(len(nodes)), rng.randrange(len(nodes))
    nodes[a], nodes[b] = nodes[b], nodes[a]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _a_tensor(model: Any, rng: random.Random) -> None:
    tensor = rng.choice(model.graph.initializer)
    kind = rng.randrange(6)
    if kind == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    elif kind == 1:
        tensor.data_type = rng.randrange(0, 30)
    elif kind == 2:
        tensor.raw_data = _cut(tensor.raw_data, rng)
    elif kind == 3:
        tensor.name = rng.choice(["x", "y", "c", "other", ""])
    elif kind == 4 and len(tensor.dims) > 1:
        mixed = list(tensor.dims)
        rng.shuffle(mixed)
        tensor.dims[:] = mixed
    else:
        array = numpy_helper.to_array(tensor).copy()
        flat = array.reshape(-1)
        if flat.size and array.dtype == np.int64:
            flat[rng.randrange(flat.size)] = rng.choice(NUMBERS)
        elif flat.size and array.dtype == np.float32:
            flat[rng.randrange(flat.size)] = rng.choice([0, -1, 1e30, 1e9, np.nan, np.inf])
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _numbers_of_a_shape(model: Any, rng: random.Random) -> None:
    """Whole numbers that are shapes, pads, repeats, axes ...: more of what makes a value large."""
    whole = [t for t in model.graph.initializer if t.data_type == TensorProto.INT64]
    if whole:
        tensor = rng.choice(whole)
        array = numpy_helper.to_array(tensor).copy()
        flat = array.reshape(-1)
        for _ in range(rng.randrange(1, 4)):
            if flat.size:
                flat[rng.randrange(flat.size)] = rng.choice(NUMBERS)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _an_input_shape(model: Any, rng: random.Random) -> None:
    given = rng.choice(model.graph.input)
    kind = given.type.tensor_type
    choice = rng.randrange(5)
    if choice == 0:
        kind.elem_type = rng.randrange(0, 30)
    elif choice == 1:
        kind.ClearField("shape")
    elif choice == 2 and kind.shape.dim:
        del kind.shape.dim[rng.randrange(len(kind.shape.dim))]
    elif choice == 3:
        kind.shape.dim.add().dim_value = rng.choice(NUMBERS)
    elif kind.shape.dim:
        kind.shape.dim[rng.randrange(len(kind.shape.dim))].dim_value = rng.choice(NUMBERS)


def _a_name(model: Any, rng: random.Random) -> None:
    kind = rng.randrange(4)
    if kind == 0:
        rng.choice(model.graph.output).name = rng.choice(["", "x", "nowhere", "c", "h"])
    elif kind == 1:
        rng.choice(model.graph.input).name = rng.choice(["", "y", "other", "w"])
    elif kind == 2:
        rng.choice(model.graph.node).domain = rng.choice(["ai.onnx", "com.microsoft", "ai.onnx.ml"])
    else:
        rng.choice(model.graph.node).name = rng.choice(["", "x", "\n", "same"])


def _an_opset(model: Any, rng: random.Random) -> None:
    model.opset_import[0].version = rng.choice([0, -1, *range(1, 29), 1000, 2**40])
    if rng.random() < 0.2:
        model.ir_version = rng.choice([0, 1, 3, 9, 99, -1])


def _a_body(model: Any, rng: random.Random) -> None:
    """A mutation inside a graph of control flow."""
    bodies = [a.g for n in model.graph.node for a in n.attribute if a.HasField("g")]
    if bodies:
        inner = onnx.ModelProto()
        body = rng.choice(bodies)
        inner.graph.CopyFrom(body)
        rng.choice([_an_operator, _the_inputs, _the_outputs, _no_node, _a_name])(inner, rng)
        body.CopyFrom(inner.graph)


PARTS: tuple[Callable[[Any, random.Random], None], ...] = (
    _an_attribute,
    _an_attribute,
    _no_attribute,
    _an_operator,
    _an_operator,
    _the_inputs,
    _the_inputs,
    _the_outputs,
    _no_node,
    _another_order,
    _a_tensor,
    _a_tensor,
    _numbers_of_a_shape,
    _numbers_of_a_shape,
    _an_input_shape,
    _a_name,
    _an_opset,
    _a_body,
)


def mutant(seed: int) -> bytes:
    """The damaged file of a seed."""
    rng = random.Random(seed)
    model = rng.choice(MODELS)()
    kind = rng.randrange(8)
    if kind == 0:
        return _flipped(model.SerializeToString(), rng)
    if kind == 1:
        return _cut(model.SerializeToString(), rng)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        try:
            rng.choice(PARTS)(model, rng)
        except (ValueError, IndexError, TypeError, OverflowError):
            continue  # an earlier mutation has left nothing to mutate
    return bytes(model.SerializeToString())


# -- the child --------------------------------------------------------------------------------


def _feed(port: Any, rng: Any) -> Any:
    """Random numbers for an input; ``None`` if it is too large to be tried."""
    shape = [3 if n is None else n for n in (port.shape or ())]
    if port.shape is None or np.prod(shape, dtype=float) > 1e5:
        return None
    numbers = rng.normal(size=shape) * (1 if port.dtype.is_floating else 3)
    if port.dtype.name == "string":
        return np.full(shape, "a", object)
    return numbers.astype(port.dtype.as_numpy_dtype)


def _outcome(data: bytes, path: Path) -> tuple[str, Any]:
    from kerasviz.errors import KerasvizError
    from kerasviz.importers.onnx import read_onnx

    path.write_bytes(data)
    try:
        program = read_onnx(path).program
        rng = np.random.default_rng(0)
        feeds = {name: _feed(port, rng) for name, port in program.inputs.items()}
        if any(feed is None for feed in feeds.values()):
            return "too large to run", None
        found = program.compute(feeds, list(program.outputs), channels_last=False)
    except KerasvizError as error:
        line = str(error)
        assert "\n" not in line, "the error has several lines"
        assert line.strip(), "the error is empty"
        return "refused", None
    return "computed", (feeds, found)


def _differs(data: bytes, feeds: dict[str, Any], ours: dict[str, Any]) -> str:
    """How a result differs from onnxruntime's, where the model is valid and that has one."""
    import onnxruntime

    try:
        onnx.checker.check_model(data, full_check=True)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs() if output.name in ours]
        theirs = session.run(names, feeds) if names else []
    except Exception as error:  # noqa: BLE001 - whatever onnxruntime makes of a damaged file
        return f"not to be compared ({type(error).__name__})"
    for mine, wanted in zip((ours[name] for name in names), theirs, strict=True):
        if not isinstance(wanted, np.ndarray) or wanted.dtype == object:
            continue
        array = np.asarray(mine)
        if array.shape != wanted.shape:
            return f"WRONG: shape {array.shape}, not {wanted.shape}"
        if array.dtype != wanted.dtype:
            return f"WRONG: type {array.dtype}, not {wanted.dtype}"
        sound = np.isfinite(array.astype(float)) & np.isfinite(wanted.astype(float))
        if sound.all() and sound.size:
            gap = np.abs(array.astype(float) - wanted.astype(float)).max()
            if gap > 1e-3 * np.abs(wanted.astype(float)).max() + 1e-5:
                return f"WRONG: off by {gap}"
    return "the same"


def child(folder: Path, first: int, last: int) -> None:
    """Read mutants, saying which one before and how it went after it."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    resource.setrlimit(resource.RLIMIT_DATA, (GROWTH, GROWTH))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = folder / f"mutant{first}.onnx"
    for seed in range(first, last):
        data = mutant(seed)
        print("start", seed, flush=True)
        try:
            kind, found = _outcome(data, path)
        except BaseException as error:  # noqa: BLE001 - what must not happen is what we look for
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            print("end", seed, "FAILED", reason, flush=True)
            continue
        print("end", seed, kind, flush=True)
        if found is not None:
            print("compared", seed, _differs(data, *found), flush=True)
    # Not getrusage: what it says of a new process begins with the peak of the one that made it.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    print("peak", peak, flush=True)


# -- the test ---------------------------------------------------------------------------------


def watched(folder: Path, first: int, last: int, say: Callable[[int, str], None]) -> int:
    """Run a child over mutants, and a new one behind each that ends it; the peak of memory."""
    peak = 0
    while first < last:
        process = subprocess.Popen(
            [sys.executable, __file__, "child", str(folder), str(first), str(last)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines: queue.Queue[str | None] = queue.Queue()

        def pump(stream: Any = process.stdout, into: Any = lines) -> None:
            for line in stream:
                into.put(line)
            into.put(None)

        threading.Thread(target=pump, daemon=True).start()
        seed, busy = first, False
        while True:
            try:
                line = lines.get(timeout=PATIENCE)
            except queue.Empty:
                process.kill()
                say(seed, "HANGS" if busy else "hangs in onnxruntime")
                break
            if line is None:
                break
            word, number, *rest = line.split(maxsplit=2)
            if word == "start":
                seed, busy = int(number), True
            elif word == "end":
                busy = False
                say(seed, rest[0].strip())
            elif word == "compared":
                say(seed, rest[0].strip())
            elif word == "peak":
                peak = int(number)
                seed = last
        code = process.wait()
        if code and busy:
            say(seed, f"ENDS THE PROCESS ({code})")
        first = seed + 1
    return peak


@pytest.mark.slow
def test_mutants(tmp_path: Path) -> None:
    """Five hundred of them, in two processes at a time; any number by hand."""
    results: dict[int, list[str]] = {}
    peaks: list[int] = []

    def share(first: int, last: int) -> None:
        peaks.append(
            watched(tmp_path, first, last, lambda k, s: results.setdefault(k, []).append(s))
        )

    cuts = [COUNT * k // WORKERS for k in range(WORKERS + 1)]
    threads = [threading.Thread(target=share, args=pair) for pair in pairwise(cuts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(COUNT))
    said = [text for texts in results.values() for text in texts]
    bad = {
        k: texts
        for k, texts in sorted(results.items())
        if any(t.startswith(("FAILED", "HANGS", "ENDS", "WRONG")) for t in texts)
    }
    assert not bad, f"{len(bad)} mutants: {bad}"
    assert max(peaks) < MEMORY
    assert said.count("the same") > 25  # many a mutation is harmless
    assert said.count("refused") > 150


@pytest.mark.parametrize("model", MODELS)
def test_the_models_are_sound(model: Any, tmp_path: Path) -> None:
    """Unharmed they give what onnxruntime gives."""
    data = model().SerializeToString()
    kind, found = _outcome(data, tmp_path / "sound.onnx")
    assert kind == "computed"
    said = _differs(data, *found)
    assert said == ("not to be compared (NotImplemented)" if model is old else "the same")


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/hostname", "a/../../secret.bin", "link.bin", "inside/../w"]
)
def test_external_data_cannot_leave_the_folder(location: str, tmp_path: Path) -> None:
    from kerasviz.errors import ModelError
    from kerasviz.importers.onnx import read_onnx

    folder = tmp_path / "model"
    (folder / "inside").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(bytes(4 * 4 * 3 * 3 * 3))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    model = convolutional()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    assert "\n" not in str(caught.value)


if __name__ == "__main__":
    if sys.argv[1] == "child":
        child(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        watched(
            Path(sys.argv[1]),
            int(sys.argv[2]),
            int(sys.argv[3]),
            lambda k, s: print(k, s, flush=True),
        )
