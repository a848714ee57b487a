from typing import ClassVar

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from support.described_models import PREPROCESSOR, write_json
from support.tiny import TinyProgram, network

from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.sizes import fixed_recipe, unless_named, usual_size, with_crop_size
from kerasviz.zoo.load import load


def fixed(height, width):
    class Fixed(TinyProgram):
        inputs: ClassVar = {
            "image": Port("image", tf.float32, (None, 3, height, width), channels_first=True)
        }

    return Network(Fixed(), Identity("fixed", "fixed", "onnx", ""))


@pytest.mark.parametrize(
    ("only", "pictures", "images"),
    [
        ((32, 48), (32, 48), (32, 48)),
        ((None, 48), (128, 48), (224, 48)),
        ((32, None), (32, 128), (32, 224)),
        ((None, None), (128, 128), (224, 224)),
    ],
)
def test_a_network_decides_the_sides_that_it_fixes(only, pictures, images):
    net = fixed(*only)
    assert fixed_recipe(recipe("fast"), net).size == pictures
    assert usual_size(net) == images


def test_a_tiled_picture_keeps_its_size():
    tiled = recipe("fast").replace(size=(1024, 2048), tile=32)
    assert fixed_recipe(tiled, fixed(32, 32)) == tiled


@pytest.mark.parametrize(
    ("only", "seen"), [((32, 48), (32, 48)), ((None, 48), (128, 48)), ((None, None), (128, 128))]
)
def test_a_network_decides_the_size_of_crops_and_pictures_keep_theirs(only, seen):
    net, maco = fixed(*only), recipe("maco")
    for chosen in (fixed_recipe(maco, net), unless_named(maco, net), with_crop_size(maco, net)):
        assert chosen.size == (256, 256) and chosen.seen_size == seen
        assert with_crop_size(chosen, net) is chosen
    named = maco.replace(transform=maco.transform.with_crops(size=(9, 8)))
    assert with_crop_size(named, net).seen_size == (9, 8)
    assert with_crop_size(recipe("fast"), net) == recipe("fast")


def test_the_size_of_a_free_network_is_the_recipes():
    chosen = recipe("fast")
    assert fixed_recipe(chosen, network()) == chosen


@pytest.mark.parametrize("positions", [48, None])
def test_a_file_with_free_sides_is_shown_in_the_size_that_it_requires(tmp_path, positions):
    """An export of a transformer says any size, and adds positions of one size."""
    draw = np.random.default_rng(0)
    weights = {
        "w": draw.standard_normal((8, 3, 4, 4)).astype(np.float32),
        "positions": draw.standard_normal((1, 8, positions or 1)).astype(np.float32),
        "shape": np.array([0, 8, -1], np.int64),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["images", "w"], ["patches"], strides=[4, 4]),
            helper.make_node("Reshape", ["patches", "shape"], ["tokens"]),
            helper.make_node("Add", ["tokens", "positions"], ["placed"]),
        ],
        "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("placed", TensorProto.FLOAT, ["n", 8, "t"])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    write_json(tmp_path / "preprocessor_config.json", PREPROCESSOR)  # 24 x 32: 48 patches
    net = load(tmp_path)
    expected = (24, 32) if positions else (128, 128)
    assert unless_named(recipe("fast"), net).size == expected
    assert usual_size(net) == (24, 32)
    named = recipe("fast").replace(size=(64, 64))
    assert unless_named(named, net) == named
