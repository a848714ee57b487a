"""Search all images once for the examples of every unit; a search can be resumed."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import ImageBatch, Source, stream, tie_of
from kerasviz.examples.ranking import Extremes, Ranking
from kerasviz.examples.statistics.classes import (
    MOST_CLASSES,
    class_of,
    expected_classes,
    ranking_cells,
)
from kerasviz.examples.statistics.reservoir import mixed
from kerasviz.examples.statistics.tap import TapStatistics, UnitValues
from kerasviz.io.files import digest, write_atomically
from kerasviz.network.network import Network
from kerasviz.types import Array, ClassesOf

#: The file of an unfinished search, in the folder of the examples.
STATE = "search.npz"
#: Seconds between two writes of ``STATE``, at least.
INTERVAL = 5.0
#: The interval is this many times the seconds that the last write took, at least.
PATIENCE = 50
#: The number of unreadable images whose names are recorded.
NAMED = 20
#: What reading a damaged ``STATE`` raises.
DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


def tensors_of(net: Network, taps: Sequence[str]) -> dict[str, str]:
    """Return the tensors whose values are ranked by tap: those before a ReLU, with both sides."""
    found = [net.taps[name] for name in taps]
    return {tap.name: tap.pre_relu or tap.name for tap in found}


def check_units(net: Network, taps: Sequence[str]) -> None:
    """Raise :class:`UsageError` for two taps of one tensor, and one of any number of channels."""
    tensors = tensors_of(net, taps)
    if len(set(tensors.values())) < len(tensors):
        raise UsageError(f"taps {', '.join(taps)}: two of them are the same tensor")
    for tap in tensors:
        if net.taps[tap].channels is None:
            raise UsageError(f"tap {tap!r} has no fixed number of channels; name another tap")


@dataclass(frozen=True)
class Question:
    """The settings of a search for the images of a source to which the units of taps respond.

    Images have ``size`` (height, width); every unit has ``count`` examples in each bucket. The
    images computed at once, ``batch``, decide the last bits of activations. ``limit`` is the number
    of images to search, the first ones. Statistics are of ``positions`` random positions in each
    image, by the ``classes`` of the images.
    """

    net: Network
    taps: tuple[str, ...]
    source: Source
    size: tuple[int, int]
    count: int = 10
    batch: int = 32
    limit: int | None = None
    positions: int = 1
    classes: ClassesOf = "given"

    def __post_init__(self) -> None:
        self.net.focused(self.taps).check_size(*self.size)
        if self.classes == "predicted" and len(self.net.require_logits().shape or ()) != 2:
            raise UsageError(
                f"{self.net.name} has class logits at many positions: no class of an image can be "
                "predicted"
            )
        check_units(self.net, self.taps)

    @property
    def values(self) -> dict[str, str]:
        """The tensors by tap."""
        return tensors_of(self.net, self.taps)

    @property
    def images(self) -> int:
        """The number of images to search."""
        return len(self.source) if self.limit is None else min(self.limit, len(self.source))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that the network takes."""
        return (*self.size, self.net.focused(self.taps).channels)

    @property
    def key(self) -> str:
        """A digest of everything that decides the result; it reads the sizes of files."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return everything that decides the result, as plain data."""
        spec = self.net.require_input_spec().identity()
        return {
            "network": {
                "sha256": self.net.identity.sha256,
                "input": spec,
                **({"data": self.net.data_checksums} if self.net.data else {}),
            },
            "taps": self.values,
            "images": self.source.identity,
            "size": list(self.size),
            "per_bucket": self.count,
            "batch": self.batch,
            "limit": self.limit,
            "positions": self.positions,
            "classes": self.classes,
        }


@dataclass
class SearchResult:
    """The result after ``seen`` images, of which ``unreadable`` could not be read.

    ``names`` are the first unreadable ones. The activations of ``odd`` images are not finite: they
    are no examples. ``classes`` are those of the images, in the order in which they came;
    ``too_many`` is whether they were given up.
    """

    rankings: dict[str, Ranking]
    statistics: dict[str, TapStatistics]
    seen: int = 0
    unreadable: int = 0
    odd: int = 0
    names: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    too_many: bool = False

    def number_of_class(self, name: str) -> int:
        """Return the number of a class, a new one for the first image of it; -1 for no class."""
        if not name or self.too_many:
            return -1
        if name not in self.classes:
            if len(self.classes) == MOST_CLASSES:
                self.give_up_classes()
                return -1
            self.classes.append(name)
        return self.classes.index(name)

    def give_up_classes(self) -> None:
        """Forget the classes, because there are too many."""
        self.too_many = True
        self.classes.clear()
        for statistics in self.statistics.values():
            statistics.drop_classes()


