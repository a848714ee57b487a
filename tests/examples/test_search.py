"""The search against all activations at once, and against itself interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny

from kerasviz.errors import UsageError
from kerasviz.examples import search as module
from kerasviz.examples.datasets import open_source, read_example
from kerasviz.examples.ranking import BUCKETS
from kerasviz.examples.search import STATE, Question, search, seen_so_far
from kerasviz.io.images import UNREADABLE

SIZE = (19, 22)
TAPS = ("joined", "left", "logits")


def question(photos: Path, **changes: Any) -> Question:
    settings: dict[str, Any] = {"size": SIZE, "count": 4, "batch": 5} | changes
    return Question(tiny.network(), TAPS, open_source(str(photos)), **settings)


def every_activation(asked: Question) -> tuple[list[int], dict[str, np.ndarray]]:
    """The numbers of the readable images and all their activations, by a loop of single images."""
    numbers, maps = [], []
    for i in range(len(asked.source)):
        try:
            pixels = read_example(asked.source.read(i), asked.size, 3)
        except UNREADABLE:
            continue
        image = pixels[None].astype(np.float32) / 255
        maps.append(asked.net.activations(image, list(asked.values.values())))
        numbers.append(i)
    return numbers, {
        tap: np.concatenate([np.asarray(each[name]) for each in maps])
        for tap, name in asked.values.items()
    }


def test_top_and_bottom_are_the_extremes_of_all_activations(photos: Path, tmp_path: Path) -> None:
    asked = question(photos)
    assert asked.values == {"joined": "joined_pre_relu", "left": "left", "logits": "logits"}
    found = search(asked, tmp_path)
    numbers, maps = every_activation(asked)
    assert (found.seen, found.unreadable, found.odd) == (23, 2, 0)
    assert found.names == ["05.png", "17.png"]
    for tap, values in maps.items():
        flat = values.reshape(len(numbers), -1, values.shape[-1])
        for bucket, sign in (("top", 1), ("bottom", -1)):
            kept = found.rankings[tap].examples(bucket)
            best = (sign * flat).max(1)  # images x units
            for unit in range(flat.shape[-1]):
                order = np.argsort(-best[:, unit], kind="stable")[:4]
                expected = [numbers[i] for i in order]
                assert kept.image[unit].tolist() == expected, (tap, unit, bucket)
                np.testing.assert_allclose(
                    kept.value[unit], sign * best[order, unit], rtol=1e-4, atol=1e-5
                )
                at = flat[order, kept.place[unit], unit]
                np.testing.assert_allclose(at, kept.value[unit], rtol=1e-4, atol=1e-5)


class _Stopped(BaseException):
    """Stands for Ctrl-C, or for the end of the process."""


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "INTERVAL", 0.0)  # every batch is kept
    yield


@pytest.mark.parametrize("after", [5, 10, 20])
@pytest.mark.usefixtures("stopping")
def test_an_interrupted_search_goes_on_to_the_same_result(
    photos: Path, tmp_path: Path, after: int
) -> None:
    seen = []

    def stop(scan: module.Scan) -> None:
        seen.append(scan.seen)
        if scan.seen == after:
            raise _Stopped

    asked = question(photos)
    with pytest.raises(_Stopped):
        search(asked, tmp_path, stop)
    assert seen_so_far(tmp_path) == after
    again = search(asked, tmp_path, lambda scan: seen.append(scan.seen))
    assert seen == sorted(set(seen))  # no batch was computed twice
    (tmp_path / "other").mkdir()
    whole = search(asked, tmp_path / "other")
    assert (again.seen, again.unreadable, again.names) == (whole.seen, 2, whole.names)
    for tap in TAPS:
        a, b = (each.rankings[tap].to_arrays() for each in (again, whole))
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
    assert (tmp_path / STATE).read_bytes() == (tmp_path / "other" / STATE).read_bytes()


@pytest.mark.usefixtures("stopping")
def test_what_another_question_found_is_not_used(photos: Path, tmp_path: Path) -> None:
    search(question(photos, limit=10), tmp_path)
    assert seen_so_far(tmp_path) == 10
    for other in (question(photos, limit=11), question(photos, count=3)):
        assert module.read_state(tmp_path / STATE, other, other.key) is None
    same = question(photos, limit=10)
    assert module.read_state(tmp_path / STATE, same, same.key) is not None
    (tmp_path / STATE).write_bytes(b"damaged")
    assert module.read_state(tmp_path / STATE, same, same.key) is None
    assert seen_so_far(tmp_path) == 0


def test_the_order_of_the_images_does_not_matter(photos: Path, tmp_path: Path) -> None:
    asked = question(photos)

    class Backwards:
        label, identity = "backwards", "backwards"

        def __len__(self) -> int:
            return len(asked.source)

        def name(self, number: int) -> str:
            return asked.source.name(len(self) - 1 - number)

        def read(self, number: int) -> bytes:
            return asked.source.read(len(self) - 1 - number)

    other = Question(asked.net, TAPS, Backwards(), SIZE, 4, 5)
    (tmp_path / "b").mkdir()
    first, second = search(asked, tmp_path), search(other, tmp_path / "b")
    for tap in TAPS:
        for bucket in BUCKETS:
            a, b = (each.rankings[tap].examples(bucket) for each in (first, second))
            mirrored = np.where(b.image >= 0, len(asked.source) - 1 - b.image, -1)
            np.testing.assert_array_equal(a.image, mirrored)
            np.testing.assert_array_equal(a.place, b.place)


def test_images_whose_activations_are_not_finite_are_left_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = question(photos)
    real = module._extremes

    def spoiled(asked: Question) -> Any:
        extremes = real(asked)

        def spoil(images: np.ndarray) -> Any:
            found = {t: tuple(np.array(a) for a in each) for t, each in extremes(images).items()}
            found["left"][0][1, 2] = np.nan
            return {t: tuple(_Tensor(a) for a in each) for t, each in found.items()}

        return spoil

    monkeypatch.setattr(module, "_extremes", spoiled)
    found = search(asked, tmp_path)
    bad = {1, 6, 11, 16, 21}  # the second of every batch
    assert found.odd == len(bad)
    for ranking in found.rankings.values():
        assert not bad & set(ranking.examples("top").image.ravel().tolist())


class _Tensor:
    def __init__(self, array: np.ndarray):
        self.array = array

    def numpy(self) -> np.ndarray:
        return self.array


def test_taps_that_have_no_units_are_refused(photos: Path) -> None:
    source = open_source(str(photos))
    with pytest.raises(UsageError, match="two of them are the same tensor"):
        Question(tiny.network(), ("left", "left/relu"), source, SIZE)
    with pytest.raises(UsageError, match="unknown tap 'nosuch'"):
        Question(tiny.network(), ("nosuch",), source, SIZE)
