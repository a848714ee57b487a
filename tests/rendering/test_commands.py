"""Commands that make pictures again: what they say, and that they do."""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tiny

from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import (
    channel,
    interpolation,
)
from kerasviz.optvis.objectives.targets import Target, parse_target
from kerasviz.optvis.parameterizations import Alpha, Pixel
from kerasviz.optvis.recipes import recipe
from kerasviz.optvis.transforms.transform import FoldedTransform
from kerasviz.rendering.adapting import with_diversity
from kerasviz.rendering.commands import CommandLine, again_command, recipe_args
from kerasviz.rendering.manifest import MANIFEST
from kerasviz.rendering.request import Request

FAST = recipe("fast")
LINE = CommandLine("my net.onnx", ("--preprocess", "unit"), "fast", ("--quick",))


def shown(text: str, net: Network | None = None, batch: int = 1, **more: Any) -> str:
    """The short command of a target, or of another objective with that text."""
    net = net or tiny.network()
    objective = more.pop("objective", None) or parse_target(text, net)[0].objective
    request = Request(text, objective, more.pop("recipe", FAST), **more)
    return LINE.render(net, request, batch)


def test_a_command_is_quoted_for_a_shell() -> None:
    words = shown("joined:1 + joined:2", seed=3)
    assert words == (
        "kerasviz render 'my net.onnx' 'joined:1 + joined:2' --preprocess unit --recipe fast "
        "--precision float32 --seed 3 --out again"
    )
    figure = "kerasviz figures hero --model 'my net.onnx' --quick --out again"
    assert LINE.figure("hero") == figure


def test_a_target_with_a_minus_sign_is_no_option() -> None:
    assert shlex.split(shown("-joined:1"))[-2:] == ["--", "-joined:1"]


@pytest.mark.parametrize(
    "text",
    [
        "joined:1",
        "joined:2@center",
        "joined:2@-1,4",
        "joined",
        "logit:3",
        "prob:4",
        "0.1*joined:1 - 0.5*left/relu:2 - 0.05*penalty:l1",
        "joined:random-7",
    ],
)
def test_a_target_is_named_by_its_text(text: str) -> None:
    assert shlex.quote(text) in shown(text)
    assert shown(text, objective=channel("joined", 5)) == ""  # the text of something else


def test_facets_snapshots_batches_and_formats() -> None:
    net = tiny.network()
    facets = with_diversity(Target("joined:1", channel("joined", 1)), net)
    command = shown("joined:1", net, 8, objective=facets.objective, rows=4, snapshots=(0, 4))
    assert "--recipe fast --precision float32 --snapshots 0,4 --diversity 4" in command
    assert "--batch 8" in command
    usual = shown("joined:1", net, 4, objective=facets.objective, rows=4)
    assert "--batch" not in usual  # what it would choose
    request = Request("joined:1", channel("joined", 1), FAST)
    assert "--format webp" in LINE.render(net, request, 1, "webp")


def test_what_no_option_says_is_read_from_the_file() -> None:
    net = tiny.network()
    faded = interpolation(channel("joined", 1), channel("joined", 2), ["relu1"])
    assert shown("joined:1 to joined:2", net, objective=faded, rows=6) == ""
    assert shown("joined:1", recipe=FAST.replace(learning_rate=0.1)) == ""
    assert shown("joined:1", recipe=FAST.replace(transform=FoldedTransform(()))) == ""
    assert shown("joined:1", recipe=FAST.replace(parameterization=Pixel(0.5))) == ""
    assert shown("joined:99", objective=channel("joined", 99)) == ""  # there is no such unit
    assert again_command("a b.png") == "kerasviz render --again 'a b.png' --out again"
    assert again_command("a.jpg") == ""  # carries no provenance


def test_the_options_of_a_recipe_make_it() -> None:
    assert recipe_args(recipe("lucid"), "article") == [
        *("--recipe", "lucid", "--precision", "float32")
    ]
    pixels = FAST.replace(size=(9, 7), steps=5, parameterization=Pixel())
    found = recipe_args(pixels.replace(precision="bfloat16"), "article")
    assert found == [
        *("--recipe", "fast", "--steps", "5", "--size", "9x7", "--param", "pixel"),
        *("--precision", "bfloat16"),
    ]


def test_transparent_pictures_and_painted_ones_have_their_options() -> None:
    clear = FAST.transparent()
    assert recipe_args(clear, "article") == [
        *("--recipe", "fast", "--alpha", "--precision", "float32")
    ]
    painted = FAST.of_kind("cppn")
    assert painted.learning_rate != FAST.learning_rate
    assert recipe_args(painted, "article") == [
        *("--recipe", "fast", "--param", "cppn", "--precision", "float32")
    ]
    both = recipe_args(painted.transparent(), "article") or []
    assert both[2:5] == ["--param", "cppn", "--alpha"]
    own = FAST.replace(parameterization=Alpha(weight=1.0))
    assert recipe_args(own, "article") is None
    assert "--alpha" in shown("joined:1", recipe=clear)
    figures = CommandLine.of_figures(tiny.network(), clear, [])
    assert figures.figure("hero") == ""  # that command has no such option


