from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasviz.errors import ModelError
from kerasviz.zoo.applications import build_application, save_application
from kerasviz.zoo.model_card import card

SMALL = ["mobilenetv2", "resnet50v2", "densenet121"]
OTHERS = ["convnexttiny", "efficientnetb0", "inceptionresnetv2", "inceptionv3", "xception"]


@pytest.mark.parametrize(
    "name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]
)
def test_an_application_takes_any_size_and_has_its_main_taps(name: str) -> None:
    model = build_application(card(name), weights=None)
    assert model.input_shape == (None, None, None, 3)
    assert model.output_shape == (None, 1000)
    assert set(card(name).main_taps) <= {layer.name for layer in model.layers}


def test_a_free_network_is_the_fixed_one_at_its_own_size() -> None:
    one = card("mobilenetv2")
    free = build_application(one, weights=None)
    fixed = keras.applications.MobileNetV2(weights=None)
    fixed.set_weights(free.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (1, *one.input_size, 3)).astype(np.float32)
    np.testing.assert_allclose(free(images), fixed(images), atol=1e-7)


def test_a_network_that_depends_on_its_size_is_fixed() -> None:
    for name in ("efficientnetb1", "nasnetmobile", "vgg16", "vgg19"):
        assert not card(name).free_size
    model = build_application(card("efficientnetb1"), weights=None)
    assert model.input_shape == (None, 240, 240, 3)


def no_connection(**_: object) -> None:
    raise Exception("URL fetch failure on https://x: None -- no route")  # as Keras does it


def test_without_a_connection_one_line_says_what_to_bring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.applications, "MobileNetV2", no_connection)
    with pytest.raises(ModelError, match="no route") as caught:
        build_application(card("mobilenetv2"))
    line = str(caught.value)
    assert "kerasviz models add mobilenetv2.keras --name mobilenetv2" in line
    assert "\n" not in line


def test_other_errors_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    with pytest.raises(ZeroDivisionError):
        build_application(card("mobilenetv2"))


def test_an_application_that_keras_does_not_know() -> None:
    with pytest.raises(ModelError, match=r"no keras.applications.Nothing"):
        build_application(replace(card("vgg16"), builder="keras.applications.Nothing"))


def test_it_is_saved_from_a_weight_file(tmp_path: Path) -> None:
    one = card("mobilenetv2")
    model = build_application(one, weights=None)
    weights = tmp_path / "mobilenet.h5"  # in the old format, as Keras offers them
    model.save(weights)
    target = save_application(one, tmp_path / "out" / "mobilenetv2.keras", weights)
    again = keras.saving.load_model(target, compile=False)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 96, 3)).astype(np.float32)
    np.testing.assert_allclose(again(images), model(images), atol=1e-6)
    assert [p.name for p in target.parent.iterdir()] == ["mobilenetv2.keras"]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    small = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    small.save(tmp_path / "small.h5")
    with pytest.raises(ModelError, match="mobilenetv2: these weights do not fit") as caught:
        save_application(card("mobilenetv2"), tmp_path / "o.keras", tmp_path / "small.h5")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o.keras").exists()
