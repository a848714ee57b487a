"""Activation grids: icons of every position, as large as its vector, alone or with shared parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.analysed import of_keras

from kerasviz.errors import UsageError
from kerasviz.figures.explain.findings import ViewOptions, find
from kerasviz.figures.explain.grid import check_grid, compose
from kerasviz.figures.explain.make import make_explanations

PHOTO = np.random.default_rng(2).uniform(size=(9, 8, 3)).astype(np.float32)


def test_icons_are_as_large_as_their_vectors():
    icons = np.zeros((4, 12, 12, 3))
    icons[1], icons[3] = [1, 0, 0], [0, 0, 1]
    sheet = np.asarray(compose(icons, np.array([[0.0, 1.0], [0.01, 0.5]])))
    assert sheet.shape == (16, 16, 3)
    assert (sheet[:8, :8] == 255).all() and (sheet[8:, :8] == 255).all()  # too small to see
    assert (sheet[:8, 8:] == [255, 0, 0]).all()
    blue = (sheet[8:, 8:] == [0, 0, 255]).all(-1)
    assert blue.sum() == 16 and blue[2:6, 2:6].all()


@pytest.mark.parametrize("grid", ["naive", "shared"])
def test_a_grid_is_a_file_and_on_the_page(tmp_path, grid):
    Image.fromarray(np.rint(PHOTO * 255).astype(np.uint8)).save(tmp_path / "p.png")
    net = replace(of_keras(), trained_size=(9, 8))  # the size in which it sees photos
    found = {}
    for _ in range(2):  # equal to the byte
        made = make_explanations(
            net,
            tmp_path / "p.png",
            gradients=1,
            grid=grid,
            pictures=False,
            steps=2,
            out=tmp_path / "out",
            progress=False,
        )
        data = (tmp_path / "out" / "p.grid.png").read_bytes()
        assert found.setdefault("grid", data) == data
    assert 'src="p.grid.png"' in made.page.read_text()
    view = made.findings[0].view
    with Image.open(tmp_path / "out" / "p.grid.png") as sheet:
        cells = [n // s for n, s in zip(sheet.size[::-1], view.sides.shape, strict=True)]
    assert cells[0] == cells[1]


def test_errors_name_what_is_wrong():
    net = of_keras()
    large = np.random.default_rng(0).uniform(size=(30, 30, 3)).astype(np.float32)
    found = find(net, "p", large, None, ["second"], ViewOptions(groups=0))
    with pytest.raises(UsageError, match="second has 26x26 positions, at most 400 are drawn"):
        check_grid(net, found, "naive")
    small = find(net, "p", PHOTO, None, ["second"], ViewOptions(groups=0))
    check_grid(net, small, "naive")
    with pytest.raises(UsageError, match="shared: icons share parts of groups; give --groups 1"):
        check_grid(net, small, "shared")
    grouped = find(of_keras(side=16), "p", large[:16, :16], None, ["second"], ViewOptions())
    with pytest.raises(UsageError, match="takes large images only; give --grid naive"):
        check_grid(of_keras(side=16), grouped, "shared")
    vector = find(net, "p", PHOTO, None, ["pooled"], ViewOptions())
    with pytest.raises(UsageError, match="no layer has positions; name one that has a map"):
        check_grid(net, vector, "naive")
    with pytest.raises(UsageError, match="grid"):
        check_grid(net, small, "fancy")
