"""Contributions to a score: exact behind the last activation, else against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysed import DENSE, of_keras, of_onnx

from kerasviz.analysis.contributions import contributions
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import channel, logit

PHOTO = np.random.default_rng(2).uniform(size=(13, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=["keras", "onnx"])
def net(request: pytest.FixtureRequest) -> Network:
    return {"keras": of_keras, "onnx": of_onnx}[request.param]()


def test_they_are_products_with_the_weights_of_a_class(net: Network) -> None:
    found = contributions(net, "second", logit(3), PHOTO)
    wanted = net.activations(PHOTO[None], ["second"])["second"].numpy()[0] * DENSE[:, 3]
    np.testing.assert_allclose(found, wanted / np.abs(wanted).max(), atol=1e-5)
    assert found.dtype == np.float32 and np.abs(found).max() == 1


def test_a_layer_that_does_not_matter_is_one_line(net: Network) -> None:
    with pytest.raises(UsageError, match="does not depend on second") as refused:
        contributions(net, "second", channel("first", 1), PHOTO)
    assert "\n" not in str(refused.value)
