"""``kerasviz models``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from support.batch_models import MODELS
from support.described_models import optimum_folder

from kerasviz.zoo import cards

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))


def test_list_shows_every_card_with_its_state(run_cli: Run) -> None:
    ended = run_cli("models", "list")
    rows = {line.split()[0]: line.split()[1] for line in ended.out.splitlines()[1:]}
    assert set(rows) == set(cards())
    assert rows["efficientnet-lite0"] == "ready"
    assert rows["inceptionv1"] == "fetch"
    assert rows["googlenet"] == "add"


def test_list_as_json(run_cli: Run) -> None:
    found = {row["name"]: row for row in json.loads(run_cli("models", "list", "--json").out)}
    assert found["efficientnet-lite0"]["state"] == "ready"
    assert set(found) == set(cards())


def test_info(run_cli: Run) -> None:
    shown = run_cli("models", "info", "inceptionv1").out
    card = cards()["inceptionv1"]
    assert card.licence in shown
    assert card.sha256 in shown
    data = json.loads(run_cli("models", "info", "inceptionv1", "--json").out)
    assert data["input"]["mean"] == [117.0]
    assert data["state"] == "fetch"
    assert data["files"][0]["sha256"] == card.sha256


def test_network_without_a_public_file_says_what_to_bring(run_cli: Run) -> None:
    ended = run_cli("models", "fetch", "googlenet")
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert "kerasviz models add googlenet.onnx --name googlenet" in ended.err


def test_fetch_of_the_embedded_network_is_done_already(run_cli: Run) -> None:
    ended = run_cli("models", "fetch", "efficientnet-lite0")
    assert ended.code == 0
    assert ended.out.startswith("efficientnet-lite0 is ready: ")


def test_added_network_is_known_by_name(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    Path("names.txt").write_text("ant\nbee\ncat\ndog\n")
    options = ("--preprocess", "inception", "--labels", "names.txt", "--licence", "MIT")
    ended = run_cli("models", "add", model_file, "--name", "mine", *options)
    assert ended.code == 0, ended.err
    copy = Path(ended.out.strip().removeprefix("mine is ready: "))
    assert copy.is_relative_to(tmp_path / "cache")
    assert copy.read_bytes() == model_file.read_bytes()
    data = json.loads(run_cli("models", "info", "mine", "--json").out)
    assert (data["state"], data["licence"]) == ("ready", "MIT")
    assert data["files"][0]["sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()
    short = ("--steps", 1, "--size", 16, "--out", "p")
    assert run_cli("render", "mine", "logit:cat", *short).code == 0
    assert run_cli("verify", "p").code == 0
    assert "free size    yes" in run_cli("models", "info", "mine").out


def test_the_size_that_an_added_file_fixes_is_shown(run_cli: Run, tmp_path: Path) -> None:
    MODELS["free"].save(tmp_path / "fixed.onnx")
    assert run_cli("models", "add", "fixed.onnx", "--name", "fixed").code == 0
    shown = run_cli("models", "info", "fixed").out
    assert "input size   16x8\n" in shown and "free size    no\n" in shown


def test_another_file_than_the_card_names_is_refused(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("models", "add", model_file, "--name", "googlenet")
    assert ended.code == 2
    assert "SHA-256" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_missing_file(run_cli: Run) -> None:
    ended = run_cli("models", "add", "nowhere.onnx", "--name", "mine")
    assert ended.code == 2
    assert "nowhere.onnx" in ended.err


def test_add_links_and_remove_keeps_the_original(
    run_cli: Run, model_file: Path, tmp_path: Path
) -> None:
    ended = run_cli("models", "add", model_file)
    assert (ended.code, ended.err) == (0, "")
    brought = Path(ended.out.strip().removeprefix("small is ready: "))
    assert brought.samefile(model_file)
    assert run_cli("taps", "small").code == 0
    ended = run_cli("models", "remove", "small")
    assert (ended.code, ended.out) == (0, f"small is removed: {brought.parent}\n")
    assert model_file.is_file()
    assert not brought.exists()
    assert run_cli("taps", "small").code == 2
    for name, said in (("small", "near"), ("efficientnet-lite0", "is installed"), ("vgg16", "not")):
        ended = run_cli("models", "remove", name)
        assert ended.code == 2
        assert said in ended.err


def test_a_copy_is_said(run_cli: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("not here")

    monkeypatch.setattr("kerasviz.zoo.links.os.link", refuse)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    ended = run_cli("models", "add", model_file, "--name", "mine")
    assert ended.code == 0
    assert ended.err == f"{model_file} was copied: no link to it can be made\n"


def test_weights_and_configuration_come_with_an_added_file(run_cli: Run, tmp_path: Path) -> None:
    optimum_folder(tmp_path / "net")
    model = onnx.load(tmp_path / "net" / "model.onnx")
    onnx.save(
        model,
        tmp_path / "net" / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert run_cli("models", "add", "net", "--name", "pets").code == 0
    ended = run_cli("render", "pets", "logit:bee", "--steps", 1, "--size", 16, "--out", "p")
    assert ended.code == 0, ended.err
    assert "labels: 3 from config.json" in ended.err
    shown = run_cli("models", "info", "pets").out
    assert "input=preprocessor_config.json, labels=config.json" in shown


def test_an_original_that_changed_or_is_gone(run_cli: Run, tmp_path: Path) -> None:
    MODELS["free"].save(tmp_path / "m.onnx")
    assert run_cli("models", "add", "m.onnx", "--name", "mine").code == 0
    with Path("m.onnx").open("ab") as file:
        file.write(b"\x00")
    ended = run_cli("taps", "mine")
    assert ended.code == 1
    assert "was changed since" in ended.err
    assert "kerasviz models add FILE --name mine" in ended.err
    Path(tmp_path / "cache" / "networks" / "mine" / "m.onnx").unlink()
    ended = run_cli("taps", "mine")
    assert ended.code == 2
    assert f"{tmp_path / 'm.onnx'} is gone" in ended.err
