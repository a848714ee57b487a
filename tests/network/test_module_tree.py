"""The tree of modules: from scopes, from names with numbers."""

from __future__ import annotations

import pytest
from support.flows import written

RESIDUAL = """
stem = Conv(image) 8x8x4 in stem
a = Conv(stem) 8x8x4 in layer1, layer1.0, layer1.0.conv1
b = Relu(a) in layer1, layer1.0, layer1.0.relu
c = Conv(b) in layer1, layer1.0, layer1.0.conv2
d = Add(c, stem) in layer1, layer1.0
e = Conv(d) in head
"""


def test_modules_hold_the_values_inside() -> None:
    root = written(RESIDUAL).tree()
    assert [node.path for node in root.walk()] == [
        *("", "stem", "layer1", "layer1.0", "layer1.0.conv1", "layer1.0.relu"),
        *("layer1.0.conv2", "head"),
    ]
    layer = root.children[1]
    assert list(layer.inside) == ["a", "b", "c", "d"]
    assert (layer.learned, layer.outputs, layer.joins) == (2, ["d"], False)
    block = layer.children[0]
    assert (block.label, block.pattern, block.numbered) == ("0", "layer#.#", True)
    assert block.joins
    assert not block.children[0].joins


def test_a_way_around_a_child_is_a_join() -> None:
    """As in BERT, where the addition is inside a child of the block."""
    root = written(
        """
        x = Conv(image) 4x8 in embed
        attended = MatMul(x) in layer.0, layer.0.attention
        wide = Gemm(attended) 4x16 in layer.0, layer.0.intermediate
        narrow = Gemm(wide) 4x8 in layer.0, layer.0.output
        sum = Add(narrow, attended) in layer.0, layer.0.output
        """
    ).tree()
    block = root.children[1]
    assert block.joins
    assert block.outputs == ["sum"]


def test_values_of_one_root_are_one_output() -> None:
    root = written(
        """
        x = Conv(image) 8x8x4 in block
        y = Relu(x) in block
        z = Conv(x) in after
        w = Conv(y) in after
        """
    ).tree()
    assert root.children[0].outputs == ["y"]


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (["conv2_block1_conv", "conv2_block1_out"], ["conv2", "conv2_block1"]),
        (["conv2d_1", "conv2d_2", "add_1"], []),
        (["block6d_add", "block6d_project_bn"], ["block6d"]),
        (["conv_dw_1", "conv_dw_1_relu"], ["conv_dw_1"]),
        (["max_pooling2d_3", "zero_padding2d_4"], []),
        (["v61_0", "v62_0"], []),  # numbers of outputs
    ],
)
def test_names_of_keras_hide_modules(names: list[str], paths: list[str]) -> None:
    lines = [f"{name} = Conv2D(image) 8x8x4" for name in names]
    root = written("\n".join(lines)).tree()
    assert [node.path for node in root.walk() if node.path] == paths
    if paths:
        assert set(names) <= set(root.children[0].inside)


def test_equal_modules_have_one_signature() -> None:
    root = written(
        """
        a = Conv(image) 8x8x4 in net, net.0
        b = Conv(a) 8x8x4 in net, net.1
        c = Conv(b) 4x4x4 in net, net.2
        """
    ).tree()
    first, second, third = root.children[0].children
    assert first.signature == second.signature != third.signature
