from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from hypothesis import given as tried
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kerasviz.service.tf_serving.numbers import read_numbers

NUMBERS = arrays.arrays(
    st.sampled_from([np.float64, np.int32]),
    arrays.array_shapes(max_dims=5, max_side=4),
    elements=st.integers(-1000, 1000),
)


def dump(array: Any) -> bytes:
    data = {"signature_name": "a", "instances": array}
    return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)


@tried(NUMBERS)
def test_a_regular_array_is_read_as_it_is(array: Any) -> None:
    found = read_numbers(dump(array))
    assert found is not None
    rest, numbers = found
    assert rest == {"signature_name": "a", "instances": []}
    assert numbers.shape == array.shape and np.array_equal(numbers, array)


@settings(max_examples=300)
@tried(NUMBERS, st.data())
def test_whatever_is_changed_in_it_is_read_as_json_or_not_at_all(array: Any, data: Any) -> None:
    body = bytearray(dump(array))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(body) - 1))
        sign = data.draw(st.sampled_from(list(b'[],1 -.e{}"')))
        taken, given = data.draw(st.sampled_from([(0, 1), (1, 0), (1, 1)]))
        body[place : place + taken] = bytes([sign] * given)
    found = read_numbers(bytes(body))
    if found is None:
        return
    whole = orjson.loads(bytes(body))
    ((key, _),) = [(k, v) for k, v in found[0].items() if v == []]
    assert np.array_equal(np.array(whole[key], np.float64), found[1])
    assert {**whole, key: []} == found[0]


def test_other_documents_are_left_to_the_parser() -> None:
    for body in (
        *(b"", b"[]", b"{}", b'{"a": []}', b'{"a": [[1], []]}', b'{"a": [1, true]}'),
        *(b'{"a": [1e400]}', b'{"a": [1], "b": [2]}', b'{"a": ["x"]}', b'{"a": [01]}'),
        *(b"[" * 10**6, b"[" * 10**6 + b"]" * 10**6, b'{"a": [1 2]}', b'{"a": [NaN]}'),
    ):
        assert read_numbers(body) is None, body[:40]
