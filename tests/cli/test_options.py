"""What the options mean for the library."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from kerasviz.cli import options
from kerasviz.cli.options import PARAMETERIZATIONS, InputOptions
from kerasviz.errors import UsageError
from kerasviz.importers.custom_objects import custom_objects
from kerasviz.network.input_spec import InputSpec, preset
from kerasviz.optvis.parameterizations import Pixel
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.recipe_options import RecipeOptions


@pytest.mark.parametrize("text", ["", "-3", "3.5", "12x", "x12", "3x4x5", "0", "4x0", "1e3"])
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(click.BadParameter):
        options.size_of(text)


@pytest.mark.parametrize("text", ["", ",", "1,", "a", "inf", "1,nan"])
def test_wrong_numbers(text: str) -> None:
    with pytest.raises(click.BadParameter):
        options.numbers_of(text)


@pytest.mark.parametrize("text", ["", "1,", "-1", "1.5"])
def test_wrong_steps(text: str) -> None:
    with pytest.raises(click.BadParameter):
        options.steps_of(text)


def test_no_option_gives_no_description() -> None:
    assert InputOptions().spec() is None
    assert InputOptions(channel_order="bgr").spec() is None  # completed by the file's own


def test_preset_alone_is_the_preset() -> None:
    assert InputOptions(preprocess="caffe").spec() == preset("caffe")


def test_large_means_are_those_of_bytes() -> None:
    spec = InputOptions(mean=(104.0, 117.0, 123.0)).spec()
    assert spec == InputSpec(scale=255.0, mean=(104.0, 117.0, 123.0), source="command line")
    assert InputOptions(std=(57.4,)).spec() == InputSpec(
        scale=255.0, std=(57.4,), source="command line"
    )


def test_small_means_are_those_of_0_to_1() -> None:
    spec = InputOptions(mean=(0.5,), std=(0.25,)).spec()
    assert spec is not None
    assert spec.range == (-2.0, 2.0)


def test_preset_decides_the_scale() -> None:
    spec = InputOptions(preprocess="byte", mean=(0.5,), channel_order="bgr").spec()
    assert spec == InputSpec(scale=255.0, mean=(0.5,), channel_order="bgr", source="command line")


def test_order_alone_changes_the_description_of_the_file() -> None:
    from support import tiny

    net = tiny.network(input_spec=preset("torchvision"))
    net = InputOptions(channel_order="bgr").complete(net)
    assert net.require_input_spec().channel_order == "bgr"
    assert net.require_input_spec().mean == preset("torchvision").mean
    without = tiny.network(input_spec=None)
    with pytest.raises(UsageError, match="--preprocess"):
        InputOptions(channel_order="bgr").complete(without)


def test_recipe_without_changes_is_the_preset() -> None:
    assert RecipeOptions("lucid").chosen() == recipe("lucid")


def test_recipe_with_changes() -> None:
    chosen = RecipeOptions("fast", steps=7, size=(3, 5), param="pixel").chosen()
    assert (chosen.steps, chosen.size) == (7, (3, 5))
    assert isinstance(chosen.parameterization, Pixel)
    assert chosen.transform == recipe("fast").transform


def test_every_parameterization_of_a_single_picture_has_its_name() -> None:
    from kerasviz.optvis import parameterizations

    names = [parameterizations.from_json({"kind": k}).to_json()["kind"] for k in PARAMETERIZATIONS]
    assert tuple(names) == PARAMETERIZATIONS
    every = set(parameterizations._KINDS)
    # Aligned pictures share what they are made of; alpha is around another one.
    assert every - set(names) == {"aligned", "alpha"}
    chosen = RecipeOptions("fast", param="pyramid").chosen()
    assert isinstance(chosen.parameterization, parameterizations.Pyramid)


def test_objects_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_objects_for_options.py").write_text(
        "import math\n"
        "from os.path import join\n"
        "import keras\n"
        "from keras.layers import Dense\n\n\n"
        "class Own(keras.layers.Layer):\n    pass\n\n\n"
        "class Other:\n    pass\n\n\n"
        "def swish(x):\n    return x\n"
    )
    monkeypatch.chdir(tmp_path)
    assert set(custom_objects(["own_objects_for_options"])) == {"Own", "swish"}
    assert custom_objects([]) == {}


def test_module_that_does_not_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_for_options.py").write_text("def (:\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="broken_for_options"):
        custom_objects(["broken_for_options"])
