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
    l1,
    layer,
    logit,
    neuron,
    probability,
    random_direction,
)
from kerasviz.optvis.objectives.targets import Target, parse_target
from kerasviz.optvis.parameterizations import Pixel
from kerasviz.optvis.recipes import RECIPES, recipe
from kerasviz.optvis.transforms.transform import FoldedTransform
from kerasviz.rendering.commands import CommandLine, recipe_words, target_words
from kerasviz.rendering.request import Request, with_diversity
from kerasviz.rendering.store import MANIFEST

FAST = recipe("fast")
LINE = CommandLine("my net.onnx", ("--preprocess", "unit"), "fast", ("--quick",))


def shown(objective: Any, net: Network | None = None, batch: int = 1, **more: Any) -> str:
    request = Request(more.pop("text", "words"), objective, more.pop("recipe", FAST), **more)
    return LINE.render(net or tiny.network(), request, batch)


def test_a_command_is_quoted_for_a_shell() -> None:
    words = shown(channel("joined", 1) + channel("joined", 2), seed=3)
    assert words == (
        "kerasviz render 'my net.onnx' 'joined:1 + joined:2' --preprocess unit --recipe fast "
        "--precision float32 --seed 3 --out again"
    )
    figure = "kerasviz figures hero --model 'my net.onnx' --quick --out again"
    assert LINE.figure("hero") == figure


def test_a_target_with_a_minus_sign_is_no_option() -> None:
    assert shlex.split(shown(-channel("joined", 1)))[-2:] == ["--", "-joined:1"]


@pytest.mark.parametrize(
    "objective",
    [
        channel("joined", 1),
        neuron("joined", 2),
        neuron("joined", 2, (-1, 4)),
        layer("joined"),
        logit(3),
        probability(4),
        -channel("joined", 1),
        0.1 * channel("joined", 1) - (1 / 3) * channel("left/relu", 2) + l1(-0.05),
    ],
)
def test_words_are_parsed_into_the_same_objective(objective: Any) -> None:
    words = target_words(objective)
    assert words is not None
    assert parse_target(words, tiny.network())[0].objective == objective
    assert shlex.quote(words) in shown(objective)


def test_a_random_direction_is_named_by_its_text() -> None:
    direction = random_direction("joined", 9, 7)
    assert "joined:random-7" in shown(direction, text="joined:random-7")
    assert shown(direction, text="joined:random-8") == ""  # that is another direction


def test_facets_snapshots_batches_and_formats() -> None:
    net = tiny.network()
    facets = with_diversity(Target("joined:1", channel("joined", 1)), net)
    command = shown(facets.objective, net, 8, rows=4, snapshots=(0, 4))
    assert "--recipe fast --precision float32 --snapshots 0,4 --diversity 4" in command
    assert "--batch 8" in command
    assert "--batch" not in shown(facets.objective, net, 4, rows=4)  # what it would choose
    request = Request("joined:1", channel("joined", 1), FAST)
    assert "--format webp" in LINE.render(net, request, 1, "webp")


def test_what_no_command_says_has_none() -> None:
    net = tiny.network()
    faded = interpolation(channel("joined", 1), channel("joined", 2), ["relu1"])
    assert shown(faded, net, rows=6) == ""
    assert shown(channel("joined", 1), recipe=FAST.replace(learning_rate=0.1)) == ""
    assert shown(channel("joined", 1), recipe=FAST.replace(transform=FoldedTransform(()))) == ""
    assert shown(channel("joined", 1), recipe=FAST.replace(parameterization=Pixel(0.5))) == ""
    assert shown(channel("joined", 99)) == ""  # there is no such unit


def test_the_words_of_a_recipe_make_it() -> None:
    known = tuple(RECIPES)
    assert recipe_words(recipe("lucid"), known) == [
        *("--recipe", "lucid", "--precision", "float32")
    ]
    pixels = FAST.replace(size=(9, 7), steps=5, parameterization=Pixel())
    found = recipe_words(pixels.replace(precision="bfloat16"), ("fast",))
    assert found == [
        *("--recipe", "fast", "--steps", "5", "--size", "9x7", "--param", "pixel"),
        *("--precision", "bfloat16"),
    ]


def test_a_recipe_file_is_named(tmp_path: Path) -> None:
    own = FAST.replace(learning_rate=0.1)
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
        chosen.setdefault(f"{kind} {'--diversity' in words} {'--snapshots' in words}", text)
    assert len(chosen) >= 6
    noise = html.unescape(Path("set/naive-noise.html").read_text().split('data-command="')[1])
    compared = 0
    for i, text in enumerate([*chosen.values(), noise.split('"')[0]]):
        words = shlex.split(text)
        out = words.index("--out") + 1
        words[out] = f"again{i}"
        ended = run_cli(*words[1:])
        assert ended.code == 0, (text, ended.err)
        folder = f"again{i}/pictures" if words[1] == "figures" else f"again{i}"
        for key, path in pictures(folder).items():
            before, after = (np.asarray(Image.open(each)) for each in (made[key], path))
            assert np.array_equal(before, after), text
            compared += 1
    assert compared > len(chosen)
