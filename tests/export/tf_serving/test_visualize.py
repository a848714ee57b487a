"""The optimization in a served graph, compared with ``kerasviz render``."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support import tiny
from support.served import GOOD, ROWS

from kerasviz.errors import UsageError
from kerasviz.export.tf_serving.settings import ExportSettings
from kerasviz.export.tf_serving.visualize import pictures
from kerasviz.io.images import to_image
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.adapting import adapt_recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request


def rendered(
    net: Network, setting: ExportSettings, chosen: Recipe, row: tuple[int, ...]
) -> Picture:
    """The picture of a row as ``kerasviz render --batch`` makes it."""
    tap, unit, seed, steps = row
    objective = channel(setting.taps[tap], unit)
    own = adapt_recipe(chosen.replace(steps=min(max(steps, 1), setting.most)), objective, net)
    request = Request("row", objective, own, seed=seed, batch=setting.group)
    return render_batch(net, make_batches(net, [request])[0])[0]


@pytest.mark.parametrize("k", GOOD)
def test_the_same_picture_as_render(served: Any, answers: Any, k: int) -> None:
    stored = json.loads((served.path / "assets/recipe.json").read_text())
    picture = rendered(served.net, served.setting, Recipe.from_json(stored), ROWS[k])
    np.testing.assert_array_equal(answers["rows"]["images"][k], picture.image)
    assert answers["rows"]["scores"][k] == pytest.approx(picture.score, rel=1e-5)


@pytest.mark.parametrize("k", [0, 1])
def test_without_xla_the_last_bits_differ(served: Any, answers: Any, k: int) -> None:
    picture = rendered(served.net, served.setting, served.setting.recipe, ROWS[k])
    np.testing.assert_allclose(answers["rows"]["images"][k], picture.image, atol=1e-4)


@pytest.mark.parametrize("k", GOOD)
def test_a_row_does_not_know_of_the_others(answers: Any, k: int) -> None:
    for name, array in answers[f"row {k}"].items():
        np.testing.assert_array_equal(answers["rows"][name][k], array[0], err_msg=name)


def test_steps_are_held_and_shown(answers: Any) -> None:
    want = [min(max(row[3], 1), 20) if k in GOOD else 0 for k, row in enumerate(ROWS)]
    np.testing.assert_array_equal(answers["rows"]["steps"], want)
    np.testing.assert_array_equal(answers["png"]["steps"], want)


def test_rows_that_name_nothing_are_black(answers: Any) -> None:
    for k in set(range(len(ROWS))) - set(GOOD):
        assert not answers["rows"]["images"][k].any()
        assert answers["rows"]["scores"][k] == 0
        assert answers["png"]["image_bytes"][k] == b""


def test_png_files_have_the_pixels_of_render(answers: Any) -> None:
    for k in GOOD:
        found = np.asarray(Image.open(io.BytesIO(answers["png"]["image_bytes"][k])))
        want = np.asarray(to_image(answers["rows"]["images"][k]))
        np.testing.assert_array_equal(found, want)


def test_no_rows(answers: Any) -> None:
    assert set(answers["no rows"]) == {"image_bytes", "scores", "steps"}
    assert {array.shape for array in answers["no rows"].values()} == {(0,)}


def test_a_shared_transform_works_alone_only() -> None:
    """Grey images, every step resampled by itself, redirected gradients and then plain ones."""
    net = tiny.network(1)
    chosen = recipe("lucid").replace(size=(24, 19), redirect_steps=2)
    setting = ExportSettings(("joined",), chosen, steps_max=4, image_size=(21, 33))
    row = (0, 2, 4, 4)
    compute = tf.function(pictures(net, setting), autograph=False)
    images, _, steps = compute(*(tf.constant([n, n]) for n in row))
    assert steps.numpy().tolist() == [4, 4]
    np.testing.assert_array_equal(images[0], images[1])
    picture = rendered(net, setting, chosen, row)
    np.testing.assert_allclose(images[0], picture.image, atol=1e-6)
    with pytest.raises(UsageError, match="--group 1"):
        replace(setting, group=2)


def test_a_served_class_has_rivals_as_a_rendered_one() -> None:
    net = tiny.network()
    chosen = recipe("vivid").replace(size=(16, 24))
    setting = ExportSettings(("logits",), chosen, steps_max=6, image_size=(16, 24), group=2)
    rows = [(0, 2, 4, 6), (0, 3, 1, 6)]
    compute = tf.function(pictures(net, setting), autograph=False)
    images, scores, _ = compute(*map(tf.constant, map(list, zip(*rows, strict=True))))
    for k, row in enumerate(rows):
        picture = rendered(net, setting, chosen, row)
        np.testing.assert_allclose(images[k], picture.image, atol=1e-4)
        assert float(scores[k]) == pytest.approx(picture.score, abs=1e-4)
        plain = rendered(net, setting, chosen.replace(rivals=0.0), row)
        assert np.abs(plain.image - picture.image).max() > 1e-3


def test_numbers_that_do_not_stay_finite() -> None:
    net = tiny.network()
    program: Any = net.program
    program.weights["left"] = tf.fill(program.weights["left"].shape, float("inf"))
    setting = ExportSettings(("left", "right"), recipe("fast").replace(size=(9, 9)), 1)
    compute = tf.function(pictures(net, setting), autograph=False)
    two = tf.constant([0, 1])
    images, scores, steps = compute(two, two, two, two)
    assert steps.numpy().tolist() == [0, 1]
    assert not images[0].numpy().any()
    assert np.isfinite(images[1]).all()
    assert np.isfinite(scores).all()
