"""What is optimized, from the words of a command to the folder and back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import PHOTO, LoopInputs
from kerasviz.optvis.parameterizations import Clip, Grey, L2Ball, LinfBall
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.adapting import adapt_recipe
from kerasviz.rendering.commands import recipe_args
from kerasviz.rendering.rendering import Rendering

NET = network()
SHORT: dict[str, Any] = {"steps": 4, "size": (15, 20), "precision": "float32", "progress": False}
PHOTO_PIXELS = np.random.default_rng(0).integers(0, 256, (2, 15, 20, 3)).astype(np.uint8)
FROM: dict[str, Any] = {"from_": PHOTO_PIXELS[0]}
OWN = [Clip(), Grey()]
NEAR = [L2Ball(), LinfBall()]


def kinds(chosen: list[Any]) -> list[str]:
    return [each.kind for each in chosen]


def said(made: Rendering) -> str:
    """The options of the command that stand for the recipe of a picture."""
    request = made[0].request
    adapt = partial(adapt_recipe, objective=request.objective, net=NET)
    return " ".join(recipe_args(request.recipe, "", adapt) or [])


@pytest.mark.parametrize("chosen", [*OWN, *NEAR], ids=kinds([*OWN, *NEAR]))
def test_rows_are_independent_and_a_run_resumes_to_the_byte(chosen: Any) -> None:
    near = chosen in NEAR
    settings = recipe("accentuation" if near else "fast").replace(
        steps=20, size=(15, 20), parameterization=chosen, views=1, opacity=False
    )

    def batch(units: list[int], seeds: list[int], photos: list[int]) -> LoopInputs:
        objectives = [channel("joined", unit) for unit in units]
        structure = structure_of(objectives[0], NET)
        data = pack_objectives(structure, objectives, NET)
        if near:
            data[PHOTO] = PHOTO_PIXELS[photos].astype(np.float32) / 255
        return LoopInputs(structure, data, np.array(seeds, np.int32), np.arange(len(units)))

    kept: list[Any] = []
    whole = optimize(NET, settings, batch([1, 2], [0, 1], [0, 1]), progress=kept.append)
    assert whole.history[-5:].mean() > whole.history[:5].mean()
    other = optimize(NET, settings, batch([5, 2], [7, 1], [1, 1]))
    np.testing.assert_array_equal(whole.images[1], other.images[1])
    again = optimize(NET, settings, batch([1, 2], [0, 1], [0, 1]), resume=kept[0].checkpoint())
    np.testing.assert_array_equal(again.images, whole.images)


@pytest.mark.parametrize("kind", kinds([*OWN, *NEAR]))
def test_pictures_are_verified_and_made_again_from_their_file(kind: str, tmp_path: Path) -> None:
    near = kind in kinds(NEAR)
    words = {**SHORT, "param": kind, **({"from_": PHOTO_PIXELS[0]} if near else {})}
    made = kerasviz.render(NET, "joined:1", out=tmp_path / "out", **words)
    assert kerasviz.verify(tmp_path / "out", NET, progress=False).same
    (file,) = (f for f in (tmp_path / "out").glob("*.png") if f.name.count(".") == 1)
    again = kerasviz.render_again(file, NET, out=tmp_path / "again", progress=False)
    np.testing.assert_array_equal(again.images, made.images)
    assert f"--param {kind}" in said(made)
    change = made.images[0] - PHOTO_PIXELS[0] / np.float32(255)
    if kind == "linf-ball":
        assert 0.01 < np.abs(change).max() < 0.1 + 1 / 255
    if kind == "l2-ball":
        assert 0.005 < np.sqrt(np.mean(change**2)) < 0.1 + 1 / 255
    if kind == "grey":
        assert not np.ptp(made.images[0], axis=-1).any()
    if kind == "clip":
        assert np.ptp(made.images[0]) > 0.1


@pytest.mark.parametrize(
    ("target", "words", "line"),
    [
        (
            "joined:1",
            {"param": "l2-ball"},
            "param l2-ball start from a photo and stay near it; give",
        ),
        (
            "caricature:joined",
            {"param": "linf-ball", "from_": PHOTO_PIXELS[0]},
            "and another target",
        ),
        ("joined:1", {**FROM, "param": "grey"}, "grey: it cannot hold a photo"),
        (
            "joined:1",
            {**FROM, "param": "l2-ball", "recipe": "deepdream"},
            "param with a radius: pictures in octaves",
        ),
        ("joined:1", {"param": "clipp"}, "clip"),
    ],
)
def test_bad_use_is_one_line(target: str, words: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        kerasviz.render(NET, target, **{**SHORT, **words})
    assert "\n" not in str(refused.value)


def test_a_painted_picture_is_finished_in_another_size(tmp_path: Path) -> None:
    """Every third pixel of a picture of three times the distances is one of the small picture."""
    words: dict[str, Any] = {**SHORT, "size": (15, 19), "param": "cppn", "learning_rate": 0.05}
    small = kerasviz.render(NET, ["joined:1", "joined:2"], snapshots=[2], **words)
    made = kerasviz.render(
        *(NET, ["joined:1", "joined:2"]), snapshots=[2], final_size="43x55", out=tmp_path, **words
    )
    assert made.images.shape == (2, 43, 55, 3)
    np.testing.assert_allclose(made.images[:, ::3, ::3], small.images, atol=1.01 / 255)
    assert np.ptp(small.images[0]) > 0.02
    for one, other in zip(made, small, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-5)
        assert one.snapshots[2].shape == (43, 55, 3)
    assert kerasviz.verify(tmp_path, NET, progress=False).same
    painted = recipe("fast").of_kind("cppn").replace(final_size=(43, 55))
    assert recipe_args(painted, "")[-3:-1] == ["43x55", "--precision"]
    assert 'width="55"' in (tmp_path / "index.html").read_text()
    (alone,) = kerasviz.render(NET, "joined:2", final_size="43x55", snapshots=[2], batch=2, **words)
    np.testing.assert_allclose(alone.image, made.images[1], atol=1.01 / 255)
    transparent = kerasviz.render(NET, "joined:2", final_size=31, alpha=True, **words)
    assert transparent.images.shape[1:3] == (31, 31)
    assert transparent[0].opacity is not None and transparent[0].opacity.shape == (31, 31)


@pytest.mark.parametrize("patience", [False, True])
def test_a_picture_ends_at_its_cutoff(patience: bool, tmp_path: Path) -> None:
    still = Recipe("still", transform=())  # of crops the score is that of a resized picture
    words = {**SHORT, **FROM, "steps": 40, "recipe": still}
    whole = kerasviz.render(NET, "joined:1", snapshots=range(0, 40, 4), **words)[0]
    wanted = {step: score_of(image) for step, image in whole.snapshots.items()}
    assert wanted[0] < wanted[12] < wanted[36]
    cutoff = (wanted[0] + wanted[20]) / 2
    first = min(step for step, score in wanted.items() if score >= cutoff)
    asked = {**words, "snapshots": range(0, 40, 4), "until_converged": patience}
    picture = kerasviz.render(NET, "joined:1", cutoff=cutoff, out=tmp_path, **asked)[0]
    steps = len(picture.history)
    assert first - 4 < steps <= first and picture.score >= cutoff
    assert score_of(whole.snapshots[steps - steps % 4 - 4]) < cutoff
    if steps in whole.snapshots:
        np.testing.assert_allclose(picture.image, whole.snapshots[steps], atol=2 / 255)
    assert [*picture.snapshots] == [*range(0, 40, 4)]  # else the folder would lack some
    for step, image in picture.snapshots.items():
        if step > steps:
            np.testing.assert_array_equal(image, picture.image)
    again = kerasviz.render(NET, "joined:1", cutoff=cutoff, out=tmp_path, **asked)
    assert again[0].image.tobytes() == picture.image.tobytes()
    assert kerasviz.verify(tmp_path, NET, progress=False).same
    asked_for = recipe_args(recipe("fast").replace(cutoff=1.5), "") or []
    assert asked_for[2:4] == ["--cutoff", "1.5"]


def score_of(image: np.ndarray) -> float:
    """The mean of unit 1 before the ReLU, for an untransformed picture."""
    return float(NET.activations(image[None], ["left"])["left"][..., 1].numpy().mean())


def test_views_are_words_of_the_command(tmp_path: Path) -> None:
    made = kerasviz.render(NET, "joined:1", views=16, out=tmp_path, **{**SHORT, **FROM})
    assert made[0].request.recipe.views == 16 and "--views 16" in said(made)
    assert kerasviz.verify(tmp_path, NET, progress=False).same
    with pytest.raises(UsageError, match="views 0: expected a whole number of 1 or more"):
        kerasviz.render(NET, "joined:1", views=0, **{**SHORT, **FROM})
