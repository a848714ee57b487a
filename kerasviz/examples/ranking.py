"""Which images a unit keeps as its examples: short lists that do not depend on the order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kerasviz.types import Array

__all__ = ["BUCKETS", "Extremes", "Ladder", "Ranking", "Shortlist", "TopExamples"]


#: The kinds of examples, from the highest activation to the lowest.
BUCKETS = ("top", "positive", "negative", "bottom")
#: Octaves between the largest activation of a unit and what is called a slight one: 1/8 of it.
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
    ``images`` [images] are the numbers of the images, ``ties`` [images] whole numbers from 0 on
    that depend on their names only, and decide where activations are equal.
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

    All are [units, k]: activations ``value``, image numbers ``image`` (-1 where there are fewer
    than k) and positions ``place``.
    """

    value: Array
    image: Array
    place: Array


class Shortlist:
    """For every row the ``count`` entries with the smallest (key, tie), in order.

    An entry with the key infinity is none. Arrays are [rows, count].
    """

    def __init__(self, rows: int, count: int):
        self.count = count
        self.arrays: dict[str, Array] = {
            name: np.full((rows, count), _EMPTY[name], _TYPES[name]) for name in _FIELDS
        }

    def offer(self, rows: Array | slice, entries: Mapping[str, Array]) -> None:
        """Take what is good enough of the entries, arrays [rows, n], for some of the rows."""
        own = {name: array[rows] for name, array in self.arrays.items()}
        last, new = own["key"][:, -1:], entries["key"]
        # Entries of the same key and tie are there already: they are the same.
        better = (new < last) | ((new == last) & (entries["tie"] < own["tie"][:, -1:]))
        touched = np.flatnonzero((better & np.isfinite(new)).any(1))
        if not touched.size:
            return
        joined = {n: np.concatenate([own[n][touched], entries[n][touched]], 1) for n in _FIELDS}
        order = np.lexsort((joined["tie"], joined["key"]), axis=-1)[:, : self.count]
        number = np.arange(len(self.arrays["key"]))[rows][touched]
        for name in _FIELDS:
            self.arrays[name][number] = np.take_along_axis(joined[name], order, 1)

    def take(self, rows: Array) -> dict[str, Array]:
        """Copies of the entries of some rows."""
        return {name: array[rows].copy() for name, array in self.arrays.items()}

    def put(self, rows: Array, entries: Mapping[str, Array] | None) -> None:
        """Replace the entries of some rows, by nothing where there are none."""
        for name, array in self.arrays.items():
            array[rows] = _EMPTY[name] if entries is None else entries[name]


