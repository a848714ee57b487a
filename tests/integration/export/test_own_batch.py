"""Exports of networks that compute batches of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support.batch_models import MODELS, SIZE

from kerasviz.errors import UsageError
from kerasviz.export.tf_serving import export
from kerasviz.export.tf_serving.settings import own_group, served_taps, usual_setting
from kerasviz.io.images import encode, to_image
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request

#: tap, unit, seed and steps of three pictures, an odd number of them.
ROWS = ([0, 1, 0], [3, 2, 5], [0, 1, 2], [2, 2, 2])
FAST = recipe("fast").replace(steps=2)


def test_any_number_of_rows_is_served(tmp_path: Path) -> None:
    net = MODELS["folded"].load(tmp_path)
    setting = usual_setting(net, FAST, taps=("inside", "logits"))
    assert (setting.group, setting.recipe.size, setting.image_size) == (2, SIZE, SIZE)
    made = export(net, tmp_path / "served", setting)
    run = tf.saved_model.load(str(made.path)).signatures
    images = np.random.default_rng(1).uniform(size=(3, *SIZE, 3)).astype(np.float32)
    wanted = net.activations(images, ["inside", "logits"])
    found = run["activations"](images=tf.constant(images))
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
    files = tf.constant([encode(to_image(image), "png") for image in images])
    read = np.round(images * 255) / 255
    np.testing.assert_allclose(
        run["serving_bytes"](image_bytes=files)["logits"],
        net.activations(read, ["logits"])["logits"],
        rtol=0.02,
        atol=0.02,
    )
    own = run["serving_default"](images=tf.constant(images[:2].transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(own["logits"], wanted["logits"][:2], rtol=1e-4, atol=1e-5)
    rows = {n: tf.constant(v) for n, v in zip(("tap", "unit", "seed", "steps"), ROWS, strict=True)}
    pictures = run["visualize"](**rows)["images"].numpy()
    for k, tap in enumerate(served_taps(net, setting)[i] for i in ROWS[0]):
        unit, seed = ROWS[1][k], ROWS[2][k]
        request = Request(tap.name, channel(tap.tap, unit), tap.recipe, seed=seed)
        (plan,) = make_batches(net, [request])
        np.testing.assert_allclose(pictures[k], render_batch(net, plan)[0].image, atol=1e-4)


def test_a_group_that_is_no_multiple_is_refused(tmp_path: Path) -> None:
    net = MODELS["constant"].load(tmp_path)
    assert own_group(net, ("mean",), usual_setting(net, FAST, taps=("mean",)).recipe) == 1
    with pytest.raises(UsageError, match=r"group 3: .* in batches of 4 only; give --group 4"):
        served_taps(net, usual_setting(net, FAST, taps=("logits",), group=3))
    lucid = usual_setting(net, recipe("lucid"), taps=("logits",))
    assert lucid.group == 1, "its transform is shared by a group"
