"""The choice of examples against a choice from all activations at once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kerasviz.examples.ranking import BUCKETS, Extremes, Ranking

UNITS = 7


def responses(images: int, seed: int = 0) -> Extremes:
    """Responses whose sizes span many octaves; some are equal, some units have one sign only."""
    draw = np.random.default_rng(seed)
    high = draw.normal(0, 1, (UNITS, images)) * 2.0 ** draw.uniform(-6, 6, (UNITS, images))
    low = high - np.abs(draw.normal(0, 1, high.shape)) * 2.0 ** draw.uniform(-6, 6, high.shape)
    high[1], low[2] = -np.abs(high[1]) - 1, np.abs(low[2]) + 1
    low[1], high[2] = high[1] - 1, low[2] + 1
    high[3] = np.round(high[3])  # many ties
    return Extremes(
        images=np.arange(images),
        ties=draw.permutation(images) * 1009 + 7,
        high=high.astype(np.float32),
        low=low.astype(np.float32),
        high_place=draw.integers(0, 50, high.shape).astype(np.int32),
        low_place=draw.integers(0, 50, high.shape).astype(np.int32),
    )


def ranked(found: Extremes, count: int, batches: list[np.ndarray]) -> Ranking:
    ranking = Ranking(UNITS, count)
    for b in batches:
        ranking.offer(
            Extremes(
                found.images[b],
                found.ties[b],
                found.high[:, b],
                found.low[:, b],
                found.high_place[:, b],
                found.low_place[:, b],
            )
        )
    return ranking


def twin(found: Extremes, unit: int, bucket: str, count: int) -> list[int]:
    """The images of a bucket, chosen from all of them in plain Python."""
    high = bucket in ("top", "positive")
    values = (found.high if high else found.low)[unit].tolist()
    if not high:
        values = [-v for v in values]
    ties = found.ties.tolist()
    everything = range(len(values))
    if bucket in ("top", "bottom"):
        return sorted(everything, key=lambda i: (-values[i], ties[i]))[:count]
    positive = [i for i in everything if values[i] > 0]
    if not positive:
        return []
    largest = max(values[i] for i in positive)
    lowest = math.floor(math.log2(largest)) - 3
    octaves: dict[int, list[int]] = {}
    for i in positive:
        octaves.setdefault(max(math.floor(math.log2(values[i])), lowest - 1), []).append(i)
    sample = [
        i
        for members in octaves.values()
        for i in sorted(members, key=lambda i: ties[i])[:count]
        if values[i] < largest / 2
    ]
    near = sorted(sample, key=lambda i: (abs(math.log2(values[i] / largest * 8)), ties[i]))
    return sorted(near[:count], key=lambda i: (-values[i], ties[i]))


def split(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[i : i + size] for i in range(0, len(order), size)]


@pytest.mark.parametrize(("images", "count", "batch"), [(1, 3, 4), (11, 10, 4), (300, 3, 7)])
def test_buckets_are_those_of_a_choice_from_all(images: int, count: int, batch: int) -> None:
    found = responses(images)
    ranking = ranked(found, count, split(np.arange(images), batch))
    for bucket in BUCKETS:
        kept = ranking.examples(bucket)
        values = found.high if bucket in ("top", "positive") else found.low
        places = found.high_place if bucket in ("top", "positive") else found.low_place
        for unit in range(UNITS):
            expected = twin(found, unit, bucket, count)
            images_kept = kept.image[unit].tolist()
            assert images_kept == expected + [-1] * (count - len(expected)), (bucket, unit)
            n = len(expected)
            np.testing.assert_array_equal(kept.value[unit, :n], values[unit, expected])
            np.testing.assert_array_equal(kept.place[unit, :n], places[unit, expected])


def test_buckets_of_one_sign_are_empty_where_a_unit_has_the_other() -> None:
    ranking = ranked(responses(50), 5, [np.arange(50)])
    assert (ranking.examples("positive").image[1] == -1).all()
    assert (ranking.examples("negative").image[2] == -1).all()
    assert (ranking.examples("positive").image[2] >= 0).any()
    assert (ranking.examples("top").image >= 0).all()


def test_slight_examples_are_slight() -> None:
    found = responses(300)
    kept = ranked(found, 3, [np.arange(300)]).examples("positive")
    ratio = kept.value / found.high.max(1, keepdims=True)
    there = kept.image >= 0
    assert there.sum() >= 15
    assert (ratio[there] < 0.5).all()
    assert np.median(ratio[there]) == pytest.approx(1 / 8, abs=0.05)


def test_neither_order_nor_batches_matter() -> None:
    found = responses(120)
    usual = ranked(found, 4, split(np.arange(120), 8))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(120)
        other = ranked(found, 4, split(order, 5 + 8 * seed))
        for bucket in BUCKETS:
            a, b = usual.examples(bucket), other.examples(bucket)
            np.testing.assert_array_equal(a.image, b.image)
            np.testing.assert_array_equal(a.value, b.value)


def test_a_largest_response_that_comes_late_leaves_nothing_behind() -> None:
    """Steps of one octave and of many, upwards: what was slight at first is not so any more."""
    high = np.float32([[0.1, 1, 1.5, 3, 6, 7, 1000, 100, 130, 2000, 240]])
    n = high.shape[1]
    places = np.zeros((1, n), np.int32)
    found = Extremes(np.arange(n), np.arange(n)[::-1], high, high, places, places)
    ranking = Ranking(1, 3)
    for i in range(n):
        at = slice(i, i + 1)
        one = Extremes(*(getattr(found, f)[..., at] for f in Extremes.__dataclass_fields__))
        ranking.offer(one)
    # The images that are nearest to 2000 / 8 = 250, among those below 1000.
    assert ranking.examples("positive").image.tolist() == [[10, 8, 7]]


def test_memory_does_not_grow() -> None:
    sizes = []
    for images in (20, 2000):
        ranking = ranked(responses(images), 3, split(np.arange(images), 50))
        sizes.append(sum(array.nbytes for array in ranking.to_arrays().values()))
    assert sizes[0] == sizes[1]


def test_arrays_hold_all() -> None:
    found = responses(100)
    first = ranked(found, 4, split(np.arange(60), 10))
    second = Ranking(UNITS, 4)
    second.restore({name: array.copy() for name, array in first.to_arrays().items()})
    rest = np.arange(60, 100)
    for ranking in (first, second):
        for b in split(rest, 10):
            ranking.offer(
                Extremes(*(getattr(found, f)[..., b] for f in Extremes.__dataclass_fields__))
            )
    for name, array in first.to_arrays().items():
        np.testing.assert_array_equal(array, second.to_arrays()[name])
    with pytest.raises(KeyError):
        second.restore({})
