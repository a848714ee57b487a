"""Rolling batches: rows that have stopped improving leave, and others enter in their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.optvis.optimization.loop import (
    CHUNK,
    Loop,
    LoopInputs,
    LoopProgress,
    Run,
    check_finite,
    loop_for,
)
from kerasviz.optvis.recipes import Recipe
from kerasviz.types import Array

__all__ = ["GAIN", "has_converged", "optimize_until_converged"]


#: A picture has stopped improving when its mean score grows by less than this share.
GAIN = 0.01


def has_converged(history: Array, patience: int) -> bool:
    """Whether the mean of the last ``patience`` scores is hardly above that of those before.

    ``history`` [steps] are the scores so far, on transformed images: single ones go up and down.

    >>> has_converged(np.ones(8), 4), has_converged(np.arange(8.0), 4), has_converged(np.ones(7), 4)
    (True, False, False)
    """
    if len(history) < 2 * patience:
        return False
    before = float(np.mean(history[-2 * patience : -patience]))
    last = float(np.mean(history[-patience:]))
    return last - before < GAIN * abs(last)


@dataclass
class _QueueRow:
    """Where a row of the queue runs in the batch; ``row`` is -1 where there is none left."""

    row: int
    steps: int = 0
    history: list[Array] = field(default_factory=list)


def optimize_until_converged(
    net: Network,
    recipe: Recipe,
    queue: LoopInputs,
    size: int,
    snapshots: Sequence[int] = (),
    progress: Callable[[LoopProgress], None] | None = None,
) -> Run:
    """Optimize the rows of ``queue``, ``size`` of them at a time, each until it has converged.

    As ``optimize``, but ``queue`` may have more rows than are optimized at
    once, and a row takes the picture that it has after as many steps as it needs: a multiple of
    ``CHUNK``, at most the recipe's. Rows of one group leave together. A row
    depends on itself, its group and ``size`` only, not on when it enters (but for the last bit of
    its scores, by which it could end a chunk later once in millions of rows).
    """
    return _Rolling(net, recipe, queue, size, snapshots).run(progress)


class _Rolling:
    def __init__(
        self, net: Network, recipe: Recipe, queue: LoopInputs, size: int, snapshots: Sequence[int]
    ):
        self.net, self.recipe, self.queue, self.snapshots = net, recipe, queue, snapshots
        self.loop: Loop = loop_for(net, queue.structure, recipe)
        self.waiting = list(range(size, queue.size))
        self.places = [_QueueRow(row) for row in range(size)]
        self.images: dict[int, Array] = {}
        self.kept: dict[int, dict[int, Array]] = {step: {} for step in snapshots}
        self.scores: dict[int, float] = {}
        self.histories: dict[int, Array] = {}
        self._fill()
        self.state = self.loop.start(self.seeds)

    def _fill(self) -> None:
        """The tensors of the rows that are in the batch; what is left over repeats its row."""
        rows = [place.row for place in self.places]
        self.data = {name: tf.constant(a[rows]) for name, a in self.queue.data.items()}
        self.seeds = tf.constant(self.queue.seeds[rows], tf.int32)
        self.groups = tf.constant(self.queue.groups[rows], tf.int32)

    def run(self, progress: Callable[[LoopProgress], None] | None) -> Run:
        """Advance until no row is left."""
        if 0 in self.snapshots:
            self._keep(0, self.places)
        while active := [p for p in self.places if p.row not in self.images]:
            count = min(self._next_stop(p.steps) - p.steps for p in active)
            numbers = self._advance(count)
            for place, column in zip(self.places, numbers.T, strict=True):
                place.history.append(column)
                place.steps += count
            for step in {p.steps for p in active} & set(self.snapshots):
                self._keep(step, [p for p in active if p.steps == step])
            self._finish(active)
            if progress is not None:
                progress(self._progress(float(numbers[-1].mean())))
        return self._result()

    def _next_stop(self, step: int) -> int:
        """The next of a row's own steps at which something is to be done."""
        stops = (*self.snapshots, self.recipe.redirect_steps, self.recipe.steps)
        return min([(step // CHUNK + 1) * CHUNK, *(s for s in stops if s > step)])

    def _advance(self, count: int) -> Array:
        # Rows do not enter in the place of others while ReLU gradients are redirected.
        redirected = self.places[0].steps < self.recipe.redirect_steps
        advance = self.loop.advance_redirected if redirected else self.loop.advance
        steps = tf.constant([place.steps for place in self.places], tf.int32)
        self.state, reached = advance(
            self.state, self.data, self.seeds, self.groups, steps, tf.constant(count)
        )
        numbers = np.asarray(reached)
        running = [p.row not in self.images for p in self.places]
        check_finite(self.net, numbers[:, running], self.places[0].steps)
        return numbers

    def _keep(self, step: int, places: Sequence[_QueueRow]) -> None:
        images = np.asarray(self.loop.image(self.state[0], self.groups))
        for index, place in enumerate(self.places):
            if place in places:
                self.kept[step][place.row] = images[index]

    def _finish(self, active: Sequence[_QueueRow]) -> None:
        """Take the pictures of groups all of whose rows are ready, and let others enter."""
        going = {self._group(p) for p in active if not self._is_ready(p)}
        leaving = [p for p in active if self._group(p) not in going]
        if not leaving:
            return
        images = self.loop.image(self.state[0], self.groups)
        scores = np.asarray(self.loop.score(images, self.data, self.groups))
        pictures, enters = np.asarray(images), []
        for index, place in enumerate(self.places):
            if any(place is each for each in leaving):
                self.images[place.row] = pictures[index]
                self.scores[place.row] = float(scores[index])
                self.histories[place.row] = np.concatenate(place.history)
                if self.waiting:
                    self.places[index] = _QueueRow(self.waiting.pop(0))
                    enters.append(index)
        if enters:
            self._fill()
            mask = np.isin(np.arange(len(self.places)), enters)
            self.state = self.loop.enter(self.state, self.seeds, tf.constant(mask))
            if 0 in self.snapshots:
                self._keep(0, [self.places[i] for i in enters])

    def _group(self, place: _QueueRow) -> int:
        return int(self.queue.groups[place.row])

    def _is_ready(self, place: _QueueRow) -> bool:
        if place.steps >= self.recipe.steps:
            return True
        if place.steps % CHUNK or place.steps <= max(self.snapshots, default=0):
            return False
        return has_converged(np.concatenate(place.history), self.recipe.patience)

    def _progress(self, score: float) -> LoopProgress:
        """In the steps of a batch: those of the rows in it, and all of those that have left."""
        total = self.queue.size
        running = sum(p.steps for p in self.places if p.row not in self.images)
        done = (len(self.images) * self.recipe.steps + running) / total
        return LoopProgress(min(int(done), self.recipe.steps), self.recipe.steps, score)

    def _result(self) -> Run:
        order = range(self.queue.size)
        taken = np.array([len(self.histories[row]) for row in order])
        history = np.full((taken.max(), len(taken)), np.nan, np.float32)
        for row in order:
            history[: taken[row], row] = self.histories[row]
        return Run(
            images=np.stack([self.images[row] for row in order]),
            snapshots={s: np.stack([kept[row] for row in order]) for s, kept in self.kept.items()},
            scores=np.array([self.scores[row] for row in order], np.float32),
            history=history,
            taken=taken,
        )
