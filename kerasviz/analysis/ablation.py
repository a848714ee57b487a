"""Compare what a network says to images before and after an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kerasviz.io.digits import rounded
from kerasviz.types import Array

#: The numbers of guesses among which the class may be: the top-1 and the top-5 accuracy.
GUESSES = (1, 5)


@dataclass(frozen=True)
class ImageEffect:
    """Hold what an edit changes for one image.

    Args:
        image: The name of the image.
        truth: Its class, ``None`` if unknown.
        before: The class with the largest logit.
        after: That of the edited network.
        change: How much the edit adds to the logit of ``before``.
    """

    image: str
    truth: int | None
    before: int
    after: int
    change: float

    def to_json(self) -> dict[str, Any]:
        """Return the answer as plain data."""
        return {**vars(self), "change": rounded(self.change)}


@dataclass
class EffectTally:
    """Add up the effect of an edit, a batch of images at a time.

    Args:
        answers: What changed for each image.
        hits: The images whose class is among the first guesses, before and after, by the number
            of guesses.
        labelled: The images whose class is known.
        changes: The sums over images of the changes of logits, [classes].
        sizes: Those of the absolute changes.
    """

    answers: list[ImageEffect] = field(default_factory=list)
    hits: dict[int, list[int]] = field(default_factory=lambda: {k: [0, 0] for k in GUESSES})
    labelled: int = 0
    changes: Array = field(default_factory=lambda: np.zeros(0))
    sizes: Array = field(default_factory=lambda: np.zeros(0))

    def add(
        self, names: Sequence[str], truths: Sequence[int | None], before: Array, after: Array
    ) -> None:
        """Add images with their logits [B, classes] before and after.

        >>> tally = EffectTally()
        >>> tally.add(["a"], [0], np.array([[2.0, 1.0]]), np.array([[0.5, 1.0]]))
        >>> tally.accuracy(1), tally.answers[0].after
        ((1.0, 0.0), 1)
        """
        if not self.answers:
            self.changes, self.sizes = np.zeros(before.shape[1]), np.zeros(before.shape[1])
        difference = after.astype(np.float64) - before
        self.changes += difference.sum(0)
        self.sizes += abs(difference).sum(0)
        for name, truth, *rows in zip(names, truths, before, after, difference, strict=True):
            first, last = (int(np.argmax(row)) for row in rows[:2])
            self.answers.append(ImageEffect(name, truth, first, last, float(rows[2][first])))
            if truth is None:
                continue
            self.labelled += 1
            ranks = [int((row > row[truth]).sum()) for row in rows[:2]]
            for guesses, counts in self.hits.items():
                for k, rank in enumerate(ranks):
                    counts[k] += rank < guesses

    def accuracy(self, guesses: int) -> tuple[float, float] | None:
        """Return the accuracy before and after; ``None`` without images of a known class."""
        if not self.labelled:
            return None
        before, after = self.hits[guesses]
        return before / self.labelled, after / self.labelled

    @property
    def switched(self) -> int:
        """The number of images whose first guess changed."""
        return sum(answer.before != answer.after for answer in self.answers)

    @property
    def mean_change(self) -> Array:
        """The mean changes of the logits over the images, [classes]."""
        mean: Array = self.changes / max(1, len(self.answers))
        return mean

    @property
    def mean_size(self) -> float:
        """The mean absolute change of a logit."""
        return float(self.sizes.mean() / max(1, len(self.answers))) if len(self.sizes) else 0.0

    def classes(self, count: int = 10) -> tuple[list[int], list[int]]:
        """Return the classes whose logits fall most, and those whose logits rise most."""
        order = np.argsort(self.mean_change, kind="stable")
        fall = [int(k) for k in order[:count] if self.mean_change[k] < 0]
        return fall, [int(k) for k in order[::-1][:count] if self.mean_change[k] > 0]
