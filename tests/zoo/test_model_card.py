from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasviz.errors import ModelError, UsageError
from kerasviz.network.input_spec import InputSpec
from kerasviz.zoo.labels import labels_of
from kerasviz.zoo.model_card import (
    Card,
    card,
    card_for_checksum,
    cards,
    packaged_folder,
    parse_card,
)

CARDS = cards()
APPLICATIONS = [c for c in CARDS.values() if c.builder.startswith("keras.applications.")]
FORMATS = {"onnx", "keras", "h5", "saved_model", "graphdef", "zoo"}


@pytest.mark.parametrize("one", CARDS.values(), ids=CARDS)
def test_a_card_says_what_it_must(one: Card) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", one.name)
    assert one.title and one.description and one.licence and one.source
    assert "\n" not in one.description
    assert one.format in FORMATS
    assert one.input is not None and len(one.input.mean) in (1, 3)
    assert one.input.source == f"card of {one.name}"
    assert min(one.input_size) >= 224
    assert one.files or one.builder
    for file in [*one.files, *([one.archive] if one.archive else [])]:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert len(set(one.main_taps)) == len(one.main_taps)


def test_file_names_are_card_names() -> None:
    assert {p.stem for p in packaged_folder().glob("*.toml")} == set(CARDS)
    assert packaged_folder() == Path(__file__).parents[2] / "models"


def test_every_keras_application_has_its_card() -> None:
    functions = {
        name
        for name, value in vars(keras.applications).items()
        if inspect.isfunction(value) and "weights" in inspect.signature(value).parameters
    }
    assert functions == {c.builder.rpartition(".")[2] for c in APPLICATIONS}


@pytest.mark.parametrize("one", APPLICATIONS, ids=lambda c: c.name)
def test_the_input_is_what_keras_gives_its_own_network(one: Card) -> None:
    builder = getattr(keras.applications, one.builder.rpartition(".")[2])
    module = importlib.import_module(builder.__module__)
    images = np.random.default_rng(0).random((2, 5, 7, 3), np.float32)
    expected = module.preprocess_input(images.copy() * 255, data_format="channels_last")
    np.testing.assert_allclose(one.input.apply(images), expected, rtol=1e-4, atol=1e-3)


def test_the_articles_network() -> None:
    one = card("inceptionv1")
    assert one.archive.name == "inception5h.zip" and one.archive.url.startswith("https://")
    assert one.sha256.startswith("a39b08b8")
    assert one.input.range == (-117.0, 138.0)
    assert not one.aliases  # its own names are the article's


def test_names_that_are_nearly_right() -> None:
    with pytest.raises(UsageError, match=r"no zoo network 'resnet'; near: .*resnet50") as caught:
        card("resnet")
    assert "\n" not in str(caught.value)


def test_checksums_find_their_card() -> None:
    assert card_for_checksum(CARDS["googlenet"].sha256) == CARDS["googlenet"]
    assert card_for_checksum("0" * 64) is None
    assert card_for_checksum("") is None  # applications have none


GOOD = """
name = "a"
title = "A"
description = "d"
licence = "MIT"
sources = ["here"]
format = "onnx"
[input]
scale = 255
size = [10, 20]
free_size = false
[aliases]
mixed4a = "block"
[figures]
hero = ["block:1"]
"""


def test_a_card_is_read_from_toml() -> None:
    one = parse_card(GOOD, "a.toml")
    assert one.input == InputSpec(scale=255, source="card of a")
    assert (one.input_size, one.free_size) == ((10, 20), False)
    assert dict(one.aliases) == {"mixed4a": "block"}
    assert one.figures["hero"] == ["block:1"]
    assert (one.sha256, one.size, one.file_name) == ("", 0, "a.keras")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "a"', "name = ", "Invalid value"),
        ('licence = "MIT"', "", "licence"),
        ('licence = "MIT"', 'licence = "MIT"\nlicense = "MIT"', "license"),
        ("scale = 255", "scale = 0", "must not be 0"),
        ("scale = 255", "scales = 255", "scales"),
        ("size = [10, 20]", "size = [10]", "unpack"),
        ("[aliases]", '[[files]]\nname = "x"\n[aliases]', "sha256"),
    ],
)
def test_a_bad_card_gives_one_line(old: str, new: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        parse_card(GOOD.replace(old, new), "folder/a.toml")
    assert str(caught.value).startswith("a.toml is no model card: ")
    assert "\n" not in str(caught.value)


def test_labels_are_in_the_order_of_imagenet() -> None:
    labels = labels_of(CARDS["googlenet"])
    assert len(labels) == 1000
    for index, name in {1: "goldfish", 9: "ostrich", 281: "tabby", 285: "Egyptian cat"}.items():
        assert labels[index].split(",")[0] == name
    assert labels[963].split(",")[0] == "pizza" and labels[967] == "espresso"


def test_labels_of_the_shared_list_agree(models_folder: Path) -> None:
    lines = (models_folder / "imagenet1000.txt").read_text().splitlines()
    assert list(labels_of(CARDS["googlenet"])) == lines


def test_labels_in_a_file(tmp_path: Path) -> None:
    one = CARDS["inceptionv1"]
    assert labels_of(one) == ()
    (tmp_path / one.labels.partition(":")[2]).write_text("dummy\nkit fox\n")
    assert labels_of(one, tmp_path) == ("dummy", "kit fox")
    with pytest.raises(ModelError, match="unknown labels 'cifar'"):
        labels_of(parse_card('labels = "cifar"\n' + GOOD, "a.toml"))


@pytest.mark.parametrize("name", ["googlenet", "squeezenet1_1"])
def test_cards_name_layers_that_exist(models_folder: Path, name: str) -> None:
    import onnx

    one = CARDS[name]
    graph = onnx.load(models_folder / one.file_name, load_external_data=False).graph
    values = {output for node in graph.node for output in node.output}
    assert set(one.aliases.values()) | set(one.main_taps) | {one.logits} <= values
    if name == "googlenet":
        assert one.aliases["mixed4a"] == "inception_4a/output"
        blocks = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
        assert {f"mixed{block}" for block in blocks} <= set(one.aliases)
        assert {"conv2d0", "conv2d1", "conv2d2", "softmax2"} <= set(one.aliases)
