"""Units of a layer with similar weights, against the weights of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.running_service import small_network

import kerasviz
from kerasviz.analysis.weight_neighbours import cosines, incoming_weights, joined, most_and_least
from kerasviz.network.network import Network
from kerasviz.types import Array


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_network(tmp_path_factory.mktemp("network") / "small.onnx")


@pytest.fixture(scope="module")
def net(model: Path) -> Network:
    return kerasviz.load(model, preprocess="unit")


def test_weights_are_those_of_the_kernel(model: Path, net: Network) -> None:
    kernels: dict[str, Array] = {
        one.name: numpy_helper.to_array(one) for one in onnx.load(model).graph.initializer
    }
    found = incoming_weights(net, "wide", (32, 32))
    assert found is not None
    source, weights = found
    kernel = kernels["wide/weights"][:, :, 0, 0]
    assert net.taps[source].name == "mixed/output" and weights.shape == (1024, 1, 1, 10)
    np.testing.assert_allclose(weights[:, 0, 0], kernel, rtol=1e-5, atol=1e-6)
    norms = np.linalg.norm(kernel, axis=1)
    np.testing.assert_allclose(
        cosines(weights, 5), kernel @ kernel[5] / norms / norms[5], rtol=1e-5, atol=1e-6
    )


def test_a_first_layer_has_none(net: Network) -> None:
    assert incoming_weights(net, "first", (32, 32)) is None


def test_parts_of_different_corners_are_laid_over_each_other() -> None:
    draw = np.random.default_rng(0)
    whole = draw.normal(size=(4, 5, 6, 2))
    whole[:2, :2] = whole[2:, :, 4:] = 0
    parts = [(whole[:2, 2:], (12, 20)), (whole[2:, :, :4], (10, 20))]
    np.testing.assert_array_equal(joined(parts), whole)


def test_a_unit_is_no_neighbour_of_itself_and_others_are_on_their_side() -> None:
    likeness = np.array([0.3, 1.0, -0.2, 0.0, 0.9, -0.9])
    near, far = most_and_least(likeness, 1, 3, 1)
    assert near == [(4, 0.9), (0, 0.3)] and far == [(5, -0.9)]
