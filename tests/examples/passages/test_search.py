"""The tops of units in passages, beside a search of all by numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support import words

import kerasviz
from kerasviz.examples.passages.search import Responses, Tops, own_positions, search
from kerasviz.examples.passages.sources import Passage, Texts
from kerasviz.io.tokenizers import IdNumbers


def write_ids(folder: Path, counts: list[int]) -> dict[str, list[int]]:
    draw = np.random.default_rng(0)
    ids = {f"{k}.txt": draw.integers(0, words.VOCABULARY, n).tolist() for k, n in enumerate(counts)}
    for name, own in ids.items():
        (folder / name).write_text(" ".join(map(str, own)))
    return ids


def test_tops_are_those_of_numpy(tmp_path: Path) -> None:
    net = kerasviz.load(words.bag(tmp_path))
    folder = tmp_path / "texts"
    folder.mkdir()
    every = write_ids(folder, [5, 3, 21, 8, 14])
    (folder / "9.txt").write_bytes(b"\xff")
    source = Texts(folder, IdNumbers(), 4, None)
    responses = Responses(net, {"units": "units"}, 3)
    found = search(source, responses, {"units": words.UNITS}, 6, None, lambda *_: None)
    assert set(found.unreadable) == {"9.txt"} and found.odd == 0
    top, tops = found.tops["units"], []
    for name, ids in every.items():  # a passage has the largest of its tokens
        values = words.bag_units(np.array(ids))
        for start in range(0, len(ids), 4):
            part = values[start : start + 4]
            tops.append((name, start + part.argmax(0), part.max(0)))
    for unit in range(words.UNITS):
        ranked = sorted(tops, key=lambda one: -one[2][unit])[:6]
        np.testing.assert_allclose(top.value[unit], [v[unit] for *_, v in ranked], rtol=1e-5)
        where = [found.where[k] for k in top.passage[unit]]
        places = [start + int(p) for (_, start, _), p in zip(where, top.place[unit], strict=True)]
        assert [name for name, *_ in where] == [name for name, *_ in ranked]
        assert places == [int(place[unit]) for _, place, _ in ranked]


def test_rows_of_a_batch_are_independent(tmp_path: Path) -> None:
    net = kerasviz.load(words.bag(tmp_path))
    draw = np.random.default_rng(1).integers(0, words.VOCABULARY, (3, 1, 4, 1))
    passages = [Passage(0, ids.astype(np.float32), 4) for ids in draw]
    responses = Responses(net, {"units": "units"}, 3)
    together = responses.of(passages)["units"]
    for passage, row in zip(passages, together, strict=True):
        np.testing.assert_array_equal(responses.of([passage])["units"][0], row)


def test_padding_and_what_was_known_count_for_nothing() -> None:
    zeros = np.zeros((1, 8, 1))
    assert own_positions(Passage(0, zeros, 5, 2), 8) == slice(2, 5)
    assert own_positions(Passage(0, zeros, 5, 2), 4) == slice(1, 3)
    assert own_positions(Passage(0, zeros, 1, 0), 1) == slice(0, 1)
    assert own_positions(Passage(0, zeros, 8, 7), 1) == slice(0, 1)


def test_equal_activations_stay_in_their_order() -> None:
    tops = Tops.none(1, 3)
    tops.offer(np.array([[1.0], [2.0]]), np.array([0, 1]), np.array([[4], [5]]))
    tops.offer(np.array([[2.0], [1.0]]), np.array([2, 3]), np.array([[6], [7]]))
    assert (tops.passage[0].tolist(), tops.place[0].tolist()) == ([1, 2, 0], [5, 6, 4])


def test_only_the_first_passages_are_searched(tmp_path: Path) -> None:
    net = kerasviz.load(words.bag(tmp_path))
    folder = tmp_path / "texts"
    folder.mkdir()
    write_ids(folder, [9, 9])
    source = Texts(folder, IdNumbers(), 4, None)
    responses = Responses(net, {"units": "units"}, 2)
    found = search(source, responses, {"units": words.UNITS}, 2, 4, lambda *_: None)
    assert [name for name, *_ in found.where] == ["0.txt", "0.txt", "0.txt", "1.txt"]
