from __future__ import annotations

import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.network.axes import axes_of, guessed_axes
from kerasviz.network.program import Port


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("batch,tim", "unknown axis 'tim'.*near: time"),
        ("batch,time,channel,channel", "one channel axis"),
        ("batch,channel", "needs an axis such as time"),
        ("batch,feature,time", "a table has no axes"),
        ("batch,time,depth,height,width", "4 axes of positions"),
        ("", "unknown axis ''"),
    ],
)
def test_wrong_axes_are_said_in_one_line(text, wrong):
    with pytest.raises(UsageError, match=wrong) as raised:
        axes_of(text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("shape", "first", "axes"),
    [
        ((None, 7500), False, "batch,time"),
        ((None, None), False, "batch,time"),
        ((None, 20), False, "batch,feature"),
        ((None, 1000, 12), False, "batch,time,channel"),
        ((None, 12, 1000), False, "batch,channel,time"),
        ((None, 12, 1000), True, "batch,channel,time"),
        ((None, None, 64), False, "batch,time,channel"),
        ((None, 64, None), False, "batch,channel,time"),
        ((None, 1, 16), False, "batch,channel,time"),
        ((None, None, 1), False, "batch,time,channel"),
        ((None, 9, 9), False, "batch,time,channel"),
        ((None, None, None), False, None),
        ((None, 8, 9, 10, 2), False, "batch,depth,height,width,channel"),
        ((None, 2, 8, 9, 10), True, "batch,channel,depth,height,width"),
        ((None, 8, 9, 3), False, None),
    ],
)
def test_likely_axes(shape, first, axes):
    found = guessed_axes(Port("x", tf.float32, shape, first))
    assert found == (None if axes is None else axes_of(axes))
