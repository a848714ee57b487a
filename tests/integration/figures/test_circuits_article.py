"""A set of figures of another article, made, found again, and beside those of the first."""

from __future__ import annotations

import pytest
from support import oriented
from support.oriented import gabor, kernels

from kerasviz.errors import UsageError
from kerasviz.figures import make_figures
from kerasviz.figures.make import figure_names


def test_figures_of_circuits_beside_one_of_the_first_article(tmp_path):
    net = oriented.of_keras(kernels(gabor(30), gabor(120)))
    options = {"recipe": "fast", "steps": 1, "out": tmp_path, "progress": False}
    made = make_figures(net, article="circuits", **options)
    assert [path.name for path in made.paths] == ["early-vision.png", "early-vision.html"]
    assert set(made.failed) == {
        "curve-detectors",
        "high-low-frequency",
        "ablated-curves",
        "weight-banding",
    }
    page = (tmp_path / "early-vision.html").read_text()
    assert "Cammarata and others" in page and "Feature Visualization" not in page
    index = made.index.read_text()
    assert "Figures of the article “Circuits”" in index and "Early vision" in index
    make_figures(net, "hero", **options)
    index = made.index.read_text()
    assert "Figures of the articles “Feature Visualization”" in index and "and “Circuits”" in index
    again = make_figures(net, "early-vision", **options)
    assert again.made == 0 and again.kept > 0


def test_names():
    assert figure_names([], "circuits") == [
        "early-vision",
        "curve-detectors",
        "high-low-frequency",
        "ablated-curves",
        "weight-banding",
    ]
    assert figure_names(["curve-detectors", "hero"]) == ["curve-detectors", "hero"]
    with pytest.raises(UsageError, match="no figure 'early-visions'; near: early-vision"):
        figure_names(["early-visions"])
    with pytest.raises(UsageError, match="circuit"):
        figure_names([], "circuit")
