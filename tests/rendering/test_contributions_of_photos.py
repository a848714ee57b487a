"""Caricatures of what in a photo contributes to a target, from the words to the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny import network

import kerasviz
from kerasviz.analysis.contributions import contributions
from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import attributed, logit
from kerasviz.optvis.recipe import Recipe

NET = network()
PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 15, 20, 3)).astype(np.uint8)
SHORT: dict[str, Any] = {"steps": 6, "size": (15, 20), "precision": "float32", "progress": False}
TARGET = "caricature:joined#of=logit:castle"


def test_the_picture_has_what_contributes_in_the_photo(tmp_path: Path) -> None:
    made = kerasviz.render(
        NET, [TARGET, "caricature:joined"], from_=PHOTOS[0], out=tmp_path, **SHORT
    )
    picture = made[0]
    (term,) = picture.request.objective.terms
    assert term.probe is not None and term.of == logit(2).terms
    photo = PHOTOS[0] / np.float32(255)
    wanted = contributions(NET, "joined", logit(2), photo)
    np.testing.assert_allclose(term.probe.numbers, wanted, atol=1e-6)
    image = picture.image[None]
    a = NET.activations(image, ["joined"])["joined"].numpy()[0]
    assert picture.score == pytest.approx(float((a * wanted).sum()), abs=0.05)  # 8 bits
    still = Recipe("still", transform=())
    alone = kerasviz.render(NET, TARGET, from_=PHOTOS[0], recipe=still, **{**SHORT, "steps": 20})
    assert (np.diff(alone[0].history) > 0).all() and alone[0].history[-1] > 10
    assert not np.allclose(made[0].image, made[1].image, atol=0.02)
    # From noise, not from the photo; kept with all that makes it again.
    assert np.abs(picture.image - photo).mean() > 0.1
    assert kerasviz.verify(tmp_path, NET, progress=False).same
    file = next(path for path in tmp_path.glob("*.png") if "logit" in path.name)
    again = kerasviz.render_again(file, NET, out=tmp_path / "again", progress=False)
    np.testing.assert_array_equal(again.images[0], made.images[0])


def test_rows_are_independent_and_python_says_the_same() -> None:
    words = {**SHORT, "batch": 2}
    targets = [TARGET, "caricature:joined#of=logit:panda"]
    both = kerasviz.render(NET, targets, from_=PHOTOS[0], **words)
    for number, target in enumerate(targets):
        alone = kerasviz.render(NET, target, from_=PHOTOS[0], **words)
        np.testing.assert_array_equal(alone.images[0], both.images[number])
    said = kerasviz.render(NET, attributed("joined", logit(2)), from_=PHOTOS[0], **words)
    np.testing.assert_array_equal(said.images[0], both.images[0])
    other = kerasviz.render(NET, TARGET, from_=PHOTOS[1], **words)
    assert not np.array_equal(other.images[0], both.images[0])
    # Views in a smaller size would not fit the photo's positions.
    vivid = kerasviz.render(NET, TARGET, from_=PHOTOS[0], recipe="vivid", **SHORT)
    assert vivid.images.shape == (1, 15, 20, 3)


@pytest.mark.parametrize(
    ("target", "words", "line"),
    [
        (TARGET, {}, "caricature compares a layer with that of a photo; give --from PHOTO"),
        ("caricature:joined#of=relu1:2", {"from_": PHOTOS[0]}, "does not depend on joined"),
        ("caricature:joind#of=logit:1", {"from_": PHOTOS[0]}, "near: joined"),
        ("caricature:joined#of=logit:house", {"from_": PHOTOS[0]}, "house"),
        (f"{TARGET}#cosine=2", {"from_": PHOTOS[0]}, "#cosine is for directions"),
        (TARGET, {"from_": PHOTOS[0], "recipe": "lucid"}, "a recipe that keeps the size"),
    ],
)
def test_bad_use_is_one_line(target: str, words: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        kerasviz.render(NET, target, **{**SHORT, **words})
    assert "\n" not in str(refused.value)
