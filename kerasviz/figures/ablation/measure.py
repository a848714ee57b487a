"""Run a network over images with and without edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.analysis.ablation import EffectTally
from kerasviz.errors import UsageError
from kerasviz.examples.class_folders import classes_of
from kerasviz.examples.datasets import ImageBatch, Source, stream
from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Edit, Kernels
from kerasviz.types import Array, Size

#: Called with the number of images that were computed.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class ImagePass:
    """Hold the images over which a network is run, and how.

    Args:
        net: The network.
        source: The images.
        size: (height, width) in pixels.
        batch: The number of images that are computed at once.
        limit: The number of images, the first ones; ``None`` for all.
    """

    net: Network
    source: Source
    size: Size
    batch: int = 32
    limit: int | None = None

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self.source) if self.limit is None else min(self.limit, len(self.source))

    def batches(self) -> Iterator[ImageBatch]:
        """Yield the images in batches of one size."""
        shape = (*self.size, self.net.channels)
        return stream(self.source, np.arange(self.count), self.batch, shape)

    def compiled(self, compute: Callable[[Any], Any]) -> Callable[[Array], Any]:
        """Compile a function of images [B, H, W, C] in [0, 1], to be called with bytes."""
        spec = tf.TensorSpec((self.batch, *self.size, self.net.channels), tf.uint8)

        @tf.function(input_signature=[spec], autograph=False)  # type: ignore[untyped-decorator]
        def computed(pictures: Any) -> Any:
            return compute(tf.cast(pictures, tf.float32) / 255)

        return computed  # type: ignore[no-any-return]


@dataclass
class EditEffect:
    """Hold the effect of an edit on images.

    Args:
        tally: The effect.
        unreadable: The names of images that could not be read, or gave numbers that are not finite.
        unknown: Folders of images that name no class.
    """

    tally: EffectTally = field(default_factory=EffectTally)
    unreadable: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def measure(run: ImagePass, edits: Mapping[str, Edit], progress: Progress) -> EditEffect:
    """Compare the logits of images with and without edits.

    Raises:
        UsageError: If the network has no class logits, and if no image could be read.
    """
    net = run.net
    logits, first = net.require_logits().name, net.classes.first
    kernels = Kernels(edits=dict(edits))

    def compute(images: Any) -> Any:
        return [
            _one_row(net.activations(images, [logits], kernels=kind)[logits])[:, first:]
            for kind in (PLAIN, kernels)
        ]

    compiled = run.compiled(compute)
    found = EditEffect()
    for batch in run.batches():
        before, after = (value.numpy() for value in compiled(batch.images))
        good = batch.readable & np.isfinite(before).all(1) & np.isfinite(after).all(1)
        names = [run.source.name(int(n)) if n >= 0 else "" for n in batch.numbers]
        found.unreadable += [n for n, ok in zip(names, good, strict=True) if n and not ok]
        kept = [name for name, ok in zip(names, good, strict=True) if ok]
        truths, unknown = classes_of(net, kept)
        found.unknown += [folder for folder in unknown if folder not in found.unknown]
        found.tally.add(kept, truths, before[good], after[good])
        progress(int((batch.numbers >= 0).sum()))
    if not found.tally.answers:
        raise UsageError(f"{run.source.label}: no image could be read")
    return found


def unit_means(
    run: ImagePass, units: Sequence[tuple[str, int]], progress: Progress
) -> dict[tuple[str, int], float]:
    """Return the means of units over all positions of all images."""
    taps = list(dict.fromkeys(tap for tap, _ in units))

    def compute(images: Any) -> Any:
        values = run.net.activations(images, taps)
        return [_one_row(values[tap]) for tap in taps]

    compiled = run.compiled(compute)
    sums = {tap: np.zeros(run.net.taps[tap].channels or 0) for tap in taps}
    seen = 0
    for batch in run.batches():
        rows = [value.numpy().astype(np.float64) for value in compiled(batch.images)]
        good = batch.readable & np.all([np.isfinite(row).all(1) for row in rows], axis=0)
        for tap, row in zip(taps, rows, strict=True):
            sums[tap] += row[good].sum(0)
        seen += int(good.sum())
        progress(int((batch.numbers >= 0).sum()))
    if not seen:
        raise UsageError(f"{run.source.label}: no image could be read")
    return {(tap, unit): float(sums[tap][unit] / seen) for tap, unit in units}


def _one_row(values: Any) -> Any:
    """Return the means over positions, [B, C]."""
    return tf.reduce_mean(tf.cast(values, tf.float32), list(range(1, values.shape.rank - 1)))
