from __future__ import annotations

import numpy as np

from kerasviz.rendering.media.bars import bars
from kerasviz.rendering.media.scales import BLUE


def places(image):
    pixels = np.asarray(image).astype(int)
    return np.nonzero(np.abs(pixels - BLUE).sum(-1) < 20)


def test_dots_stand_in_the_range_of_their_column():
    row, low, high = np.array([-1.0, 0.0, 1.0]), np.full(3, -1.0), np.full(3, 1.0)
    rows, columns = places(bars(row, low, high))
    thirds = [columns[(rows - 34) // 24 == k].mean() for k in range(3)]
    assert thirds[0] < thirds[1] < thirds[2]
    assert np.isclose(thirds[2] - thirds[1], thirds[1] - thirds[0], atol=1.5)


def test_quantiles_are_bands_behind():
    row, low, high = np.zeros(2), np.full(2, -1.0), np.full(2, 1.0)
    plain = bars(row, low, high)
    banded = bars(row, low, high, [(-0.9, -0.4, 0.1, 0.4, 0.9)] * 2)
    assert plain.size == banded.size and plain.tobytes() != banded.tobytes()


def test_many_columns_are_thin():
    row = np.linspace(-1, 1, 300)
    rows, columns = places(bars(row, np.full(300, -1.0), np.full(300, 1.0)))
    assert columns.max() - columns.min() > 500 and rows.max() - rows.min() > 150