class Ladder:
    """For every unit the images whose response is about an eighth of the largest.

    The largest is known only at the end, and memory is bounded. Responses are therefore kept by
    octave (powers of two): ``count`` images of the octave of the largest, of each of the three
    below it, and of all that is lower. Where an octave has more images, those with the smallest
    ties are kept, a sample that does not depend on the order. At the end those are chosen whose
    response is nearest, as a ratio, to an eighth of the largest, of those below a half of it. The
    article does not give its rule.
    """

    def __init__(self, units: int, count: int):
        self.count = count
        self.largest: Array = np.zeros(units, np.float32)
        # Rung 0 holds all that is lower; rung j >= 1 the octave j - 1 above the lowest one kept.
        self.rungs = [Shortlist(units, count) for _ in range(OCTAVES + 2)]

    def offer(self, entries: Mapping[str, Array]) -> None:
        """Take entries, arrays [units, images]; values of 0 and below are left out."""
        values = entries["value"]
        self._rise(np.maximum(self.largest, values.max(1, initial=0)))
        lowest = np.frexp(self.largest)[1][:, None] - OCTAVES
        rung = np.clip(np.frexp(values)[1] - lowest + 1, 0, OCTAVES + 1)
        for j, shortlist in enumerate(self.rungs):
            key = np.where((values > 0) & (rung == j), entries["tie"].astype(np.float64), np.inf)
            shortlist.offer(slice(None), {**entries, "key": key})

    def _rise(self, largest: Array) -> None:
        """Move the rungs of the units whose largest response has reached another octave."""
        before, after = np.frexp(self.largest)[1], np.frexp(largest)[1]
        steps = np.where(self.largest > 0, after - before, 0)
        self.largest = largest
        for _ in range(OCTAVES + 1):  # after so many steps all are in the lowest
            rows = np.flatnonzero(steps > 0)
            if not rows.size:
                return
            self.rungs[0].offer(rows, self.rungs[1].take(rows))
            for below, above in zip(self.rungs[1:], self.rungs[2:], strict=False):
                below.put(rows, above.take(rows))
            self.rungs[-1].put(rows, None)
            steps[rows] -= 1

    def chosen(self) -> TopExamples:
        """The entries nearest to an eighth of the largest, the largest of them first."""
        joined = {
            name: np.concatenate([rung.arrays[name] for rung in self.rungs], 1) for name in _FIELDS
        }
        slight = joined["value"] < self.largest[:, None] / 2
        there = (joined["image"] >= 0) & slight
        joined["image"] = np.where(there, joined["image"], -1)
        target = np.where(self.largest > 0, self.largest, 1).astype(np.float64) / 2**OCTAVES
        values = np.where(there, joined["value"], 1).astype(np.float64)
        apart = np.where(there, np.abs(np.log2(values / target[:, None])), np.inf)
        near = np.lexsort((joined["tie"], apart), axis=-1)[:, : self.count]
        chosen = {name: np.take_along_axis(array, near, 1) for name, array in joined.items()}
        first = np.where(chosen["image"] >= 0, -chosen["value"].astype(np.float64), np.inf)
        order = np.lexsort((chosen["tie"], first), axis=-1)
        kept = {n: np.take_along_axis(chosen[n], order, 1) for n in ("value", "image", "place")}
        return TopExamples(**kept)


class Ranking:
    """The examples of all units of a tap, in all buckets, in memory that does not grow.

    An image responds with its largest activation on the positive side and with its smallest on the
    negative, so that it is an example once in a bucket. ``top`` and ``bottom`` are the extremes;
    ``positive`` and ``negative`` are about an eighth of the extremes of that sign, see
    :class:`Ladder`. The result does not depend on the order of the images.
    """

    def __init__(self, units: int, count: int):
        self.units, self.count = units, count
        self.ends = {name: Shortlist(units, count) for name in ("top", "bottom")}
        self.slight = {name: Ladder(units, count) for name in ("positive", "negative")}

    def offer(self, found: Extremes) -> None:
        """Take the responses to a batch."""
        shape = found.high.shape
        both = {
            "tie": np.broadcast_to(found.ties, shape),
            "image": np.broadcast_to(found.images, shape),
        }
        high = {**both, "value": found.high, "place": found.high_place}
        low = {**both, "value": found.low, "place": found.low_place}
        rows = slice(None)
        self.ends["top"].offer(rows, {**high, "key": -found.high.astype(np.float64)})
        self.ends["bottom"].offer(rows, {**low, "key": found.low.astype(np.float64)})
        self.slight["positive"].offer(high)
        self.slight["negative"].offer({**low, "value": -found.low})

    def kept(self, bucket: str) -> TopExamples:
        """The examples in a bucket, the most extreme first."""
        if bucket in self.ends:
            arrays = self.ends[bucket].arrays
            return TopExamples(arrays["value"], arrays["image"], arrays["place"])
        found = self.slight[bucket].chosen()
        sign = 1 if bucket == "positive" else -1
        return TopExamples(sign * found.value, found.image, found.place)

    # -- keeping it in a file ----------------------------------------------------------------

    def to_arrays(self) -> dict[str, Array]:
        """All that is kept, by name."""
        arrays: dict[str, Array] = {}
        for name, shortlist in self._shortlists():
            arrays |= {f"{name}/{field}": array for field, array in shortlist.arrays.items()}
        for name, ladder in self.slight.items():
            arrays[f"{name}/largest"] = ladder.largest
        return arrays

    def take(self, arrays: Mapping[str, Array]) -> None:
        """Go on from what :meth:`to_arrays` gave; ``KeyError`` where something is missing."""
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
