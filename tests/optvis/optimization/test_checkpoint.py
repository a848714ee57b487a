from __future__ import annotations

import io

import numpy as np
import pytest

from kerasviz.optvis.optimization.checkpoint import Checkpoint

DRAW = np.random.default_rng(0)
STATE = tuple(DRAW.normal(size=shape).astype(np.float32) for shape in [(2, 3), (2,), (2, 5, 7)] * 4)
THERE = Checkpoint(
    48,
    STATE,
    DRAW.normal(size=(48, 2)).astype(np.float32),
    {0: DRAW.uniform(size=(2, 4, 4, 3)), 16: DRAW.uniform(size=(2, 4, 4, 3))},
)


def written(there):
    file = io.BytesIO()
    there.write(file)
    return file.getvalue()


def test_bytes_hold_every_bit():
    found = Checkpoint.from_bytes(written(THERE))
    assert found.step == 48 and len(found.state) == len(STATE) == 12
    for one, other in zip(found.state, STATE, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.history, THERE.history)
    assert set(found.snapshots) == {0, 16}
    for step, image in THERE.snapshots.items():
        np.testing.assert_array_equal(found.snapshots[step], image)


def other_file() -> bytes:
    file = io.BytesIO()
    np.savez(file, something=np.zeros(3))
    return file.getvalue()


def test_damaged_bytes_are_no_checkpoint():
    data = written(THERE)
    for length in (0, 1, 30, len(data) // 2, len(data) - 1):
        assert Checkpoint.from_bytes(data[:length]) is None
    assert Checkpoint.from_bytes(other_file()) is None
    assert Checkpoint.from_bytes(b"\x80\x04N.") is None  # a pickle


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_flipped_bit_is_seen(place):
    data = bytearray(written(THERE))
    data[int(place * len(data))] ^= 1
    found = Checkpoint.from_bytes(bytes(data))
    assert found is None or written(found) == written(THERE)  # in a part that says nothing
