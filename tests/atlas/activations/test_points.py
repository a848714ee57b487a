"""Which activations speak for a class, and where points lie."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis.atlas_layout import pca_layout, unit_square
from kerasviz.atlas.activations import points as module
from kerasviz.atlas.activations.points import AtlasClasses, lay_out, layout_name, points_of_class
from kerasviz.atlas.activations.samples import ActivationSamples
from kerasviz.errors import UsageError

DRAW = np.random.default_rng(0)
SAMPLES = ActivationSamples(DRAW.normal(size=(60, 5)), DRAW.normal(size=(60, 4)))
ALL = AtlasClasses()


def test_points_of_a_class_are_the_largest_and_those_it_is_best_for(monkeypatch):
    monkeypatch.setattr(module, "OF_CLASS", 6)
    shares = np.asarray(SAMPLES.attributions)
    largest = np.argsort(-shares[:, 2])[:6]
    expected = set(largest) | set(np.flatnonzero(shares.argmax(1) == 2))
    assert AtlasClasses(2).points(SAMPLES).tolist() == sorted(expected)
    other = set(np.argsort(-shares[:, 0])[:6]) | set(np.flatnonzero(shares.argmax(1) == 0))
    assert set(AtlasClasses(2, 0).points(SAMPLES)) == expected | other
    assert ALL.points(SAMPLES) is None


def test_what_contributes_nothing_is_not_of_a_class():
    assert points_of_class(np.array([-1.0, 0, 2]), np.zeros(3, bool)).tolist() == [2]


def test_samples_without_contributions_have_no_classes():
    with pytest.raises(UsageError, match="no contributions to classes"):
        AtlasClasses(1).points(ActivationSamples(SAMPLES.values))
    with pytest.raises(UsageError, match="class 4: the attributions are of 4 classes"):
        AtlasClasses(1, 4).points(SAMPLES)


def test_a_layout_is_computed_once(tmp_path):
    said = []
    places = lay_out(SAMPLES, "pca", ALL, 0, tmp_path, said.append)
    np.testing.assert_allclose(places, unit_square(pca_layout(SAMPLES.values)))
    assert said == ["laying out 60 activations by pca"]
    again = lay_out(SAMPLES, "pca", ALL, 0, tmp_path, said.append)
    np.testing.assert_array_equal(again, places)
    assert len(said) == 1 and len(list(tmp_path.iterdir())) == 1


def test_a_comparison_is_laid_out_by_differences(tmp_path):
    classes = AtlasClasses(1, 3)
    places = lay_out(SAMPLES, None, classes, 0, tmp_path, lambda _: None)
    difference = SAMPLES.attributions[:, 1] - SAMPLES.attributions[:, 3]
    order = np.argsort(difference)
    assert (np.diff(places[order, 0]) >= 0).all() and places[order[-1], 0] == 1
    with pytest.raises(UsageError, match="comparison of two classes has its own"):
        layout_name("pca", classes)


def test_layouts_of_files(tmp_path):
    points = DRAW.normal(size=(60, 2))
    np.save(tmp_path / "places.npy", points)
    file = tmp_path / "places.npy"
    np.testing.assert_allclose(
        lay_out(SAMPLES, file, ALL, 0, tmp_path, lambda _: None), unit_square(points)
    )
    assert len(layout_name(file, ALL)) == 64
    np.save(file, points[:59])
    with pytest.raises(UsageError, match="59 x 2 numbers; expected 60 x 2") as caught:
        lay_out(SAMPLES, file, ALL, 0, tmp_path, lambda _: None)
    assert "\n" not in str(caught.value)


def test_unknown_layouts():
    for name, words in (
        ("tsne", "choose from umap, pca or FILE.npy"),
        ("gone.npy", "no such file"),
    ):
        with pytest.raises(UsageError, match=words):
            layout_name(name, ALL)
