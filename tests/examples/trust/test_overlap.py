"""Contributions of inputs against their sums, and overlaps whose answer is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from support.trust_fixtures import NET

from kerasviz.examples.datasets import open_source
from kerasviz.examples.finished_pictures import finished_pictures
from kerasviz.examples.measured import measured
from kerasviz.examples.trust.numbers import input_overlap
from kerasviz.examples.trust.overlap import Contributions, layer_before, overlaps
from kerasviz.examples.trust.paths import PhotoSets
from kerasviz.rendering.store import Store

SIZE = (33, 36)


def test_overlaps_are_those_of_sets() -> None:
    draw = np.random.default_rng(0)
    picture, strong, others = (draw.normal(size=shape) for shape in [(40,), (5, 40), (3, 40)])
    found = input_overlap(picture, strong, others)
    assert found is not None and found.units == 10 and found.chance == 0.25

    def top(row: np.ndarray) -> set[int]:
        return {n for n in sorted(range(40), key=lambda n: -row[n])[:10] if row[n] > 0}

    def mean(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
        return float(np.mean([len(top(a) & top(b)) / 10 for a, b in pairs]))

    assert found.share == pytest.approx(mean([(picture, s) for s in strong]))
    assert found.photos == pytest.approx(mean([*itertools.combinations(strong, 2)]))
    assert found.unrelated == pytest.approx(mean([*itertools.product(strong, others)]))


def test_a_fooled_picture_has_other_inputs_than_photos() -> None:
    photos = np.maximum(np.eye(24)[:12].sum(0) + np.zeros((4, 24)), 0)
    same, fooled = photos[0], 1 - photos[0]
    assert input_overlap(same, photos, photos[::-1]).share == 1
    assert input_overlap(fooled, photos, photos[::-1]).share == 0
    # Inputs that contribute nothing are no common ones.
    assert input_overlap(np.zeros(24), np.zeros((3, 24)), photos).share == 0
    assert input_overlap(np.ones(1), photos[:, :1], photos[:, :1]) is None


def test_the_layer_before_a_unit() -> None:
    assert layer_before(NET, "joined") == "relu1" and layer_before(NET, "left") == "relu1"
    assert layer_before(NET, "logits") == "joined" and layer_before(NET, "conv1") is None


def test_contributions_are_the_products_of_weights_and_inputs(pictures: Path) -> None:
    found = finished_pictures(Store(pictures, NET))
    group = next(
        g for g in measured(NET, found, SIZE, SIZE) if g.pictures[0].request.text == "joined:2"
    )
    focused = NET.focused([group.structure[0].tap, "relu1"])
    images = np.random.default_rng(1).uniform(size=(5, *SIZE, 3)).astype(np.float32)
    vector = group.data["vector0"][0]
    got = Contributions(group, focused, "relu1").of_images(list(images), vector)
    a = {k: v.numpy() for k, v in NET.activations(images, ["relu1", "left"]).items()}
    weights = NET.program.weights["left"].numpy()[..., 2]
    for row in range(5):
        y, x = np.unravel_index(a["left"][row, ..., 2].argmax(), a["left"].shape[1:3])
        padded = np.pad(a["relu1"][row], [(1, 1), (1, 1), (0, 0)])[y : y + 3, x : x + 3]
        np.testing.assert_allclose(got[row], (padded * weights).sum((0, 1)), rtol=1e-4, atol=1e-5)
        assert got[row].sum() == pytest.approx(a["left"][row, y, x, 2], rel=1e-4)
    alone = Contributions(group, focused, "relu1").of_images([images[3]], vector)
    np.testing.assert_allclose(alone[0], got[3], rtol=1e-5, atol=1e-6)


def test_pictures_are_compared_with_strong_photos(pictures: Path, class_photos: Path) -> None:
    found = finished_pictures(Store(pictures, NET))
    source = open_source(str(class_photos))
    sets = PhotoSets(NET, source, tuple(range(len(source))))
    strongest = {number: [7, 8, 9, 10, 11, 12] for number in range(len(found))}
    layers = {}
    for group in measured(NET, found, SIZE, SIZE):
        for number, overlap in overlaps(NET, group, source, sets, strongest).items():
            layers[found[number].request.text] = overlap.layer
            assert overlap.photos == 6 and 0 <= overlap.inputs.share <= 1
            # All strong photos have the same stripes.
            assert overlap.inputs.photos >= overlap.inputs.unrelated
    # Sums over two layers, and units without a layer before, have none.
    assert layers == {"joined:2": "relu1", "logit:goldfish": "joined"}
