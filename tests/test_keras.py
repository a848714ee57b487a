from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.keras import PicturesCallback
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.transforms.transform import FoldedTransform
from kerasviz.rendering.film_strip import GAP, LINE

X = np.random.default_rng(0).random((8, 16, 16, 3), np.float32)
Y = np.arange(8) % 2
#: Few steps of few pixels.
FEW: dict[str, Any] = {"steps": 3, "size": 16, "preprocess": "unit"}


def model_of(library: Any = keras, rate: float = 0.5) -> Any:
    library.utils.set_random_seed(1)
    layers = library.layers
    model = library.Sequential(
        [
            library.Input((16, 16, 3)),
            layers.Conv2D(3, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(2, name="head"),
        ]
    )
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.SGD(rate), loss)
    return model


def fit(model: Any, callback: PicturesCallback, epochs: int = 3) -> PicturesCallback:
    model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, shuffle=False, callbacks=[callback])
    return callback


def pixels(images: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image, float) for image in images])


def events(folder: Path) -> list[tuple[str, int, list[bytes], str]]:
    """The tag, the step, the texts and the plugin of every picture in a folder of events."""
    found = []
    for file in folder.glob("events.*"):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                found.append((value.tag, event.step, list(value.tensor.string_val), plugin))
    return found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> PicturesCallback:
    folder = tmp_path_factory.mktemp("run") / "logs"
    return fit(model_of(), PicturesCallback(["conv:1", "head:0"], log_dir=folder, **FEW))


def test_each_epoch_has_pictures_that_change_with_training(shown: PicturesCallback) -> None:
    assert list(shown.images) == list(shown.seconds) == [1, 2, 3]
    assert all(pixels(images).shape == (2, 16, 16, 3) for images in shown.images.values())
    untrained = fit(model_of(rate=0.0), PicturesCallback(["conv:1", "head:0"], **FEW))
    for epoch in (1, 2, 3):
        apart = np.abs(pixels(shown.images[epoch]) - pixels(untrained.images[epoch]))
        assert (apart.mean((1, 2, 3)) > 1).all(), epoch


def test_a_picture_continues_the_one_before() -> None:
    """Without training and chance, the steps of two epochs are the steps of one picture."""
    still = FoldedTransform(())
    plain = Recipe("plain", optimizer="gradient-descent", transform=still, learning_rate=20.0)
    model = model_of(rate=0.0)
    model.get_layer("norm").momentum = 1.0  # its statistics stay too
    callback = fit(model, PicturesCallback("conv:1", recipe=plain, **FEW), 2)
    net = kerasviz.load(model, preprocess="unit")
    for epoch in (1, 2):
        whole = kerasviz.render(net, "conv:1", recipe=plain, steps=3 * epoch, size=16).images
        np.testing.assert_allclose(pixels(callback.images[epoch]), 255 * whole, atol=1.01)
    assert np.abs(pixels(callback.images[1]) - pixels(callback.images[2])).max() > 10


def test_the_film_strip_has_a_row_for_each_unit(shown: PicturesCallback) -> None:
    assert shown.log_dir is not None
    with Image.open(shown.log_dir / "pictures.png") as image:
        strip = np.asarray(image)
    assert strip.shape == (LINE + GAP + 2 * (LINE + 16 + GAP), GAP + 3 * (16 + GAP), 3)
    np.testing.assert_array_equal(strip, np.asarray(shown.strip))
    for row in range(2):
        for column, epoch in enumerate((1, 2, 3)):
            top, left = 2 * LINE + GAP + row * (LINE + 16 + GAP), GAP + column * (16 + GAP)
            tile = strip[top : top + 16, left : left + 16]
            np.testing.assert_array_equal(tile, shown.images[epoch][row])


def test_the_events_are_those_of_images_of_tensorboard(shown: PicturesCallback) -> None:
    assert shown.log_dir is not None
    read = events(shown.log_dir / "pictures")
    assert [(tag, step) for tag, step, *_ in read] == [
        (name, epoch) for epoch in (1, 2, 3) for name in ("conv:1", "head:0")
    ]
    for tag, step, (width, height, data), plugin in read:
        assert (width, height, plugin) == (b"16", b"16", "images")
        picture = shown.images[step][["conv:1", "head:0"].index(tag)]
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(image, picture)


def test_it_is_an_attribute_of_the_package() -> None:
    assert kerasviz.keras.PicturesCallback is PicturesCallback


def test_every_second_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where nothing is written without a folder
    callback = fit(model_of(), PicturesCallback("pool:2", 2, **FEW), 5)
    assert (
        list(callback.images) == [2, 4]
        and not list(tmp_path.iterdir())
        and callback.strip.width == GAP + 2 * (16 + GAP)
    )


def test_an_unknown_unit_ends_the_training_before_it_begins() -> None:
    model = model_of()
    before = model.get_weights()
    with pytest.raises(UsageError, match="unknown tap 'cnv'"):
        fit(model, PicturesCallback("cnv:0", **FEW))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize(("taps", "every"), [([], 1), ("conv:0", 0)])
def test_impossible_settings_are_refused(taps: Any, every: int) -> None:
    with pytest.raises(UsageError, match="expected one unit or more and every >= 1"):
        PicturesCallback(taps, every)


def test_a_long_strip_has_an_even_choice_of_epochs() -> None:
    callback = PicturesCallback("conv:0")
    callback.names = ["conv:0"]
    callback.images = {e: [Image.new("L", (30, 4), e % 256)] for e in range(1, 200)}
    strip = np.asarray(callback.strip)
    assert strip.shape[1] == GAP + 50 * (30 + GAP)
    greys = strip[-GAP - 1, GAP :: 30 + GAP, 0].tolist()[:50]
    assert (greys[0], greys[-1]) == (1, 199) and set(np.diff(greys)) <= {4, 5}


def test_a_strip_without_pictures_says_so() -> None:
    with pytest.raises(UsageError, match="no pictures yet; pass the callback to fit"):
        _ = PicturesCallback("conv:0").strip


def test_weights_that_are_no_numbers_cost_a_warning_only() -> None:
    model = model_of()
    callback = PicturesCallback("head:0", **FEW)

    class Damage(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                model.layers[-1].kernel.assign(np.full((3, 2), np.nan))

    with pytest.warns(UserWarning, match="^no pictures of epoch 2: .* not finite"):
        model.fit(X, Y, epochs=2, verbose=0, callbacks=[Damage(), callback])
    assert list(callback.images) == [1] and len(model.history.epoch) == 2


def test_a_second_fit_begins_anew(shown: PicturesCallback) -> None:
    model = model_of()
    callback = PicturesCallback(["conv:1", "head:0"], **FEW)
    fit(model, callback, 1)
    np.testing.assert_array_equal(pixels(callback.images[1]), pixels(shown.images[1]))
    fit(model, callback, 1)
    assert list(callback.images) == [1]
    assert np.abs(pixels(callback.images[1]) - pixels(shown.images[1])).max() > 2


def test_a_model_of_keras_2() -> None:
    legacy = pytest.importorskip("tf_keras")
    callback = fit(model_of(legacy), PicturesCallback("conv:1", **FEW), 2)
    assert list(callback.images) == [1, 2]


def test_a_subclassed_model_that_is_built_by_its_first_batch() -> None:
    keras.utils.set_random_seed(0)

    class Late(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = keras.layers.Conv2D(2, 3, name="conv")

        def call(self, x: Any) -> Any:
            return keras.ops.mean(self.conv(x), axis=(1, 2))

    model = Late()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callback = fit(model, PicturesCallback("conv:1", **FEW), 2)
    assert list(callback.images) == [1, 2]
