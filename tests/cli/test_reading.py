"""Facts about a model that are said, remembered and forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.described_models import (
    NAMES,
    ULTRALYTICS,
    classifier,
    optimum_folder,
    timm_folder,
)

from kerasviz.network.input_spec import preset

Run = Callable[..., Any]
SHORT = ("--steps", 1, "--size", 16)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_given_once_is_remembered(run_cli: Run) -> None:
    classifier(Path("m.onnx"))
    Path("labels.txt").write_text("ant\nbee\ncat\n")
    given = ("--preprocess", "inception", "--labels", "labels.txt")
    first = run_cli("render", "m.onnx", "logit:bee", *given, *SHORT, "--out", "a")
    assert first.code == 0, first.err
    assert first.err.splitlines() == [
        "--preprocess inception --labels labels.txt is remembered for m.onnx; to forget it: "
        "kerasviz models forget m.onnx"
    ]
    Path("labels.txt").unlink()
    Path("elsewhere").mkdir()
    Path("m.onnx").rename("elsewhere/m.onnx")  # the checksum counts
    second = run_cli("render", "elsewhere/m.onnx", "logit:bee", *SHORT, "--out", "b")
    assert second.code == 0, second.err
    assert second.err.splitlines() == [
        "input: -1 to 1, remembered --preprocess inception; "
        "labels: 3, remembered --labels labels.txt"
    ]
    for name in ("a", "b"):
        manifest = json.loads(Path(name, "manifest.json").read_text())
        assert manifest["network"]["input"] == preset("inception").to_json()
        page = Path(name, "index.html").read_text()
        assert "--preprocess inception" in page  # commands say it wherever they are typed
    names = [file.name for file in Path("a").glob("*.png")]
    assert all(Path("a", n).read_bytes() == Path("b", n).read_bytes() for n in names)
    assert len(names) == 1
    assert run_cli("export", "elsewhere/m.onnx", "served", "--size", 16).code == 0


def test_after_forget_it_asks_again(run_cli: Run, cache: Path) -> None:
    classifier(Path("m.onnx"))
    wanted = ("render", "m.onnx", "conv:1", *SHORT, "--out", "a")
    asked = run_cli(*wanted)
    assert asked.code == 2
    assert "give --preprocess" in asked.err
    assert run_cli(*wanted, "--mean", "0.5", "--std", "0.25").code == 0
    assert run_cli(*wanted).code == 0
    ended = run_cli("models", "forget", "m.onnx")
    assert (ended.code, ended.out) == (0, "forgotten for m.onnx: --mean 0.5 --std 0.25\n")
    assert not list((cache / "remembered").iterdir())
    again = run_cli(*wanted)
    assert (again.code, again.err) == (asked.code, asked.err)
    assert run_cli("models", "forget", "m.onnx").out == "nothing was remembered for m.onnx\n"
    assert run_cli("models", "forget", "missing.onnx").code == 2


def test_a_later_option_replaces_what_is_remembered(run_cli: Run) -> None:
    classifier(Path("m.onnx"))
    wanted = ("render", "m.onnx", "conv:1", *SHORT)
    for name in ("unit", "byte"):
        said = run_cli(*wanted, "--preprocess", name, "--out", name).err
        assert said.startswith(f"--preprocess {name} is remembered")
    assert run_cli(*wanted, "--preprocess", "byte", "--out", "byte").err == ""
    shown = run_cli("render", "m.onnx", "conv:1", *SHORT, "--out", "c").err
    assert shown == "input: 0 to 255, remembered --preprocess byte\n"


def test_an_order_alone_completes_what_is_remembered(run_cli: Run) -> None:
    classifier(Path("m.onnx"))
    wanted = ("render", "m.onnx", "conv:1", *SHORT, "--out", "a")
    assert run_cli(*wanted, "--preprocess", "inception").code == 0
    said = run_cli(*wanted, "--channel-order", "bgr").err.splitlines()
    assert "--preprocess inception --channel-order bgr is remembered" in said[-1]
    assert run_cli(*wanted).err.startswith("input: -1 to 1, BGR, remembered --preprocess inception")


def test_options_of_a_command_that_fails_are_not_remembered(run_cli: Run) -> None:
    classifier(Path("m.onnx"))
    ended = run_cli("render", "m.onnx", "conv:7", "--preprocess", "unit", *SHORT)
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert run_cli("models", "forget", "m.onnx").out.startswith("nothing")


def test_labels_are_for_every_command(run_cli: Run) -> None:
    classifier(Path("m.onnx"))
    Path("labels.json").write_text('["ant", "bee", "cat"]')
    ended = run_cli("taps", "m.onnx", "--labels", "labels.json")
    assert ended.code == 0, ended.err
    assert "--labels labels.json is remembered" in ended.err
    assert "labels: 3, remembered" in run_cli("check", "m.onnx").err
    Path("labels.json").write_text('["ant", "bee", "cat", "dog"]')
    for command in (("taps", "m.onnx"), ("render", "m.onnx", "logit:ant"), ("check", "m.onnx")):
        ended = run_cli(*command, "--labels", "labels.json")
        assert ended.code == 2
        assert "4 names for 3 classes" in ended.err
    assert run_cli("taps", "m.onnx", "--labels", "missing.txt").code == 2


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (optimum_folder, "mean, std from preprocessor_config.json; labels: 3 from config.json"),
        (timm_folder, "mean, std from config.json; labels: 3 from config.json"),
        (
            lambda folder: classifier(folder / "best.onnx", ULTRALYTICS),
            "0 to 1 from metadata of the file (Ultralytics); labels: 3 from metadata of the file",
        ),
    ],
)
def test_a_described_model_needs_no_option(run_cli: Run, make: Any, said: str) -> None:
    path = make(Path("net"))
    ended = run_cli("render", path, "logit:bee", "--steps", 1, "--out", "p")
    assert ended.code == 0, ended.err
    assert ended.err == f"input: {said}\n"
    for command in (("models", "info"), ("doctor",)):
        shown = run_cli(*command, path)
        assert shown.code == 0, shown.err
        assert "3: ant, bee, cat (" in shown.out
        assert "24x32 (" in shown.out
        data = json.loads(run_cli(*command, path, "--json").out)
        assert tuple(data["labels"]) == NAMES
        assert set(data["origins"]) == {"input", "labels", "size"}
        assert data["origins"]["input"] == data["input"]["source"]


def test_what_does_not_fit_is_said(run_cli: Run) -> None:
    optimum_folder(Path("net"))
    Path("net/config.json").write_text('{"id2label": {"0": "a", "1": "b"}}')
    ended = run_cli("taps", "net")
    assert ended.code == 0
    assert "left out: labels of config.json: 2 names for 3 classes" in ended.err
    assert "left out" in run_cli("models", "info", "net").out


def test_info_of_a_file_says_what_is_unknown(run_cli: Run) -> None:
    classifier(Path("m.onnx"))
    shown = run_cli("models", "info", "m.onnx").out
    assert "unknown; give --preprocess" in shown
    assert "unknown; give --labels" in shown


def test_means_of_16_bits_are_asked_for_as_fractions(run_cli: Run) -> None:
    classifier(Path("m.onnx"))
    ended = run_cli("render", "m.onnx", "conv:1", *SHORT, "--mean", "20000", "--std", "12000")
    assert ended.code == 2
    assert "0.305 for 16 bits" in ended.err
