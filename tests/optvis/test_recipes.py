from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Fourier, Pixel
from kerasviz.optvis.recipes import RECIPE_SUMMARIES, RECIPES, recipe
from kerasviz.optvis.transforms.gradient_limit import LimitGradient
from kerasviz.optvis.transforms.steps import Crop, Jitter, Pad, ResizedCrop, Rotate, Scale, Shrink
from kerasviz.optvis.transforms.transform import FoldedTransform
from kerasviz.optvis.transforms.views import NORMALS, Noise, ShrinkingCrop


def test_article_has_the_values_of_the_article():
    article = recipe("article")
    assert (article.steps, article.learning_rate, article.optimizer) == (2560, 0.05, "adam")
    assert article.parameterization == Fourier(sd=0.01, decay_power=1.0, decorrelate=True)
    assert article.transform.steps == (
        Pad(16),
        Jitter(16),
        Scale((1, 0.975, 1.025, 0.95, 1.05)),
        Rotate(tuple(range(-5, 6))),
        Jitter(8),
        Crop(),
    )
    assert not article.transform.shared and article.pre_activation
    assert article.redirect_steps == 0


def test_lucid_has_the_values_of_the_reference_library():
    lucid = recipe("lucid")
    assert (lucid.steps, lucid.redirect_steps, lucid.pre_activation) == (513, 17, False)
    pad, jitter, scale, rotate, last = lucid.transform.steps
    assert (pad, jitter, last) == (Pad(12), Jitter(8), Jitter(4))
    assert scale.factors == pytest.approx([0.9 + 0.02 * i for i in range(11)])
    assert sorted(rotate.degrees) == sorted([*range(-10, 11), *[0] * 5])
    assert lucid.transform.shared and lucid.transform.resample == "each"


def test_fast_takes_128_steps():
    assert recipe("fast").steps == 128


def test_vivid_crops_after_the_transforms_of_the_article_and_has_rivals():
    vivid, fast = recipe("vivid"), recipe("fast")
    assert vivid.transform.steps[1:-3] == fast.transform.steps[1:-1]
    assert vivid.transform.steps[-3:] == (ResizedCrop(0.5), Crop(), Shrink(0.7))
    assert vivid.replace(size=(160, 200)).seen_size == (112, 140)
    changed = {key for key, value in vivid.identity().items() if fast.identity().get(key) != value}
    assert changed == {"steps", "transform", "rivals"}


def test_vit_takes_tokens_of_patches_before_their_activation_function():
    vit, fast = recipe("vit"), recipe("fast")
    changed = {key for key, value in vit.identity().items() if fast.identity().get(key) != value}
    settings = {"transform", "parameterization", "pre_activation", "special_tokens"}
    assert changed == {"steps", *settings}
    assert vit.to_json()["special_tokens"] is False and "special_tokens" not in fast.to_json()
    assert "rivals" not in vit.to_json()
    assert vit.transform.steps[1:-4] == fast.transform.steps[1:-1]
    assert vit.transform.steps[0] == Pad(64, mode="reflect")
    assert vit.transform.steps[-4:] == (ResizedCrop(0.35), Crop(), Noise(0.05), LimitGradient(1.0))


def test_maco_sees_crops_that_shrink_and_has_an_opacity():
    chosen = recipe("maco")
    assert chosen.parameterization.kind == "maco" and chosen.opacity
    assert (chosen.optimizer, chosen.learning_rate) == ("nadam", 1.0)
    assert chosen.views == 4 and chosen.pixels == 4 * 256 * 256
    assert chosen.transform.steps == (ShrinkingCrop(0.8, 0.35, centre_sd=0.35), Noise(0.04))
    sized = chosen.replace(transform=chosen.transform.with_crops(size=(128, 96)))
    assert sized.seen_size == (128, 96) and sized.pixels == max(256 * 256, 4 * 128 * 96)
    assert {"views", "opacity"} <= set(chosen.to_json())
    assert not {"views", "opacity"} & set(recipe("vivid").to_json())


def test_every_preset_says_in_a_sentence_what_it_is_for():
    assert list(RECIPE_SUMMARIES) == list(RECIPES)
    for line in RECIPE_SUMMARIES.values():
        assert line.endswith(".") and len(line) <= 90


def test_a_file_may_name_only_what_differs(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text('{"steps": 7, "size": [20, 30], "parameterization": {"kind": "pixel"}}')
    mine = recipe(file)
    assert (mine.steps, mine.size, mine.parameterization) == (7, (20, 30), Pixel())
    assert mine.transform == FoldedTransform(recipe("article").transform.steps)


def test_wrong_names_and_files(tmp_path):
    with pytest.raises(UsageError, match="unknown recipe 'artcle'; choose from article"):
        recipe("artcle")
    with pytest.raises(UsageError, match="no recipe file"):
        recipe(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        recipe(tmp_path / "bad.json")
    (tmp_path / "typo.json").write_text('{"stepz": 3}')
    with pytest.raises(UsageError, match="unknown setting 'stepz'; near: steps"):
        recipe(tmp_path / "typo.json")


def test_the_windows_of_maco_see_the_border_to_the_end():
    """In the last quarter of the steps corners get a fifth of the gradient of the middle."""
    crop = recipe("maco").transform.crop
    assert crop is not None
    rows, pixels = 4096, 16
    late = tf.random.stateless_uniform([rows], [0, 1], 75, 101, tf.int32)
    picks = tf.unstack(tf.random.stateless_uniform([3, rows], [2, 3], 0, NORMALS, tf.int32))
    crop = replace(crop, steps=101)
    side, top, left = (edge.numpy()[:, None] for edge in crop.windows(picks, late))
    middles = (np.arange(pixels) + 0.5) / pixels
    down, right = ((middles >= start) & (middles < start + side) for start in (top, left))
    seen = np.einsum("r,ry,rx->yx", side[:, 0] ** -2, down, right)
    middle = seen[7:9, 7:9].mean()
    assert seen[0, 7:9].mean() / middle > 0.35 and seen[0, 0] / middle > 0.15
