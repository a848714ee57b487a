from typing import ClassVar

import pytest
import tensorflow as tf
from support.tiny import TinyProgram, network

from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.sizes import fixed_recipe, usual_size


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


def test_the_size_of_a_free_network_is_the_recipes():
    chosen = recipe("fast")
    assert fixed_recipe(chosen, network()) == chosen
