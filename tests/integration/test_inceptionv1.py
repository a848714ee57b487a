"""The article's network, fetched: its file, layers, labels and numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support import inception5h
from support.inception5h import BLOCKS, CHANNELS

import kerasviz
from kerasviz.figures import CATALOGUE
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe

HEADS = {f"softmax{k}{end}": 1008 for k in range(3) for end in ("", "_pre_activation")} | {
    f"{name}{k}{end}": count
    for k in range(2)
    for name, end, count in (("head", "_bottleneck", 128), ("nn", "", 1024))
}
#: The outputs of the blocks as the table of the network has them.
SUMS = (256, 480, 508, 512, 512, 528, 832, 832, 1024)


@pytest.fixture
def net(inceptionv1: str) -> Network:
    return kerasviz.load(inceptionv1)


def test_the_synthetic_graph_has_the_nodes_and_weights_of_the_real_one() -> None:
    nodes = inception5h.article_graph().node
    assert Counter(node.op for node in nodes) == inception5h.OPS
    tensors = [tf.make_ndarray(n.attr["value"].tensor) for n in nodes if n.op == "Const"]
    assert sum(tensor.size for tensor in tensors) == inception5h.NUMBERS
    trunk = [n for n in nodes if n.op == "Const" and n.name.endswith(("_w", "_b"))]
    trunk = [n for n in trunk if n.name.startswith(("conv", "mixed"))]
    assert len(trunk) == 114
    count = sum(tf.make_ndarray(n.attr["value"].tensor).size for n in trunk)
    assert round(count / 1e6, 1) == 6.0


def test_the_file_is_the_one_of_the_archive(net: Network, inception5h_file: Path) -> None:
    assert net.identity.source == "inceptionv1"
    assert net.identity.format == "graphdef"
    assert net.identity.sha256 == inception5h.known_card().sha256
    assert sorted(p.name for p in inception5h_file.parent.iterdir()) == [
        "imagenet_comp_graph_label_strings.txt",
        "tensorflow_inception_graph.pb",
    ]


def test_layers_and_channels(net: Network) -> None:
    assert net.main_taps == tuple(CHANNELS)
    assert tuple(CHANNELS.values()) == (64, 64, 192, *SUMS)
    for name, channels in (CHANNELS | HEADS).items():
        assert net.taps[name].channels == channels, name
    for name, (a, b, c, d, e, f) in BLOCKS.items():
        parts = {"1x1": a, "3x3_bottleneck": b, "3x3": c, "5x5_bottleneck": d, "5x5": e}
        for part, channels in {**parts, "pool_reduce": f}.items():
            for tap in (f"{name}_{part}", f"{name}_{part}_pre_relu"):
                assert net.taps[tap].channels == channels, tap
        assert net.taps[name].channels == a + c + e + f


def test_every_block_has_a_tap_before_its_relus(net: Network) -> None:
    for name in BLOCKS:
        tap = net.taps[f"{name}_pre_relu"]
        parts = ("1x1", "3x3", "5x5", "pool_reduce")
        assert tap.name == f"{name}_pre_relu"
        assert tap.parts == tuple(f"{name}_{part}_pre_relu" for part in parts)
        assert tap.channels == CHANNELS[name]
        assert net.taps[name].pre_activation == tap.name
    # A layer of one convolution has it in the graph.
    assert net.taps["conv2d1"].pre_activation == net.taps["conv2d1_pre_relu"].name


def test_other_names_of_the_outputs(net: Network) -> None:
    assert tuple(net.program.outputs) == ("output", "output1", "output2")
    for k, name in enumerate(net.program.outputs):
        assert net.taps[name].name == f"softmax{k}"
    assert net.require_logits().name == "softmax2_pre_activation"


def test_labels(net: Network) -> None:
    assert net.labels == inception5h.LABELS
    assert len(net.labels) == net.require_logits().channels == 1008
    assert (net.class_index("dummy"), net.class_index("flamingo")) == (0, 97)


def test_numbers_that_the_network_takes(net: Network) -> None:
    spec = net.require_input_spec()
    assert spec.range == (-117, 138)
    red = np.zeros((1, 1, 1, 3), np.float32)
    red[..., 0] = 1
    np.testing.assert_array_equal(spec.apply(red), [[[[138, -117, -117]]]])
    assert net.fixed_size == (None, None)


def test_activations_are_those_of_the_graph(net: Network) -> None:
    """Also that of the pre-activations, from images of values from 0 to 1, not square."""
    pictures = np.random.default_rng(2).uniform(0, 1, (2, 67, 98, 3)).astype(np.float32)
    blocks = [f"{name}_pre_relu" for name in BLOCKS]
    found = net.activations(pictures, [*CHANNELS, *blocks])
    parts = [part for name in blocks for part in net.taps[name].parts]
    graph = inception5h.article_graph()
    wanted = inception5h.session_run(graph, 255 * pictures - 117, [*CHANNELS, *parts])
    for name in blocks:
        wanted[name] = np.concatenate([wanted[part] for part in net.taps[name].parts], -1)
    for name, tensor in found.items():
        assert tensor.shape == wanted[name].shape
        gap = np.abs(tensor - wanted[name]).max()
        assert gap <= 1e-5 * np.abs(wanted[name]).max(), name


def test_pictures_of_classes_have_the_size_that_the_classifier_needs(inceptionv1: str) -> None:
    """Its last pool is 7 x 7 at stride 1: 128 pixels are too few for classes, not for channels."""
    net = kerasviz.load(inceptionv1)
    assert not net.computes("softmax2_pre_activation", 128, 128)
    order = FigureOptions(net, recipe("article"))
    for slug in ("objectives", "fv-vs-attribution", "steepest-descent", "gradient-artifacts"):
        choice = choose(CATALOGUE[slug], order)
        for cell in choice.optimized:
            term = cell.request.objective.terms[0]
            classes = term.kind in ("logit", "probability")
            assert cell.request.recipe.size == ((224, 224) if classes else (128, 128))
        assert {made.size for made in choice.computed} <= {(224, 224)}
