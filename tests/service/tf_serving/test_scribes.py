from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as tried
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kerasviz.service.tf_serving import numbers, scribes
from kerasviz.service.tf_serving.numbers import numbers_of, read_numbers, rows_of, write_rows
from kerasviz.service.tf_serving.scribes import Scribe, Scribes
from tests.service.tf_serving.test_numbers import dump

ARRAYS = arrays.arrays(
    np.float32,
    arrays.array_shapes(max_dims=4, max_side=5),
    elements=st.floats(-1e6, 1e6, width=32),
)
SHARING = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def one() -> Iterator[Scribes]:
    made = Scribes(1)
    wait_for(made)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def everything_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "SHARED", 0)


def wait_for(made: Scribes) -> None:
    for _ in range(6000):
        with made.free() as scribe:
            if scribe is not None:
                return
        time.sleep(0.01)
    raise AssertionError("no process has started")


class Counted:
    """Notes what is ordered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.orders: list[str] = []
        order = Scribe.order

        def noted(scribe: Scribe, what: str, *more: Any) -> None:
            self.orders.append(what)
            order(scribe, what, *more)

        monkeypatch.setattr(Scribe, "order", noted)


@SHARING
@tried(ARRAYS)
def test_what_two_read_is_what_one_reads(one: Scribes, array: Any) -> None:
    body = dump(array)
    alone, shared = read_numbers(body), read_numbers(body, one)
    assert alone is not None and shared is not None
    assert shared[0] == alone[0] and shared[1].dtype == alone[1].dtype == np.float64
    assert np.array_equal(shared[1], alone[1]) and shared[1].shape == array.shape


@SHARING
@tried(st.lists(ARRAYS, min_size=1, max_size=3))
def test_what_two_write_is_what_one_writes(one: Scribes, found: list[Any]) -> None:
    rows = min(len(array) for array in found)
    values = {str(k): np.ascontiguousarray(array[:rows]) for k, array in enumerate(found)}
    assert write_rows(values, one) == rows_of(values)


def test_the_work_is_shared(one: Scribes, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    array = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    read_numbers(dump(array), one)
    write_rows({"a": array, "b": np.empty((4, 0), np.float32)}, one)
    assert counted.orders == ["read", "write"]


@pytest.mark.parametrize(
    "array",
    (
        *(b"[[1,2],[3,4],[5,6],[7]]", b"[[1,2],[3,4],[5,6],[7,x]]", b"[[1,2],[3,4],[5,6]],[7,8]"),
        *(b"[[1,2],[3,4]  [5,6],[7,8]]", b"[[1,2],[3,4],,[5,6],[7,8]]", b"[[1],[2],[[3]],[[4]]]"),
        *(b"[[1,2],[3,4],[5,6],[7,8],]", b"[[[1],[2]],[[3],[4]],[[5]],[[6]]]", b"[[1],[2],[],[]]"),
    ),
)
def test_two_refuse_what_one_refuses(one: Scribes, array: bytes) -> None:
    body = b'{"a":' + array + b"}"
    assert numbers_of(array) is None
    assert read_numbers(body) is None and read_numbers(body, one) is None


def test_one_that_is_busy_or_stopped_is_not_waited_for(one: Scribes) -> None:
    body = dump(np.ones((4, 4)))
    with one.free() as taken, one.free() as second:
        assert taken is not None and second is None
        found = read_numbers(body, one)
    assert found is not None and found[1].shape == (4, 4)


def test_more_than_fits_is_read_alone(one: Scribes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribes, "SIZE", 16)
    array = np.arange(100, dtype=np.float32).reshape(10, 10)
    found = read_numbers(dump(array), one)
    assert found is not None and np.array_equal(found[1], array)
    assert write_rows({"a": array}, one) == rows_of({"a": array})


def test_a_killed_one_loses_nothing_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribes, "WAIT", 0.0)
    made = Scribes(1)
    array = np.arange(24, dtype=np.float32).reshape(6, 4)
    try:
        wait_for(made)
        with made.free() as first:
            assert first is not None
            os.kill(first._process.pid, signal.SIGKILL)
            first._process.wait()
        for _ in range(2):
            found = read_numbers(dump(array), made)
            assert found is not None and np.array_equal(found[1], array)
        wait_for(made)
        with made.free() as second:
            assert second is not None and second is not first
    finally:
        made.stop()


def test_it_ends_with_the_server(one: Scribes) -> None:
    scribe = Scribe()
    scribe._pipe.close()  # as when the server was killed
    assert scribe._process.wait(60) == 0


def test_none_where_there_is_only_one_processor() -> None:
    made = Scribes(0)
    with made.free() as scribe:
        assert scribe is None
    assert read_numbers(dump(np.ones((2, 2))), made) is not None
