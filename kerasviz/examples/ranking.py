"""Rank images as examples of units, in short lists that do not depend on their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerasviz.types import Array

#: The kinds of examples, from the highest activation to the lowest.
BUCKETS = ("top", "positive", "negative", "bottom")
#: Octaves between the largest activation of a unit and a slight one, which is 1/8 of it.
OCTAVES = 3
_FIELDS = ("key", "tie", "value", "image", "place")
_EMPTY = {"key": np.inf, "tie": -1, "value": 0.0, "image": -1, "place": 0}
_TYPES = {
    "key": np.float64,
    "tie": np.int64,
    "value": np.float32,
    "image": np.int64,
    "place": np.int32,
}


@dataclass(frozen=True)
class Extremes:
    """The strongest responses of units to a batch of images.

    ``high`` and ``low`` [units, images] are the largest and the smallest activation of a unit in
    an image, ``high_place`` and ``low_place`` the positions (y * width + x) at which they occur.
    ``images`` [images] are the numbers of the images, ``ties`` [images] whole numbers from 0 that
    depend on their names only, and decide between equal activations.
    """

    images: Array
    ties: Array
    high: Array
    low: Array
    high_place: Array
    low_place: Array


@dataclass(frozen=True)
class TopExamples:
    """The examples of all units in one bucket, best first.

    All are [units, k]: activations ``value``, image numbers ``image`` (-1 for none) and positions
    ``place``.
    """

    value: Array
    image: Array
    place: Array


class Shortlist:
    """The ``count`` entries of every row with the smallest (key, tie), in order.

    The key of an empty entry is infinity. Arrays are [rows, count].
    """

    def __init__(self, rows: int, count: int):
        self.count = count
        self.arrays: dict[str, Array] = {
            name: np.full((rows, count), _EMPTY[name], _TYPES[name]) for name in _FIELDS
        }

    def offer(self, rows: Array | slice, entries: Mapping[str, Array]) -> None:
        """Take the better ones of the entries, arrays [rows, n], for some of the rows."""
        listed = {name: array[rows] for name, array in self.arrays.items()}
        last, new = listed["key"][:, -1:], entries["key"]
        # Entries of equal key and tie are the same, and listed already.
        better = (new < last) | ((new == last) & (entries["tie"] < listed["tie"][:, -1:]))
        touched = np.flatnonzero((better & np.isfinite(new)).any(1))
        if not touched.size:
            return
        joined = {n: np.concatenate([listed[n][touched], entries[n][touched]], 1) for n in _FIELDS}
        order = np.lexsort((joined["tie"], joined["key"]), axis=-1)[:, : self.count]
        number = np.arange(len(self.arrays["key"]))[rows][touched]
        for name in _FIELDS:
            self.arrays[name][number] = np.take_along_axis(joined[name], order, 1)

    def take(self, rows: Array) -> dict[str, Array]:
        """Return copies of the entries of some rows."""
        return {name: array[rows].copy() for name, array in self.arrays.items()}

    def put(self, rows: Array, entries: Mapping[str, Array] | None) -> None:
        """Replace the entries of some rows, or clear them."""
        for name, array in self.arrays.items():
            array[rows] = _EMPTY[name] if entries is None else entries[name]


class Ladder:
    """The images of every unit whose response is about an eighth of the largest.

    The largest is known only at the end, and memory is bounded. Responses are therefore listed by
    octave (powers of two): ``count`` images of the octave of the largest, of each of the three
    below it, and of all lower ones. An octave with more images lists those with the smallest ties,
    a sample that does not depend on the order. At the end the ladder chooses, among responses below
    a half of the largest, those nearest, as a ratio, to an eighth of it. The article does not give
    its rule.
    """

    def __init__(self, units: int, count: int):
        self.count = count
        self.largest: Array = np.zeros(units, np.float32)
        # Rung 0 holds all lower ones; rung j >= 1 the octave j - 1 above the lowest listed one.
        self.rungs = [Shortlist(units, count) for _ in range(OCTAVES + 2)]

    def offer(self, entries: Mapping[str, Array]) -> None:
        """Take entries, arrays [units, images], with values above 0."""
        values = entries["value"]
        self._rise(np.maximum(self.largest, values.max(1, initial=0)))
        lowest = np.frexp(self.largest)[1][:, None] - OCTAVES
        rung = np.clip(np.frexp(values)[1] - lowest + 1, 0, OCTAVES + 1)
        for j, shortlist in enumerate(self.rungs):
            key = np.where((values > 0) & (rung == j), entries["tie"].astype(np.float64), np.inf)
            shortlist.offer(slice(None), {**entries, "key": key})

    def _rise(self, largest: Array) -> None:
        """Move the rungs of the units whose largest response is in a higher octave now."""
        before, after = np.frexp(self.largest)[1], np.frexp(largest)[1]
        steps = np.where(self.largest > 0, after - before, 0)
        self.largest = largest
        for _ in range(OCTAVES + 1):  # after these steps all are in the lowest
            rows = np.flatnonzero(steps > 0)
            if not rows.size:
                return
            self.rungs[0].offer(rows, self.rungs[1].take(rows))
            for below, above in zip(self.rungs[1:], self.rungs[2:], strict=False):
                below.put(rows, above.take(rows))
            self.rungs[-1].put(rows, None)
            steps[rows] -= 1

    def chosen(self) -> TopExamples:
        """Return the entries nearest to an eighth of the largest, the largest of them first."""
        joined = {
            name: np.concatenate([rung.arrays[name] for rung in self.rungs], 1) for name in _FIELDS
        }
        slight = (joined["image"] >= 0) & (joined["value"] < self.largest[:, None] / 2)
        joined["image"] = np.where(slight, joined["image"], -1)
        target = np.where(self.largest > 0, self.largest, 1).astype(np.float64) / 2**OCTAVES
        values = np.where(slight, joined["value"], 1).astype(np.float64)
        distance = np.where(slight, np.abs(np.log2(values / target[:, None])), np.inf)
        near = np.lexsort((joined["tie"], distance), axis=-1)[:, : self.count]
        chosen = {name: np.take_along_axis(array, near, 1) for name, array in joined.items()}
        first = np.where(chosen["image"] >= 0, -chosen["value"].astype(np.float64), np.inf)
        order = np.lexsort((chosen["tie"], first), axis=-1)
        parts = [np.take_along_axis(chosen[n], order, 1) for n in ("value", "image", "place")]
        return TopExamples(*parts)


class Ranking:
    """The examples of all units of a tap, in all buckets, in constant memory.

    An image counts with its largest activation on the positive side and with its smallest on the
    negative side, so that it is an example once in a bucket. ``top`` and ``bottom`` are extremes;
    ``positive`` and ``negative`` are about an eighth of the extremes of that sign, see
    :class:`Ladder`. The result does not depend on the order of the images.
    """

    def __init__(self, units: int, count: int):
        self.units, self.count = units, count
        self.ends = {name: Shortlist(units, count) for name in ("top", "bottom")}
        self.slight = {name: Ladder(units, count) for name in ("positive", "negative")}

    def offer(self, extremes: Extremes) -> None:
        """Take the responses to a batch."""
        shape = extremes.high.shape
        both = {
            "tie": np.broadcast_to(extremes.ties, shape),
            "image": np.broadcast_to(extremes.images, shape),
        }
        high = {**both, "value": extremes.high, "place": extremes.high_place}
        low = {**both, "value": extremes.low, "place": extremes.low_place}
        rows = slice(None)
        self.ends["top"].offer(rows, {**high, "key": -extremes.high.astype(np.float64)})
        self.ends["bottom"].offer(rows, {**low, "key": extremes.low.astype(np.float64)})
        self.slight["positive"].offer(high)
        self.slight["negative"].offer({**low, "value": -extremes.low})

    def examples(self, bucket: str) -> TopExamples:
        """Return the examples in a bucket, the most extreme first."""
        if bucket in self.ends:
            arrays = self.ends[bucket].arrays
            return TopExamples(arrays["value"], arrays["image"], arrays["place"])
        chosen = self.slight[bucket].chosen()
        sign = 1 if bucket == "positive" else -1
        return TopExamples(sign * chosen.value, chosen.image, chosen.place)

    def to_arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        arrays: dict[str, Array] = {}
        for name, shortlist in self._shortlists():
            arrays |= {f"{name}/{field}": array for field, array in shortlist.arrays.items()}
        for name, ladder in self.slight.items():
            arrays[f"{name}/largest"] = ladder.largest
        return arrays

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state of :meth:`to_arrays`; raise ``KeyError`` for missing arrays."""
        for name, shortlist in self._shortlists():
            shortlist.arrays = {field: arrays[f"{name}/{field}"].copy() for field in _FIELDS}
        for name, ladder in self.slight.items():
            ladder.largest = arrays[f"{name}/largest"].copy()

    def _shortlists(self) -> list[tuple[str, Shortlist]]:
        rungs = [
            (f"{name}/{j}", rung)
            for name, ladder in self.slight.items()
            for j, rung in enumerate(ladder.rungs)
        ]
        return [*self.ends.items(), *rungs]
