"""Ask another network, the judge, which class it sees in pictures of classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples.finished_pictures import FinishedPicture, in_batches
from kerasviz.examples.measured import compiled
from kerasviz.network.network import Network
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array, Size


@dataclass(frozen=True)
class Guess:
    """Hold the place of a picture's class among the guesses of a network: 1 is the first.

    ``evidence`` is the logarithm of the softmax of its logits, ``first`` the class that it guesses
    first.
    """

    place: int
    evidence: float
    first: int

    @property
    def probability(self) -> float:
        """The probability that the network gives the class."""
        return math.exp(self.evidence)


def judge_class(net: Network, judge: Network, number: int) -> int | None:
    """Return the number of a network's class at the judge, ``None`` where it has no such class.

    A class is found by the names in its label. Where either network has no labels it has the same
    number, if there are as many classes.
    """
    if not net.labels or not judge.labels:
        return number if net.class_count == judge.class_count else None
    if number >= len(net.labels):
        return None
    wanted = _names(net.labels[number])
    common = {k: len(wanted & _names(label)) for k, label in enumerate(judge.labels)}
    most = max(common.values())
    candidates = [k for k, shared in common.items() if shared == most]
    if not most:
        return None
    return number if number in candidates else candidates[0]


def _names(label: str) -> set[str]:
    parts = (part.strip().casefold().replace("_", " ") for part in label.split(","))
    return {part for part in parts if part}


def check_judge(net: Network, judge: Network, classes: Sequence[int]) -> None:
    """Raise :class:`UsageError` for a judge that knows none of the classes of pictures."""
    if not classes:
        raise UsageError(
            f"judge {judge.name}: no picture of the folder shows a class, as of logit:goldfish; "
            "with --images DIR a judge also tells photos apart by pictures of other targets"
        )
    judge.require_logits()
    if any(judge_class(net, judge, number) is not None for number in classes):
        return
    shown = net.classes.describe(classes[0])
    if net.labels and judge.labels:
        raise UsageError(
            f"judge {judge.name} has no class {shown}, nor others of the folder; name a network "
            "with the same labels"
        )
    raise UsageError(
        f"judge {judge.name} has {judge.class_count} classes, {net.name} has {net.class_count}: "
        "without labels of both they cannot be matched; load them with labels"
    )


def seen_size(judge: Network, size: Size) -> Size:
    """Return the size in which a network sees pictures of a size: their own, where it takes it.

    Pictures are scaled to the usual size of a network that does not.
    """
    return size if judge.computes(judge.require_logits().name, *size) else usual_size(judge)


def guesses(
    judge: Network, images: Iterable[tuple[Sequence[int], Array]], classes: Sequence[int]
) -> list[Guess]:
    """Return what a network makes of images, as they are, for a class of each.

    ``images`` are batches: the numbers of images, and their pixels [B, H, W, C] in [0, 1]. Logits
    are averaged over positions. Raises :class:`UsageError` for a network without logits.
    """
    tap = judge.require_logits().name
    focused, first = judge.focused((tap,)), judge.classes.first

    def logits(pixels: tf.Tensor) -> tf.Tensor:
        a = tf.cast(focused.activations(pixels, [tap])[tap], tf.float32)[..., first:]
        return tf.reduce_mean(tf.reshape(a, [a.shape[0], -1, a.shape[-1]]), axis=1)

    compute = compiled(logits)
    found: dict[int, Guess] = {}
    for numbers, pixels in images:
        values = np.asarray(compute(tf.constant(pixels)), np.float64)
        found.update({n: guess_of(values[k], classes[n]) for k, n in enumerate(numbers)})
    return [found[number] for number in range(len(found))]


def shown_to(
    judge: Network, pictures: Sequence[FinishedPicture], most: int
) -> Iterator[tuple[list[int], Array]]:
    """Yield batches of pictures as a network sees them, see :func:`seen_size`."""
    sizes: dict[Size, list[int]] = {}
    for number, picture in enumerate(pictures):
        sizes.setdefault(seen_size(judge, picture.size), []).append(number)
    for size, numbers in sizes.items():
        read = partial(_scaled, [pictures[number] for number in numbers], size, judge.channels)
        for places, pixels in in_batches(len(numbers), most, read):
            yield [numbers[place] for place in places], pixels


def _scaled(pictures: Sequence[FinishedPicture], size: Size, channels: int, number: int) -> Array:
    return pictures[number].scaled(size, channels)


def guess_of(logits: Array, number: int) -> Guess:
    """Return what the logits [C] of an image say of a class.

    >>> guess_of(np.array([0.0, 3.0, 1.0]), 2).place
    2
    """
    largest = float(logits.max())
    total = largest + math.log(float(np.exp(logits - largest).sum()))
    place = 1 + int((logits > logits[number]).sum())
    return Guess(place, float(logits[number]) - total, int(np.argmax(logits)))
