"""A network that takes images of one size only, without ``--size``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.figures import CATALOGUE
from kerasviz.network.input_spec import preset
from kerasviz.optvis.recipes import recipe

Run = Callable[..., Any]
UNIT = ("--preprocess", "unit")
SAID = "size 24x40 (the model's)\n"


def write(path: Path, height: int | str = 24, width: int | str = 40) -> Path:
    """Three convolutions with ReLUs and a head that is dense where the size is fixed."""
    draw = np.random.default_rng(0)
    nodes, constants, last = [], [], "image"
    for k, (before, after) in enumerate([(3, 8), (8, 10), (10, 12)]):
        weights = draw.normal(0, 0.3, (after, before, 3, 3)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"w{k}"))
        nodes.append(
            helper.make_node("Conv", [last, f"w{k}"], [f"conv{k}"], pads=[1] * 4, strides=[2, 2])
        )
        nodes.append(helper.make_node("Relu", [f"conv{k}"], [f"relu{k}"]))
        last = f"relu{k}"
    dense = isinstance(height, int) and isinstance(width, int)
    if not dense:
        nodes.append(helper.make_node("GlobalAveragePool", [last], ["pool"]))
    nodes.append(helper.make_node("Flatten", ["pool" if not dense else last], ["flat"]))
    head = draw.normal(0, 0.3, (12 * 3 * 5 if dense else 12, 5)).astype(np.float32)
    constants.append(numpy_helper.from_array(head, "head"))
    nodes.append(helper.make_node("MatMul", ["flat", "head"], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, height, width])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 5])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture
def fixed(tmp_path: Path) -> Path:
    return write(tmp_path / "fixed.onnx")


def recipes(folder: str) -> list[dict[str, Any]]:
    manifest = json.loads((Path(folder) / "manifest.json").read_text())
    return [request["recipe"] for request in manifest["requests"].values()]


def test_render_takes_the_size_and_says_so_once(run_cli: Run, fixed: Path) -> None:
    ended = run_cli("render", fixed, "relu1:1", "logit:2", *UNIT, "--steps", 2, "--out", "p")
    assert (ended.code, ended.notes) == (0, SAID)
    assert [r["size"] for r in recipes("p")] == [[24, 40]] * 2
    named = run_cli(
        "render", fixed, "relu1:1", *UNIT, "--steps", 2, "--size", "24x40", "--out", "p"
    )
    assert (named.code, named.err) == (0, "") and named.out.startswith("nothing to do: 1 picture")
    other = run_cli("render", fixed, "relu1:1", *UNIT, "--size", 32)
    assert other.code == 2
    assert "takes images of 24x40 only, not 32x32; give --size 24x40" in other.err


@pytest.mark.parametrize("sides", [(24, "w"), ("h", 24)])
def test_only_one_side_is_fixed(run_cli: Run, tmp_path: Path, sides: tuple[Any, Any]) -> None:
    write(tmp_path / "half.onnx", *sides)
    ended = run_cli("render", "half.onnx", "logit:2", *UNIT, "--steps", 2, "--out", "p")
    size = [24 if side == 24 else 128 for side in sides]
    assert (ended.code, ended.notes) == (0, "size {}x{} (the model's)\n".format(*size))
    assert recipes("p")[0]["size"] == size


@pytest.mark.parametrize("name", ["article", "lucid"])
def test_what_a_recipe_does_to_the_image_keeps_its_size(
    run_cli: Run, fixed: Path, name: str
) -> None:
    ended = run_cli("render", fixed, "logit:2", *UNIT, "--recipe", name, "--steps", 3, "--out", "p")
    assert (ended.code, ended.notes) == (0, SAID)


def test_all_figures_can_be_had(run_cli: Run, fixed: Path) -> None:
    ended = run_cli("figures", "--list", "--model", fixed, *UNIT, "--quick")
    assert (ended.code, ended.notes) == (0, SAID)
    table = ended.out.split("\n\n")[0].splitlines()
    counts = {line.split()[0]: line.split()[1] for line in table[1:-1]}
    assert list(counts) == list(CATALOGUE) and "-" not in counts.values()
    assert "kerasviz:" not in ended.out


def test_the_figures_of_settings_are_made_in_the_size(run_cli: Run, fixed: Path) -> None:
    options = (*UNIT, "--quick", "--steps", 1, "--out", "f", "--recipe", "fast")
    ended = run_cli("figures", "transformation-robustness", "--model", fixed, *options)
    assert ended.code == 0, ended.err
    found = recipes("f/pictures")
    assert {tuple(r["size"]) for r in found} == {(24, 40)}
    pads = [s["pixels"] for r in found for s in r["transform"]["steps"] if s["kind"] == "pad"]
    assert max(pads) == 23, "a reflection is shorter than the shorter side"


def test_atlas_and_its_plan(run_cli: Run, fixed: Path) -> None:
    ended = run_cli("atlas", fixed, "relu2", *UNIT, "--steps", 2, "--plan")
    assert (ended.code, ended.notes) == (0, SAID)
    assert "84 pictures of 40 x 24 pixels" in ended.out


def test_python_takes_it_without_a_word(fixed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    net = kerasviz.load(fixed, input_spec=preset("unit"))
    assert kerasviz.render(net, "relu1:1", steps=2).images.shape == (1, 24, 40, 3)
    assert "24x40" not in "".join(capfd.readouterr())
    with pytest.raises(UsageError, match="takes images of 24x40 only, not 32x32"):
        kerasviz.render(net, "relu1:1", steps=2, size=32)
    with pytest.raises(UsageError, match="takes images of 24x40 only, not 16x16"):
        kerasviz.render(net, "relu1:1", recipe=recipe("fast").replace(size=(16, 16)))
