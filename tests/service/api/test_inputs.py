"""Networks whose input nobody has described: presets are tried, one is chosen and remembered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from kerasviz.io.images import encode, to_image
from kerasviz.service import ServiceSettings
from kerasviz.service.networks import Networks
from kerasviz.zoo.model_source import ModelSource

Served = Callable[..., TestClient]
NAMES = ["torchvision", "inception", "caffe", "unit", "byte"]


@pytest.fixture
def client(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A service of the small network, told nothing about its input, with a cache of its own."""
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    return served(reading=ModelSource(), cli_args=(), filling=True)


def test_a_preset_is_chosen_and_remembered(
    client: TestClient, setting: Callable[..., ServiceSettings]
) -> None:
    refused = client.get("/api/networks/small")
    assert refused.status_code == 409 and "--preprocess" in refused.json()["error"]
    assert client.get("/api/networks").json()[0]["error"]
    trials = client.get("/api/networks/small/input-trials").json()
    assert [trial["preset"] for trial in trials] == NAMES
    assert all(len(trial["guesses"]) == 3 and trial["error"] is None for trial in trials)
    early = Networks(setting(reading=ModelSource()))
    undescribed = early.undescribed("small")
    assert undescribed is not None
    chosen = client.put("/api/networks/small/input", json={"preprocess": "caffe"})
    assert chosen.status_code == 204
    described = client.get("/api/networks/small").json()
    assert described["input"]["channel_order"] == "bgr"
    assert described["filling"]["rough"]["steps"] < described["filling"]["good"]["steps"]
    # A worker, which may have loaded it before, and the next start read what was remembered.
    other = Networks(setting(reading=ModelSource())).get("small")
    told = early.get("small")
    assert told.input_spec == other.require_input_spec() and told.origins == other.origins
    assert told.input_spec.channel_order == "bgr" and told.program is undescribed.program
    assert early.error("small") is None and early.undescribed("small") is None
    again = client.put("/api/networks/small/input", json={"preprocess": "unit"})
    assert again.status_code == 422 and "is described" in again.json()["error"]
    assert client.get("/api/networks/small/input-trials").status_code == 404


def test_a_photograph_of_the_user_is_tried(client: TestClient) -> None:
    photo = np.random.default_rng(0).random((40, 60, 3))
    body = encode(to_image(photo), "png")
    found = client.post("/api/networks/small/input-trials", content=body).json()
    cat = client.get("/api/networks/small/input-trials").json()
    assert [t["preset"] for t in found] == NAMES and found != cat
    bad = client.post("/api/networks/small/input-trials", content=b"no picture")
    assert bad.status_code == 422 and "no PNG or JPEG" in bad.json()["error"]


@pytest.mark.parametrize(
    ("name", "body", "status", "line"),
    [
        ("small", {"preprocess": "vgg"}, 422, "unknown preprocessing 'vgg'"),
        ("other", {"preprocess": "unit"}, 404, "no network 'other'"),
        ("small", {}, 422, "preprocess"),
    ],
)
def test_other_choices_are_refused(
    client: TestClient, name: str, body: dict[str, Any], status: int, line: str
) -> None:
    answer = client.put(f"/api/networks/{name}/input", json=body)
    assert answer.status_code == status and line in answer.json()["error"]


def test_a_cache_that_cannot_be_written_is_said(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    (tmp_path / "cache").write_text("a file in its place")
    answer = client.put("/api/networks/small/input", json={"preprocess": "unit"})
    assert answer.status_code == 503 and "--preprocess unit" in answer.json()["error"]


def test_a_network_that_is_described_has_no_trials(served: Served) -> None:
    answer = served().get("/api/networks/small/input-trials")
    assert answer.status_code == 404 and "is described" in answer.json()["error"]
