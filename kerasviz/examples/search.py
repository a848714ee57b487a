"""Search all images once for the examples of every unit; a search can be resumed."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import ImageBatch, Source, stream, tie_of
from kerasviz.examples.ranking import Extremes, Ranking
from kerasviz.io.files import digest, write_atomically
from kerasviz.network.network import Network
from kerasviz.types import Array

#: The file of an unfinished search, in the folder of the examples.
STATE = "search.npz"
#: Seconds between two writes of ``STATE``.
INTERVAL = 5.0
#: The number of unreadable images whose names are recorded.
NAMED = 20
#: What reading a damaged ``STATE`` raises.
DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Question:
    """The settings of a search for the images of a source to which the units of taps respond.

    Images have ``size`` (height, width); every unit has ``count`` examples in each bucket. The
    images computed at once, ``batch``, decide the last bits of activations. ``limit`` is the number
    of images to search, the first ones.
    """

    net: Network
    taps: tuple[str, ...]
    source: Source
    size: tuple[int, int]
    count: int = 10
    batch: int = 32
    limit: int | None = None

    def __post_init__(self) -> None:
        self.net.focused(self.taps).check_size(*self.size)
        if len(set(self.values.values())) < len(self.values):
            raise UsageError(f"taps {', '.join(self.taps)}: two of them are the same tensor")
        for tap in self.values:
            if self.net.taps[tap].channels is None:
                raise UsageError(f"tap {tap!r} has no fixed number of channels; name another tap")

    @property
    def values(self) -> dict[str, str]:
        """The tensors by tap: those before a ReLU, which has no negative side."""
        taps = [self.net.taps[name] for name in self.taps]
        return {tap.name: tap.pre_relu or tap.name for tap in taps}

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
        }


@dataclass
class SearchResult:
    """The result after ``seen`` images, of which ``unreadable`` could not be read.

    ``names`` are the first unreadable ones. The activations of ``odd`` images are not finite: they
    are no examples.
    """

    rankings: dict[str, Ranking]
    seen: int = 0
    unreadable: int = 0
    odd: int = 0
    names: list[str] = field(default_factory=list)


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
    extremes = _extremes(question)
    saved, images = time.monotonic(), question.images
    numbers = np.arange(result.seen, images)
    for batch in stream(question.source, numbers, question.batch, question.shape):
        _add(question, result, batch, extremes(batch.images))
        if time.monotonic() - saved >= INTERVAL:
            write_state(path, key, result)
            saved = time.monotonic()
        if progress is not None:
            progress(Scan(result.seen, images, result.unreadable))
    write_state(path, key, result)
    return result


def _empty_result(question: Question) -> SearchResult:
    channels = {tap: question.net.taps[tap].channels or 0 for tap in question.values}
    return SearchResult({tap: Ranking(units, question.count) for tap, units in channels.items()})


def _extremes(question: Question) -> Callable[[Array], dict[str, tuple[Any, ...]]]:
    """Compile a function from pictures [B, H, W, C] of bytes to the extremes of all taps.

    These are the largest value, its position, the smallest value, its position, each [B, units].
    """
    net, values = question.net, question.values
    signature = [tf.TensorSpec((question.batch, *question.shape), tf.uint8)]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def extremes(pictures: Any) -> dict[str, tuple[Any, ...]]:
        images = tf.cast(pictures, tf.float32) / 255
        activations = net.activations(images, list(values.values()))
        results = {}
        for tap, name in values.items():
            maps = tf.cast(activations[name], tf.float32)
            flat = tf.reshape(maps, [question.batch, -1, maps.shape[-1]])
            results[tap] = (
                tf.reduce_max(flat, 1),
                tf.argmax(flat, 1, tf.int32),
                tf.reduce_min(flat, 1),
                tf.argmin(flat, 1, tf.int32),
            )
        return results

    return extremes  # type: ignore[no-any-return]


def _add(
    question: Question,
    result: SearchResult,
    batch: ImageBatch,
    extremes: Mapping[str, tuple[Any, ...]],
) -> None:
    """Add the responses to a batch to a result."""
    arrays = {tap: [a.numpy().T for a in tensors] for tap, tensors in extremes.items()}
    finite = np.all([np.isfinite(a[k]).all(0) for a in arrays.values() for k in (0, 2)], axis=0)
    good = batch.readable & finite
    names = {int(n): question.source.name(int(n)) for n in batch.numbers if n >= 0}
    ties = np.array([tie_of(names[n]) if n >= 0 else 0 for n in batch.numbers], np.int64)
    for tap, (high, high_place, low, low_place) in arrays.items():
        result.rankings[tap].offer(
            Extremes(
                batch.numbers[good],
                ties[good],
                high[:, good],
                low[:, good],
                high_place[:, good],
                low_place[:, good],
            )
        )
    real = batch.numbers >= 0
    unreadable = batch.numbers[real & ~batch.readable]
    result.seen += int(real.sum())
    result.unreadable += len(unreadable)
    result.odd += int((batch.readable & ~finite).sum())
    result.names += [names[int(n)] for n in unreadable][: NAMED - len(result.names)]


# -- the state of a search, as a file ----------------------------------------------------------


def write_state(path: Path, key: str, result: SearchResult) -> None:
    """Write the result so far."""
    about = {
        "question": key,
        "seen": result.seen,
        "unreadable": result.unreadable,
        "odd": result.odd,
        "names": result.names,
    }
    arrays = {
        f"{i}/{name}": array
        for i, ranking in enumerate(result.rankings.values())
        for name, array in ranking.to_arrays().items()
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
        result = SearchResult(_empty_result(question).rankings, **about)
        for i, ranking in enumerate(result.rankings.values()):
            ranking.restore({n.removeprefix(f"{i}/"): a for n, a in arrays.items()})
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
