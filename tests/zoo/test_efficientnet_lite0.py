"""EfficientNet-Lite0 against a twin with plain TensorFlow operations, and on real photos."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import data

from kerasviz.errors import ModelError
from kerasviz.zoo.efficientnet_lite0 import BLOCKS, build, checkpoint_path
from kerasviz.zoo.labels import imagenet_labels
from kerasviz.zoo.torch_checkpoint import read_checkpoint


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return read_checkpoint(checkpoint_path())


@pytest.fixture(scope="module")
def model(weights: dict[str, np.ndarray]) -> keras.Model:
    return build(weights)


def photo(array: np.ndarray, size: int = 224) -> np.ndarray:
    """The middle of a photo whose short side is ``size``, as the network takes it."""
    image = Image.fromarray(array)
    scale = size / min(image.size)
    width, height = round(image.width * scale), round(image.height * scale)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    cropped = image.crop((left, top, left + size, top + size))
    return (np.asarray(cropped, np.float32) - 127) / 128


def test_it_knows_a_cat_and_a_cup_of_coffee(model: keras.Model) -> None:
    photos = np.stack([photo(data.chelsea()), photo(data.coffee())])
    prob = model(photos).numpy()
    labels = imagenet_labels()
    assert [labels[k].split(",")[0] for k in prob.argmax(1)] == ["Egyptian cat", "espresso"]
    assert prob[0, 281:286].sum() > 0.85  # the domestic cats together
    assert prob[1, 967] > 0.9
    np.testing.assert_allclose(prob.sum(1), 1, atol=1e-5)


def twin(weights: dict[str, np.ndarray], x: np.ndarray) -> dict[str, np.ndarray]:
    """The published architecture: no folding, padding written out, PyTorch's weight layout."""
    found: dict[str, np.ndarray] = {}

    def pad(y: tf.Tensor, size: int, stride: int) -> tf.Tensor:
        both = []
        for length in y.shape[1:3]:
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
            both.append([total // 2, total - total // 2])
        return tf.pad(y, [[0, 0], *both, [0, 0]])

    def norm(y: tf.Tensor, name: str) -> tf.Tensor:
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        gain, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return tf.nn.batch_normalization(y, mean, variance, bias, gain, 1e-3)

    def conv(y: tf.Tensor, name: str, size: int = 1, stride: int = 1) -> tf.Tensor:
        kernel = weights[f"{name}.weight"].transpose(2, 3, 1, 0)
        return tf.nn.conv2d(pad(y, size, stride), kernel, stride, "VALID")

    y = tf.nn.relu6(norm(conv(tf.constant(x), "_conv_stem", 3, 2), "_bn0"))
    found["stem"] = y.numpy()
    for number, block in enumerate(BLOCKS):
        name, into = f"_blocks.{number}", y
        if f"{name}._expand_conv.weight" in weights:
            y = tf.nn.relu6(norm(conv(y, f"{name}._expand_conv"), f"{name}._bn0"))
        kernel = weights[f"{name}._depthwise_conv.weight"].transpose(2, 3, 0, 1)
        size, stride = kernel.shape[0], block.stride
        y = tf.nn.depthwise_conv2d(pad(y, size, stride), kernel, [1, stride, stride, 1], "VALID")
        y = tf.nn.relu6(norm(y, f"{name}._bn1"))
        y = norm(conv(y, f"{name}._project_conv"), f"{name}._bn2")
        if stride == 1 and y.shape[-1] == into.shape[-1]:
            y += into
        found[block.name] = y.numpy()
    y = tf.nn.relu6(norm(conv(y, "_conv_head"), "_bn1"))
    found["head"] = y.numpy()
    y = tf.reduce_mean(y, [1, 2]) @ weights["_fc.weight"].T + weights["_fc.bias"]
    found["logits"] = y.numpy()
    return found


@pytest.mark.parametrize("size", [(96, 96), (97, 133)])
def test_every_block_agrees_with_the_unfolded_twin(
    model: keras.Model, weights: dict[str, np.ndarray], size: tuple[int, int]
) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, *size, 3)).astype(np.float32)
    expected = twin(weights, x)
    outputs = {name: model.get_layer(name).output for name in expected}
    found = keras.Model(model.input, outputs)(x)
    for name, array in expected.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(found[name], array, atol=2e-5 * scale, err_msg=name)
    alone = keras.Model(model.input, outputs)(x[1:])
    np.testing.assert_allclose(alone["logits"][0], found["logits"][1], atol=1e-4)


def test_layers_and_weights_are_all_used(
    model: keras.Model, weights: dict[str, np.ndarray]
) -> None:
    assert [b.name for b in BLOCKS][:4] == ["block1a", "block2a", "block2b", "block3a"]
    assert {f"_blocks.{k}" for k in range(len(BLOCKS))} == {
        name.rsplit("._", 2)[0] for name in weights if name.startswith("_blocks")
    }
    assert model.get_layer("block3b").output.shape == (None, None, None, 40)
    norms = sum(v.size for k, v in weights.items() if k.endswith(("running_mean", "running_var")))
    tracked = sum("tracked" in k for k in weights)
    folded_away = norms // 2  # of four vectors of a normalization, one is left: the bias
    total = sum(v.size for v in weights.values()) - tracked - norms - folded_away
    assert model.count_params() == total


def test_a_missing_tensor_is_named(weights: dict[str, np.ndarray]) -> None:
    less = {k: v for k, v in weights.items() if k != "_blocks.3._bn1.bias"}
    with pytest.raises(ModelError, match=r"no tensor _blocks.3._bn1.bias"):
        build(less)
