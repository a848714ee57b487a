"""Networks with inputs of any type, rank and number: a result or an error of one line.

By hand, for any number of networks from any seed on:

    PYTHONPATH=tests python tests/integration/test_input_fuzz.py COUNT [FIRST]
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import kerasviz
from kerasviz.errors import KerasvizError
from kerasviz.network.comparison import feeds_for
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Network

#: Seconds that the test may take.
BUDGET = 10.0
TYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.FLOAT16: np.float16,
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT8: np.int8,
    TensorProto.UINT16: np.uint16,
    TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT64: np.uint64,
    TensorProto.BOOL: np.bool_,
    TensorProto.STRING: object,
    TensorProto.COMPLEX64: np.complex64,
}
#: Operators of one input, and attributes.
UNARY: list[tuple[str, dict[str, Any]]] = [
    ("Identity", {}),
    ("Relu", {}),
    ("Sigmoid", {}),
    ("Neg", {}),
    ("Not", {}),
    ("Cast", {"to": TensorProto.FLOAT}),
    ("Cast", {"to": TensorProto.INT32}),
    ("Transpose", {}),
    ("Flatten", {}),
    ("GlobalAveragePool", {}),
    ("MaxPool", {"kernel_shape": [2, 2]}),
    ("ReduceMean", {"axes": [-1]}),
    ("Softmax", {}),
    ("Shape", {}),
    ("SequenceConstruct", {}),
    ("Strange", {"domain": "com.example"}),
]
BINARY = ("Add", "Mul", "MatMul", "Concat", "Equal", "Gather")


def network(rng: random.Random, path: Path) -> None:
    """Write a network of up to three inputs and five nodes, most of which do not fit."""
    inputs = [_input(rng, f"x{k}") for k in range(rng.choice([1, 1, 1, 2, 2, 3, 0]))]
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    known = [i.name for i in inputs] or ["w"]
    nodes = []
    for k in range(rng.randrange(1, 6)):
        out = f"y{k}"
        kind = rng.random()
        if kind < 0.2:
            nodes.append(helper.make_node("Conv", [rng.choice(known), "w"], [out]))
        elif kind < 0.7:
            op, attributes = rng.choice(UNARY)
            nodes.append(helper.make_node(op, [rng.choice(known)], [out], **attributes))
        else:
            op = rng.choice(BINARY)
            pair = [rng.choice(known), rng.choice(known)]
            extra = {"axis": 1} if op == "Concat" else {}
            nodes.append(helper.make_node(op, pair, [out], **extra))
        known.append(out)
    outputs = [onnx.ValueInfoProto(name=known[-1])]
    graph = helper.make_graph(
        nodes, "fuzz", inputs, outputs, [numpy_helper.from_array(weights, "w")]
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )


def _input(rng: random.Random, name: str) -> Any:
    kind = rng.choice([TensorProto.FLOAT, TensorProto.UINT8, *TYPES])
    lengths: list[Any] = [1, 2, 3, 5, 8, "n", "m", 0]
    shape = [rng.choice(lengths) for _ in range(rng.randrange(7))]
    if rng.random() < 0.4:
        shape = [rng.choice([1, "n"]), 3, rng.choice([8, "h"]), rng.choice([9, "w"])]
    if rng.random() < 0.05:
        return helper.make_tensor_sequence_value_info(name, kind, None)
    return helper.make_tensor_value_info(name, kind, None if rng.random() < 0.05 else shape)


def numbers(rng: random.Random, port: Any) -> Any:
    """Draw what an input may take, or something that it does not."""
    if port.dtype is None:
        return [np.zeros((2, 3), np.float32)] * rng.randrange(3)
    shape = [rng.choice([1, 2, 9]) if n is None else n for n in port.shape or (2, 3)]
    if rng.random() < 0.2:
        shape = shape[1:] if rng.random() < 0.5 else [*shape, 2]
    kind = port.dtype.as_numpy_dtype
    if rng.random() < 0.2:
        kind = rng.choice(list(TYPES.values()))
    if kind in (object, np.str_) or port.dtype.name == "string":
        return np.full(shape, "text", object)
    return np.ones(shape).astype(kind)


def tries(rng: random.Random, net: Network) -> None:
    """Ask a network for what users ask for; an error of one line ends a try."""
    feeds = {name: numbers(rng, port) for name, port in net.program.inputs.items()}
    if rng.random() < 0.1 and feeds:
        del feeds[next(iter(feeds))]
    for ask in (
        lambda: net.run(feeds),
        lambda: net.run(feeds_for(net)),
        lambda: [net.taps[name] for name in net.main_taps],
        lambda: net.classes,
        lambda: net.fixed_size,
        lambda: net.activations(np.zeros((1, 8, 9, 3), np.float32), list(net.taps)[:1]),
        lambda: net.with_input_spec(preset("unit")).activations(
            np.zeros((1, 8, 9, 3), np.float32), list(net.taps)[-1:]
        ),
    ):
        try:
            ask()
        except KerasvizError as error:
            check_line(error)


def check_line(error: KerasvizError) -> None:
    """An error is one line that says something."""
    line = str(error)
    assert line.strip()
    assert "\n" not in line


def outcome(seed: int, folder: Path) -> str:
    """Build and try the network of a seed; whatever is no error of kerasviz goes through."""
    rng = random.Random(seed)
    path = folder / "m.onnx"
    network(rng, path)
    try:
        net = kerasviz.load(path)
    except KerasvizError as error:
        check_line(error)
        return "refused"
    tries(rng, net)
    return "left out" if net.left_out else "read"


def test_any_input_gives_a_result_or_one_line(tmp_path: Path) -> None:
    end = time.monotonic() + BUDGET
    seen: Counter[str] = Counter()
    seed = 0
    while time.monotonic() < end:
        seen[outcome(seed, tmp_path)] += 1
        seed += 1
    assert seen["read"] > 5
    assert seen["left out"] > 5


if __name__ == "__main__":
    begin = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(begin, begin + int(sys.argv[1])):
            try:
                counts[outcome(number, Path(scratch))] += 1
            except Exception as unexpected:  # noqa: BLE001 - what must not happen is looked for
                counts["TRACEBACK"] += 1
                print(number, type(unexpected).__name__, str(unexpected)[:300], flush=True)
    print(dict(counts))
    sys.exit(counts["TRACEBACK"] > 0)
