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
    monkeypatch.setattr(module, "PATIENCE", 0)
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
        for part in ("rankings", "statistics"):
            a, b = (getattr(each, part)[tap].to_arrays() for each in (again, whole))
            for name in a:
                np.testing.assert_array_equal(a[name], b[name], name)
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
        one, two = first.statistics[tap], second.statistics[tap]
        for unit in range(one.units):
            np.testing.assert_array_equal(one.histogram.counts[unit], two.histogram.counts[unit])
            kept, other = one.reservoir.of(unit), two.reservoir.of(unit)
            np.testing.assert_array_equal(kept["tie"], other["tie"])
            np.testing.assert_array_equal(kept["image"], len(asked.source) - 1 - other["image"])


def test_positions_are_drawn_for_each_image_alone_and_differ(photos: Path, tmp_path: Path) -> None:
    drawn = []
    for batch in (5, 8):
        (tmp_path / str(batch)).mkdir()
        asked = question(photos, positions=3, batch=batch)
        found = search(asked, tmp_path / str(batch))
        counts = {t: int(s.histogram.counts[0].sum()) for t, s in found.statistics.items()}
        assert counts == {"joined": 63, "left": 63, "logits": 21}  # logits have one position
        kept = found.statistics["left"].reservoir.of(1)
        drawn.append(sorted(zip(kept["image"].tolist(), kept["place"].tolist(), strict=True)))
        assert len(set(drawn[-1])) == len(drawn[-1])
    assert drawn[0] == drawn[1]
    assert len({place for _, place in drawn[0]}) > 10


def test_images_whose_activations_are_not_finite_are_left_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = question(photos)
    real = module._responses

    def spoiled(asked: Question) -> Any:
        responses = real(asked)

        def spoil(images: np.ndarray, draws: np.ndarray) -> Any:
            found = responses(images, draws)
            high = np.array(found.taps["left"]["high"])
            high[1, 2] = np.nan
            found.taps["left"]["high"] = high
            return found

        return spoil

    monkeypatch.setattr(module, "_responses", spoiled)
    found = search(asked, tmp_path)
    bad = {1, 6, 11, 16, 21}  # the second of every batch
    assert found.odd == len(bad)
    for tap, ranking in found.rankings.items():
        assert not bad & set(ranking.examples("top").image.ravel().tolist())
        assert not bad & set(found.statistics[tap].reservoir.of(0)["image"].tolist())
        counts = found.statistics[tap].histogram.counts.sum(1)
        assert counts.tolist() == [23 - 2 - found.odd] * len(counts)


def test_taps_that_have_no_units_are_refused(photos: Path) -> None:
    source = open_source(str(photos))
    with pytest.raises(UsageError, match="two of them are the same tensor"):
        Question(tiny.network(), ("left", "left/relu"), source, SIZE)
    with pytest.raises(UsageError, match="unknown tap 'nosuch'"):
        Question(tiny.network(), ("nosuch",), source, SIZE)
