"""Sums whose terms have other scales."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support import tiny

import kerasviz
from kerasviz import UsageError
from kerasviz.network.network import Identity, Network
from kerasviz.optvis.optimization.run import CHUNK
from kerasviz.rendering import balance as balancing
from kerasviz.rendering.balance import STEPS
from kerasviz.rendering.manifest import read_manifest
from kerasviz.rendering.picture_options import PictureOptions, requests_for
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures

WORDS: dict[str, Any] = {
    "recipe": "article",
    "steps": 96,
    "size": 24,
    "precision": "float32",
    "transform": [],
    "progress": False,
}
SHORT: dict[str, Any] = {**WORDS, "steps": 6, "size": (12, 16)}


@pytest.fixture(scope="module")
def net() -> Network:
    """Unit 1 of left has a hundred times the scale of the others."""
    program = tiny.TinyProgram()
    left = program.weights["left"].numpy().copy()
    left[..., 1] *= 100
    program.weights["left"] = tf.constant(left)
    identity = Identity("scales", "scales", "zoo", "7" * 64)
    return Network(program, identity, input_spec=tiny.INPUT, labels=tiny.LABELS)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The terms that are rendered alone."""
    seen: list[str] = []
    original = balancing.render_batches

    def noting(net: Network, batches: Any, *others: Any) -> Any:
        seen.extend(request.text for batch in batches for request in batch.requests)
        return original(net, batches, *others)

    monkeypatch.setattr(balancing, "render_batches", noting)
    yield seen


def wanted(net: Network, *targets: str, **words: Any) -> list[Request]:
    settings = {k: v for k, v in {**SHORT, **words}.items() if k != "progress"}
    recipe = RecipeOptions(
        settings["recipe"],
        settings["steps"],
        settings["size"],
        precision="float32",
        settings={"transform": []},
    )
    options = PictureOptions(balance=True, batch=settings.get("batch"))
    return requests_for(net, list(targets), recipe, options)


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_balance_shows_the_term_that_a_large_one_hides(net: Network) -> None:
    small = ["left:3", "right:1"]
    alone = kerasviz.render(net, ["left:1", *small], **WORDS)
    large, *others = alone.scores
    sums = [f"left:1 + {name}" for name in small]
    plain = kerasviz.render(net, sums, **WORDS)
    shared = kerasviz.render(net, sums, balance=True, **WORDS)
    assert large > 30 * max(others)
    for hidden, shown, name, score in zip(plain, shared, small, others, strict=True):
        assert hidden.term_scores["left:1"] > 0.95 * large
        assert hidden.term_scores[name] < 0.5 * score
        assert shown.term_scores["left:1"] > 0.6 * large
        assert shown.term_scores[name] > 0.6 * score


def test_weights_are_those_of_what_each_term_reaches_alone(net: Network) -> None:
    text = "left:1 - 0.25*right:1 + 2*logits:0 - penalty:tv"
    (made,) = kerasviz.render(net, text, balance=True, **WORDS)
    names = ["left:1", "right:1", "logits:0"]
    alone = kerasviz.render(net, names, **{**WORDS, "steps": STEPS})
    assert made.target == f"{text}, balanced"
    for picture in alone:
        assert made.alone[picture.target] == pytest.approx(picture.score, rel=1e-4)
    scale = [max(abs(p.score), p.score - p.history[0]) for p in alone]
    own = made.request.objective.at(0, 1).own
    np.testing.assert_allclose(
        [term.weight for term in own], np.array([1, -0.25, 2]) / scale, rtol=1e-3
    )
    assert made.request.objective.at(0, 1).terms[-1].weight == -1.0
    # The score is the sum of the shares.
    scores = [made.term_scores[name] for name in names]
    assert made.score == pytest.approx(float(np.dot(scores, [t.weight for t in own])), rel=1e-4)


def test_one_term_stays_as_it_is(net: Network) -> None:
    for target in ("left:1", "3*left:1 - penalty:l1"):
        (plain,) = kerasviz.render(net, target, **SHORT)
        (same,) = kerasviz.render(net, target, balance=True, **SHORT)
        assert same.request == plain.request and not same.alone and not same.term_scores
        np.testing.assert_array_equal(same.image, plain.image)


def test_the_same_call_renders_nothing_and_other_sums_only_new_terms(
    net: Network, parts: list[str], tmp_path: Path
) -> None:
    words = {**SHORT, "balance": True, "out": tmp_path}
    first = kerasviz.render(net, ["left:1 + left:3", "left:1 - right:1"], **words)
    assert sorted(parts) == ["left:1", "left:3", "right:1"]
    before = pictures(tmp_path)
    again = kerasviz.render(net, ["left:1 + left:3", "left:1 - right:1"], **words)
    assert len(parts) == 3 and pictures(tmp_path) == before
    for one, other in zip(first, again, strict=True):
        assert one.term_scores == other.term_scores and one.alone == other.alone != {}
    kerasviz.render(net, ["left:3 + right:1 + left:2"], **words)
    assert parts[3:] == ["left:2"]
    assert before.items() <= pictures(tmp_path).items()
    kerasviz.render(net, ["left:4"], **{**words, "steps": min(STEPS, SHORT["steps"])})
    kerasviz.render(net, ["left:1 + left:4"], **words)
    assert parts[4:] == []  # its picture had as many steps


