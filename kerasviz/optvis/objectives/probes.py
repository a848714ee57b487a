"""Fit linear probes, which tell two kinds of activations apart, by scikit-learn."""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.types import Array

#: Parts of the photos for testing a classifier.
FOLDS = 5


@dataclass(frozen=True)
class LinearProbe:
    """Hold a logistic regression: its logit of activations a [C] is ``weights`` . a + ``bias``.

    Args:
        weights: [C], along activations as they are.
        bias: The logit of activations of 0.
        accuracy: The balanced one on photos that it was not fitted to; 0.5 is chance.
    """

    weights: Array
    bias: float
    accuracy: float


def linear_probe(
    positive: Array, negative: Array, seed: int, what: str, tap: str = "another tap"
) -> LinearProbe:
    """Find the direction along which a logistic regression tells two sets of activations apart.

    Args:
        positive: [N, C] Activations of the concept.
        negative: [M, C] Those of anything else.
        seed: Orders the photos for the test.
        what: What errors call the probe.
        tap: What errors say to name.

    Raises:
        UsageError: For fewer than two photos on a side.
    """
    fewest = min(len(positive), len(negative))
    if fewest < 2:
        raise UsageError(
            f"{what} of {len(positive)} photos against {len(negative)}: it takes at least 2 of "
            "each, better 30"
        )
    selection, pipeline = sklearn_module("model_selection"), sklearn_module("pipeline")
    values = np.concatenate([positive, negative]).astype(np.float64)
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    model = pipeline.make_pipeline(
        sklearn_module("preprocessing").StandardScaler(),
        sklearn_module("linear_model").LogisticRegression(max_iter=2000, class_weight="balanced"),
    )
    folds = selection.StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    accuracies = selection.cross_val_score(
        model, values, labels, cv=folds, scoring="balanced_accuracy"
    )
    fitted(model.fit, values, labels)
    scaler, classifier = (step for _, step in model.steps)
    weights = (classifier.coef_ / scaler.scale_)[0]
    if not weights.any():
        raise UsageError(f"{what}: the activations of both sides are the same; name {tap}")
    bias = float(classifier.intercept_[0] - weights @ scaler.mean_)
    return LinearProbe(weights, bias, float(accuracies.mean()))


def fitted(fit: Callable[..., Any], *values: Array) -> Any:
    """Fit without warnings of convergence, which a user can do nothing about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sklearn_module("exceptions").ConvergenceWarning)
        return fit(*values)


def sklearn_module(module: str) -> Any:
    """Import a module of scikit-learn at its first use: commands without it should not wait."""
    return importlib.import_module(f"sklearn.{module}")


def import_ahead(module: str) -> None:
    """Import a module of scikit-learn, a second's work, while the network computes."""
    threading.Thread(target=sklearn_module, args=(module,), daemon=True).start()
