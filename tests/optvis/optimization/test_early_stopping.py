"""Rolling batches: who leaves, who enters, and that nobody's picture depends on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny

from kerasviz.optvis.objectives.objective import channel, diversity
from kerasviz.optvis.optimization.early_stopping import GAIN, has_converged
from kerasviz.optvis.optimization.run import CHUNK
from kerasviz.optvis.recipe import PATIENCE
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.batching import ENTERING, Batch, make_batches
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures

SHORT = recipe("fast").replace(steps=160, size=(24, 24), learning_rate=0.02, patience=CHUNK)


def requests(units: list[int], chosen: Any = SHORT, **others: Any) -> list[Request]:
    return [Request(f"joined:{u}", channel("joined", u), chosen, **others) for u in units]


def rendered(units: list[int], batch: int, **others: Any) -> list[Picture]:
    net = tiny.network()
    asked = requests(units, **others)
    return render_batch(net, Batch.of(net, asked, batch))


def test_convergence_is_a_small_gain_of_the_means() -> None:
    rising, flat = np.linspace(1, 2, 32), np.full(32, -3.0)
    assert not has_converged(rising, 8)
    assert has_converged(flat, 8)
    assert has_converged(-rising, 8)  # it falls
    step = np.concatenate([np.ones(8), np.full(8, 1 + 2 * GAIN)])
    assert not has_converged(step, 8)
    assert has_converged(np.concatenate([np.ones(8), np.full(8, 1 + GAIN / 2)]), 8)


def test_pictures_end_at_their_own_steps_and_are_those_of_so_many_steps() -> None:
    net = tiny.network()
    found = rendered([0, 1, 2, 4], batch=2)
    taken = [len(p.history) for p in found]
    assert len(set(taken)) > 1 and min(taken) >= 2 * CHUNK and not any(t % CHUNK for t in taken)
    for picture, steps in zip(found, taken, strict=True):
        fixed = SHORT.replace(patience=0, steps=steps)
        (other,) = render_batch(
            net, make_batches(net, requests([picture_unit(picture)], fixed, batch=2))[0]
        )
        assert np.array_equal(picture.image, other.image)
        # The last bit of a mean depends on the place in the batch, that of a picture does not.
        np.testing.assert_allclose(picture.history, other.history, rtol=1e-5, atol=1e-6)
        assert picture.score == pytest.approx(other.score, rel=1e-5)


def picture_unit(picture: Picture) -> int:
    return int(picture.request.text.partition(":")[2])


def test_a_picture_does_not_depend_on_when_it_enters() -> None:
    one, other = (
        {p.request.text: p for p in rendered(units, batch=2)}
        for units in ([0, 1, 2, 4, 5], [5, 4, 2, 0, 1])
    )
    assert [p.request.text for p in rendered([5, 4, 2], batch=2)] == [
        "joined:5",
        "joined:4",
        "joined:2",
    ]
    for text, picture in one.items():
        assert np.array_equal(picture.image, other[text].image), text
        assert len(picture.history) == len(other[text].history), text


def test_the_opacity_of_a_picture_does_not_depend_on_when_it_enters() -> None:
    maco = recipe("maco").replace(size=(18, 15), steps=64, patience=CHUNK, views=2)
    maco = maco.replace(transform=maco.transform.with_crops(size=(12, 12)), learning_rate=0.1)
    one, other = (
        {p.request.text: p for p in rendered(units, batch=2, chosen=maco)}
        for units in ([1, 2, 4], [4, 1, 2])
    )
    for text, picture in one.items():
        assert picture.opacity is not None and picture.opacity.max() == 1
        assert np.array_equal(picture.opacity, other[text].opacity), text
        assert np.array_equal(picture.image, other[text].image), text


def test_snapshots_are_kept_and_nobody_ends_before_them() -> None:
    found = rendered([0, 1, 2], batch=2, snapshots=(0, 21, 120))
    for picture in found:
        assert sorted(picture.snapshots) == [0, 21, 120]
        assert len(picture.history) > 120 or len(picture.history) == SHORT.steps
    fixed = SHORT.replace(patience=0)
    for picture, other in zip(found, plain([0, 1, 2], fixed, (0, 21, 120)), strict=True):
        for step, image in picture.snapshots.items():
            assert np.array_equal(image, other.snapshots[step])


def plain(units: list[int], chosen: Any, snapshots: tuple[int, ...]) -> list[Picture]:
    net = tiny.network()
    asked = requests(units, chosen, snapshots=snapshots, batch=2)
    return [p for each in make_batches(net, asked) for p in render_batch(net, each)]


def test_groups_leave_together_and_redirected_steps_come_first() -> None:
    net = tiny.network()
    coupled = channel("joined", 1) + diversity("joined", 0.1)
    asked = [Request("joined:1", coupled, SHORT, rows=3)]
    pictures = render_batch(net, make_batches(net, asked)[0])
    assert len({len(p.history) for p in pictures}) == 1
    redirected = SHORT.replace(redirect_steps=5, pre_activation=False)
    asked = requests([0, 1, 2, 4, 5], redirected, batch=2)
    assert [len(p.requests) for p in make_batches(net, asked)] == [2, 2, 1]
    for picture in render_batch(net, make_batches(net, asked)[0]):
        fixed = redirected.replace(patience=0, steps=len(picture.history))
        (other,) = render_batch(
            net, make_batches(net, requests([picture_unit(picture)], fixed, batch=2))[0]
        )
        assert np.array_equal(picture.image, other.image)


def test_plans_have_some_to_enter() -> None:
    net = tiny.network()
    plans = make_batches(net, requests([u % 9 for u in range(9)], batch=2))
    assert [len(p.requests) for p in plans] == [2 * ENTERING, 1]


def test_a_store_keeps_and_verifies_them(tmp_path: Path) -> None:
    net = tiny.network()
    asked = requests([0, 1, 2, 4, 5], batch=2)
    assert render_into(Store(tmp_path, net), asked).made == 5
    assert render_into(Store(tmp_path, net), asked).made == 0
    assert {each.result for each in verify_pictures(tmp_path, net)[0]} == {"same"}


def test_the_command_has_patience(
    run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import json

    from kerasviz.rendering.manifest import MANIFEST

    monkeypatch.chdir(tmp_path)
    words = ("--recipe", "fast", "--size", 32, "--steps", 1, "--until-converged", "--out", "made")
    ended = run_cli("render", "efficientnet-lite0", "block1a:1", *words)
    assert ended.code == 0, ended.err
    manifest = json.loads((tmp_path / "made" / MANIFEST).read_text())
    (request,) = manifest["requests"].values()
    assert request["recipe"]["patience"] == PATIENCE
    assert "--until-converged" in (tmp_path / "made" / "index.html").read_text()
