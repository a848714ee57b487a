"""Walls over HTTP: what sorts a layer without data, against numpy, and what gives the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.running_service import small_network
from support.service_fixtures import send_photos, state_of

from kerasviz.analysis.connections import connections
from kerasviz.service.activations import read_body


@pytest.fixture
def client(served: Callable[..., TestClient], tmp_path: Path) -> TestClient:
    return served(models=(str(small_network(tmp_path / "small.onnx")),))


def wall(client: TestClient, query: str) -> dict[str, Any]:
    answer = client.get(f"/api/networks/small/wall?layer=mixed&{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def test_units_are_sorted_by_their_weights(client: TestClient) -> None:
    net = state_of(client).networks.get("small")
    weights = connections(net, "first", "mixed/output", range(10)).weights.reshape(10, -1)
    rows = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    cosines = rows @ rows[4]
    found = wall(client, "sort=likeness&like=4")
    assert found["units"] == list(np.argsort(-cosines, kind="stable")) and found["units"][0] == 4
    np.testing.assert_allclose(found["values"], np.sort(cosines)[::-1], rtol=1e-3, atol=1e-4)
    # Back to an earlier layer, and on to a later one.
    for to, whole in (
        ("first:3", connections(net, "first", "mixed/output", range(10)).weights[..., 3]),
        ("wide:5", connections(net, "mixed/output", "wide", [5]).weights[0].T),
    ):
        flat = whole.reshape(10, -1)
        shares = np.linalg.norm(flat, axis=1) / np.linalg.norm(flat, axis=1).sum()
        found = wall(client, f"sort=connection&to={to}")
        assert found["units"] == list(np.argsort(-shares, kind="stable"))
        signs = np.sign(flat.sum(1))[found["units"]]
        np.testing.assert_allclose(found["values"], signs * np.sort(shares)[::-1], rtol=2e-3)


def test_units_are_sorted_by_their_response_to_a_photo(client: TestClient) -> None:
    photo = np.random.default_rng(0).random((40, 50, 3))
    (sent,) = send_photos(client, photo)
    net = state_of(client).networks.get("small")
    data = state_of(client).photos.find(sent).read_bytes()
    image = read_body(data, (224, 224), 3)
    means = np.asarray(net.activations(image[None], ["mixed/output"])["mixed/output"])[0]
    means = means.reshape(-1, 10).mean(0)
    found = wall(client, f"sort=photo&photo={sent}&units=2-9")
    order = [unit for unit in np.argsort(-means, kind="stable") if unit >= 2]
    assert found["units"] == order
    np.testing.assert_allclose(found["values"], means[order], rtol=2e-3)


def test_notes_choose_and_what_is_missing_is_said(client: TestClient) -> None:
    note = {"layer": "mixed", "unit": 6, "name": "eye", "star": True}
    client.put("/api/networks/small/notes", json=note)
    client.put("/api/networks/small/notes", json={**note, "layer": "wide"})
    assert wall(client, "show=starred")["units"] == [6]
    for query, line in (
        ("sort=peak", "No peaks of mixed yet: drop a folder of photos on this page"),
        ("sort=photo", "Drop a photo"),
        ("sort=likeness", "Give the number of the unit"),
        ("sort=connection", "as LAYER:UNIT"),
    ):
        found = wall(client, query)
        assert found["units"] == list(range(10)) and line in found["wants"]
        assert found["values"] is None and not found["data"]
    page = client.get("/api/networks/small/layer?layer=mixed&units=7,2,99").json()
    assert [row["unit"] for row in page["units"]] == [7, 2]


@pytest.mark.parametrize(
    ("query", "status", "line"),
    [
        ("sort=likeness&like=10", 404, "has the units 0 to 9"),
        ("sort=connection&to=mixed:3", 422, "is of this layer"),
        ("sort=connection&to=none:3", 404, "no layer 'none'"),
        ("sort=connection&to=first", 422, "give a unit as LAYER:UNIT"),
        ("sort=photo&photo=0000000000000000", 422, "send it first"),
        ("sort=size", 422, "sort"),
        ("units=all", 422, "give numbers such as"),
    ],
)
def test_other_questions_are_refused(
    client: TestClient, query: str, status: int, line: str
) -> None:
    answer = client.get(f"/api/networks/small/wall?layer=mixed&{query}")
    assert answer.status_code == status and line in answer.json()["error"]
