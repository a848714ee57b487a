"""Values that a run replaces: everything behind them changes, in every importer and layout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import tensorflow as tf
from support.analysed import of_keras, onnx_model

import kerasviz
from kerasviz.network.program import PLAIN

PHOTO = np.random.default_rng(2).uniform(size=(2, 9, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=["keras", "onnx", "onnx-tf"])
def net(request, tmp_path_factory):
    if request.param == "keras":
        return of_keras()
    path = tmp_path_factory.mktemp("edits") / "two.onnx"
    onnx.save(onnx_model(), path)
    return kerasviz.load(
        path, preprocess="unit", importer=request.param if request.param == "onnx-tf" else None
    )


def edited(net, edits, names):
    values = net.activations(PHOTO, names, kernels=replace(PLAIN, edits=edits))
    return {name: value.numpy() for name, value in values.items()}


def test_a_factor_passes_through_relus_and_products(net):
    """Without biases the network is homogeneous: twice the layer is twice the logits."""
    plain = edited(net, {}, ["first", "second", "logits"])
    double = edited(net, {"first": lambda value, read: 2 * value}, ["first", "second", "logits"])
    for name in ("first", "second", "logits"):
        np.testing.assert_allclose(double[name], 2 * plain[name], rtol=1e-5)


def test_a_unit_without_its_neighbours(net):
    """Channels are last, whatever the file has: what is left of one is its part of the kernel."""
    keep = tf.constant([0.0, 1.0, 0.0, 0.0])
    only = edited(net, {"first": lambda value, read: value * keep}, ["first", "second"])
    assert only["first"][..., [0, 2, 3]].max() == 0
    assert only["first"][..., 1].max() > 0
    rest = edited(net, {"first": lambda value, read: value * (1 - keep)}, ["second_pre_relu"])
    part = edited(net, {"first": lambda value, read: value * keep}, ["second_pre_relu"])
    whole = edited(net, {}, ["second_pre_relu"])["second_pre_relu"]
    sums = rest["second_pre_relu"] + part["second_pre_relu"]
    np.testing.assert_allclose(sums, whole, atol=1e-5)


def test_an_edit_reads_what_the_value_is_computed_from(net):
    before = net.taps["first"].pre_relu
    values = edited(net, {"first": lambda value, read: read(before)}, ["first", before])
    np.testing.assert_array_equal(values["first"], values[before])
    assert values["first"].min() < 0


def test_a_given_value_is_taken_in_place_of_what_computes_it(net):
    """Behind it all is as in a whole run; what comes before has no part in it."""
    names = ["second", "logits"]
    plain = edited(net, {}, ["first", *names])
    for tap in ("first", "second"):
        given = {net.taps[tap].name: tf.constant(plain[tap])}
        values = net.activations(0 * PHOTO, names, kernels=replace(PLAIN, given=given))
        for name in names:
            np.testing.assert_allclose(values[name], plain[name], rtol=1e-5, atol=1e-6)
