"""Ablation over folders of photos: as the edited network says, counted by folders."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support.analysed import DENSE, SECOND, of_keras

from kerasviz.errors import UsageError
from kerasviz.figures.ablation.make import ablate

QUICK = {"size": 12, "batch": 4, "progress": False}


@pytest.fixture(scope="module")
def net():
    return replace(of_keras(), labels=("a", "b", "c", "d", "e", "f"))


@pytest.fixture(scope="module")
def photos(net, tmp_path_factory):
    """Nine photos in folders of what the network says to them, but one, and one of no class."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(3)
    for k in range(9):
        pixels = draw.integers(0, 256, (12, 12, 3), np.uint8)
        logits = net.activations(pixels[None] / np.float32(255), ["logits"])["logits"][0]
        place = folder / ("other" if k == 8 else net.labels[int(np.argmax(logits))])
        place.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(place / f"{k}.png")
    (folder / "a").mkdir(exist_ok=True)
    (folder / "a" / "broken.png").write_bytes(b"no picture")
    return folder


def read(photos):
    files = sorted(photos.rglob("[0-9].png"))
    return np.stack([np.asarray(Image.open(file)) for file in files]).astype(np.float32) / 255


def logits_of(first):
    second = tf.nn.relu(tf.nn.conv2d(first, SECOND, 1, "VALID")).numpy()
    return second.mean((1, 2)) @ DENSE


@pytest.mark.parametrize("level", ["zero", "mean"])
def test_silenced_units_against_a_twin(net, photos, tmp_path, level):
    made = ablate(net, "first:1-2", photos, level=level, out=tmp_path, **QUICK)
    first = net.activations(read(photos), ["first"])["first"].numpy()
    before = logits_of(first)
    means = first.mean((0, 1, 2))
    first[..., 1:3] = means[1:3] if level == "mean" else 0
    after = logits_of(first)
    tally = made.measured.tally
    np.testing.assert_allclose(tally.mean_change, (after - before).mean(0), atol=1e-5)
    expected = {("first", k): float(means[k]) if level == "mean" else 0.0 for k in (1, 2)}
    assert made.levels == pytest.approx(expected, abs=1e-6)
    same = before.argmax(1) == after.argmax(1)
    files = [path.parent.name for path in sorted(photos.rglob("[0-9].png"))]
    known = [name != "other" for name in files]
    assert tally.accuracy(1) == pytest.approx((1.0, same[known].mean()))
    assert (tally.labelled, tally.switched) == (8, (~same).sum())
    assert made.measured.unreadable == ["a/broken.png"]
    assert made.measured.unknown == ["other"]


def test_cut_weights_against_a_twin(net, photos, tmp_path):
    made = ablate(net, (), photos, cut=[("first", "second", "negative")], out=tmp_path, **QUICK)
    first = net.activations(read(photos), ["first"])["first"].numpy()
    second = tf.nn.relu(tf.nn.conv2d(first, np.maximum(SECOND, 0), 1, "VALID")).numpy()
    change = second.mean((1, 2)) @ DENSE - logits_of(first)
    np.testing.assert_allclose(made.measured.tally.mean_change, change.mean(0), atol=1e-4)


def test_the_page_and_the_data(net, photos, tmp_path):
    cut = [("first", "second", "positive")]
    made = ablate(net, "first:1", photos, cut=cut, limit=6, out=tmp_path, **QUICK)
    record = json.loads((tmp_path / "ablation.json").read_text())
    assert record == json.loads(json.dumps(made.record))
    assert record["cut"] == [{"from": "first", "to": "second", "sign": "positive"}]
    assert record["images"]["count"] == len(record["answers"]) == 6 - len(record["unreadable"])
    page = re.sub(r"\s+|<wbr>", " ", made.page.read_text())
    assert "<code>first :1</code> to zero and leaving out positive weights" in page
    assert page.count("data:image/jpeg") == len(record["answers"])
    assert "top-1 accuracy" in page and "top-5 accuracy" in page
    again = made.page.read_bytes()
    assert ablate(net, "first:1", photos, cut=cut, limit=6, out=tmp_path, **QUICK)
    assert made.page.read_bytes() == again


def test_errors_are_one_line(net, photos, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "a.png").write_bytes(b"")
    for units, images, options, line in (
        ((), photos, {}, "nothing to change; give units"),
        ("first", photos, {}, "an edit is that of one unit"),
        ("first:9", photos, {}, "first has the units 0 to 3"),
        ("first:1", "", {}, "no images; name a folder"),
        ("first:1", empty, {}, "no image could be read"),
        ("first:1", photos, {"level": "half"}, "unknown level 'half'"),
        ((), photos, {"cut": [("first", "logits", "all")]}, "is not linear"),
    ):
        with pytest.raises(UsageError, match=line):
            ablate(net, units, images, out=tmp_path / "none", **{**QUICK, **options})
    assert not (tmp_path / "none").exists()
