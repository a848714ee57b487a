"""The article's network as a Keras file and as a SavedModel, compared with its own graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support import inception5h
from support.elsewhere import elsewhere
from support.inception5h import BLOCKS, CHANNELS

import kerasviz
from kerasviz.errors import ModelError
from kerasviz.export import convert
from kerasviz.export.resize import resized

Run = Callable[..., Any]

#: Two images, not square, that leave the heads a single window.
SHAPE = (2, 221, 211, 3)
#: The blocks before their ReLUs.
JOINED = [f"{name}_pre_relu" for name in BLOCKS]


@pytest.fixture(scope="module")
def wanted() -> dict[str, Any]:
    """What TensorFlow computes from the graph: every node, and the joined pre-activations."""
    graph = inception5h.article_graph()
    nodes = [n.name for n in graph.node if n.op not in ("Const", "Placeholder")]
    found = inception5h.session_run(graph, inception5h.images(*SHAPE), nodes)
    for name in BLOCKS:
        parts = [found[f"{name}_{p}_pre_relu"] for p in ("1x1", "3x3", "5x5", "pool_reduce")]
        found[f"{name}_pre_relu"] = np.concatenate(parts, -1)
    return found


def gap(wanted: Any, found: Any) -> float:
    assert wanted.shape == found.shape
    return float(np.abs(wanted - found).max() / np.abs(wanted).max())


@pytest.mark.parametrize("out", ["inceptionv1.keras", "inceptionv1"])
def test_every_tap_is_the_same_without_kerasviz(
    run_cli: Run, inceptionv1: str, wanted: dict[str, Any], tmp_path: Path, out: str
) -> None:
    taps = list(kerasviz.load(inceptionv1).taps)
    # 370 nodes less constants, the input and three that pass on; a joined one for every block
    assert len(taps) == 370 - 142 - 1 - 3 + 9
    ended = run_cli("convert", inceptionv1, tmp_path / out, "--taps", ",".join(taps))
    assert ended.code == 0, ended.err
    lines = [line.split(maxsplit=2) for line in ended.out.splitlines()[1:5]]
    assert lines[0] == ["input", "input", "[any, any, any, 3]"]
    assert lines[1:] == [["output", f"output{k}", "[any, 1008]"] for k in ("", 1, 2)]
    found = elsewhere(tmp_path, tmp_path / out, inception5h.images(*SHAPE))
    assert set(found) == {*taps, "output", "output1", "output2"} == set(wanted)
    for name, array in wanted.items():
        assert gap(array, found[name]) <= 1e-5, name
    assert found["mixed4a"].shape == found["mixed4a_pre_relu"].shape == (2, 14, 14, 508)
    for name, channels in CHANNELS.items():
        assert found[name].shape[-1] == channels
        assert found[name].std() > 1, f"{name} would be the same without its weights"


@pytest.fixture(scope="module")
def keras_file(inception5h_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as it is, but for its pre-activations as outputs."""
    path = tmp_path_factory.mktemp("keras") / "inceptionv1.keras"
    with inception5h.known(inception5h.known_card(), inception5h_file.parents[2]):
        convert(kerasviz.load("inceptionv1"), path, taps=JOINED)
    return path


def test_layers_have_the_names_of_the_article_and_the_arrays_of_the_graph(
    keras_file: Path, wanted: dict[str, Any]
) -> None:
    model = keras.saving.load_model(keras_file)
    assert model.name == "inceptionv1"
    assert {type(operation).__module__.split(".")[0] for operation in model.operations} == {"keras"}
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Lambda)]
    weights = {n.name: n.attr["value"].tensor for n in inception5h.article_graph().node}
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    assert len(layers) == 59 + 5
    for name, layer in layers.items():
        stem = name.removesuffix("_pre_relu").removesuffix("_pre_activation")
        for array, ending in zip(layer.get_weights(), ("w", "b"), strict=True):
            kept = np.frombuffer(weights[f"{stem}_{ending}"].tensor_content, np.float32)
            np.testing.assert_array_equal(array.reshape(-1), kept)
    made = {operation.name: operation.output for operation in model.operations}
    names = [*CHANNELS, "conv2d0_pre_relu", "localresponsenorm1", "avgpool0", "nn1", "softmax0"]
    inner = keras.Model(model.input, [made[name] for name in names])
    for name, array in zip(names, inner(inception5h.images(*SHAPE)), strict=True):
        assert gap(wanted[name], np.asarray(array)) <= 1e-5, name


def test_the_keras_file_is_a_network_again(keras_file: Path, wanted: dict[str, Any]) -> None:
    net = kerasviz.load(keras_file)
    assert net.identity.format == "keras"
    names = [*CHANNELS, *JOINED, "softmax2_pre_activation"]
    found = net.run({"input": inception5h.images(*SHAPE)}, names)
    for name in names:
        assert gap(wanted[name], found[name]) <= 1e-5, name


def test_shapes_at_the_size_of_the_heads(inceptionv1: str) -> None:
    net = kerasviz.load(inceptionv1)
    fixed = resized(net, (224, 224))
    assert list(fixed.taps) == list(net.taps)
    sides = {"conv2d0": 112, "conv2d1": 56, "conv2d2": 56, "mixed3a": 28, "mixed3b": 28}
    sides |= dict.fromkeys(("mixed5a", "mixed5b"), 7)
    for name, channels in CHANNELS.items():
        side = sides.get(name, 14)
        for tap in (name, f"{name}_pre_relu"):
            assert fixed.taps[tap].shape == (None, side, side, channels)
    assert fixed.taps["head0_pool"].shape == (None, 4, 4, 508)
    assert fixed.taps["head1_pool"].shape == (None, 4, 4, 528)
    assert fixed.taps["head0_bottleneck/reshape"].shape == (None, 2048)
    assert fixed.taps["avgpool0/reshape"].shape == (None, 1024)
    # Twice the size would give the heads parts of images for rows.
    with pytest.raises(ModelError, match="does not allow images of 448x448") as caught:
        resized(net, (448, 448))
    assert "\n" not in str(caught.value)