@dataclass(frozen=True)
class Scan:
    """The progress of a search: images seen, all images, and the unreadable ones."""

    seen: int
    images: int
    unreadable: int


def search(
    question: Question, folder: Path, progress: Callable[[Scan], None] | None = None
) -> SearchResult:
    """Search all images once, or resume an earlier search in ``folder``.

    The search writes its state every few seconds. Its memory does not grow with the number of
    images, and interruptions do not change the result.
    """
    path = folder / STATE
    key = question.key
    result = read_state(path, question, key) or _empty_result(question)
    responses = _responses(question)
    saved, interval, images = time.monotonic(), INTERVAL, question.images
    numbers = np.arange(result.seen, images)
    for batch in stream(question.source, numbers, question.batch, question.shape):
        ties = _ties(question, batch)
        _add(question, result, batch, ties, responses(batch.images, mixed(ties) * 2.0**-53))
        if time.monotonic() - saved >= interval:
            began = time.monotonic()
            write_state(path, key, result)
            saved = time.monotonic()
            interval = max(INTERVAL, PATIENCE * (saved - began))
        if progress is not None:
            progress(Scan(result.seen, images, result.unreadable))
    for statistics in result.statistics.values():
        statistics.finish()
    write_state(path, key, result)
    return result


def _empty_result(question: Question) -> SearchResult:
    channels = {tap: question.net.taps[tap].channels or 0 for tap in question.values}
    classes = expected_classes(question.net, question.source, question.classes)
    cells = ranking_cells(classes, sum(channels.values())) if classes else 0
    return SearchResult(
        {tap: Ranking(units, question.count) for tap, units in channels.items()},
        {tap: TapStatistics(units, cells) for tap, units in channels.items()},
    )


@dataclass(frozen=True)
class _Responses:
    """The responses to a batch: arrays by tap, and the numbers of the predicted classes [B].

    ``high`` and ``low`` [B, units] are the largest and the smallest activation, with their
    positions; ``rectified`` [B, units] is the mean of the activation above 0, ``values``
    [B, P, units] are activations at the positions ``places`` [B, P].
    """

    taps: Mapping[str, Mapping[str, Any]]
    predicted: Any = None


def _responses(question: Question) -> Callable[[Array, Array], _Responses]:
    """Compile a function of pictures [B, H, W, C] of bytes, and of draws [B] in 0 .. 1.

    The draws choose the positions: with P of them, one at random and the others at equal steps.
    """
    net, values, batch = question.net, question.values, question.batch
    logits = net.require_logits().name if question.classes == "predicted" else None
    names = [*values.values(), *([logits] if logits and logits not in values.values() else [])]
    signature = [
        tf.TensorSpec((batch, *question.shape), tf.uint8),
        tf.TensorSpec((batch,), tf.float64),
    ]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def compute(pictures: Any, draws: Any) -> tuple[Any, Any]:
        images = tf.cast(pictures, tf.float32) / 255
        activations = net.activations(images, names)
        results = {}
        for tap, name in values.items():
            maps = tf.cast(activations[name], tf.float32)
            flat = tf.reshape(maps, [batch, -1, maps.shape[-1]])
            count = tf.shape(flat)[1]
            places = _places(draws, count, question.positions)
            results[tap] = {
                "high": tf.reduce_max(flat, 1),
                "high_place": tf.argmax(flat, 1, tf.int32),
                "low": tf.reduce_min(flat, 1),
                "low_place": tf.argmin(flat, 1, tf.int32),
                "rectified": tf.reduce_mean(tf.nn.relu(flat), 1),
                "values": tf.gather(flat, places, batch_dims=1),
                "places": places,
            }
        if logits is None:
            return results, None
        return results, tf.argmax(activations[logits][:, net.classes.first :], 1, tf.int32)

    def responses(pictures: Array, draws: Array) -> _Responses:
        taps, predicted = compute(pictures, draws)
        arrays = {tap: {n: a.numpy() for n, a in of.items()} for tap, of in taps.items()}
        return _Responses(arrays, None if predicted is None else predicted.numpy())

    return responses


