from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.probes import linear_probe

DRAW = np.random.default_rng(0)
INSIDE = DRAW.normal(size=(12, 5)) * [1, 5, 0.1, 1, 1] + [2, 0, 0, 0, 3]
OUTSIDE = DRAW.normal(size=(20, 5)) * [1, 5, 0.1, 1, 1]


def test_the_logit_is_that_of_the_regression_on_standardized_activations() -> None:
    values, labels = np.concatenate([INSIDE, OUTSIDE]), np.repeat([1, 0], [12, 20])
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(max_iter=2000, class_weight="balanced")
    model.fit(scaler.transform(values), labels)
    probe = linear_probe(INSIDE, OUTSIDE, 0, "probe")
    wanted = model.decision_function(scaler.transform(values))
    np.testing.assert_allclose(values @ probe.weights + probe.bias, wanted, atol=1e-8)
    assert 0.8 < probe.accuracy <= 1


def test_sides_that_cannot_be_told_apart_are_one_line() -> None:
    with pytest.raises(UsageError, match="facet x of 1 photos against 20: it takes at least 2"):
        linear_probe(INSIDE[:1], OUTSIDE, 0, "facet x")
    same = np.ones((4, 3))
    with pytest.raises(UsageError, match="the activations of both sides are the same"):
        linear_probe(same, same, 0, "facet x")
