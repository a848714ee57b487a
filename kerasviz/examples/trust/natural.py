"""Compare what units make of their pictures with what they make of photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import Source, stream
from kerasviz.examples.measured import Measured
from kerasviz.examples.trust.choices import EXAMPLES, PAIRS
from kerasviz.examples.trust.numbers import NaturalValues

#: The photos that excite a unit most, with which its pictures are compared.
STRONGEST = 8
#: The photos that are remembered of each picture, of those that excite its unit most and least: for
#: the choices between two photos and the examples beside them.
REMEMBERED = PAIRS + EXAMPLES


@dataclass(frozen=True)
class NaturalPass:
    """The result of a pass over photos: the values of each group, and photos that do not count."""

    values: tuple[NaturalValues, ...]
    images: int
    unreadable: int
    odd: int


def natural_values(
    groups: Sequence[Measured],
    source: Source,
    batch: int,
    images: int,
    progress: Callable[[int], None],
) -> NaturalPass:
    """Measure the first ``images`` photos of a source by all groups.

    Raises :class:`UsageError` where no photo can be used.
    """
    gathered = tuple(NaturalValues(group.of_pictures(), REMEMBERED) for group in groups)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, group in enumerate(groups):
        shapes.setdefault((*group.size, group.net.channels), []).append(number)
    unreadable = odd = used = seen = 0
    for shape, members in shapes.items():
        unreadable = odd = used = 0
        for photos in stream(source, np.arange(images), batch, (shape[0], shape[1], shape[2])):
            pixels = tf.cast(photos.images, tf.float32) / 255
            values = [np.asarray(groups[number].computed(pixels)) for number in members]
            finite = np.all([np.isfinite(v).all(axis=1) for v in values], axis=0)
            good = photos.readable & finite
            for number, of_group in zip(members, values, strict=True):
                gathered[number].add(photos.numbers[good], of_group[good])
            unreadable += int((~photos.readable & (photos.numbers >= 0)).sum())
            odd += int((photos.readable & ~finite).sum())
            used += int(good.sum())
            seen += int((photos.numbers >= 0).sum())
            progress(seen // len(shapes))
    if groups and not used:
        raise UsageError(f"{source.label}: none of {images} photos can be used")
    return NaturalPass(gathered, used, unreadable, odd)
