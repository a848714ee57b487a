"""``kerasviz taps``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasviz.cli.taps import _matching, aligned
from kerasviz.errors import UsageError

Run = Callable[..., Any]


def test_table(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("taps", model_file, "--all")
    header, *lines = ended.out.splitlines()
    assert ended.code == 0
    assert header.split()[:4] == ["name", "channels", "shape", "op"]
    rows = {line.split()[0]: line.split() for line in lines}
    assert rows["conv1"][1:3] == ["6", "?x?x6"]
    assert "yes" in rows["conv1"]  # it has a pre-activation
    assert "yes" not in rows["pool"]
    assert rows["logits"][1:3] == ["4", "4"]
    assert len({line.index("?x?x") for line in lines if "?x?x" in line}) == 1  # aligned


def test_json_has_all_that_the_library_knows(run_cli: Run, model_file: Path) -> None:
    import kerasviz

    net = kerasviz.load(model_file)
    data = json.loads(run_cli("taps", model_file, "--json").out)
    assert [tap["name"] for tap in data["taps"]] == list(net.taps)
    assert data["main"] == list(net.main_taps)
    assert [m["name"] for m in data["map"]["modules"] if m["main"]] == data["main"]
    conv = next(tap for tap in data["taps"] if tap["name"] == "conv2")
    assert conv["channels"] == 5
    assert conv["shape"] == [None, None, None, 5]
    assert conv["pre_activation"] == net.taps["conv2"].pre_activation
    assert conv["aliases"] == list(net.taps["conv2"].aliases)


@pytest.mark.parametrize(("pattern", "expected"), [("CONV2", "conv2"), ("con?2", "conv2")])
def test_filter(run_cli: Run, model_file: Path, pattern: str, expected: str) -> None:
    taps = json.loads(run_cli("taps", model_file, pattern, "--json").out)["taps"]
    assert expected in [tap["name"] for tap in taps]
    assert "conv1" not in [tap["name"] for tap in taps]


def test_a_filter_finds_aliases_and_names_near_ones() -> None:
    from support import tiny

    net = tiny.network()
    assert "joined" in [tap.name for tap in _matching(net, "block")]  # by its alias
    with pytest.raises(UsageError, match="joined"):
        _matching(net, "join3d")


def test_brackets_in_a_filter_are_ordinary() -> None:
    from support import tiny

    with pytest.raises(UsageError):
        _matching(tiny.network(), "[a-z]*")


def test_the_map_is_shown_and_the_taps_are_announced(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support import tiny

    net = tiny.network()
    monkeypatch.setattr("kerasviz.zoo.load.load", lambda *_, **__: net)
    header, *lines, last = run_cli("taps", "x").out.splitlines()
    assert header.split() == ["module", "class", "shape"]
    assert [line.split()[0] for line in lines] == list(net.main_taps)
    assert last == f"{len(net.taps)} taps: add --all, or a part of a name"
    assert "add --all" not in run_cli("taps", "x", "--all").out


def test_columns_are_aligned() -> None:
    assert aligned([("a", "b"), ("long", "x")]) == ["a     b", "long  x"]


def test_own_layers_come_from_a_module(run_cli: Run, tmp_path: Path) -> None:
    """A file with a custom layer is read only with --import."""
    import keras

    (tmp_path / "own_layers_for_taps.py").write_text(
        "import keras\n\n\n"
        "class Doubled(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return 2 * x\n"
    )
    import importlib.util

    spec = importlib.util.spec_from_file_location("elsewhere", tmp_path / "own_layers_for_taps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs = keras.layers.Input((None, None, 3))
    model = keras.Model(inputs, module.Doubled(name="twice")(inputs))
    model.save(tmp_path / "own.keras")

    without = run_cli("taps", "own.keras")
    assert without.code == 1
    assert "Doubled" in without.err
    assert "--import" in without.err
    with_it = run_cli("taps", "own.keras", "--import", "own_layers_for_taps", "--json")
    assert with_it.code == 0, with_it.err
    assert "twice" in [tap["name"] for tap in json.loads(with_it.out)["taps"]]


def test_what_is_left_out_is_said_with_the_reason(run_cli: Run, tmp_path: Path) -> None:
    from onnx import helper
    from support.onnx_parity import save_model

    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Beyond", ["r"], ["boxes", "scores"], domain="com.example"),
    ]
    path = tmp_path / "m.onnx"
    save_model(path, nodes, {"x": ("float32", (1, 3, 8, 8))}, {}, ["boxes", "scores"])
    ended = run_cli("taps", path)
    *_, left_out, outputs = ended.out.splitlines()
    assert ended.code == 0
    assert left_out.startswith("left out: boxes, scores (Beyond 'boxes' (com.example opset 1)")
    assert outputs == "outputs of the rest: r"
    assert json.loads(run_cli("taps", path, "--json").out)["left_out"].keys() == {"boxes", "scores"}
    ended = run_cli("render", path, "scores:0", "--steps", "1")
    assert ended.code in (1, 2)
    assert "'scores' cannot be computed: Beyond 'boxes' (com.example opset 1)" in ended.err
