"""One pass over the images: every unit keeps its examples; it can be stopped and goes on."""

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

__all__ = ["STATE", "Question", "Scan", "SearchResult", "search", "seen_so_far"]


#: The name of the file with what is found so far, in the folder of the examples.
STATE = "search.npz"
#: Seconds between two writings of it.
INTERVAL = 5.0
#: So many names of images that cannot be read are kept.
NAMED = 20


@dataclass(frozen=True)
class Question:
    """Which examples are looked for: those of taps, in images of ``size`` (height, width).

    Every unit keeps ``count`` of each kind. ``batch`` images are computed at once: it decides the
    last bits of an activation. ``limit`` counts the images that are taken, in their order.
    """

    net: Network
    taps: tuple[str, ...]
    source: Source
    size: tuple[int, int]
    count: int = 10
    batch: int = 32
    limit: int | None = None

    def __post_init__(self) -> None:
        self.net.check_size(*self.size)
        if len(set(self.values.values())) < len(self.values):
            raise UsageError(f"taps {', '.join(self.taps)}: two of them are the same tensor")
        for tap in self.values:
            if self.net.taps[tap].channels is None:
                raise UsageError(f"tap {tap!r} has no fixed number of channels; name another tap")

    @property
    def values(self) -> dict[str, str]:
        """The taps by their own names, and what stands before the ReLU, where there is one.

        After it there is no negative side.
        """
        taps = [self.net.taps[name] for name in self.taps]
        return {tap.name: tap.pre_activation or tap.name for tap in taps}

    @property
    def images(self) -> int:
        """How many images there are to look at."""
        return len(self.source) if self.limit is None else min(self.limit, len(self.source))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that the network takes."""
        return (*self.size, self.net.channels)

    @property
    def key(self) -> str:
        """A short name for all that decides the result; the files are looked at for it."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """All that decides the result, as plain data."""
        spec = self.net.require_input_spec().identity()
        return {
            "network": {"sha256": self.net.identity.sha256, "input": spec},
            "taps": self.values,
            "images": self.source.identity,
            "size": list(self.size),
            "per_bucket": self.count,
            "batch": self.batch,
            "limit": self.limit,
        }


@dataclass
class SearchResult:
    """What is found so far: ``seen`` images, of which ``unreadable`` could not be read.

    ``names`` are those of the first that could not. ``odd`` images gave numbers that are not
    finite, and are no examples.
    """

    rankings: dict[str, Ranking]
    seen: int = 0
    unreadable: int = 0
    odd: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scan:
    """How far a search is: images seen of all, and how many of them could not be read."""

    seen: int
    images: int
    unreadable: int


def search(
    question: Question, folder: Path, progress: Callable[[Scan], None] | None = None
) -> SearchResult:
    """Look at all images once, or go on where an earlier search in ``folder`` stopped.

    What is found is kept in a file of the folder every few seconds; memory does not grow with the
    number of images. The result is the same whether it was interrupted or not.
    """
    path = folder / STATE
    key = question.key
    found = read_state(path, question, key) or _nothing(question)
    extremes = _extremes(question)
    saved, images = time.monotonic(), question.images
    numbers = np.arange(found.seen, images)
    for batch in stream(question.source, numbers, question.batch, question.shape):
        _take(question, found, batch, extremes(batch.images))
        if time.monotonic() - saved >= INTERVAL:
            write_state(path, key, found)
            saved = time.monotonic()
        if progress is not None:
            progress(Scan(found.seen, images, found.unreadable))
    write_state(path, key, found)
    return found


def _nothing(question: Question) -> SearchResult:
    channels = {tap: question.net.taps[tap].channels or 0 for tap in question.values}
    return SearchResult({tap: Ranking(units, question.count) for tap, units in channels.items()})


def _extremes(question: Question) -> Callable[[Array], dict[str, tuple[Any, ...]]]:
    """A compiled function from pictures [B, H, W, C] of bytes to the extremes of all taps.

    They are, each [B, units]: the largest value, its position, the smallest value, its position.
    """
    net, values = question.net, question.values
    signature = [tf.TensorSpec((question.batch, *question.shape), tf.uint8)]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def extremes(pictures: Any) -> dict[str, tuple[Any, ...]]:
        images = tf.cast(pictures, tf.float32) / 255
        found = net.activations(images, list(values.values()))
        results = {}
        for tap, name in values.items():
            maps = tf.cast(found[name], tf.float32)
            flat = tf.reshape(maps, [question.batch, -1, maps.shape[-1]])
            results[tap] = (
                tf.reduce_max(flat, 1),
                tf.argmax(flat, 1, tf.int32),
                tf.reduce_min(flat, 1),
                tf.argmin(flat, 1, tf.int32),
            )
        return results

    return extremes  # type: ignore[no-any-return]


def _take(
    question: Question,
    found: SearchResult,
    batch: ImageBatch,
    extremes: Mapping[str, tuple[Any, ...]],
) -> None:
    """Add the responses to a batch to what is found."""
    arrays = {tap: [a.numpy().T for a in each] for tap, each in extremes.items()}
    finite = np.all([np.isfinite(a[k]).all(0) for a in arrays.values() for k in (0, 2)], axis=0)
    good = batch.readable & finite
    names = {int(n): question.source.name(int(n)) for n in batch.numbers if n >= 0}
    ties = np.array([tie_of(names[n]) if n >= 0 else 0 for n in batch.numbers], np.int64)
    for tap, (high, high_place, low, low_place) in arrays.items():
        found.rankings[tap].offer(
            Extremes(
                batch.numbers[good],
                ties[good],
                high[:, good],
                low[:, good],
                high_place[:, good],
                low_place[:, good],
            )
        )
    there = batch.numbers >= 0
    lost = batch.numbers[there & ~batch.readable]
    found.seen += int(there.sum())
    found.unreadable += len(lost)
    found.odd += int((batch.readable & ~finite).sum())
    found.names += [names[int(n)] for n in lost][: NAMED - len(found.names)]


# -- what is found so far, as a file -----------------------------------------------------------


def write_state(path: Path, key: str, found: SearchResult) -> None:
    """Write what is found so far."""
    about = {
        "question": key,
        "seen": found.seen,
        "unreadable": found.unreadable,
        "odd": found.odd,
        "names": found.names,
    }
    arrays = {
        f"{i}/{name}": array
        for i, ranking in enumerate(found.rankings.values())
        for name, array in ranking.to_arrays().items()
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)
    write_atomically(path, buffer.getvalue())


def read_state(path: Path, question: Question, key: str) -> SearchResult | None:
    """Read what was found; ``None`` where there is no file of this very question."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(str(arrays["about"]))
        if about.pop("question") != key:
            return None
        found = SearchResult(_nothing(question).rankings, **about)
        for i, ranking in enumerate(found.rankings.values()):
            own = {n.partition("/")[2]: a for n, a in arrays.items() if n.startswith(f"{i}/")}
            ranking.take(own)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None  # damaged: the search starts again
    return found


def seen_so_far(folder: Path) -> int:
    """How many images an unfinished search in a folder has seen; 0 where there is none."""
    try:
        with np.load(folder / STATE, allow_pickle=False) as file:
            return int(json.loads(str(file["about"]))["seen"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return 0
