"""Small ONNX networks of tokens, with their numbers in numpy beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

import kerasviz
from kerasviz.io.tokenizers import IdNumbers, Tokenizer
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.tokens.find import TokenResult
from kerasviz.optvis.tokens.replacements import Replacement
from kerasviz.optvis.tokens.scorer import Row, TokenScorer
from kerasviz.optvis.tokens.sequence import TokenSequence
from kerasviz.rendering.media.token_record import TokenRecord

VOCABULARY = 50
WIDTH = 6
UNITS = 5

Arrays = Mapping[str, np.ndarray[Any, Any]]


def weights(seed: int = 0, vocabulary: int = VOCABULARY) -> dict[str, Any]:
    """Draw a table, position embeddings and two matrices."""
    draw = np.random.default_rng(seed)
    sizes = {
        "table": (vocabulary, WIDTH),
        "places": (16, WIDTH),
        "mix": (WIDTH, 8),
        "read": (8, UNITS),
        "direct": (WIDTH, UNITS),
        "head": (8, vocabulary),
    }
    return {name: draw.normal(0, 1, size).astype(np.float32) for name, size in sizes.items()}


def save(
    path: Path,
    nodes: Sequence[Any],
    arrays: Arrays,
    outputs: Sequence[str],
    *,
    length: int | str = "length",
    batch: int | str = "batch",
    beside: Sequence[str] = (),
    dtype: int = TensorProto.INT64,
) -> Path:
    """Write a network whose input ``ids`` is [batch, length], and others beside it likewise."""
    inputs = [
        helper.make_tensor_value_info(name, kind, [batch, length])
        for name, kind in [("ids", dtype), *((n, TensorProto.INT64) for n in beside)]
    ]
    graph = helper.make_graph(
        list(nodes),
        "words",
        inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    onnx.save(model, path)
    return path


def node(op: str, inputs: str, output: str, **attributes: Any) -> Any:
    """One node; ``inputs`` are names with blanks between them."""
    return helper.make_node(op, inputs.split(), output.split(), **attributes)


def bag(folder: Path, **options: Any) -> Path:
    """units[b, t] = table[ids[b, t]] @ direct."""
    w = weights()
    nodes = [node("Gather", "table ids", "rows"), node("MatMul", "rows direct", "units")]
    arrays = {"table": w["table"], "direct": w["direct"]}
    return save(folder / "bag.onnx", nodes, arrays, ["units"], **options)


def bag_units(ids: Any) -> Any:
    w = weights()
    return w["table"][ids] @ w["direct"]


def mixer(folder: Path, length: int = 3, seed: int = 1) -> Path:
    """units = tanh(sum over t of table[ids] * places @ mix) @ read: tokens depend on each other."""
    w = weights(seed)
    nodes = [
        node("Gather", "table ids", "rows"),
        node("Mul", "rows places", "placed"),
        node("MatMul", "placed mix", "products"),
        node("ReduceSum", "products one", "summed", keepdims=0),
        node("Tanh", "summed", "hidden"),
        node("MatMul", "hidden read", "units"),
    ]
    arrays = {n: w[n] for n in ("table", "mix", "read")}
    arrays |= {"places": w["places"][:length], "one": np.array([1], np.int64)}
    return save(folder / "mixer.onnx", nodes, arrays, ["units"], length=length)


def mixer_units(ids: Any, seed: int = 1) -> Any:
    w = weights(seed)
    rows = w["table"][ids] * w["places"][: ids.shape[-1]]
    return np.tanh((rows @ w["mix"]).sum(-2)) @ w["read"]


def language(folder: Path, *, causal: bool = True, fixed: int | None = None) -> Path:
    """hidden = tanh(sum of the tokens so far @ mix); logits = hidden @ head; units = hidden @ read.

    Without ``causal`` the sum is over all tokens. It takes a mask, kinds and positions too.
    """
    w = weights(2)
    arrays = {n: w[n] for n in ("table", "places", "mix", "read", "head")}
    arrays |= {
        "kinds": np.zeros((2, WIDTH), np.float32),
        "axis": np.array(1, np.int64),
        "last": np.array([2], np.int64),
        "axes": np.array([1], np.int64),
    }
    total = [node("CumSum", "masked axis", "sums")]
    if not causal:
        total = [
            node("ReduceSum", "masked axes", "whole", keepdims=1),
            node("Mul", "masked zero", "nothing"),
            node("Add", "nothing whole", "sums"),
        ]
        arrays["zero"] = np.array(0, np.float32)
    nodes = [
        node("Gather", "table ids", "words"),
        node("Gather", "places position_ids", "positions"),
        node("Gather", "kinds token_type_ids", "types"),
        node("Add", "words positions", "placed"),
        node("Add", "placed types", "rows"),
        node("Cast", "attention_mask", "mask", to=TensorProto.FLOAT),
        node("Unsqueeze", "mask last", "column"),
        node("Mul", "rows column", "masked"),
        *total,
        node("MatMul", "sums mix", "mixed"),
        node("Tanh", "mixed", "hidden"),
        node("MatMul", "hidden head", "logits"),
        node("MatMul", "hidden read", "units"),
    ]
    beside = ["attention_mask", "token_type_ids", "position_ids"]
    name = "language.onnx" if causal else "masked.onnx"
    sizes: dict[str, Any] = {} if fixed is None else {"length": fixed}
    return save(folder / name, nodes, arrays, ["logits", "units"], beside=beside, **sizes)


def language_numbers(ids: Any) -> tuple[Any, Any]:
    """Return the units [B, T, C] and the logits [B, T, V]."""
    w = weights(2)
    rows = w["table"][ids] + w["places"][: ids.shape[-1]]
    hidden = np.tanh(rows.cumsum(-2) @ w["mix"])
    return hidden @ w["read"], hidden @ w["head"]


def cross_entropies(ids: Any) -> Any:
    """Return the mean cross-entropy of the next tokens [B]."""
    logits = language_numbers(ids)[1][:, :-1].astype(np.float64)
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, ids[:, 1:, None], 2)[..., 0].mean(-1)


def load(path: Path) -> Network:
    """Load one of these networks."""
    return kerasviz.load(path)


def pictures(ids: Any) -> Any:
    """Return ids [B, T] as pictures [B, 1, T, 1]."""
    return np.asarray(ids, np.float32)[:, None, :, None]


def scorer_and_row(
    net: Network, target: str, rows: int = 4, length: int = 5, **options: bool
) -> tuple[TokenScorer, Row]:
    """Return the scorer of a target, and its tensors, for sequences of a length."""
    (parsed,) = parse_target(target, net)
    structure = structure_of(parsed.objective, net, False)
    data = pack_objectives(structure, [parsed.objective], net, False, (1, length))
    row = {name: tf.constant(array) for name, array in data.items()}
    return TokenScorer(net, structure, rows, **options), row


def token_record(
    ids: tuple[int, ...] = (0, 1),
    entropies: Sequence[float | None] = (None,),
    largest: Sequence[float] = (2.0, 1.0),
    smallest: Sequence[float] = (0.5, 0.1),
    tokenizer: Tokenizer | None = None,
) -> TokenRecord:
    """Return a record with a front of values that fall from 2, and other tokens at each place."""
    front = tuple(TokenSequence(ids, 2.0 - k, entropy) for k, entropy in enumerate(entropies))
    changes = tuple(
        Replacement(a, b, ((7, 1.5), (8, 1.4), (9, 1.3)))
        for a, b in zip(largest, smallest, strict=True)
    )
    size = max(10, *ids)
    shown = IdNumbers(size) if tokenizer is None else tokenizer
    if not isinstance(shown, IdNumbers):
        changes = ()
    result = TokenResult(front, np.array([1.0, 2.0], np.float32), 99, size, changes)
    return TokenRecord("units:2", result, shown)
