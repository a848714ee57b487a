"""Text operators, with Python's own as the oracle, also in a trace with free lengths."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from onnx import helper

from kerasviz.errors import ModelError
from kerasviz.importers.onnx import read_onnx


def run(path: Path, x: Any, op: str, count: int = 1, **attributes: Any) -> list[Any]:
    """One node, traced with free lengths, as it runs in an exported model."""
    names = [f"y{k}" for k in range(count)]
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    info = helper.make_tensor_value_info("x", kind, [f"d{k}" for k in range(x.ndim)])
    outputs = [helper.make_tensor_value_info(n, kind, None) for n in names]
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], names, **attributes)], "test", [info], outputs
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    program = read_onnx(path).program
    spec = tf.TensorSpec([None] * x.ndim, tf.string if x.dtype == object else x.dtype)
    traced = tf.function(lambda t: program.compute({"x": t}, names), autograph=False)
    found = traced.get_concrete_function(spec)(tf.constant(x))
    return [found[n].numpy() for n in names]


@pytest.mark.parametrize("delimiter", [None, ".", "ab"])
@pytest.mark.parametrize("most", [None, 1, 2])
def test_split(tmp_path: Path, delimiter: str | None, most: int | None) -> None:
    rng = random.Random(3)
    texts = ["".join(rng.choices(" .abä", k=rng.randrange(9))) for _ in range(60)]
    given: dict[str, Any] = {} if delimiter is None else {"delimiter": delimiter}
    given |= {} if most is None else {"maxsplit": most}
    x = np.array(texts, object).reshape(4, 15)
    parts, counts = run(tmp_path / "m.onnx", x, "StringSplit", 2, **given)
    rows = parts.reshape(60, -1)
    for text, row, count in zip(texts, rows, counts.reshape(-1), strict=True):
        wanted = text.split(delimiter, -1 if most is None else most)
        assert [part.decode() for part in row[:count]] == wanted
        assert set(row[count:]) <= {b""}


@pytest.mark.parametrize("sensitive", [0, 1])
@pytest.mark.parametrize("change", ["LOWER", "UPPER", "NONE"])
def test_normalizer(tmp_path: Path, sensitive: int, change: str) -> None:
    words = ["Über", "über", "THE", "the", "end"]
    change_of = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}[change]
    stops = ["the", "über"]
    kept = [w for w in words if (w if sensitive else w.lower()) not in stops]
    for shape in ((5,), (1, 5)):
        (found,) = run(
            tmp_path / "m.onnx",
            np.array(words, object).reshape(shape),
            "StringNormalizer",
            case_change_action=change,
            is_case_sensitive=sensitive,
            stopwords=stops,
        )
        assert found.ndim == len(shape)
        assert [t.decode() for t in found.reshape(-1)] == [change_of(w) for w in kept]


def test_normalizer_of_a_table(tmp_path: Path) -> None:
    x = np.array([["a", "b"], ["c", "d"]], object)
    with pytest.raises(ModelError, match=r"expected \[C\] or \[1, C\]"):
        run(tmp_path / "m.onnx", x, "StringNormalizer")
        path = tmp_path / "m.onnx"
        read_onnx(path).program.compute({"x": x}, ["y0"])


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("skip", [0, 2])
@pytest.mark.parametrize("text", [False, True])
def test_n_grams(tmp_path: Path, mode: str, skip: int, text: bool) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 4, (3, 12))
    grams = [(0,), (2,), (0, 1), (3, 3), (1, 2, 0), (2, 2, 1)]
    places = [3, 0, 1, 5, 2, 4]
    weights = [0.5, 2.0, 1.5, 3.0, 0.25, 4.0]
    pool: list[Any] = [n for gram in grams for n in gram]
    wanted = np.zeros((3, 6), np.float32)
    for row, out in zip(x, wanted, strict=True):
        seen: Counter[tuple[int, ...]] = Counter()
        for n in (1, 2, 3):
            for gap in range(1, 2 if n == 1 else skip + 2):
                for start in range(12 - (n - 1) * gap):
                    seen[tuple(int(v) for v in row[start : start + (n - 1) * gap + 1 : gap])] += 1
        for gram, place, weight in zip(grams, places, weights, strict=True):
            count = min(seen[gram], 1) if mode == "IDF" else seen[gram]
            out[place] = count * (1 if mode == "TF" else weight)
    (found,) = run(
        tmp_path / "m.onnx",
        x.astype(str).astype(object) if text else x,
        "TfIdfVectorizer",
        mode=mode,
        min_gram_length=1,
        max_gram_length=3,
        max_skip_count=skip,
        ngram_counts=[0, 2, 6],
        ngram_indexes=places,
        weights=weights,
        **({"pool_strings": [str(n) for n in pool]} if text else {"pool_int64s": pool}),
    )
    np.testing.assert_allclose(found, wanted)