def _places(draws: Any, count: Any, positions: int) -> Any:
    """Return different positions [B, P] of ``count``, at most all of them."""
    number = tf.minimum(positions, count)
    start = tf.cast(tf.floor(draws * tf.cast(count, tf.float64)), tf.int32)
    return (start[:, None] + tf.range(number)[None] * count // number) % count


def _ties(question: Question, batch: ImageBatch) -> Array:
    name = question.source.name
    return np.array([tie_of(name(int(n))) if n >= 0 else 0 for n in batch.numbers], np.int64)


def _add(
    question: Question, result: SearchResult, batch: ImageBatch, ties: Array, found: _Responses
) -> None:
    """Add the responses to a batch to a result."""
    ends = [of[name] for of in found.taps.values() for name in ("high", "low")]
    finite = np.all([np.isfinite(a).all(1) for a in ends], axis=0)
    good = batch.readable & finite
    numbers = batch.numbers[good]
    labels = _labels(question, result, numbers, found.predicted, good)
    for tap, of in found.taps.items():
        result.rankings[tap].offer(
            Extremes(
                numbers,
                ties[good],
                of["high"][good].T,
                of["low"][good].T,
                of["high_place"][good].T,
                of["low_place"][good].T,
            )
        )
        values = {name: of[name][good] for name in ("values", "places", "high", "rectified")}
        result.statistics[tap].offer(UnitValues(numbers, ties[good], labels, **values))
    real = batch.numbers >= 0
    unreadable = batch.numbers[real & ~batch.readable]
    result.seen += int(real.sum())
    result.unreadable += len(unreadable)
    result.odd += int((batch.readable & ~finite).sum())
    more = unreadable[: NAMED - len(result.names)]
    result.names += [question.source.name(int(n)) for n in more]


def _labels(
    question: Question, result: SearchResult, numbers: Array, predicted: Any, good: Array
) -> Array:
    """Return the numbers of the classes of images, -1 for those without."""
    if all(statistics.classes is None for statistics in result.statistics.values()):
        return np.full(len(numbers), -1, np.int32)
    if predicted is not None:
        names = [question.net.classes.describe(int(k)) for k in predicted[good]]
    else:
        names = [class_of(question.source, int(n)) for n in numbers]
    return np.array([result.number_of_class(name) for name in names], np.int32)


# -- the state of a search, as a file ----------------------------------------------------------


def write_state(path: Path, key: str, result: SearchResult) -> None:
    """Write the result so far."""
    about = {
        "question": key,
        "seen": result.seen,
        "unreadable": result.unreadable,
        "odd": result.odd,
        "names": result.names,
        "classes": result.classes,
        "too_many": result.too_many,
    }
    arrays = {
        f"{i}/{name}": array
        for i, tap in enumerate(result.rankings)
        for part in (result.rankings[tap], result.statistics[tap])
        for name, array in part.to_arrays().items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
    write_atomically(path, buffer.getvalue())


def read_state(path: Path, question: Question, key: str) -> SearchResult | None:
    """Read the result so far; return ``None`` without a file of this question."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(str(arrays["about"]))
        if about.pop("question") != key:
            return None
        empty = _empty_result(question)
        result = SearchResult(empty.rankings, empty.statistics, **about)
        if result.too_many:
            result.give_up_classes()
        for i, tap in enumerate(result.rankings):
            prefix = f"{i}/"
            own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
            result.rankings[tap].restore(own)
            result.statistics[tap].restore(own)
    except DAMAGED:
        return None  # the search starts again
    return result


def seen_so_far(folder: Path) -> int:
    """Return the number of images that an unfinished search in a folder has seen."""
    try:
        with np.load(folder / STATE, allow_pickle=False) as file:
            return int(json.loads(str(file["about"]))["seen"])
    except DAMAGED:
        return 0
