"""What the files beside a model say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.described_models import (
    CONFIG,
    MEAN,
    NAMES,
    PREPROCESSOR,
    STD,
    TIMM,
    classifier,
    optimum_folder,
    timm_folder,
    write_json,
)

from kerasviz.zoo.beside import facts_beside
from kerasviz.zoo.labels import imagenet_labels
from kerasviz.zoo.load import load

PIXELS = np.random.default_rng(0).integers(0, 256, (1, 5, 7, 3)).astype(np.float32)


def processed(settings: dict[str, Any]) -> Any:
    """Images of 0..255 as the image processors of transformers bring them to a network."""
    numbers = PIXELS
    if settings.get("do_rescale", True):
        numbers = numbers * settings.get("rescale_factor", 1 / 255)
        if settings.get("rescale_offset") or settings.get("offset"):
            numbers = numbers - 1
    if settings.get("do_normalize", True):
        numbers = (numbers - np.array(settings["image_mean"])) / np.array(settings["image_std"])
    if settings.get("include_top"):
        numbers = numbers / np.array(settings["image_std"])
    return numbers[..., ::-1] if settings.get("do_flip_channel_order") else numbers


@pytest.mark.parametrize(
    "settings",
    [
        PREPROCESSOR,
        {"image_mean": MEAN, "image_std": STD},  # of older versions
        {**PREPROCESSOR, "do_normalize": False},
        {**PREPROCESSOR, "do_rescale": False, "image_mean": [120.0] * 3, "image_std": [60.0] * 3},
        {**PREPROCESSOR, "rescale_factor": 1 / 127.5, "offset": True},
        {
            **PREPROCESSOR,
            "image_processor_type": "EfficientNetImageProcessor",
            "include_top": True,
        },
        {"do_rescale": True, "do_flip_channel_order": True, "do_normalize": False},
    ],
)
def test_numbers_are_those_of_the_image_processor(tmp_path: Path, settings: dict[str, Any]) -> None:
    write_json(tmp_path / "preprocessor_config.json", settings)
    spec = facts_beside(tmp_path / "model.onnx").input_spec
    assert spec is not None
    assert spec.source == "preprocessor_config.json"
    np.testing.assert_allclose(spec.apply(PIXELS / 255), processed(settings), rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 16000},
        {"do_rescale": True, "do_normalize": True},  # of what mean?
        {**PREPROCESSOR, "image_std": [0, 1, 1]},
        {**PREPROCESSOR, "rescale_factor": 0},
        {**PREPROCESSOR, "image_mean": "0.5"},
        {**PREPROCESSOR, "image_mean": [10**400, 0, 0]},
        {**PREPROCESSOR, "image_std": [[0.5]]},
        [1, 2],
    ],
)
def test_what_is_not_said_stays_unknown(tmp_path: Path, settings: Any) -> None:
    write_json(tmp_path / "preprocessor_config.json", settings)
    assert facts_beside(tmp_path / "model.onnx").input_spec is None


def test_a_damaged_file_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [')
    (tmp_path / "config.json").write_bytes(b"\xff\x00")
    assert facts_beside(tmp_path / "model.onnx").origins == {}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ({"size": {"height": 24, "width": 32}}, (24, 32)),
        ({"size": 224, "do_center_crop": False}, (224, 224)),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 200}}, (224, 200)),
        ({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": False}, (256, 256)),
        ({"size": {"longest_edge": 980}}, None),
        ({"size": "big"}, None),
    ],
)
def test_sizes(tmp_path: Path, size: dict[str, Any], expected: tuple[int, int] | None) -> None:
    settings = {k: v for k, v in PREPROCESSOR.items() if k != "size"}
    write_json(tmp_path / "preprocessor_config.json", {**settings, **size})
    assert facts_beside(tmp_path / "model.onnx").size == expected


def test_an_optimum_folder(tmp_path: Path) -> None:
    for source in (optimum_folder(tmp_path), tmp_path):
        net = load(source)
        assert net.labels == NAMES
        assert net.class_index("bee") == 1
        assert net.trained_size == (24, 32)
        assert net.origins == {
            "input": "preprocessor_config.json",
            "labels": "config.json",
            "size": "preprocessor_config.json",
        }


def test_configuration_above_the_folder_onnx(tmp_path: Path) -> None:
    write_json(tmp_path / "preprocessor_config.json", PREPROCESSOR)
    write_json(tmp_path / "config.json", CONFIG)
    classifier(tmp_path / "onnx" / "model.onnx")
    for source in (tmp_path / "onnx" / "model.onnx", tmp_path):
        net = load(source)
        assert net.labels == NAMES
        assert net.require_input_spec().mean == tuple(MEAN)


def test_a_processor_of_newer_versions(tmp_path: Path) -> None:
    write_json(tmp_path / "processor_config.json", {"image_processor": PREPROCESSOR})
    assert facts_beside(tmp_path / "model.onnx").origins["input"] == "processor_config.json"


def test_a_timm_folder(tmp_path: Path) -> None:
    net = load(timm_folder(tmp_path))
    spec = net.require_input_spec()
    assert (spec.scale, spec.mean, spec.std) == (1, tuple(MEAN), tuple(STD))
    assert (net.labels, net.trained_size) == (NAMES, (24, 32))
    assert set(net.origins.values()) == {"config.json"}


def test_older_and_described_configurations_of_timm(tmp_path: Path) -> None:
    older = {"architecture": "resnet18", "mean": MEAN, "std": STD, "labels": list(NAMES)}
    write_json(tmp_path / "config.json", older)
    facts = facts_beside(tmp_path / "model.onnx")
    assert (facts.labels, facts.origins["input"]) == (NAMES, "config.json")
    write_json(tmp_path / "config.json", {**TIMM, "label_descriptions": {"ant": "Formica rufa"}})
    assert facts_beside(tmp_path / "model.onnx").labels == ("Formica rufa, ant", "bee", "cat")


def test_a_tag_of_timm_names_imagenet(tmp_path: Path) -> None:
    tagged = {"num_classes": 1000, "tag": "a1_in1k"}
    write_json(tmp_path / "config.json", {"architecture": "x", "pretrained_cfg": tagged})
    assert facts_beside(tmp_path / "model.onnx").labels == imagenet_labels()
    tagged["num_classes"] = 999
    write_json(tmp_path / "config.json", {"architecture": "x", "pretrained_cfg": tagged})
    assert facts_beside(tmp_path / "model.onnx").labels == ()


def test_placeholders_are_no_labels(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})
    assert facts_beside(tmp_path / "model.onnx").labels == ()


def test_the_configuration_of_a_keras_folder_says_nothing(tmp_path: Path) -> None:
    write_json(tmp_path / "net" / "config.json", {"class_name": "Functional", "config": {}})
    assert facts_beside(tmp_path / "net").origins == {}
