"""Take the steps of a run, from one point to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.loop import Loop
from kerasviz.optvis.optimization.run import LoopInputs, LoopProgress, Run
from kerasviz.optvis.optimization.slopes import without_moments
from kerasviz.optvis.parameterizations.alpha import opaque
from kerasviz.types import Array, Tensor


def check_finite(loop: Loop, totals: Array, images: Callable[[], Tensor], step: int) -> None:
    """Raise an error for scores [steps, rows] that are not finite.

    Where functions of the user's take part the images [rows, H, W, C] are checked too: behind a
    ReLU an image of NaN may have a finite score. Raises :class:`UsageError` that names them, else
    :class:`ModelError`.
    """
    if loop.functions and not (np.isfinite(totals).all() and np.isfinite(images()).all()):
        raise UsageError(
            f"function {', '.join(map(repr, loop.functions))}: the score or its gradient is not "
            f"finite from step {step} on; expected finite numbers (the gradient of tf.sqrt at 0 "
            "is infinite: add a small number)"
        )
    if not np.isfinite(totals).all():
        raise ModelError(
            f"{loop.net.name}: the score is not finite at step {step}; "
            "try a lower learning rate or look at the model's weights"
        )


class Ascent:
    """A run between two steps: its state, its scores so far and its snapshots."""

    def __init__(self, loop: Loop, steps: int, batch: LoopInputs, resume: Checkpoint | None):
        self.loop, self.steps = loop, steps
        data, self.seeds, self.groups = batch.tensors()
        self.data = loop.prepared(data, self.seeds, self.groups)
        self.terms = batch.term_tensors()
        self.state = loop.begin(self.data, self.seeds)
        self.step = 0
        self.history: tuple[Array, ...] = ()
        self.snapshots: dict[int, Any] = {}
        if resume is not None:
            parts = [tf.constant(part) for part in resume.state]
            self.state = tf.nest.pack_sequence_as(self.state, parts)
            self.step, self.history = resume.step, (resume.history,)
            self.snapshots = dict(resume.snapshots)

    def advance(self, last: int) -> None:
        """Take the steps up to ``last``."""
        loop, first = self.loop, self.step
        advance = loop.advance_redirected if first < loop.recipe.redirect_steps else loop.advance
        counts = tf.constant(first), tf.constant(last - first)
        self.state, totals = advance(self.state, self.data, self.seeds, self.groups, *counts)
        self.history = (*self.history, np.asarray(totals))
        check_finite(loop, self.history[-1], self.images, first)
        self.step = last

    @property
    def marks(self) -> Sequence[int]:
        """The steps at which something begins that one call for many steps cannot do: none."""
        return ()

    def _scores(self, images: Tensor) -> Array:
        """Score images as a whole and by the terms of sums, [B, 1 + T]."""
        return np.asarray(self.loop.score_terms(images, self.data, self.groups, self.terms))

    def images(self) -> Tensor:
        """Return the current images, [B, H, W, C] in [0, 1]."""
        return self.loop.image(self.state[0], self.groups)

    def shown(self) -> Tensor:
        """Return the current images as they are kept."""
        return self.loop.shown(self.state, self.groups, self.images())

    def progress(self) -> LoopProgress:
        """Return the progress, with functions that compute from the tensors of this step."""
        now = copy(self)  # without the moments, which only a checkpoint needs
        now.state, now.snapshots = without_moments(self.state), dict(self.snapshots)
        return LoopProgress(
            self.step,
            self.steps,
            float(self.history[-1][-1].mean()),
            lambda: np.asarray(opaque(now.loop.recipe.parameterization, now.images())),
            partial(_checkpoint, self.step, self.state, self.history, now.snapshots),
            now.result,
        )

    def result(self) -> Run:
        """Finish the run, and free the moments: they are 400 MB for a picture of 4096 pixels."""
        self.state = without_moments(self.state)
        images, slopes = self.images(), self.loop.slopes_of(self.state)
        scores = self._scores(images)
        run = Run(
            images=np.asarray(self.loop.shown(self.state, self.groups, images)),
            snapshots={step: np.asarray(image) for step, image in self.snapshots.items()},
            scores=scores[:, 0],
            terms=scores[:, 1:],
            history=np.concatenate(self.history),
            taken=np.full(len(self.seeds), self.step),
            complete=np.full(len(self.seeds), self.step == self.steps),
            opacity=None if self.loop.masks else slopes,
            mask=slopes if self.loop.masks else None,
        )
        return run.of(self.loop.recipe.parameterization)


def _checkpoint(
    step: int, state: Any, history: Sequence[Array], snapshots: Mapping[int, Any]
) -> Checkpoint:
    return Checkpoint(
        step,
        tuple(np.asarray(part) for part in tf.nest.flatten(state)),
        np.concatenate(history),
        {taken: np.asarray(image) for taken, image in snapshots.items()},
    )
