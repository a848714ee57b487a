"""What decides the class of a photo: as ``kerasviz explain`` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.running_service import small_network
from support.service_fixtures import state_of

from kerasviz.analysis.explanation import explain, pass_for
from kerasviz.io.images import encode, to_image
from kerasviz.optvis.objectives.objective import logit
from kerasviz.rendering.sizes import usual_size
from kerasviz.service.activations import read_body
from kerasviz.service.photo_explanations import STEPS, UNITS

Served = Callable[..., TestClient]


@pytest.fixture
def client(served: Served, tmp_path: Path) -> TestClient:
    return served(models=(str(small_network(tmp_path / "small.onnx", width=12)),))


@pytest.fixture(scope="module")
def photo() -> bytes:
    draw = np.random.default_rng(3)
    data: bytes = encode(to_image(draw.random((4, 4, 3)).repeat(16, 0).repeat(16, 1)), "png")
    return data


def sent(client: TestClient, route: str, photo: bytes, **words: Any) -> Any:
    return client.post(f"/api/networks/small/{route}", params=words, content=photo)


def test_guesses_are_the_softmax_of_the_logits(client: TestClient, photo: bytes) -> None:
    net = state_of(client).networks.get("small")
    image = read_body(photo, usual_size(net), 3)
    logits = np.asarray(net.activations(image[None], ["logits"])["logits"], np.float64)[0]
    shares = np.exp(logits) / np.exp(logits).sum()
    found = sent(client, "guesses", photo).json()
    assert [one["number"] for one in found["guesses"]] == list(np.argsort(-logits))
    np.testing.assert_allclose([one["share"] for one in found["guesses"]], -np.sort(-shares), 1e-3)
    assert found["layers"] == ["first", "mixed", "wide"]


def test_a_layer_contributes_what_the_command_says(client: TestClient, photo: bytes) -> None:
    net = state_of(client).networks.get("small")
    image = read_body(photo, usual_size(net), 3)
    run = pass_for(net, image, logit(2))
    expected = explain(run, "logit:2", logit(2), ["mixed"], units=UNITS, steps=STEPS).layers[0]
    answer = sent(client, "attribution", photo, layer="mixed", number=2)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["layer"] == "mixed" and expected.map is not None
    np.testing.assert_allclose(found["map"], expected.map, rtol=1e-3, atol=1e-5)
    total = np.sum(found["map"]) + found["special"]
    assert abs(found["score"] - found["baseline"] - found["missing"] - total) < 1e-3
    for sign in ("raising", "lowering"):
        shares = getattr(expected, sign)
        assert [one["unit"] for one in found[sign]] == [one.unit for one in shares]
        contributions = [one["contribution"] for one in found[sign]]
        np.testing.assert_allclose(contributions, [one.contribution for one in shares], rtol=1e-3)


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ({"layer": "mixed", "number": 5}, 422, "class 5: small has the classes 0 to 4"),
        ({"layer": "mixd", "number": 1}, 404, "no layer 'mixd'"),
        ({"layer": "answer", "number": 1}, 422, "answer is not before the classes"),
        ({"layer": "mixed", "number": -1}, 422, "number"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_a_line(
    client: TestClient, photo: bytes, words: dict[str, Any], status: int, line: str
) -> None:
    answer = sent(client, "attribution", photo, **words)
    assert answer.status_code == status and line in answer.json()["error"], answer.text


def test_what_is_no_photo_is_refused(client: TestClient) -> None:
    answer = sent(client, "guesses", b"no photo")
    assert answer.status_code == 422 and "no PNG or JPEG" in answer.json()["error"]
