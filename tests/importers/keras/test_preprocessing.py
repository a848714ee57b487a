"""What the first layers of a Keras model say about the numbers that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest

from kerasviz.importers import read
from kerasviz.importers.keras.preprocessing import leading_input_spec

layers = keras.layers


@pytest.mark.parametrize(
    ("first", "scale"),
    [
        ([layers.Rescaling(1 / 255)], 255.0),
        ([layers.Rescaling(1 / 127.5, offset=-1)], 255.0),
        ([layers.RandomFlip(), layers.Rescaling(1 / 255)], 255.0),
        ([layers.Rescaling(2.0, offset=-1)], 1.0),
        ([layers.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.05] * 3)], 1.0),
        ([layers.Normalization(mean=[123.7, 116.3, 103.5], variance=[3400.0] * 3)], 255.0),
        (
            [layers.Rescaling(1 / 255), layers.Normalization(mean=[0.5] * 3, variance=[0.05] * 3)],
            255.0,
        ),
        ([], None),
        ([layers.Conv2D(3, 1), layers.Rescaling(1 / 255)], None),
        ([layers.Rescaling(1 / 256)], 255.0),
        ([layers.Rescaling(1 / 128, offset=-1)], 255.0),
        ([layers.Rescaling(1.0, offset=-127.5)], 255.0),
        ([layers.Rescaling(255.0), layers.Rescaling(1 / 127.5, offset=-1)], 1.0),
        ([layers.Normalization(mean=[0.1307] * 3, variance=[0.095] * 3)], 1.0),
        ([layers.Rescaling(1 / 255), layers.Normalization(mean=[0.0], variance=[1.0])], 255.0),
        (
            [layers.Rescaling([1 / 0.229, 1 / 0.224, 1 / 0.225], [-2.118, -2.036, -1.804])],
            1.0,
        ),
    ],
)
def test_leading_layers_say_the_range(first: list[Any], scale: float | None) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), *first, layers.Conv2D(2, 3)])
    spec = leading_input_spec(model)
    assert (spec.scale if spec else None) == scale
    if spec:
        assert spec.source.endswith("layer of the model")
        assert (spec.mean, spec.std) == ((0.0,), (1.0,))


@pytest.mark.parametrize(
    "first",
    [
        [layers.Rescaling(1 / 65535)],
        [layers.Rescaling(1 / 32767.5, offset=-1)],
        [layers.Rescaling(1 / 257), layers.Rescaling(1 / 127.5, offset=-1)],
        [layers.Normalization(mean=[20000.0] * 3, variance=[12000.0**2] * 3)],
    ],
)
def test_16_bits_are_known(first: list[Any]) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), *first, layers.Conv2D(2, 3)])
    spec = leading_input_spec(model)
    assert spec is not None
    assert spec.range == (0, 65535)


@pytest.mark.parametrize(
    "first",
    [
        [layers.Rescaling(1 / 10000)],  # reflectances of satellites
        [layers.Rescaling([1 / 10000, 1 / 8000, 1 / 9000])],
        [layers.Normalization(mean=[1500.0] * 3, variance=[800.0**2] * 3)],
        [layers.Rescaling(1 / 10000), layers.Normalization(mean=[0.15], variance=[0.01])],
        [layers.Rescaling(1 / 4095)],  # 12 bits
        [layers.Rescaling(1 / 1023, offset=-0.5)],
        [layers.Normalization(mean=[2000.0] * 3, variance=[1500.0**2] * 3)],  # dark, of 16 bits
        [layers.Normalization(mean=[-12.0] * 3, variance=[9.0] * 3)],  # decibels
        [layers.Rescaling(1 / 32767)],  # with a sign
        [layers.Rescaling(1.0)],
        [layers.Normalization(mean=[0.0], variance=[1.0])],  # never adapted
        [layers.Rescaling(1 / 100)],
    ],
)
def test_a_range_that_no_file_of_images_has_is_asked_for(first: list[Any]) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), *first, layers.Conv2D(2, 3)])
    assert leading_input_spec(model) is None


def test_leading_layer_of_a_nested_model(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    body = layers.Conv2D(2, 3)(layers.Rescaling(1 / 255)(image))
    body = keras.Model(image, body)
    outer = keras.Input((8, 8, 3))
    keras.Model(outer, body(outer)).save(tmp_path / "m.keras")
    spec = read(tmp_path / "m.keras").input_spec
    assert spec is not None
    assert spec.scale == 255.0


def test_a_branch_around_the_first_layer_says_nothing() -> None:
    image = keras.Input((8, 8, 3))
    joined = layers.Concatenate()([layers.Rescaling(1 / 255)(image), layers.Conv2D(2, 1)(image)])
    assert leading_input_spec(keras.Model(image, joined)) is None
