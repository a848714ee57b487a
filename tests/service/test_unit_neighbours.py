"""Units that are like another, by their weights where there is no data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.running_service import small_network

from kerasviz.analysis.weight_neighbours import cosines, incoming_weights
from kerasviz.service import ServiceSettings, unit_neighbours
from kerasviz.service.networks import Networks
from kerasviz.service.unit_neighbours import UnitNeighbours


def test_units_are_ordered_by_the_cosine_of_their_weights(
    setting: Callable[..., ServiceSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_network(tmp_path / "small.onnx")
    networks = Networks(setting(models=(str(model),)))
    net, tap = networks.get("small"), "mixed/output"
    neighbours = UnitNeighbours(networks)
    found = neighbours.of("small", tap, 3, None)
    weights = incoming_weights(net, tap)
    assert weights is not None and (found.how, found.source) == ("cosine", weights[0])
    likeness = cosines(weights[1], 3)
    likeness[3] = -np.inf
    assert [unit for unit, _ in found.near] == [
        int(k) for k in np.argsort(-likeness)[:8] if likeness[k] > 0
    ]
    assert all(value < 0 for _, value in found.far)
    # Layers of very many units are not compared, and first layers have no weights to compare.
    monkeypatch.setattr(unit_neighbours, "MOST_UNITS", 4)
    assert neighbours.of("small", "wide", 3, None).how == ""
    assert neighbours.of("small", "first", 3, None).near == ()
