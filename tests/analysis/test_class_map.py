"""Maps of classes: exact in a linear layer, mixtures of groups of classes."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysed import DENSE, of_keras, of_onnx

from kerasviz.analysis.class_map import class_logits, map_classes
from kerasviz.analysis.photo_pass import PhotoPass
from kerasviz.errors import UsageError

PHOTO = np.random.default_rng(2).uniform(size=(13, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=[of_keras, of_onnx])
def run(request):
    return PhotoPass(request.param(), PHOTO, ["first", "second", "pooled"], ["logits"])


def test_a_linear_layer_adds_up_to_every_logit(run):
    second, logits = run.values("second"), run.values("logits")
    found = map_classes(run, "second", count=4)
    assert list(found.classes) == list(np.argsort(-logits)[:4])
    expected = second @ DENSE[:, list(found.classes)] / np.prod(second.shape[:2])
    np.testing.assert_allclose(found.contributions, expected, atol=1e-6)
    np.testing.assert_allclose(
        found.contributions.sum((0, 1)), logits[list(found.classes)], rtol=1e-4
    )
    np.testing.assert_allclose(found.missing, 0, atol=1e-5)
    norms = np.linalg.norm(second, axis=-1)
    np.testing.assert_allclose(found.sizes, norms / norms.max(), rtol=1e-5)
    best = found.top(2)
    assert (best[..., 0] == expected.argmax(-1)).all() and best.shape == (*norms.shape, 2)
    np.testing.assert_allclose(class_logits(run), logits, rtol=1e-5)


def test_named_classes(run):
    found = map_classes(run, "second", [5, 1])
    assert found.classes == (5, 1) and found.contributions.shape[-1] == 2


def test_a_mixture_reproduces_what_raises_classes(run):
    found = map_classes(run, "second", count=3)
    shares, groups = found.mixture(3)
    assert shares.max() == pytest.approx(1) and shares.min() >= 0
    np.testing.assert_allclose(groups.sum(1), 1)
    raised = found.contributions.clip(0)
    again = shares @ groups
    scale = (again * raised).sum() / (again**2).sum()
    assert np.linalg.norm(scale * again - raised) < 0.05 * np.linalg.norm(raised)


def test_errors_name_what_is_wrong(run):
    with pytest.raises(UsageError, match="pooled has no positions, so no map of classes"):
        map_classes(run, "pooled")
