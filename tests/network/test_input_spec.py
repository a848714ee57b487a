import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.network.input_spec import PRESETS, InputSpec, InputWords, preset

IMAGES = np.random.default_rng(0).random((2, 3, 5, 3)).astype(np.float32)


def test_presets_agree_with_the_formulas_of_their_libraries():
    rgb = IMAGES.astype(np.float64)
    expected = {
        "torchvision": (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        "inception": rgb * 2 - 1,
        "caffe": rgb[..., ::-1] * 255 - [103.939, 116.779, 123.68],
        "unit": rgb,
        "byte": rgb * 255,
    }
    assert set(expected) == set(PRESETS)
    for name, numbers in expected.items():
        np.testing.assert_allclose(preset(name).apply(IMAGES), numbers, rtol=1e-5, atol=1e-4)


def test_presets_of_keras_agree_with_keras():
    import keras

    utils = keras.applications.imagenet_utils
    for name, mode in (("inception", "tf"), ("torchvision", "torch"), ("caffe", "caffe")):
        theirs = utils.preprocess_input(IMAGES * 255, data_format="channels_last", mode=mode)
        np.testing.assert_allclose(preset(name).apply(IMAGES), theirs, rtol=1e-4, atol=1e-3)


def test_one_mean_serves_all_channels_and_the_range_is_known():
    spec = InputSpec(scale=255.0, mean=(117.0,))
    assert spec.range == (-117.0, 138.0)
    np.testing.assert_allclose(spec.apply(IMAGES), IMAGES * 255 - 117, rtol=1e-5, atol=1e-4)


def test_grey_images_ignore_the_channel_order():
    grey = IMAGES[..., :1]
    np.testing.assert_array_equal(InputSpec(channel_order="bgr").apply(grey), grey)


def test_a_wrong_number_of_entries_is_said():
    with pytest.raises(UsageError, match="mean has 3 entries, the images have 1 channels"):
        InputSpec(mean=(1.0, 2.0, 3.0)).apply(IMAGES[..., :1])
    with pytest.raises(UsageError, match="std and scale must not be 0"):
        InputSpec(std=(0.0,))
    with pytest.raises(UsageError, match="expected rgb or bgr"):
        InputSpec(channel_order="gbr")


def test_unknown_preset():
    with pytest.raises(UsageError, match="unknown preprocessing 'torch'; choose from torchvision"):
        preset("torch")


def test_json_round_trip():
    spec = preset("caffe")
    assert InputSpec.from_json(spec.to_json()) == spec


def test_words_of_python_are_numbers_or_one_for_each_channel() -> None:
    assert InputWords.of(mean=0.5, std=[0.1, 0.2, 0.3]) == InputWords(
        mean=(0.5,), std=(0.1, 0.2, 0.3)
    )
    assert InputWords.of().spec() is None and InputWords.of(channel_order="bgr").spec() is None
    assert InputWords.of(mean=np.float32([1, 2, 3])).spec() == InputSpec(
        scale=255.0, mean=(1.0, 2.0, 3.0)
    )
    assert InputWords.of("caffe").spec("elsewhere") == preset("caffe")
    named = InputWords.of("caffe", channel_order="rgb").spec("elsewhere")
    assert named is not None and (named.channel_order, named.source) == ("rgb", "elsewhere")


@pytest.mark.parametrize("numbers", ["no", [], "x", ["1", "y"], [float("nan")], [None], object()])
def test_means_that_are_no_numbers_are_refused(numbers: object) -> None:
    with pytest.raises(UsageError, match=r"^mean=.*expected one number, or one per channel"):
        InputWords.of(mean=numbers)  # type: ignore[arg-type]
