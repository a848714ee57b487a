"""Signals from a network to files: pictures, numbers, verify, resume, commands, errors."""

from __future__ import annotations

import numpy as np
import pytest
from support.signals import likeness, matcher, table

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import channel, neuron
from kerasviz.rendering.render import render
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures


def template(*shape):
    """A smooth pattern within -1 and 1, with numbers of both signs."""
    grids = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape[:-1]), indexing="ij")
    radius = np.sqrt(sum(np.square(g) for g in grids))
    waves = [np.cos(4 * grids[0] + 2 * grids[-1] + c) for c in range(shape[-1])]
    return (0.8 * np.stack(waves, axis=-1) * np.exp(-2 * radius**2)[..., None]).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "lengths", "axes"),
    [
        ((21, 1), (64,), None),
        ((21, 3), (75,), None),
        ((9, 9, 1), (24, 25), "batch,height,width,channel"),
        ((5, 6, 7, 1), (12, 13, 14), None),
    ],
)
def test_templates_are_found(shape, lengths, axes):
    pattern = template(*shape)
    net = matcher(pattern, lengths, axes)
    made = render(net, "best:0", steps=256, progress=False)
    numbers = made[0].medium._unfolded(made[0].image)
    assert numbers.shape == (*lengths, shape[-1])
    assert likeness(numbers, pattern) > 0.95
    assert made.scores[0] > 0.9 * 0.5 * np.square(pattern).sum()


def test_a_neuron_has_a_place_along_every_axis():
    pattern = template(3, 4, 5, 1)
    net = matcher(pattern, (7, 8, 9))
    with pytest.raises(UsageError, match="position"):
        render(net, neuron("match", 0, (9, 0, 0)), steps=1, progress=False)
    made = render(net, "match:0@4,4,4", steps=200, progress=False)
    numbers = made[0].medium._unfolded(made[0].image)
    assert likeness(numbers[3:], pattern) > likeness(numbers[:4], pattern)


def test_lengths_of_one(tmp_path):
    net = matcher(np.full((1, 2), 0.5), (1,), "batch,time,channel")
    made = render(net, "best:0", steps=40, out=tmp_path, progress=False)
    assert made.images.shape == (1, 1, 1, 2)
    assert verify_pictures(tmp_path, net).same


def test_rows_do_not_depend_on_their_neighbours():
    net = matcher(template(9, 2), (40,))
    settings = {"steps": 12, "batch": 4, "progress": False}
    alone = render(net, channel("best", 0), **settings)
    beside = render(net, [channel("match", 0), channel("best", 0)], **settings)
    assert np.array_equal(alone[0].image, beside[1].image)


def test_files_are_kept_verified_and_continued(tmp_path):
    net = matcher(template(9, 2), (40,))
    made = render(net, ["best:0", "match:0"], steps=12, snapshots=[4], out=tmp_path, progress=False)
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"best-0{end}" for end in (".png", ".npy", ".csv", ".step00004.png")} <= names
    numbers = np.load(tmp_path / "best-0.npy")
    assert numbers.shape == (40, 2)
    assert np.allclose(numbers, 2 * made[0].image[0] - 1, atol=1e-6)
    score = net.program.compute({"signal": numbers[None]}, ["best"])["best"]
    assert np.isclose(float(score[0, 0]), made.scores[0], rtol=1e-5)
    page = (tmp_path / "index.html").read_text()
    assert 'href="best-0.csv" download' in page
    checked = verify_pictures(tmp_path, net)
    assert checked.same and len(checked.files) == 2 * 4
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    requests = [p.request for p in made]
    assert render_into(Store(tmp_path, net), requests).made == 0
    (tmp_path / "best-0.csv").unlink()
    (tmp_path / "match-0.npy").write_bytes(b"other")
    results = {check.file: check.result for check in verify_pictures(tmp_path, net).files}
    assert results["best-0.csv"] == "missing" and results["match-0.npy"] == "changed"
    assert render_into(Store(tmp_path, net), requests).made == 2
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()}.items() >= {
        (n, b) for n, b in kept.items() if not n.startswith(("manifest", "index"))
    }
    again = render(net, ["best:0", "match:0"], steps=12, snapshots=[4], progress=False)
    assert np.array_equal(
        again.images,
        [
            p.image
            for p in render(net, ["best:0", "match:0"], steps=12, snapshots=[4], progress=False)
        ],
    )


def test_photos_and_recipes_of_images_are_refused():
    net = matcher(template(9, 2), (40,))
    for wrong in (
        {"from_": np.ones((8, 8, 3))},
        {"recipe": "vivid"},
        {"param": "pixel"},
        {"size": 41},
    ):
        with pytest.raises(UsageError) as raised:
            render(net, "best:0", progress=False, **wrong)
        assert "\n" not in str(raised.value)


def test_rows_of_tables_go_to_the_ends_that_they_should(tmp_path):
    made = render(table(5), "best:0", steps=200, out=tmp_path, progress=False)
    row = np.load(tmp_path / "best-0.npy")
    assert row.shape == (5,)
    assert (row[:2] < -0.5).all() and (row[3:] > 0.5).all()
    assert verify_pictures(tmp_path, table(5)).same and made.scores[0] > 1
