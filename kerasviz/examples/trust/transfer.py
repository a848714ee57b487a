"""Ask another network, the judge, which class it sees in pictures of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import read_example
from kerasviz.examples.trust.folder import FinishedPicture, by_size
from kerasviz.examples.trust.natural import compiled
from kerasviz.network.network import Network
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array


@dataclass(frozen=True)
class Guess:
    """Hold the place of a picture's class among the guesses of a network: 1 is the first.

    ``probability`` is the softmax of its logits, ``first`` the class that it guesses first.
    """

    place: int
    probability: float
    first: int


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
            f"judge {judge.name}: no picture of the folder shows a class; a judge tells classes "
            "only, as of logit:goldfish"
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


def guesses(
    judge: Network, pictures: Sequence[FinishedPicture], classes: Sequence[int], batch: int
) -> list[Guess]:
    """Return what a network makes of pictures, scaled to its usual size, for a class of each."""
    tap = judge.require_logits().name
    focused, size = judge.focused((tap,)), usual_size(judge)
    shape = (batch, *size, focused.channels)

    def logits(images: tf.Tensor) -> tf.Tensor:
        a = tf.cast(focused.activations(images, [tap])[tap], tf.float32)
        a = a[..., judge.classes.first :]
        return tf.reduce_mean(tf.reshape(a, [batch, -1, a.shape[-1]]), axis=1)

    compute = compiled(logits)
    found: list[Guess] = []
    for first in range(0, len(pictures), batch):
        part = pictures[first : first + batch]
        images = np.zeros(shape, np.float32)
        for k, picture in enumerate(part):
            images[k] = read_example(picture.path.read_bytes(), size, focused.channels) / 255
        values = np.asarray(compute(tf.constant(images)), np.float64)
        wanted = classes[first : first + batch]
        found += [_guess(values[k], number) for k, number in enumerate(wanted)]
    return found


def own_guesses(
    net: Network, pictures: Sequence[FinishedPicture], classes: Sequence[int], most: int
) -> list[Guess]:
    """Return what a network makes of its own pictures, in their own size."""
    tap = net.require_logits().name
    focused, first = net.focused((tap,)), net.classes.first

    def logits(images: tf.Tensor) -> tf.Tensor:
        a = tf.cast(focused.activations(images, [tap])[tap], tf.float32)[..., first:]
        return tf.reduce_mean(tf.reshape(a, [a.shape[0], -1, a.shape[-1]]), axis=1)

    compute = compiled(logits)
    found: dict[int, Guess] = {}
    for numbers, images in by_size(pictures, focused.channels, most):
        values = np.asarray(compute(tf.constant(images)), np.float64)
        found.update({n: _guess(values[k], classes[n]) for k, n in enumerate(numbers)})
    return [found[number] for number in range(len(pictures))]


def _guess(logits: Array, number: int) -> Guess:
    shifted = np.exp(logits - logits.max())
    place = 1 + int((logits > logits[number]).sum())
    return Guess(place, float(shifted[number] / shifted.sum()), int(np.argmax(logits)))
