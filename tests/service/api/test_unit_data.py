"""What data says about a unit, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from support.running_service import small_network

import kerasviz
from kerasviz.examples.folder import SPECTRUM_SIZE
from kerasviz.examples.statistics.index import ExampleIndex
from kerasviz.io.images import to_image

Served = Callable[..., TestClient]
#: The options of the requests.
UNIT = {"layer": "mixed", "unit": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_network(tmp_path_factory.mktemp("network") / "small.onnx")


@pytest.fixture(scope="module")
def examples(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples of the layer ``mixed`` in 12 random photos."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "photos").mkdir()
    draw = np.random.default_rng(0)
    for k in range(12):
        image = draw.random((4, 4, 3)).repeat(8, 0).repeat(8, 1)
        to_image(image).save(folder / "photos" / f"{k}.png")
    net = kerasviz.load(model, preprocess="unit")
    kerasviz.find_examples(net, "mixed", folder / "photos", size=32, positions=4, out=folder / "ex")
    return folder / "ex"


@pytest.fixture
def client(served: Served, model: Path, examples: Path) -> TestClient:
    return served(models=(str(model),), examples=examples)


def answer(client: TestClient, route: str, **words: Any) -> Any:
    found = client.get(f"/api/networks/small/{route}", params={**UNIT, **words})
    assert found.status_code == 200, found.text
    return found.json()


def test_a_spectrum_is_that_of_the_index(client: TestClient, examples: Path) -> None:
    index = ExampleIndex(examples)
    expected = index.unit(index.taps[0], 2)
    found = answer(client, "spectrum")
    assert found["images"] == 12
    assert [one["count"] for one in found["bins"]] == [one.count for one in expected.bins]
    crops = [[c["image"] for c in one["crops"]] for one in found["bins"]]
    assert crops == [[c.image for c in one.crops] for one in expected.bins]
    assert sum(map(len, crops)) > 4
    assert found["bars"].count("M") == sum(one.count > 0 for one in expected.bins)
    sheet = client.get(found["sheet"])
    assert sheet.headers["content-type"] == "image/jpeg"
    (path,) = examples.rglob("00002-spectrum.jpg")
    assert sheet.content == path.read_bytes()
    with Image.open(path) as image:
        assert image.size == SPECTRUM_SIZE
    assert answer(client, "unit")["statistics"] is True


def test_neighbours_are_by_correlation_where_there_is_data(
    client: TestClient, examples: Path
) -> None:
    index = ExampleIndex(examples)
    expected = index.unit(index.taps[0], 2)
    found = answer(client, "neighbours")
    assert (found["how"], found["images"]) == ("correlation", 12)
    assert [one["unit"] for one in found["near"]] == [unit for unit, _ in expected.neighbours]
    likeness = [one["likeness"] for one in found["near"]]
    np.testing.assert_allclose(likeness, [r for _, r in expected.neighbours], rtol=1e-2)
    assert all(one["likeness"] < 0 for one in found["far"])


def test_neighbours_are_by_weights_elsewhere(client: TestClient) -> None:
    found = answer(client, "neighbours", layer="wide", unit=7)
    assert (found["how"], found["source"]) == ("cosine", "mixed")
    likeness = [one["likeness"] for one in found["near"]]
    assert likeness == sorted(likeness, reverse=True) and 0 < likeness[0] < 1
    assert 7 not in [one["unit"] for one in found["near"] + found["far"]]
    first = answer(client, "neighbours", layer="first", unit=0)
    assert (first["how"], first["near"], first["far"]) == ("", [], [])


@pytest.mark.parametrize(
    ("route", "words", "status", "line"),
    [
        ("spectrum", {"layer": "wide"}, 404, "no statistics of wide; kerasviz examples"),
        ("spectrum.jpg", {"layer": "wide"}, 404, "no statistics of wide"),
        ("spectrum", {"unit": 10}, 404, "has the units 0 to 9"),
        ("neighbours", {"layer": "mixd"}, 404, "no layer 'mixd'"),
    ],
)
def test_what_is_not_known_is_refused_in_a_line(
    client: TestClient, route: str, words: dict[str, Any], status: int, line: str
) -> None:
    found = client.get(f"/api/networks/small/{route}", params={**UNIT, **words})
    assert found.status_code == status and line in found.json()["error"]


def test_commands_say_how_data_is_made(client: TestClient, model: Path) -> None:
    commands = client.get("/api/networks/small").json()["commands"]
    assert commands["examples"] == (
        f"kerasviz examples {model} LAYER --images PHOTOS --preprocess unit && "
        f"kerasviz open {model} --preprocess unit --examples out/small-examples"
    )
    assert commands["facets"].endswith("--facets FACETS")
