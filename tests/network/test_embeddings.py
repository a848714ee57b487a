"""The table of a lookup, by whatever operation, and the gradient by one-hot tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from onnx import TensorProto
from support import words

import kerasviz
from kerasviz.network.embeddings import Probes, TokenEmbedding, find_embedding
from kerasviz.network.network import Network
from kerasviz.network.token_input import TokenInput

Build = Callable[[Path], Path]


def embedding_of(net: Network) -> TokenEmbedding:
    assert isinstance(net.image_input, TokenInput)
    return find_embedding(net.program, net.image_input, net.feeds)


def cast_ids(folder: Path) -> Path:
    w = words.weights()
    nodes = [
        words.node("Cast", "ids", "wide", to=TensorProto.INT64),
        words.node("Gather", "table wide", "rows"),
        words.node("MatMul", "rows direct", "units"),
    ]
    arrays = {n: w[n] for n in ("table", "direct")}
    return words.save(folder / "cast.onnx", nodes, arrays, ["units"], dtype=TensorProto.INT32)


def quantized(folder: Path, *, rows_first: bool) -> Path:
    """A table of bytes that is dequantized behind the lookup, or before."""
    codes = np.clip(np.round(words.weights()["table"] * 30), -128, 127).astype(np.int8)
    arrays = {"codes": codes, "scale": np.array(1 / 30, np.float32), "zero": np.array(0, np.int8)}
    nodes = [
        words.node("Gather", "codes ids", "few"),
        words.node("DequantizeLinear", "few scale zero", "rows"),
    ]
    if not rows_first:
        nodes = [
            words.node("DequantizeLinear", "codes scale zero", "wide"),
            words.node("Gather", "wide ids", "rows"),
        ]
    nodes.append(words.node("MatMul", "rows direct", "units"))
    arrays["direct"] = words.weights()["direct"]
    return words.save(folder / "codes.onnx", nodes, arrays, ["units"])


def one_hot(folder: Path) -> Path:
    w = words.weights()
    arrays = {
        "depth": np.array([words.VOCABULARY], np.int64),
        "values": np.array([0, 1], np.float32),
        **{n: w[n] for n in ("table", "direct")},
    }
    nodes = [
        words.node("OneHot", "ids depth values", "hot", axis=-1),
        words.node("MatMul", "hot table", "rows"),
        words.node("MatMul", "rows direct", "units"),
    ]
    return words.save(folder / "hot.onnx", nodes, arrays, ["units"])


@pytest.mark.parametrize(
    ("build", "tolerance"),
    [
        (words.bag, 0.0),
        (cast_ids, 0.0),
        (lambda folder: quantized(folder, rows_first=True), 1 / 59),
        (lambda folder: quantized(folder, rows_first=False), 1 / 59),
    ],
    ids=["gather", "cast", "dequantized rows", "dequantized table"],
)
def test_the_table_is_that_of_the_file(build: Build, tolerance: float, tmp_path: Path) -> None:
    found = embedding_of(words.load(build(tmp_path)))
    assert found.values == ("rows",) and found.vocabulary == words.VOCABULARY
    assert np.abs(found.tables[0] - words.weights()["table"]).max() <= tolerance


def test_a_one_hot_encoding_is_a_lookup_of_its_own(tmp_path: Path) -> None:
    found = embedding_of(words.load(one_hot(tmp_path)))
    assert found.values == ("hot",) and np.array_equal(found.tables[0], np.eye(words.VOCABULARY))


def test_the_layer_of_keras_is_a_lookup() -> None:
    layer = keras.layers.Embedding(words.VOCABULARY, words.WIDTH, name="embedding")
    model = keras.Sequential([keras.Input((7,)), layer, keras.layers.Dense(3, name="dense")])
    net = kerasviz.load(model)
    found = embedding_of(net)
    assert np.array_equal(found.tables[0], np.asarray(layer.embeddings))
    assert net.taps[found.values[0]].name == net.taps["embedding"].name


def embed_layer_normalization(folder: Path) -> Path:
    w = words.weights()
    arrays = {
        "table": w["table"],
        "places": w["places"],
        "kinds": w["places"][:2] + 1,
        "gamma": np.linspace(0.5, 1.5, words.WIDTH, dtype=np.float32),
        "beta": np.linspace(-1, 1, words.WIDTH, dtype=np.float32),
        "direct": w["direct"],
        "zeros": np.zeros((1, 4), np.int32),
    }
    names = "ids zeros table places kinds gamma beta"
    nodes = [
        words.node(
            "EmbedLayerNormalization", names, "normal counts", domain="com.microsoft", epsilon=1e-5
        ),
        words.node("MatMul", "normal direct", "units"),
    ]
    return words.save(
        folder / "fused.onnx", nodes, arrays, ["units"], length=4, batch=1, dtype=TensorProto.INT32
    )


def test_a_fused_embedding_is_split_at_its_sum(tmp_path: Path) -> None:
    path = embed_layer_normalization(tmp_path)
    net = words.load(path)
    ids = np.array([[3, 9, 0, 49]], np.int32)
    (theirs,) = onnxruntime.InferenceSession(path).run(["units"], {"ids": ids})
    assert np.allclose(net.activations(words.pictures(ids), ["units"])["units"], theirs, atol=1e-5)
    found = embedding_of(net)
    assert found.values == ("normal_embedding_sum",)
    table = words.weights()["table"]
    assert np.allclose(found.tables[0] - found.tables[0][0], table - table[0], atol=1e-6)


@pytest.mark.parametrize("build", [words.mixer, words.language, embed_layer_normalization, one_hot])
def test_the_gradient_by_one_hot_tokens_is_that_of_finite_differences(
    build: Build, tmp_path: Path
) -> None:
    """A step from one token towards another along the line between their vectors."""
    net = words.load(build(tmp_path))
    found = embedding_of(net)
    length = net.fixed_size[1] or 4
    ids = np.arange(5, 5 + length)[None]
    images = tf.constant(words.pictures(ids))
    total = lambda kernels: tf.reduce_sum(  # noqa: E731
        tf.sin(net.activations(images, ["units"], kernels=kernels)["units"])
    )
    with tf.GradientTape() as tape:
        probes = Probes(found, tape)
        value = total(probes.kernels())
    slopes = probes.gradient(value, (1, length))
    gradient = np.asarray(found.one_hot_slopes([slope[0] for slope in slopes]))
    assert gradient.shape == (length, found.vocabulary)
    rate = 1e-2
    for place, token in ((0, 3), (length - 1, 40)):
        step = rate * (found.tables[0][token] - found.tables[0][ids[0, place]])
        ends = [total(_moved(found, place, sign * step)) for sign in (1, -1)]
        numeric = float(ends[0] - ends[1]) / (2 * rate)
        analytic = gradient[place, token] - gradient[place, ids[0, place]]
        assert numeric == pytest.approx(analytic, rel=1e-2, abs=2e-3)


def _moved(embedding: TokenEmbedding, place: int, step: Any) -> Any:
    from dataclasses import replace

    from kerasviz.network.program import PLAIN

    def edit(value: Any, _: Any) -> Any:
        mask = np.zeros((1, value.shape[1], 1), np.float32)
        mask[0, place] = 1
        return value + mask * step

    return replace(PLAIN, edits={embedding.values[0]: edit})
