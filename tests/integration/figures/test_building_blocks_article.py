"""Figures about a photo: made with their pages, found again, and verified to the byte."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.analysed import of_keras

from kerasviz.figures import make_figures
from kerasviz.figures.catalogue.building_blocks import BUILDING_BLOCKS
from kerasviz.rendering.verify import verify_pictures


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("set")
    photo = out / "photo.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)).save(photo)
    net = of_keras(side=16)
    options = {"recipe": "fast", "steps": 1, "quick": True, "photos": photo, "progress": False}
    found = make_figures(net, article="building-blocks", out=out / "figures", **options)
    return net, options, found


def test_all_figures_have_a_picture_a_page_and_a_place_in_the_set(made):
    _, _, found = made
    assert not found.failed
    folder = found.index.parent
    for slug in BUILDING_BLOCKS:
        with Image.open(folder / f"{slug}.png") as image:
            assert np.asarray(image.convert("L")).std() > 10
        assert "Olah and others" in (folder / f"{slug}.html").read_text()
    index = found.index.read_text()
    assert "Figures of the article “The Building Blocks of Interpretability”" in index
    assert index.count('class="icons"') >= 2
    assert 'class="panels"' in index


def test_nothing_is_made_twice_and_all_is_the_same_again(made):
    net, options, found = made
    again = make_figures(net, "neuron-groups", out=found.index.parent, **options)
    assert (again.made, again.computed) == (0, 0)
    checked = verify_pictures(found.index.parent / "pictures", net)
    states = {file.result for file in checked.files}
    assert states == {"same"} and len(checked.files) > 20
    assert any(file.file.startswith("neuron-groups-tint") for file in checked.files)
