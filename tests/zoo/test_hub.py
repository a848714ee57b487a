"""Models of the Hugging Face Hub, from a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support.described_models import CONFIG, NAMES, PREPROCESSOR, classifier
from support.local_hub import LocalHub, hub

from kerasviz.errors import KerasvizError, ModelError, UsageError
from kerasviz.zoo import hub as hub_module
from kerasviz.zoo.hub import HubAddress, parse_address
from kerasviz.zoo.load import load

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A server with ``me/pets`` (a model with its configuration) and other repositories."""
    data = classifier(tmp_path / "made.onnx").read_bytes()
    onnx.save(
        onnx.load(tmp_path / "made.onnx"),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=0,
    )
    about = {
        "preprocessor_config.json": json.dumps(PREPROCESSOR).encode(),
        "config.json": json.dumps(CONFIG).encode(),
    }
    weights = {f"onnx/{n}": (tmp_path / n).read_bytes() for n in ("model.onnx", "model.onnx_data")}
    files = {
        "me/pets": {"README.md": b"# pets", "model.safetensors": b"large", "model.onnx": data}
        | about,
        "me/nested": {"onnx/model_q4.onnx": data, "pytorch_model.bin": b"large"} | about | weights,
        "me/several": {"a.onnx": data, "b.onnx": data},
        "me/none": {"model.safetensors": b"large"},
    }
    with hub(LocalHub(files)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("hf://me/pets", HubAddress("me/pets")),
        ("hf://me/pets/", HubAddress("me/pets")),
        ("hf://me/pets/a/b.onnx", HubAddress("me/pets", None, "a/b.onnx")),
        ("hf://me/pets@v1.0", HubAddress("me/pets", "v1.0")),
        ("hf://me/pets@v1.0/b.onnx", HubAddress("me/pets", "v1.0", "b.onnx")),
    ],
)
def test_addresses(source: str, address: HubAddress) -> None:
    assert parse_address(source) == address


@pytest.mark.parametrize("source", ["hf://", "hf://me", "hf:///pets", "hf://me/pets/../x.onnx"])
def test_what_is_no_address(source: str) -> None:
    with pytest.raises(UsageError, match="expected hf://USER/REPOSITORY"):
        load(source)


def test_a_model_comes_with_its_configuration(server: LocalHub, cache: Path) -> None:
    net = load("hf://me/pets")
    assert (net.name, net.identity.source) == ("pets", "hf://me/pets")
    assert net.labels == NAMES
    assert net.origins["input"] == "preprocessor_config.json"
    assert sorted(server.asked) == ["config.json", "model.onnx", "preprocessor_config.json"]
    assert not (cache / "hub" / "me--pets" / "model.onnx").is_symlink()
    load("hf://me/pets/model.onnx")
    assert len(server.asked) == 3  # unchanged files are not fetched again


def test_weights_and_configuration_of_a_folder_onnx(server: LocalHub) -> None:
    net = load("hf://me/nested")
    assert "pytorch_model.bin" not in server.asked
    assert "onnx/model_q4.onnx" not in server.asked
    assert net.labels == NAMES
    images = np.random.default_rng(0).random((2, 16, 20, 3), np.float32)
    expected = load("hf://me/pets").activations(images, ["output0"])["output0"]
    np.testing.assert_array_equal(net.activations(images, ["output0"])["output0"], expected)


def test_a_changed_file_is_fetched_again(server: LocalHub, tmp_path: Path) -> None:
    before = load("hf://me/pets")
    server.files["me/pets"]["model.onnx"] = classifier(tmp_path / "2.onnx", seed=1).read_bytes()
    assert load("hf://me/pets").identity.sha256 != before.identity.sha256


def test_without_a_connection_the_fetched_files_count(
    server: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("hf://me/pets")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert load("hf://me/pets").labels == NAMES
    with pytest.raises(ModelError, match="hf://me/nested cannot be fetched: ") as caught:
        load("hf://me/nested")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("hf://me/several", r"has several models; name one: hf://me/several/a\.onnx"),
        ("hf://me/none", "holds no .onnx"),
        ("hf://me/pets/models.onnx", "has no models.onnx; near: model.onnx"),
        ("hf://me/missing", "cannot be fetched"),
    ],
)
def test_what_cannot_be_loaded(server: LocalHub, source: str, said: str) -> None:
    with pytest.raises(KerasvizError, match=said) as caught:
        load(source)
    assert "\n" not in str(caught.value)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(KerasvizError, match=r"pip install 'kerasviz\[hub\]'"):
        load("hf://me/pets")


def test_commands_take_addresses(
    server: LocalHub, run_cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    short = ("--steps", 1, "--size", 16, "--out", "p")
    ended = run_cli("render", "hf://me/pets", "logit:bee", *short)
    assert ended.code == 0, ended.err
    ended = run_cli("verify", "p")
    assert ended.code == 0, ended.err + ended.out
    assert "config.json" in run_cli("models", "info", "hf://me/pets").out
    assert run_cli("check", "hf://me/pets").code == 0
    assert run_cli("convert", "hf://me/pets", "pets.keras").code == 0
