"""Units by their names."""

from __future__ import annotations

import pytest
from support.analysed import of_keras

from kerasviz.errors import UsageError
from kerasviz.figures.named_units import named_units


def test_one_several_and_a_range():
    net = of_keras()
    assert named_units(net, "second:1", "a circuit") == [("second", 1)]
    expected = [("second", 0), ("second", 1), ("first", 3)]
    assert named_units(net, ["second:0-1", "first:3"], "a circuit") == expected
    assert named_units(net, [], "a circuit") == []


@pytest.mark.parametrize("text", ["second", "second:1 + second:2", "second:1@0,0"])
def test_other_targets(text):
    with pytest.raises(UsageError, match="an edit is that of one unit; give LAYER:UNIT"):
        named_units(of_keras(), text, "an edit")
