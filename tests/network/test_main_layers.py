"""The layers that figures, atlases and pages show."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kerasviz.errors import UsageError
from kerasviz.network.main_layers import main_layers
from kerasviz.network.network import Network


def test_main_layers_with_positions_are_shown(network_of: Callable[..., Network]) -> None:
    layers = {"a": 4, "b": 4, "c": 4}
    assert main_layers(network_of(layers, main_taps=["c"])) == ["c"]
    assert main_layers(network_of(layers)) == ["a", "b", "c"]
    assert main_layers(network_of(layers, op="Add")) == ["a", "b", "c"]
    assert main_layers(network_of(layers, classes=3)) == ["a", "b", "c"]  # no vectors


def test_a_network_without_positions_is_one_line(network_of: Callable[..., Network]) -> None:
    with pytest.raises(UsageError, match="no layer with channels and positions"):
        main_layers(network_of({}, classes=3))