def test_a_recipe_file_is_named(tmp_path: Path) -> None:
    own = FAST.replace(name="mine", learning_rate=0.1)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(own.to_json()))
    line = CommandLine("net", recipe=str(path))
    request = Request("joined:1", channel("joined", 1), own.replace(steps=7))
    assert f"--recipe {path} --steps 7" in line.render(tiny.network(), request, 1)
    path.unlink()
    assert line.render(tiny.network(), request, 1) == ""


def test_figures_from_python_have_a_command_where_one_makes_them() -> None:
    net = tiny.network()
    line = CommandLine.of_figures(net, FAST.replace(size=(24, 40)), ["--seed", "2", "--quick"])
    assert line.figure("hero") == (
        "kerasviz figures hero --model tiny --recipe fast --size 24x40 --precision float32 "
        "--seed 2 --quick --out again"
    )
    assert CommandLine.of_figures(net, recipe("article"), ["--quick"]).figure("hero") == ""
    assert CommandLine.of_figures(net, FAST.replace(learning_rate=1), []).figure("hero") == ""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A small classifier in a file of the present folder, in whose name is a space."""
    import keras

    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    net = keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Conv2D(4, 3, strides=2, name="first"),
            layers.ReLU(name="early"),
            layers.Conv2D(6, 3, padding="same", name="second"),
            layers.ReLU(name="late"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, name="logits"),
            layers.Softmax(),
        ]
    )
    net.save("small net.keras")
    return "small net.keras"


def pictures(folder: str) -> dict[tuple[str, int, int, int], Path]:
    """The files of a folder by target, step, number of pictures optimized together, and which."""
    manifest = json.loads(Path(folder, MANIFEST).read_text())
    return {
        (p["target"], p["step"], manifest["requests"][p["request"]]["rows"], p["row"]): Path(
            folder, p["file"]
        )
        for p in manifest["pictures"]
    }


@pytest.mark.slow
def test_commands_of_a_set_make_its_pictures_again(
    model: str, run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of picture: the same words, step and row give the same pixels."""
    slugs = ["objectives", "diversity-4a97", "random-directions"]
    more = ["optimization-progress", "activation-spectrum", "naive-noise"]
    options = ["--preprocess", "unit", "--recipe", "fast", "--steps", "3", "--size", "16x24"]
    ended = run_cli(
        *("figures", *slugs, *more, "--model", model, *options, "--seed", 5, "--quick"),
        *("--out", "set"),
    )
    assert ended.code == 0, ended.err
    page = Path("set/pictures/index.html").read_text()
    texts = [html.unescape(piece.split('"')[0]) for piece in page.split('data-command="')[1:]]
    made = pictures("set/pictures")
    chosen: dict[str, str] = {}
    for text in texts:
        words = shlex.split(text)
        kind = "".join(c for c in text if c in "+@-:").replace("--", "") + str("rand" in text)
        kind += str("--again" in words)
        chosen.setdefault(f"{kind} {'--diversity' in words} {'--snapshots' in words}", text)
    assert len(chosen) >= 7 and any("--again" in text for text in chosen.values())
    noise = html.unescape(Path("set/naive-noise.html").read_text().split('data-command="')[1])
    assert noise.startswith("kerasviz figures naive-noise ")
    compared = 0
    for i, text in enumerate([*chosen.values(), noise.split('"')[0]]):
        words = shlex.split(text)
        out = words.index("--out") + 1
        words[out] = f"again{i}"
        if "--again" in words:  # files are as seen from the folder of the pictures
            words[3] = f"set/pictures/{words[3]}"
        ended = run_cli(*words[1:])
        assert ended.code == 0, (text, ended.err)
        folder = f"again{i}/pictures" if words[1] == "figures" else f"again{i}"
        for key, path in pictures(folder).items():
            before, after = (np.asarray(Image.open(each)) for each in (made[key], path))
            assert np.array_equal(before, after), text
            compared += 1
    assert compared > len(chosen)


def test_the_layers_of_a_loop_are_options(tmp_path: Path) -> None:
    net = tiny.network()
    request = Request("joined:1", channel("joined", 1), FAST, loop_layers=("joined", "left"))
    words = LINE.render(net, request, 1)
    assert "--loop-layer joined --loop-layer left" in words
