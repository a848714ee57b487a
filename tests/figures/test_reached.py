"""The words on how active the pictures of a unit's facets are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support import tiny

from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.make import activation_notes
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.store import Store

FAST = recipe("fast").replace(steps=6, size=(24, 40))


def test_the_activations_are_those_of_the_pictures_in_the_files(tmp_path: Path) -> None:
    net = tiny.network(input_spec=tiny.preset("unit"))
    make_figures(net, ["diversity-5a9"], FAST, tmp_path)
    choice = choose(CATALOGUE["diversity-5a9"], FigureOptions(net, FAST))
    store = Store(tmp_path / "pictures", net)
    (note,) = activation_notes(store, choice)
    assert note in (tmp_path / "diversity-5a9.html").read_text()

    simple, *facets = [
        float(word.strip(",.")) for word in note.split() if word[0].isdigit() or word[0] == "-"
    ]
    found = []
    for cell in choice.optimized:
        entries = store.find(cell.request)
        file = next(e.file for e in entries if e.row == cell.row)
        image = np.asarray(Image.open(store.folder / file), np.float32)[None] / 255
        term = cell.request.objective.terms[0]
        assert term.unit is not None
        before = net.taps[term.tap].pre_activation if cell.request.recipe.pre_activation else None
        tap = before or term.tap
        activation = net.activations(tf.constant(image), [tap])[tap]
        found.append(float(np.mean(activation[..., term.unit])))
    assert len(facets) == 4 and len(set(facets)) > 1
    # Files have 8 bits a channel, words three digits.
    assert [simple, *facets] == pytest.approx(found, rel=0.02, abs=0.01)


def test_figures_without_facets_have_no_such_words(tmp_path: Path, drawn: list[str]) -> None:
    net = tiny.network()
    make_figures(net, ["objectives"], FAST, tmp_path)
    choice = choose(CATALOGUE["objectives"], FigureOptions(net, FAST))
    assert activation_notes(Store(tmp_path / "pictures", net), choice) == []
