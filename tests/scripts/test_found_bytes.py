"""Bytes of file types: what magika sees of a file, and a small network of bytes."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import found_bytes
import numpy as np
import onnxruntime
import pytest
from support import words

import kerasviz
from kerasviz.optvis.tokens.search import TokenSearch

LABELS = ("text", "png", "data")


def test_a_short_file_is_padded_behind_its_start_and_before_its_end() -> None:
    seen = found_bytes.features(b" \nabc ")
    assert len(seen) == 2048 and seen[:4].tolist() == [97, 98, 99, 256]
    assert seen[-4:].tolist() == [256, 97, 98, 99]
    whole = bytes(k % 255 + 1 if k % 255 > 32 else 255 for k in range(2048))
    assert found_bytes.features(whole).tolist() == list(whole)


def network_of_bytes(path: Path, length: int) -> Path:
    """Classes by the first bytes, the one-hot encoding as JAX writes it: an Equal with 0 to 256."""
    draw = np.random.default_rng(3)
    arrays = {
        "last": np.array([2], np.int64),
        "numbers": np.arange(257, dtype=np.int64)[None, None],
        "shares": np.exp(-np.arange(length, dtype=np.float32))[None, :, None],
        "table": draw.normal(0, 3, (257, len(LABELS))).astype(np.float32),
        "one": np.array([1], np.int64),
    }
    nodes = [
        words.node("Unsqueeze", "ids last", "column"),
        words.node("Equal", "column numbers", "same"),
        words.node("Cast", "same", "hot", to=1),
        words.node("MatMul", "hot table", "rows"),
        words.node("Mul", "rows shares", "weighted"),
        words.node("ReduceSum", "weighted one", "logits", keepdims=0),
        words.node("Softmax", "logits", "probabilities"),
    ]
    return words.save(path, nodes, arrays, ["probabilities"], length=length)


def test_bytes_are_found_that_a_network_calls_a_type(tmp_path: Path) -> None:
    path = network_of_bytes(tmp_path / "bytes.onnx", 16)
    net = kerasviz.load(path, labels=LABELS)
    recipe = found_bytes.recipe_of(20, 0.98).replace(
        size=(1, 16), search=TokenSearch(population=2, children=8, rows=16, restart=0)
    )
    data, steps, _ = found_bytes.search(net, "png", recipe, 0)
    assert len(data) == 16 and 1 <= steps <= 20
    session = onnxruntime.InferenceSession(path)
    ids = np.array([list(data)], np.int64)
    (probabilities,) = session.run(None, {"ids": ids})
    assert probabilities[0, 1] > 0.98
    unlikely = recipe.replace(steps=1, cutoff=math.log(0.999999999))
    assert found_bytes.search(net, "png", unlikely, 0)[1] == 1


def test_magika_calls_found_bytes_by_their_type() -> None:
    folder = Path(os.environ.get("KERASVIZ_TEST_MAGIKA", ""))
    if not (folder / "model.onnx").is_file():
        pytest.skip("KERASVIZ_TEST_MAGIKA names no folder with magika's model.onnx")
    labels = json.loads((folder / "config.min.json").read_text())["target_labels_space"]
    net = kerasviz.load(folder / "model.onnx", labels=labels)
    net = replace(net, logits=found_bytes.LOGITS)
    data, _, _ = found_bytes.search(net, "pdf", found_bytes.recipe_of(30, 0.98), 0)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    (probabilities,) = session.run(None, {"bytes": found_bytes.features(data)[None]})
    assert probabilities[0, labels.index("pdf")] > 0.9
