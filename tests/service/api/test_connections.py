"""What a unit is built from and what it feeds, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.running_service import small_network

from kerasviz.analysis.circuit import find_circuit
from kerasviz.service.unit_connections import PARTNERS


@pytest.fixture
def client(served: Callable[..., TestClient], tmp_path: Path) -> TestClient:
    return served(models=(str(small_network(tmp_path / "small.onnx")),))


def test_partners_are_those_of_the_circuit(client: TestClient) -> None:
    state = client.app.state.service  # type: ignore[attr-defined]
    net = state.networks.get("small")
    found = client.get("/api/networks/small/connections?layer=mixed&unit=2").json()
    circuit = find_circuit(net, "mixed/output", 2, partners=PARTNERS)
    assert [row["level"] for row in found] == [layer.level for layer in circuit.layers] == [-1, 1]
    assert [row["layer"] for row in found] == ["first", "wide"]
    for row, layer in zip(found, circuit.layers, strict=True):
        for sign in ("exciting", "inhibiting"):
            partners = getattr(layer, sign)
            assert [one["unit"] for one in row[sign]] == [partner.unit for partner in partners]
            shares = [one["share"] for one in row[sign]]
            np.testing.assert_allclose(shares, [p.share for p in partners], rtol=1e-3)
            assert all(one["picture"] is None for one in row[sign])
    again = client.get("/api/networks/small/connections?layer=mixed/output&unit=2").json()
    assert again == found


@pytest.mark.parametrize(
    ("query", "status", "line"),
    [
        ("layer=mixd&unit=1", 404, "no layer 'mixd'"),
        ("layer=mixed&unit=10", 404, "has the units 0 to 9"),
        ("layer=mixed&unit=-1", 422, "unit"),
    ],
)
def test_other_units_are_refused(client: TestClient, query: str, status: int, line: str) -> None:
    answer = client.get(f"/api/networks/small/connections?{query}")
    assert answer.status_code == status and line in answer.json()["error"]
