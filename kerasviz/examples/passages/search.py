"""Search all passages of a folder for those to which units respond most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples.passages.sources import Passage, PassageSource
from kerasviz.network.network import Network
from kerasviz.types import Array

#: Called with the finished fraction and a text.
Report = Callable[[float, str], None]


@dataclass
class Tops:
    """The largest activations of each unit: values, numbers of passages and places, [units, K].

    Places without an example have the passage -1.
    """

    value: Array
    passage: Array
    place: Array

    @classmethod
    def none(cls, units: int, count: int) -> Tops:
        """Return those of no passage."""
        shape = (units, count)
        empty = np.full(shape, -np.inf, np.float32)
        return cls(empty, np.full(shape, -1), np.zeros(shape, np.int64))

    def offer(self, values: Array, passages: Array, places: Array) -> None:
        """Take what is larger of values and places [B, units] of passages [B].

        Of equal ones the one that came first stays first.
        """
        shape = values.T.shape
        value = np.concatenate([self.value, values.T], axis=1)
        passage = np.concatenate([self.passage, np.broadcast_to(passages, shape)], axis=1)
        place = np.concatenate([self.place, places.T], axis=1)
        order = np.argsort(-value, axis=1, kind="stable")[:, : self.value.shape[1]]
        self.value, self.passage, self.place = (
            np.take_along_axis(array, order, axis=1) for array in (value, passage, place)
        )


@dataclass
class FoundPassages:
    """What a search found: where each passage is, and the tops by tap.

    ``where`` has (file, start, count) by the number of the passage, ``unreadable`` why files could
    not be read; ``odd`` passages gave activations that are not finite.
    """

    tops: dict[str, Tops]
    where: list[tuple[str, int, int]] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    odd: int = 0

    @property
    def used(self) -> list[int]:
        """The numbers of the passages that are an example of some unit."""
        every = [top.passage.ravel() for top in self.tops.values()]
        return [int(k) for k in np.unique(np.concatenate(every)) if k >= 0]


class Responses:
    """Compute activations [B, positions, units] of passages, a fixed number at once."""

    def __init__(self, net: Network, values: dict[str, str], batch: int):
        self.batch = net.image_input.batch or batch
        names = list(values.values())

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def compute(images: Any) -> dict[str, Any]:
            found = net.activations(images, names)
            return {
                tap: tf.reshape(
                    tf.cast(found[name], tf.float32), [images.shape[0], -1, found[name].shape[-1]]
                )
                for tap, name in values.items()
            }

        self._compute = compute

    def of(self, passages: Sequence[Passage]) -> dict[str, Array]:
        """Return the activations of passages of one length by tap; a batch is filled up."""
        images = np.stack([passage.values for passage in passages])
        filled = np.resize(images, (self.batch, *images.shape[1:]))
        found = self._compute(tf.constant(filled))
        return {tap: array.numpy()[: len(passages)] for tap, array in found.items()}


def own_positions(passage: Passage, positions: int) -> slice:
    """Return the positions that are of the passage itself: not padding, and not known before.

    >>> own_positions(Passage(0, np.zeros((1, 100, 1)), 50), 9)
    slice(0, 5, None)
    """
    length: int = passage.values.shape[1]
    end = max(1, -(-positions * passage.count // length))
    return slice(min(positions * passage.known // length, end - 1), end)


def search(
    source: PassageSource,
    responses: Responses,
    units: dict[str, int],
    count: int,
    limit: int | None,
    report: Report,
) -> FoundPassages:
    """Search the passages of all files, the first ``limit`` ones, for ``count`` tops of each unit.

    Raises :class:`UsageError` if no file can be read.
    """
    found = FoundPassages({tap: Tops.none(number, count) for tap, number in units.items()})
    for numbers, passages in _batches(_all(source, found, limit, report), responses.batch):
        activations = responses.of(passages)
        arrays = activations.values()
        finite = np.all([np.isfinite(array).all(axis=(1, 2)) for array in arrays], axis=0)
        found.odd += int((~finite).sum())
        for tap, array in activations.items():
            seen = np.full_like(array, -np.inf)
            for row, passage in enumerate(passages):
                own = own_positions(passage, array.shape[1])
                seen[row, own] = array[row, own]
            seen = seen[finite]
            found.tops[tap].offer(seen.max(axis=1), numbers[finite], seen.argmax(axis=1))
    if not found.where:
        name, why = next(iter(found.unreadable.items()))
        raise UsageError(f"{str(source.folder)!r}: no {source.noun} can be read ({name}: {why})")
    return found


def _all(
    source: PassageSource, found: FoundPassages, limit: int | None, report: Report
) -> Iterator[tuple[int, Passage]]:
    """Yield all passages with their numbers, and note where they are."""
    for done, path in enumerate(source.files):
        name = source.name(path)
        report(done / len(source.files), f"{done} of {len(source.files)} {source.noun}s")
        try:
            passages = source.passages(path)
        except UsageError as error:
            found.unreadable[name] = str(error)
            continue
        for passage in passages:
            if len(found.where) == limit:
                return
            found.where.append((name, passage.start, passage.count))
            yield len(found.where) - 1, passage


def _batches(
    passages: Iterable[tuple[int, Passage]], size: int
) -> Iterator[tuple[Array, list[Passage]]]:
    """Yield passages of one length together, with their numbers, at most ``size``."""
    waiting: dict[int, list[tuple[int, Passage]]] = {}
    for number, passage in passages:
        group = waiting.setdefault(passage.values.shape[1], [])
        group.append((number, passage))
        if len(group) == size:
            yield _unzipped(group)
            group.clear()
    for group in waiting.values():
        if group:
            yield _unzipped(group)


def _unzipped(group: Sequence[tuple[int, Passage]]) -> tuple[Array, list[Passage]]:
    return np.array([number for number, _ in group]), [passage for _, passage in group]


def read_again(
    source: PassageSource, found: FoundPassages, numbers: Sequence[int]
) -> Iterator[tuple[int, Passage]]:
    """Yield the passages of some numbers, in their order."""
    wanted = set(numbers)
    by_name: dict[str, list[int]] = {}
    for number, (name, _, _) in enumerate(found.where):
        if number in wanted:
            by_name.setdefault(name, []).append(number)
    for name, own in by_name.items():
        passages = {p.start: p for p in source.passages(Path(source.folder, name))}
        for number in own:
            yield number, passages[found.where[number][1]]
