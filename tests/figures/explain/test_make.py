"""The folder of explanations: a page for each photo, pictures of units, and data."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image
from support.analysed import of_keras

from kerasviz.errors import UsageError
from kerasviz.figures.explain.make import make_explanations
from kerasviz.rendering.photos import read_photo

QUICK = {"gradients": 2, "units": 1, "progress": False}


@pytest.fixture(scope="module")
def net():
    return of_keras(side=16)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(2):
        pixels = np.random.default_rng(k).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"p{k}.png")
    return folder


def test_pages_of_photos_with_pictures_of_units(net, photos, tmp_path):
    made = make_explanations(net, photos, steps=2, out=tmp_path / "e", **QUICK)
    assert made.photos == ("p0", "p1")
    page = made.page.read_text()
    assert made.page.name == "p0.html"
    files = re.findall(r'(?:src|href)="([^"#:]+)"', page)
    assert "p1.html" in files and any(f.startswith("pictures/") for f in files)
    for file in files:
        assert (tmp_path / "e" / file).is_file(), file
    record = json.loads((tmp_path / "e" / "p0.json").read_text())
    logits = net.activations(read_photo(photos / "p0.png", (16, 16), 3)[None], ["logits"])[
        "logits"
    ].numpy()[0]
    assert record["explanation"]["target"] == f"logit:{logits.argmax()}"
    assert record["explanation"]["score"] == pytest.approx(logits.max(), rel=1e-4)


def test_a_difference_without_pictures(net, photos, tmp_path):
    made = make_explanations(
        net,
        photos / "p1.png",
        target="logit:1 - logit:2",
        tap="second",
        pictures=False,
        out=tmp_path / "e",
        **QUICK,
    )
    assert [layer.tap for layer in made.explanations[0].layers] == ["second"]
    assert "pictures/" not in made.page.read_text()
    assert not (tmp_path / "e" / "pictures").exists()


def test_bad_input_is_one_line(net, photos, tmp_path):
    (photos / "text.png").write_text("no picture")
    for given, options, message in (
        (photos / "text.png", {}, "cannot be read as a picture"),
        (tmp_path / "none", {}, "no photos at"),
        (photos / "p0.png", {"target": "logit:9"}, "9"),
        (photos / "p0.png", {"target": "logit:*"}, "explain one"),
        (photos / "p0.png", {"target": "first:1"}, "no main layer is before"),
        (photos / "p0.png", {"gradients": 0}, "gradients 0"),
    ):
        with pytest.raises(UsageError, match=message):
            make_explanations(net, given, out=tmp_path / "e", **{**QUICK, **options})
    assert not (tmp_path / "e").exists()
