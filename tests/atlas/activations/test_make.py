"""Activation atlases from photos and files: cells, icons, classes, verify, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from support.activation_atlases import QUICK, contents, conv_file, workers_here, write_photos
from support.analysed_tokens import onnx_file

import kerasviz
from kerasviz.optvis.objectives.objective import direction
from kerasviz.rendering.store import Store

DRAW = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("atlases")
    write_photos(found / "photos", 24)
    conv_file(found)
    onnx_file(found)
    return found


@pytest.fixture(scope="module")
def net(folder):
    return kerasviz.load(folder / "two.onnx", preprocess="unit")


@pytest.fixture
def here(monkeypatch):
    workers_here(monkeypatch)
    return QUICK


def cells_of(out):
    return json.loads((out / "cells.json").read_bytes())


def test_photos_become_an_atlas_that_can_be_verified(folder, net, here, tmp_path):
    options = {**here, "images": folder / "photos", "layout": "pca", "grids": [2, 3], "least": 2}
    out = tmp_path / "out"
    made = kerasviz.make_activation_atlas(net, "first", positions=3, out=out, **options)
    assert made.activations == 72 and made.made == made.icons > 4
    assert made.index == str(out / "index.html")
    data = cells_of(out)
    assert [grid["grid"] for grid in data["grids"]] == [2, 3]
    for grid in data["grids"]:
        count = len(grid["counts"])
        assert count == made.grids[grid["grid"]] == len(grid["crops"]) == len(grid["classes"])
        assert min(grid["counts"]) > 2
        height, width = grid["size"]
        with Image.open(out / grid["icons"][0]) as sheet:
            assert sheet.size == (count * width, height)
        crops = [number for some in grid["crops"] for number in some]
        assert crops == list(range(len(crops))) and max(map(len, grid["crops"])) <= 4
        assert all((out / file).is_file() for file in grid["sheets"])
    assert kerasviz.verify(out, net).same
    before = contents(out)
    again = kerasviz.make_activation_atlas(net, "first", positions=3, out=out, **options)
    assert (again.made, again.icons) == (0, made.icons)
    assert contents(out) == before
    with pytest.raises(kerasviz.UsageError, match="least: there 2, here 3; give those settings"):
        kerasviz.make_activation_atlas(
            net, "first", positions=3, out=out, **{**options, "least": 3}
        )


def test_tokens_and_classes(folder, here, tmp_path):
    net = kerasviz.load(folder / "tokens.onnx", preprocess="unit", labels=["a", "b", "c", "d", "e"])
    options = {**here, "images": folder / "photos", "out": tmp_path, "layout": "pca", "grids": [2]}
    options["least"] = 1
    made = kerasviz.make_activation_atlas(net, "block", positions=4, of_class="c", **options)
    place = tmp_path / "classes" / "2c"
    assert made.index == str(place / "index.html")
    assert cells_of(place)["about"] == [2]
    options.pop("layout")
    (tmp_path / "index.html").write_text("the atlas of all activations")
    both = kerasviz.make_activation_atlas(
        net, "block", positions=4, of_class="c", against="e", **options
    )
    page = tmp_path / "classes" / "2c-against-4e" / "index.html"
    assert both.index == str(page) and both.layout == "comparison"
    assert "c or e" in page.read_text() and 'href="../../index.html"' in page.read_text()
    assert "All activations" not in (place / "index.html").read_text()
    (grid,) = cells_of(page.parent)["grids"]
    left, right = (
        [
            about[0] - about[1]
            for about, x in zip(grid["about"], grid["columns"], strict=True)
            if x == side
        ]
        for side in (0, 1)
    )
    assert max(left) <= min(right)


def test_planted_clusters_are_islands_that_show_their_directions(net, here, tmp_path):
    """Three clusters with orthogonal means; the moment is diagonal, so that it turns none."""
    means = np.eye(4, dtype=np.float32)[[0, 1, 3]]
    sizes = DRAW.uniform(1, 2, (90, 1))
    cluster = np.arange(90) % 3
    np.save(tmp_path / "values.npy", (means[cluster] * sizes).astype(np.float32))
    middles = np.array([[0, 0], [10, 0], [5, 10.0]])
    np.save(tmp_path / "places.npy", middles[cluster] + DRAW.uniform(-0.2, 0.2, (90, 2)))
    out = tmp_path / "out"
    made = kerasviz.make_activation_atlas(
        net,
        "first",
        activations=tmp_path / "values.npy",
        layout=tmp_path / "places.npy",
        grids=[3, 30],
        least=2,
        seed=4,
        out=out,
        **here,
    )
    coarse, fine = cells_of(out)["grids"]
    assert sorted(coarse["counts"]) == [30, 30, 30]
    kept = np.zeros((30, 30), bool)
    kept[fine["rows"], fine["columns"]] = True
    islands, count = scipy.ndimage.label(kept, np.ones((3, 3)))
    assert count == 3
    units = [cell[0][0] for cell in fine["units"]]
    of_island = {}
    for row, column, unit in zip(fine["rows"], fine["columns"], units, strict=True):
        of_island.setdefault(islands[row, column], set()).add(unit)
    assert sorted(map(sorted, of_island.values())) == [[0], [1], [3]]
    assert made.icons == 3  # the cells of a cluster have one direction, and share its icon
    store = Store(out / "pictures", net)
    recipe = kerasviz.Recipe.from_json(next(iter(store.requests.values()))["recipe"])
    objectives = [direction("first", mean, cosine=2) for mean in means]
    expected = kerasviz.render(net, objectives, recipe=recipe, seed=4).images
    icons = {}
    for entry in store.entries.values():
        with Image.open(store.folder / entry.file) as image:
            vector = store.requests[entry.request]["objective"][0]["vector"]
            icons[int(np.argmax(vector))] = np.asarray(image, np.float32) / 255
    for unit, picture in zip((0, 1, 3), expected, strict=True):
        np.testing.assert_allclose(icons[unit], picture, atol=1 / 255)


def few(tmp_path, name, *shape):
    np.save(tmp_path / name, DRAW.normal(size=shape))
    return tmp_path / name


@pytest.mark.parametrize(
    ("tap", "options", "words"),
    [
        ("first", {}, "give either --images, photos to sample, or --activations"),
        ("first", {"activations": (9, 5)}, "rows of 5 numbers; first has 4 channels"),
        ("first", {"activations": (9, 4), "layout": (8, 2)}, "8 x 2 numbers; expected 9 x 2"),
        ("first", {"activations": (9, 4), "layout": "pca"}, "9 activations: no cell has more than"),
        ("first", {"images": "one", "layout": "pca"}, "1 activation: no cell has more than 5"),
        ("logits", {"images": "one"}, "logits has no positions"),
        ("first", {"images": "one", "of_class": "cat"}, "this network has no labels; give"),
        ("first", {"images": "one", "of_class": 6}, "class 6 is out of range"),
        ("first", {"images": "one", "against": 1}, "--against is the second of two classes"),
        ("first", {"activations": (9, 4), "of_class": 1}, "no contributions to classes"),
        ("first", {"images": "one", "attributions": (9, 4)}, "--attributions are those of"),
        ("first", {"images": "one", "grids": [0]}, "grids 0: expected a whole number"),
        ("first", {"images": "one", "cosine": -1}, "cosine -1: the power"),
        ("gone", {"images": "one"}, "unknown tap 'gone'"),
    ],
)
def test_errors_are_one_line(tap, options, words, net, folder, here, tmp_path):
    if not (folder / "one").is_dir():
        write_photos(folder / "one", 1)
    given = {
        name: few(tmp_path, f"{name}.npy", *value)
        if isinstance(value, tuple)
        else folder / value
        if name == "images"
        else value
        for name, value in options.items()
    }
    with pytest.raises(kerasviz.UsageError, match=words) as caught:
        kerasviz.make_activation_atlas(net, tap, out=tmp_path / "out", **given, **here)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "activation-atlas.json").exists()


def test_workers_cannot_read_a_model_in_memory(tmp_path):
    from support import analysed

    with pytest.raises(kerasviz.UsageError, match="from a file; save the model"):
        kerasviz.make_activation_atlas(analysed.of_keras(), "first", images=tmp_path)
