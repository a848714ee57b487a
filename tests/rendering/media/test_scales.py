from __future__ import annotations

import pytest

from kerasviz.rendering.media.scales import PlotAxis, text_of, ticks


@pytest.mark.parametrize("low", [-3.7, 0, 1e-6, 123.4])
@pytest.mark.parametrize("span", [1e-6, 0.3, 1, 7.7, 4096])
@pytest.mark.parametrize("most", [2, 4, 7])
def test_ticks_are_few_round_and_inside(low, span, most):
    found = ticks(low, low + span, most)
    assert 1 <= len(found) <= most + 1 or not found
    assert all(low - 1e-8 * span <= v <= low + span * (1 + 1e-8) for v in found)
    assert found == sorted(set(found))


def test_ticks_of_nothing():
    assert ticks(2, 2) == [2]


def test_axes_have_whole_samples_and_seconds():
    assert PlotAxis("time").places(3) == [(0.0, "0"), (1.0, "1"), (2.0, "2")]
    assert PlotAxis("time", 250).places(7501, 4)[-1] == (7500.0, "30")
    assert PlotAxis("time", 250).title == "seconds" and PlotAxis("time").title == "samples"
    assert PlotAxis("frame", 250).title == "frame"
    assert text_of(-0.25) == "-0.25"
