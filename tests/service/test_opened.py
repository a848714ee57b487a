"""``kerasviz.open``: the page of a network from Python."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import kerasviz
from kerasviz.errors import KerasvizError, UsageError


def described(page: Any, name: str) -> Any:
    address = page.address.partition("/#/")[0]
    with urllib.request.urlopen(f"{address}/api/networks/{name}") as answer:
        return json.loads(answer.read()), answer.headers


@pytest.mark.slow
def test_a_model_in_memory_is_shown_in_a_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path))
    model = keras.Sequential(
        [
            keras.layers.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, activation="relu", name="edges"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, name="answer"),
        ]
    )
    page = kerasviz.open(kerasviz.load(model, preprocess="byte"))
    try:
        assert page.address in page._repr_html_() and "<iframe" in page._repr_html_()
        name = page.address.rpartition("/")[2]
        about, headers = described(page, name)
        assert about["filling"] and about["input"]["scale"] == 255
        assert any(layer["name"] == "edges" and layer["units"] == 4 for layer in about["layers"])
        assert "http://localhost:*" in headers["content-security-policy"]
        assert headers["x-frame-options"] is None
    finally:
        page.close()
    with pytest.raises(OSError):
        described(page, name)


def test_models_that_are_read_differently_are_refused() -> None:
    nets = [
        kerasviz.load("efficientnet-lite0", preprocess=name) for name in ("unit", "torchvision")
    ]
    with pytest.raises(UsageError, match="different options"):
        kerasviz.open(nets)


def test_what_the_service_says_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(KerasvizError, match=r"no file and no zoo network 'nothing\.onnx'"):
        kerasviz.open("nothing.onnx", data=tmp_path / "data")
    assert not (tmp_path / "data").exists()
