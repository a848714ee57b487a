"""Which input takes token ids, how ids are fed, and what stands beside them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from support import words

from kerasviz.errors import UsageError
from kerasviz.network.optimized_inputs import optimized_inputs
from kerasviz.network.program import Port, Value
from kerasviz.network.token_input import (
    TokenInput,
    implied_feed,
    implied_inputs,
    lookups,
    token_inputs,
)


def test_the_input_of_words_is_found_among_others(tmp_path: Path) -> None:
    net = words.load(words.language(tmp_path))
    (ids,) = token_inputs(net.program)
    assert (ids.port.name, ids.vocabulary, ids.size) == ("ids", words.VOCABULARY, (1, None))
    assert (ids.medium, ids.channels, ids.lengths) == ("tokens", 1, (None,))
    assert implied_inputs(net.program, ids) == {
        "attention_mask": "ones",
        "token_type_ids": "zeros",
        "position_ids": "positions",
    }
    assert {v.name: v.table for v in lookups(net.program, "position_ids")} == {"positions": 16}


def test_what_is_beside_the_ids_has_their_shape() -> None:
    images = tf.constant(words.pictures([[7, 8, 9], [1, 2, 3]]))
    kinds = {"ones": np.ones((2, 3)), "zeros": np.zeros((2, 3)), "positions": [[0, 1, 2]] * 2}
    for kind, wanted in kinds.items():
        feed = implied_feed(Port("x", tf.int64, (None, None)), kind, images)
        assert feed.dtype == tf.int64 and np.array_equal(feed, wanted), kind


def test_ids_are_fed_exactly_as_large_as_floats_hold_them() -> None:
    ids = TokenInput(Port("ids", tf.int64, (None, 4)), 2**24)
    numbers = np.array([[0, 1, 2**24 - 1, 2**23 + 1]])
    assert np.array_equal(ids.feed(tf.constant(words.pictures(numbers))), numbers)
    assert ids.own_shape((1, 9), 3) == (3, 4) and ids.size == (1, 4)


@pytest.mark.parametrize("dtype", [tf.bool, tf.string, None])
def test_inputs_of_other_types_take_no_tokens(dtype: object, tmp_path: Path) -> None:
    net = words.load(words.bag(tmp_path))
    assert TokenInput.of(net.program, Port("ids", dtype, (None, None))) is None


def test_numbers_that_select_no_rows_are_no_tokens(tmp_path: Path) -> None:
    arrays = {"w": np.ones((4, 2), np.float32)}
    nodes = [words.node("Cast", "ids", "floats", to=1), words.node("MatMul", "floats w", "units")]
    path = words.save(tmp_path / "none.onnx", nodes, arrays, ["units"], length=4)
    assert token_inputs(words.load(path).program) == []


def test_rows_that_depend_on_the_number_of_tokens_only_are_none_of_theirs() -> None:
    values = [
        Value("length", "Shape", (1,), inputs=("ids",), auxiliary=True),
        Value("range", "Range", (None,), inputs=("length",), auxiliary=True),
        Value("places", "Gather", (None, 6), inputs=("range",), table=512),
    ]
    program = SimpleNamespace(values={value.name: value for value in values})
    assert lookups(program, "ids") == []  # type: ignore[arg-type]


def test_axes_may_name_tokens(tmp_path: Path) -> None:
    net = words.load(words.bag(tmp_path))
    assert optimized_inputs(net.program, "batch,token") == token_inputs(net.program)
    assert net.geometry == {"axes": "batch,token"} and net.medium == "tokens"
    program = SimpleNamespace(values={}, inputs={"x": Port("x", tf.float32, (None, 5))})
    with pytest.raises(UsageError, match=r"axes 'batch,token': no input selects rows of a table"):
        optimized_inputs(program, "batch,token")  # type: ignore[arg-type]
