"""Bad input: each gives one clear line on the standard error, the right exit code, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kerasviz.optvis.recipes import RECIPES

SHORT = ("--preprocess", "unit", "--steps", 2, "--size", 16)
Run = Callable[..., Any]


def onnx_file(path: Path, shape: tuple[Any, ...] = (1, 3, None, None), bad: bool = False) -> Path:
    """A convolution and a ReLU (or, for other ranks, a ReLU only) as an ONNX file."""
    nodes, weights, source = [], [], "x"
    if len(shape) == 4:
        kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
        if bad:
            kernel[1, 2, 0, 0] = np.nan
        weights.append(numpy_helper.from_array(kernel, "kernel"))
        nodes.append(helper.make_node("Conv", ["x", "kernel"], ["maps"], name="conv"))
        source = "maps"
    nodes.append(helper.make_node("Relu", [source], ["y"], name="relu"))
    out = [None] * len(shape)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def fails(run_cli: Run, code: int, *arguments: object) -> str:
    """Run a command that must fail with one line on the standard error; returns the line."""
    ended = run_cli(*arguments)
    lines = ended.err.strip().splitlines()
    assert ended.code == code, ended
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("kerasviz: error: ")
    assert ended.out == ""
    return lines[0]


def test_missing_file(run_cli: Run) -> None:
    line = fails(run_cli, 2, "render", "nowhere/model.onnx", "a:1", *SHORT)
    assert "nowhere/model.onnx" in line
    assert "near" in line or "no such file" in line


def test_misspelled_zoo_name(run_cli: Run) -> None:
    assert "efficientnet-lite0" in fails(run_cli, 2, "taps", "eficientnet-lite0")


def test_truncated_onnx(run_cli: Run, tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "model.onnx" in fails(run_cli, 1, "render", path, "y:1", *SHORT)


def test_text_file_named_onnx(run_cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("this is a letter, not a network\n" * 20)
    assert "model.onnx" in fails(run_cli, 1, "render", path, "y:1", *SHORT)


def test_unknown_tap_lists_near_names(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "render", model_file, "conv3:1", *SHORT)
    assert "'conv3'" in line
    assert "conv1" in line
    assert "conv2" in line


def test_unit_out_of_range_says_the_range(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "render", model_file, "conv2:5", *SHORT)
    assert "conv2:5" in line
    assert "0 to 4" in line


def test_class_out_of_range_says_the_range(run_cli: Run, model_file: Path) -> None:
    assert "0 to 3" in fails(run_cli, 2, "render", model_file, "logit:4", *SHORT)


def test_unknown_class(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "render", model_file, "logit:unicorn", *SHORT)
    assert "unicorn" in line


@pytest.mark.slow
def test_unknown_class_of_a_network_with_labels_lists_near_ones(run_cli: Run) -> None:
    line = fails(run_cli, 2, "render", "efficientnet-lite0", "logit:goldfisch", "--steps", 2)
    assert "goldfish" in line.replace("goldfisch", "")


def test_wrong_input_rank(run_cli: Run, tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "deep.onnx", shape=(1, 2, 2, 2, 2, 8))
    line = fails(run_cli, 1, "render", path, "y:1", *SHORT)
    assert "[1, 2, 2, 2, 2, 8]" in line


def test_nan_in_weights(run_cli: Run, tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "broken.onnx", bad=True)
    line = fails(run_cli, 1, "render", path, "y:1", *SHORT)
    assert "kernel" in line
    assert "NaN" in line or "finite" in line


def test_unwritable_folder(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "pictures"
    line = fails(run_cli, 1, "render", model_file, "conv2:1", *SHORT, "--out", out)
    assert str(out) in line
    assert "--out" in line


def test_out_is_a_file(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_text("in the way")
    assert str(out) in fails(run_cli, 1, "render", model_file, "conv2:1", *SHORT, "--out", out)
    assert out.read_text() == "in the way"


def test_size_too_small_for_the_network(run_cli: Run, model_file: Path) -> None:
    options = ("--preprocess", "unit", "--steps", 2, "--size", "4x5")
    line = fails(run_cli, 1, "render", model_file, "conv2:1", *options)
    assert "small" in line
    assert "x" in line


def test_zero_steps(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "render", model_file, "conv2:1", "--steps", 0)
    assert "steps" in line
    assert "0" in line


def test_folder_of_another_model(
    run_cli: Run, model_file: Path, other_model_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pictures"
    assert run_cli("render", other_model_file, "conv2:1", *SHORT, "--out", out).code == 0
    before = {p: p.read_bytes() for p in out.iterdir()}
    line = fails(run_cli, 2, "render", model_file, "conv2:1", *SHORT, "--out", out)
    assert "another model" in line
    assert "other" in line
    assert {p: p.read_bytes() for p in out.iterdir()} == before


# -- further ones ----------------------------------------------------------------------------


def test_no_input_description_lists_the_choices(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "render", model_file, "conv2:1", "--steps", 2)
    assert "torchvision" in line
    assert "--mean" in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--size", "big"), "96x128"),
        (("--size", "0x5"), "96x128"),
        (("--size", "4x"), "96x128"),
        (("--snapshots", "0,x"), "0,4,48"),
        (("--mean", "1,,2"), "104,117,123"),
        (("--mean", "nan"), "104,117,123"),
        (("--format", "gif"), "webp"),
        (("--param", "wavelet"), "fourier"),
        (("--preprocess", "imagenet"), "torchvision"),
        (("--diversity", "1"), "--diversity"),
        (("--seed", "-1"), "--seed"),
        (("--batch", "many"), "--batch"),
        (("--stesp", "3"), "--steps"),
    ],
)
def test_wrong_options(run_cli: Run, arguments: tuple[str, ...], expected: str) -> None:
    line = fails(run_cli, 2, "render", "efficientnet-lite0", "block3b:7", *arguments)
    assert expected in line
    assert "kerasviz render --help" in line


def test_unknown_command_names_the_nearest(run_cli: Run) -> None:
    line = fails(run_cli, 2, "rendr")
    assert "'rendr'; near: render" in line


def test_unknown_command_of_a_group(run_cli: Run) -> None:
    assert "'lst'; near: list" in fails(run_cli, 2, "models", "lst")


def test_missing_targets(run_cli: Run) -> None:
    assert "TARGET" in fails(run_cli, 2, "render", "efficientnet-lite0")


def test_unknown_recipe(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "render", model_file, "conv2:1", "--recipe", "tasty")
    assert f"choose from {', '.join(RECIPES)} or give" in line


def test_snapshot_after_the_last_step(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "render", model_file, "conv2:1", *SHORT, "--snapshots", "0,9")
    assert "0 to 2" in line


def test_unknown_module_of_layers(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "taps", model_file, "--import", "no_such_module")
    assert "no_such_module" in line


def test_file_in_place_of_a_module(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "taps", model_file, "--import", "layers.py")
    assert "'layers'" in line


def test_filter_without_a_match(run_cli: Run, model_file: Path) -> None:
    line = fails(run_cli, 2, "taps", model_file, "conf2")
    assert "conv2" in line


def test_verify_of_a_folder_without_pictures(run_cli: Run, tmp_path: Path) -> None:
    assert "manifest.json" in fails(run_cli, 2, "verify", tmp_path)


def test_unknown_network(run_cli: Run) -> None:
    assert "inceptionv1" in fails(run_cli, 2, "models", "info", "inceptionv")


def test_network_that_has_to_be_fetched(run_cli: Run) -> None:
    line = fails(run_cli, 2, "taps", "inceptionv1")
    assert "kerasviz models fetch inceptionv1" in line


def test_figures_without_a_model(run_cli: Run) -> None:
    assert "--model" in fails(run_cli, 2, "figures")


def test_unknown_figure(run_cli: Run) -> None:
    line = fails(run_cli, 2, "figures", "heros", "--model", "efficientnet-lite0")
    assert "hero" in line.replace("heros", "")
