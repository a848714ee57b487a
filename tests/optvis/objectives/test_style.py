"""Style transfer, from its targets to the folder of pictures and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support.tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import content, style
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.objectives.style import style_transfer
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import PHOTO, STYLE, LoopInputs
from kerasviz.optvis.recipes import recipe
from kerasviz.optvis.transforms.transform import FoldedTransform
from kerasviz.rendering.python_calls import python_call
from kerasviz.rendering.verify import verify_pictures

SHORT: dict[str, Any] = {"steps": 3, "size": (15, 20), "precision": "float32", "progress": False}
STILL = recipe("fast").replace(size=(15, 20), transform=FoldedTransform(()), steps=150)
BOTH = style("relu1") + style("joined") + 3 * content("relu1")


@pytest.fixture(scope="module")
def net() -> Network:
    return network()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for name, shape in (("cat.png", (31, 40, 3)), ("waves.png", (60, 70, 3))):
        Image.fromarray(draw.integers(40, 216, shape).astype(np.uint8)).save(folder / name)
    return folder


def inputs(net: Network, chosen: Any, photos: Any, styles: Any) -> LoopInputs:
    rows = [BOTH] * len(photos)
    structure = structure_of(BOTH, net)
    data = pack_objectives(structure, rows, net)
    data |= {PHOTO: photos, STYLE: styles}
    return LoopInputs(structure, data, np.arange(len(rows)), np.arange(len(rows)))


def test_the_same_photo_as_content_and_style_is_reproduced(net):
    """Both losses fall below a tenth of those at the start."""
    coarse = np.random.default_rng(1).random((1, 4, 5, 3)).astype(np.float32)
    photo = np.asarray(tf.image.resize(0.2 + 0.6 * coarse, (15, 20)))
    batch = inputs(net, STILL, photo, photo)
    end = optimize(net, STILL.replace(steps=500, learning_rate=0.02), batch)
    start = end.history[0, 0]
    assert -0.1 * abs(start) < end.scores[0] < 0
    assert np.abs(end.images - photo).mean() < 0.1


def test_style_photos_are_seen_by_another_window_in_each_step(net):
    photo = np.full((2, 15, 20, 3), 0.5, np.float32)
    styles = np.random.default_rng(2).random((2, 22, 30, 3)).astype(np.float32)
    batch = inputs(net, STILL, photo, styles)
    whole = optimize(
        net, STILL.replace(steps=6, optimizer="gradient-descent", learning_rate=1e-9), batch
    )
    assert len({round(float(score), 4) for score in whole.history[:, 0]}) > 3
    moving = STILL.replace(steps=18, transform=recipe("fast").transform)
    kept: list[Any] = []
    run = optimize(net, moving, batch, progress=lambda p: kept.append(p.checkpoint()))
    resumed = optimize(net, moving, batch, resume=kept[0])
    np.testing.assert_array_equal(resumed.images, run.images)
    styles[0] = 1 - styles[0]  # what the first row takes is nothing to the second
    other = optimize(net, moving, inputs(net, moving, photo, styles))
    np.testing.assert_array_equal(other.images[1], run.images[1])
    assert np.any(other.images[0] != run.images[0])


def test_the_target_names_layers_by_their_depth(net):
    maps = [f"m{k}" for k in range(11)]
    terms = style_transfer(maps).terms
    assert [t.tap for t in terms] == ["m1", "m2", "m4", "m5", "m6", "m2"]
    assert [t.weight for t in terms] == [1.0] * 5 + [terms[-1].weight]
    (target,) = parse_target("style", net)
    assert {t.tap for t in target.objective.terms} == {"relu1", "joined"}
    assert parse_target("style:joined", net)[0].objective == style("joined")
    (mixed,) = parse_target("style:joined + 2*content:relu1", net)
    assert mixed.objective == style("joined") + 2 * content("relu1")
    with pytest.raises(UsageError, match="unknown tap"):
        parse_target("style:nothing", net)


def test_a_folder_of_style_transfers_is_verified_to_the_byte(net, photos: Path, tmp_path: Path):
    files = {"from_": photos / "cat.png", "style": photos / "waves.png"}
    made = kerasviz.render(net, "style", **files, out=tmp_path, **SHORT)
    assert made[0].target == "style, from cat.png, in the style of waves.png"
    assert set(made[0].term_scores) == {"style:relu1", "style:joined", "content:relu1"}
    assert (tmp_path / "style-from-cat-style-waves.png").is_file()
    held = made[0].request.style
    assert held is not None and held.numbers.shape == (22, 30, 3)
    call = python_call(net, [made[0].request])
    assert 'from_="cat.png",' in call and 'style="waves.png",' in call
    assert {f.result for f in verify_pictures(tmp_path, net).files} == {"same"}
    again = kerasviz.render_again(tmp_path / "style-from-cat-style-waves.png", net)
    np.testing.assert_allclose(again[0].image, made[0].image, atol=0.51 / 255)
    other = kerasviz.render(net, "style", from_=files["from_"], style=photos / "cat.png", **SHORT)
    assert other[0].request.key(net) != made[0].request.key(net)


def test_what_style_transfer_needs_is_said_in_one_line(net, photos: Path):
    cat, waves = photos / "cat.png", photos / "waves.png"
    with pytest.raises(UsageError, match="give --style PHOTO"):
        kerasviz.render(net, "style", from_=cat, **SHORT)
    with pytest.raises(UsageError, match="give --from PHOTO"):
        kerasviz.render(net, "style", style=waves, **SHORT)
    with pytest.raises(UsageError, match="style: no target takes it"):
        kerasviz.render(net, "joined:1", from_=cat, style=waves, **SHORT)
    with pytest.raises(UsageError, match="style: 2 photos; give one"):
        kerasviz.render(net, "style", from_=cat, style=photos, **SHORT)
    with pytest.raises(UsageError, match="no photos at"):
        kerasviz.render(net, "style", from_=cat, style=photos / "none.png", **SHORT)
