"""Contributions of positions to all classes, against gradients taken class by class."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from support import analysed, analysed_tokens
from support.processor import VNNI

from kerasviz.analysis.attribution import attribute
from kerasviz.analysis.class_attribution import attributed_positions
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.objective import logit

#: Processors without VNNI round products otherwise in batches of another size.
CLOSE = 1e-5 if VNNI else 1e-4
DRAW = np.random.default_rng(2)
CASES = ["keras", "onnx", "keras tokens", "onnx tokens"]


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """A network, one of its taps, the size of its images, and the number of classes."""
    if request.param == "keras":
        return analysed.of_keras(pool=True), "first", (13, 12), 6
    if request.param == "onnx":
        return analysed.of_onnx(), "first", (13, 12), 6
    if request.param == "keras tokens":
        return analysed_tokens.of_keras(), "tokens", analysed_tokens.SIZE, 5
    folder = tmp_path_factory.mktemp("tokens")
    return analysed_tokens.of_onnx(folder), "block", analysed_tokens.SIZE, 5


def test_all_classes_at_once_are_those_one_by_one(case):
    net, tap, size, classes = case
    photos = DRAW.uniform(size=(3, *size, 3)).astype(np.float32)
    positions = positions_of(net, tap, size)
    numbers = tf.constant([[0, 5], [3, 3], [7, 1]])
    values, shares = attributed_positions(net, tf.constant(photos), positions, numbers)
    assert shares.shape == (3, 2, classes)
    for k, photo in enumerate(photos):
        whole = net.activations(photo[None], [tap])[tap]
        on_map = positions.on_map(whole).numpy().reshape(-1, whole.shape[-1])
        np.testing.assert_allclose(values[k], on_map[numbers[k].numpy()], rtol=CLOSE)
        for unit in range(classes):
            (found,) = attribute(net, logit(unit), photo, [tap], steps=1)
            by_position = found.by_position.ravel()[positions.special :]
            expected = by_position[numbers[k].numpy()]
            np.testing.assert_allclose(shares[k, :, unit], expected, rtol=1e-3, atol=1e-5)


def test_all_positions_add_up_to_the_logits_of_a_linear_head():
    net = analysed.of_keras()
    photo = DRAW.uniform(size=(1, 9, 10, 3)).astype(np.float32)
    positions = positions_of(net, "second", (9, 10))
    numbers = tf.range(5 * 6)[None]
    _, shares = attributed_positions(net, tf.constant(photo), positions, numbers)
    logits = net.activations(photo, ["logits"])["logits"]
    np.testing.assert_allclose(tf.reduce_sum(shares, 1), logits, rtol=1e-4, atol=1e-6)
