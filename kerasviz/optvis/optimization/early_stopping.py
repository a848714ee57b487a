"""Replace finished rows of a batch, converged or past a cutoff, by the next rows of a queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.optvis.optimization.ascent import check_finite
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.run import CHUNK, LoopInputs, LoopProgress, Run
from kerasviz.optvis.optimization.slopes import without_moments
from kerasviz.optvis.parameterizations.alpha import opaque
from kerasviz.optvis.recipe import Recipe
from kerasviz.types import Array, Tensor

#: The relative gain of the mean score below which a picture has converged.
GAIN = 0.01


def has_converged(history: Array, patience: int) -> bool:
    """Return whether the mean of the last ``patience`` scores is hardly above the mean before.

    ``history`` [steps] are the scores so far; single ones go up and down with the transforms.

    >>> has_converged(np.ones(8), 4), has_converged(np.arange(8.0), 4), has_converged(np.ones(7), 4)
    (True, False, False)
    """
    if len(history) < 2 * patience:
        return False
    before = float(np.mean(history[-2 * patience : -patience]))
    last = float(np.mean(history[-patience:]))
    return last - before < GAIN * abs(last)


@dataclass
class _Row:
    """A row of the batch: its number in the queue, its steps and its scores so far."""

    number: int
    steps: int = 0
    history: list[Array] = field(default_factory=list)


@dataclass(frozen=True)
class _FinishedRow:
    image: Array
    scores: Array  # [1 + T]: of the whole, and of the terms of sums
    history: Array
    complete: bool = True
    opacity: Array | None = None


def optimize_until_converged(
    net: Network,
    recipe: Recipe,
    queue: LoopInputs,
    size: int,
    snapshots: Sequence[int] = (),
    progress: Callable[[LoopProgress], None] | None = None,
) -> Run:
    """Optimize the rows of ``queue``, ``size`` of them at a time, each until it has converged.

    As :func:`optimize`, but ``queue`` may have more rows than are optimized at once, and a row
    stops after as many steps as it needs, at most the recipe's: a multiple of ``CHUNK`` where it
    has converged; with a cutoff also at a snapshot, where its untransformed picture has that score.
    Rows of one group leave together. A row depends on itself, its group and ``size`` only, not on
    when it enters (but for the last bit of its scores, by which it could end a chunk later once in
    millions of rows).
    """
    rolling = _RollingBatch(net, recipe, queue, size, snapshots)
    while active := rolling.active():
        score = rolling.advance(active)
        if progress is not None:
            progress(rolling.progress(score))
    return rolling.result()


class _RollingBatch:
    def __init__(
        self, net: Network, recipe: Recipe, queue: LoopInputs, size: int, snapshots: Sequence[int]
    ):
        self.recipe, self.queue = recipe, queue
        self.loop = loop_for(net, queue.structure, recipe, queue.data)
        self.waiting = list(range(size, queue.size))
        self.rows = [_Row(number) for number in range(size)]
        self.finished: dict[int, _FinishedRow] = {}
        self.snapshots: dict[int, dict[int, Array]] = {step: {} for step in snapshots}
        self._fill()
        self.state = self.loop.begin(self.data, self.seeds)
        self._take_snapshot(0, self.rows)

    def _fill(self) -> None:
        """Fill the tensors of the batch; a row that has finished without a successor stays."""
        numbers = np.array([row.number for row in self.rows])
        data, self.seeds, self.groups = self.queue.tensors(numbers)
        self.data = self.loop.prepared(data, self.seeds, self.groups)
        self.terms = self.queue.term_tensors(numbers)

    def active(self) -> list[_Row]:
        """Return the rows that have not finished."""
        return [row for row in self.rows if row.number not in self.finished]

    def advance(self, active: Sequence[_Row]) -> float:
        """Advance to the next stop, exchange rows, and return the mean score of the last step."""
        count = min(self._next_stop(row.steps) - row.steps for row in active)
        totals = self._advance(count)
        for row, column in zip(self.rows, totals.T, strict=True):
            row.history.append(column)
            row.steps += count
        for step in {row.steps for row in active}:
            self._take_snapshot(step, [row for row in active if row.steps == step])
        self._exchange(active)
        return float(totals[-1].mean())

    def _next_stop(self, step: int) -> int:
        """Return the next step of a row at which a chunk, a phase or its run ends."""
        stops = (*self.snapshots, self.recipe.redirect_steps, self.recipe.steps)
        return min([(step // CHUNK + 1) * CHUNK, *(s for s in stops if s > step)])

    def _advance(self, count: int) -> Array:
        # No row enters the batch while ReLU gradients are redirected.
        redirected = self.rows[0].steps < self.recipe.redirect_steps
        advance = self.loop.advance_redirected if redirected else self.loop.advance
        steps = tf.constant([row.steps for row in self.rows], tf.int32)
        self.state, totals = advance(
            self.state, self.data, self.seeds, self.groups, steps, tf.constant(count)
        )
        scores = np.asarray(totals)
        running = [row.number not in self.finished for row in self.rows]

        def images() -> Array:
            images: Array = np.asarray(self.loop.image(self.state[0], self.groups))
            return images[running]

        check_finite(self.loop, scores[:, running], images, self.rows[0].steps)
        return scores

    def _take_snapshot(self, step: int, rows: Sequence[_Row]) -> None:
        if step not in self.snapshots:
            return
        images = self.loop.image(self.state[0], self.groups)
        shown = np.asarray(self.loop.shown(self.state, self.groups, images))
        for row, image in zip(self.rows, shown, strict=True):
            if row in rows:
                self.snapshots[step][row.number] = image

    def _exchange(self, active: Sequence[_Row]) -> None:
        """Finish the groups all of whose rows are ready, and let waiting rows enter."""
        reached = self._reached()
        staying = {self._group(r) for r in active if not (r.number in reached or self._is_ready(r))}
        leaving = {row.number for row in active if self._group(row) not in staying}
        if not leaving:
            return
        images = self.loop.image(self.state[0], self.groups)
        scores, opacities = self._scores(images), self._opacities()
        entering = np.zeros(len(self.rows), bool)
        shown = np.asarray(self.loop.shown(self.state, self.groups, images))
        for i, (row, image) in enumerate(zip(self.rows, shown, strict=True)):
            if row.number in leaving:
                history = np.concatenate(row.history)
                for taken in self.snapshots.values():  # those that it needs no more
                    taken.setdefault(row.number, image)
                self.finished[row.number] = _FinishedRow(
                    image, scores[i], history, True, opacities[i]
                )
                if self.waiting:
                    self.rows[i], entering[i] = _Row(self.waiting.pop(0)), True
        if entering.any():
            self._fill()
            self.state = self.loop.restart(self.state, self.data, self.seeds, tf.constant(entering))
            self._take_snapshot(0, [self.rows[i] for i in np.flatnonzero(entering)])

    def _scores(self, images: Tensor) -> Array:
        """Score images as a whole and by the terms of sums, [B, 1 + T]."""
        return np.asarray(self.loop.score_terms(images, self.data, self.groups, self.terms))

    def _opacities(self) -> Sequence[Array | None]:
        """Return the opacity or mask [H, W] of every row, or ``None`` for it."""
        opacity = self.loop.slopes_of(self.state)
        return [None] * len(self.rows) if opacity is None else list(opacity)

    def _group(self, row: _Row) -> int:
        return int(self.queue.groups[row.number])

    def _reached(self) -> set[int]:
        """Return the numbers of rows whose untransformed pictures have the score of the cutoff."""
        if self.recipe.cutoff is None:
            return set()
        scores = self._scores(self.loop.image(self.state[0], self.groups))[:, 0]
        rows = zip(self.rows, scores, strict=True)
        return {row.number for row, score in rows if score >= self.recipe.cutoff}

    def _is_ready(self, row: _Row) -> bool:
        if row.steps >= self.recipe.steps:
            return True
        if not self.recipe.patience or row.steps % CHUNK:
            return False
        if row.steps <= max(self.snapshots, default=0):
            return False
        return has_converged(np.concatenate(row.history), self.recipe.patience)

    def progress(self, score: float) -> LoopProgress:
        """Return the progress in steps of a batch: the mean over all rows of the queue."""
        running = sum(row.steps for row in self.active())
        done = (len(self.finished) * self.recipe.steps + running) / self.queue.size
        now = copy(self)  # what changes later is copied, and the moments are left out
        now.state, now.finished = without_moments(self.state), dict(self.finished)
        now.rows = [replace(row, history=list(row.history)) for row in self.rows]
        now.snapshots = {step: dict(images) for step, images in self.snapshots.items()}
        return LoopProgress(
            min(int(done), self.recipe.steps),
            self.recipe.steps,
            score,
            lambda: np.asarray(
                opaque(now.recipe.parameterization, now.loop.image(now.state[0], now.groups))
            ),
            stopped=now.stop,
        )

    def stop(self) -> Run:
        """End here: rows that are running have the images of this step, waiting ones none."""
        images = self.loop.image(self.state[0], self.groups)
        scores = self._scores(images)
        shown = np.asarray(self.loop.shown(self.state, self.groups, images))
        blank = np.zeros(shown.shape[1:], np.float32)
        none = np.zeros(scores.shape[1], np.float32)
        results = zip(self.rows, shown, scores, self._opacities(), strict=True)
        for row, image, score, opacity in results:
            if row.number not in self.finished and row.steps:
                history = np.concatenate(row.history)
                self.finished[row.number] = _FinishedRow(image, score, history, False, opacity)
        unbegun = None if self._opacities()[0] is None else blank[..., 0]
        for number in range(self.queue.size):
            waiting = _FinishedRow(blank, none, np.zeros(0), False, unbegun)
            self.finished.setdefault(number, waiting)
            for taken in self.snapshots.values():
                taken.setdefault(number, blank)
        return self.result()

    def result(self) -> Run:
        """Return the finished rows in the order of the queue."""
        rows = [self.finished[number] for number in range(self.queue.size)]
        taken = np.array([len(row.history) for row in rows])
        history = np.full((taken.max(), len(taken)), np.nan, np.float32)
        scores = np.stack([row.scores for row in rows])
        opacities = [row.opacity for row in rows if row.opacity is not None]
        slopes = np.stack(opacities) if opacities else None
        for number, row in enumerate(rows):
            history[: taken[number], number] = row.history
        run = Run(
            images=np.stack([row.image for row in rows]),
            snapshots={
                step: np.stack([images[number] for number in range(len(rows))])
                for step, images in self.snapshots.items()
            },
            scores=scores[:, 0],
            terms=scores[:, 1:],
            history=history,
            taken=taken,
            complete=np.array([row.complete for row in rows]),
            opacity=None if self.loop.masks else slopes,
            mask=slopes if self.loop.masks else None,
        )
        return run.of(self.recipe.parameterization)