def test_verify_and_again_need_no_terms(net: Network, parts: list[str], tmp_path: Path) -> None:
    words = {**SHORT, "balance": True, "snapshots": (2,), "diversity": 2, "out": tmp_path}
    kerasviz.render(net, ["left:1 + 0.5*left:3", "left:1 + left:1"], **words)
    rendered = len(parts)
    assert verify_pictures(tmp_path, net).summary == "8 files: 8 same"
    name = "left-1+0.5xleft-3,balanced-0.png"
    kerasviz.render_again(tmp_path / name, net, out=tmp_path / "again")
    assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()
    assert len(parts) == rendered
    settings = next(iter(read_manifest(tmp_path)["requests"].values()))
    assert settings["balance"] is True
    assert [("alone" in term) for term in settings["objective"]] == [True, True, False]
    page = (tmp_path / "index.html").read_text()
    assert "left:1 + 0.5*left:3, balanced" in page and "alone" in page


def test_a_picture_depends_on_its_own_sum_only(net: Network, tmp_path: Path) -> None:
    sums = ["left:1 + left:3", "left:0 - left:2", "right:1 + right:2", "left:1 + left:0"]
    render_into(Store(tmp_path / "all", net), wanted(net, *sums, batch=2))
    for number, text in enumerate(sums):
        folder = tmp_path / str(number)
        render_into(Store(folder, net), wanted(net, text, batch=2))
        assert pictures(folder).items() <= pictures(tmp_path / "all").items()


def test_an_interrupted_run_goes_on_to_the_same_bytes(net: Network, tmp_path: Path) -> None:
    sums = ["left:1 + left:3", "left:0 - left:2", "right:1 + left:2 + left:1"]
    render_into(Store(tmp_path / "whole", net), wanted(net, *sums))

    def interrupt(progress: kerasviz.RenderProgress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_into(Store(tmp_path / "parts", net), wanted(net, *sums), interrupt)
    assert 0 < len(pictures(tmp_path / "parts")) < 3
    render_into(Store(tmp_path / "parts", net), wanted(net, *sums))
    assert pictures(tmp_path / "parts") == pictures(tmp_path / "whole")


def test_the_key_is_known_before_the_balance_is(net: Network) -> None:
    (request,) = wanted(net, "left:1 + left:3")
    (known,) = balancing.weighed(net, [request])
    assert known != request and known.key(net) == request.key(net)
    assert replace(request, balance=False).key(net) != request.key(net)
    copy = Request.from_json(known.text, json.loads(json.dumps(known.to_json())))
    assert copy == known


def test_progress_says_what_is_measured(net: Network) -> None:
    seen = []
    kerasviz.render(
        net, "left:1 + left:3", balance=True, **{**SHORT, "steps": CHUNK, "progress": seen.append}
    )
    assert [report.text for report in seen] == [
        "alone: left:1 … left:3",
        "left:1 + left:3, balanced",
    ]
    assert [report.fraction for report in seen] == [0.0, 1.0]


def test_a_dead_term_is_named() -> None:
    net = tiny.network()
    words = {**SHORT, "pre_activation": False, "redirect_steps": 0}
    with pytest.raises(UsageError, match=r"'left:1 \+ 2\*relu1:3@0,0': relu1:3@0,0 reaches 0 al"):
        kerasviz.render(net, "left:1 + 2*relu1:3@0,0", balance=True, **words)


def test_rows_that_end_when_they_have_converged_have_scores_of_terms(net: Network) -> None:
    sums = ["left:1 + left:3", "left:0 - left:2", "left:4 + left:2"]
    words = {**SHORT, "steps": 48, "patience": 16, "batch": 2}
    for picture in kerasviz.render(net, sums, balance=True, **words):
        first, second = picture.request.objective.at(0, 1).own
        scores = list(picture.term_scores.values())
        whole = first.weight * scores[0] + second.weight * scores[1]
        assert picture.score == pytest.approx(whole, rel=1e-4)
        a = net.activations(picture.image[None], ["left"])["left"].numpy().mean((0, 1, 2))
        np.testing.assert_allclose(scores, [a[first.unit], a[second.unit]], rtol=1e-4)


def test_tiles_have_scores_of_terms(net: Network) -> None:
    (picture,) = kerasviz.render(
        net, "left:1 + left:3", balance=True, **{**SHORT, "size": (16, 24), "tile": 8}
    )
    image = picture.image
    tiles = [image[y : y + 8, x : x + 8] for y in (0, 8) for x in (0, 8, 16)]
    a = net.activations(np.stack(tiles), ["left"])["left"].numpy().mean((0, 1, 2))
    np.testing.assert_allclose(list(picture.term_scores.values()), [a[1], a[3]], rtol=1e-4)
