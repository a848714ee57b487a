"""Pictures that were rendered and saved in Python, as the command finds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import kerasviz
from kerasviz.io.images import decode

COMMAND = ("--steps", 3, "--size", 32, "--precision", "float32", "--seed", 4)
SETTINGS: dict[str, Any] = {"steps": 3, "size": 32, "precision": "float32", "seed": 4}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_is_the_one_that_the_command_writes(
    run_cli: Callable[..., Any], tmp_path: Path
) -> None:
    net = kerasviz.load("efficientnet-lite0")
    kerasviz.render(net, ["stem:3", "block1a:2"], **SETTINGS).save(tmp_path / "saved")
    targets = ("efficientnet-lite0", "stem:3", "block1a:2")
    made = run_cli("render", *targets, *COMMAND, "--out", tmp_path / "made")
    assert made.code == 0 and made.out.startswith("made 2 pictures")
    assert contents(tmp_path / "saved") == contents(tmp_path / "made")
    again = run_cli("render", *targets, "stem:4", *COMMAND, "--out", tmp_path / "saved")
    assert again.code == 0 and again.out.startswith("made 1 picture, 2 are complete")
    checked = run_cli("verify", tmp_path / "saved")
    assert checked.code == 0 and checked.out.startswith("3 files: 3 same")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An ONNX file that says nothing of its input."""
    weights = [0.1 * (k % 7) - 0.3 for k in range(4 * 3 * 3 * 3)]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, "a", "b"])],
        [helper.make_tensor("w", TensorProto.FLOAT, (4, 3, 3, 3), weights)],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        tmp_path / "model.onnx",
    )
    return tmp_path / "model.onnx"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (kerasviz.InputSpec(scale=255.0), "--preprocess byte"),
        (kerasviz.InputSpec(mean=(0.5,), std=(0.25,)), "--mean=0.5 --std=0.25"),
        (
            kerasviz.InputSpec(scale=255.0, mean=(-3.0, 4.0, 104.5), channel_order="bgr"),
            "--mean=-3.0,4.0,104.5 --std=1.0 --channel-order bgr",
        ),
    ],
)
def test_the_command_on_the_page_feeds_the_network_as_python_does(
    run_cli: Callable[..., Any], tmp_path: Path, model: Path, spec: Any, words: str
) -> None:
    made = kerasviz.render(kerasviz.load(model, input_spec=spec), "y:1", **SETTINGS)
    folder = tmp_path / "saved"
    page = made.save(folder).read_text()
    command = next(part for part in page.split('"') if part.startswith("kerasviz render"))
    assert words in command
    arguments = command.split()[1:]
    arguments[arguments.index("--out") + 1] = str(tmp_path / "again")
    assert run_cli(*arguments).code == 0
    (saved,), (again,) = (sorted(f.glob("*.png")) for f in (folder, tmp_path / "again"))
    assert decode(saved.read_bytes())[0].tobytes() == decode(again.read_bytes())[0].tobytes()


def test_no_command_is_named_for_an_input_that_no_option_describes(
    tmp_path: Path, model: Path
) -> None:
    spec = kerasviz.InputSpec(scale=7.0)
    made = kerasviz.render(kerasviz.load(model, input_spec=spec), "y:1", **SETTINGS)
    assert "render --again y-1-seed4.png" in made.save(tmp_path / "saved").read_text()
