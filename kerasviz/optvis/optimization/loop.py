"""The compiled loop: gradient ascent on images through a network, in chunks of steps.

One loop is traced per (network, structure of objectives, static settings, size, batch). Units,
seeds, step numbers and the learning rate are tensors, so nothing is traced again for the next
unit, and a chunk of steps is one graph call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.scoring import IMAGE, Structure, scores
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.compile_cache import compiled
from kerasviz.optvis.optimization.kernels import fast_kernels
from kerasviz.optvis.optimization.tiling import check_tiles, scores_of_tiles, tiled
from kerasviz.optvis.recipes import Recipe
from kerasviz.types import Tensor

__all__ = [
    "CHUNK",
    "Loop",
    "LoopInputs",
    "LoopProgress",
    "Run",
    "check_finite",
    "loop_for",
    "optimize",
]


#: Steps in one graph call. Between calls there is time for progress, snapshots and Ctrl-C.
CHUNK = 16
#: Adam's settings (Kingma & Ba 2015, and the defaults of the reference library's optimizer).
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
#: float16 has no numbers below 6e-8, where a gradient often is: there it is computed times this.
LOSS_SCALE = 2.0**10


@dataclass(frozen=True)
class LoopInputs:
    """The rows of one run: what each is for, its seed, and which rows were asked for together.

    ``data`` comes from ``fill``; ``seeds`` and ``groups`` are [B] integers.
    """

    structure: Structure
    data: Mapping[str, np.ndarray[Any, Any]]
    seeds: np.ndarray[Any, Any]
    groups: np.ndarray[Any, Any]

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.seeds)


@dataclass(frozen=True)
class LoopProgress:
    """How far a run is: ``step`` of ``steps``, and the mean score of the last step.

    ``images()`` are those of this moment, [B, H, W, C] in [0, 1], and ``checkpoint()`` is all that
    is needed to go on from here; only who calls them waits for them.
    """

    step: int
    steps: int
    score: float
    images: Callable[[], np.ndarray[Any, Any]] | None = field(
        default=None, compare=False, repr=False
    )
    checkpoint: Callable[[], Checkpoint] | None = field(default=None, compare=False, repr=False)


@dataclass
class Run:
    """The result of :func:`optimize`: all rows of the batch.

    ``images`` [B, H, W, C] in [0, 1]; ``snapshots`` the same by step number (0 is the initial
    noise); ``scores`` [B] of the finished images, untransformed, without penalties and the terms
    that couple rows; ``history`` [steps, B] whole scores on the transformed images at each step,
    NaN after the number of steps that a row has ``taken`` [B].
    """

    images: np.ndarray[Any, Any]
    snapshots: dict[int, np.ndarray[Any, Any]]
    scores: np.ndarray[Any, Any]
    history: np.ndarray[Any, Any]
    taken: np.ndarray[Any, Any]


class Loop:
    """The compiled functions for one (network, structure, recipe, size, batch)."""

    def __init__(self, net: Network, structure: Structure, recipe: Recipe):
        self.net, self.structure, self.recipe = net, structure, recipe
        self.taps = list(dict.fromkeys(s.tap for s in structure if s.tap != IMAGE))
        if recipe.tile:
            check_tiles(structure, recipe.size, recipe.tile)
        self.update = partial(_update, recipe.optimizer, recipe.learning_rate)
        if recipe.transform.fused:
            self.update = _fused_update(recipe.optimizer, recipe.learning_rate, recipe.size)
        self.start = _compiled(self._start)
        self.enter = _compiled(self._enter)
        self.image = _compiled(self._image)
        self.score = _compiled(self._score)
        self.advance = _compiled(self._advance)
        self.advance_redirected = _compiled(partial(self._advance, redirected=True))

    def _start(self, seeds: Tensor) -> Any:
        """The state before the first step: parameters and the optimizer's two moments."""
        height, width = self.recipe.size
        params = self.recipe.parameterization.init(seeds, height, width, self.net.channels)
        zeros = tf.nest.map_structure(tf.zeros_like, params)
        return params, zeros, zeros

    def _enter(self, state: Any, seeds: Tensor, places: Tensor) -> Any:
        """The state with that before the first step in some ``places`` [B]."""

        def entered(new: Tensor, old: Tensor) -> Tensor:
            return tf.where(_beside(places, new), new, old)

        return tf.nest.map_structure(entered, self._start(seeds), state)

    def _image(self, params: Any, groups: Tensor) -> Tensor:
        return self.recipe.parameterization.to_image(params, *self.recipe.size, groups)

    def _score(self, images: Tensor, data: Mapping[str, Tensor], groups: Tensor) -> Tensor:
        """What images reach as they are, [B]: the scores without penalties and couplings."""

        def score(images: Tensor) -> Tensor:
            found = {**self.net.activations(images, self.taps), IMAGE: images}
            return scores(self.structure, found, data, groups, own_terms_only=True)

        tile = self.recipe.tile
        return scores_of_tiles(score, images, tile) if tile else score(images)

    def _gradient(
        self, params: Any, data: Any, seeds: Tensor, groups: Tensor, step: Tensor, kernels: Any
    ) -> tuple[Any, Tensor]:
        def score(seen: Tensor, images: Tensor) -> Tensor:
            found = {**self.net.activations(seen, self.taps, kernels=kernels), IMAGE: images}
            return scores(self.structure, found, data, groups)

        loss_scale = LOSS_SCALE if kernels.compute_dtype == tf.float16 else 1.0
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(params)
            images = self._image(params, groups)
            seen = self.recipe.transform.apply(images, seeds, step)
            if not self.recipe.tile:
                row_scores = score(seen, images)
                target, upstream = row_scores, tf.fill(tf.shape(row_scores), loss_scale)
        if self.recipe.tile:
            target = seen
            upstream, lifted = tiled(lambda s: loss_scale * score(s, s), seen, self.recipe.tile)
            row_scores = lifted / loss_scale
        gradient = tape.gradient(target, params, upstream)
        if loss_scale == 1.0:
            return gradient, row_scores
        return tf.nest.map_structure(lambda g: g / loss_scale, gradient), row_scores

    def _step(
        self, state: Any, data: Any, seeds: Tensor, groups: Tensor, step: Tensor, kernels: Any
    ) -> tuple[Any, Tensor]:
        """One step: the next state, and the scores [B] before it."""
        params, *moments = state
        step = tf.broadcast_to(step, tf.shape(seeds))
        gradient, reached = self._gradient(params, data, seeds, groups, step, kernels)
        return self.update(params, moments, gradient, step), reached

    def one_step(self, *, redirected: bool = False) -> Callable[..., tuple[Any, Tensor]]:
        """The function (state, data, seeds, groups, step) -> (next state, scores [B] before it).

        It stays a function of its own in a graph that calls it: in one with cycles TensorFlow's
        oneDNN pass visits nodes in an order of chance, and leaves some gradients of pooling to slow
        kernels.
        """
        fused = self.recipe.transform.fused
        kernels = fast_kernels(self.recipe.precision, fused=fused, redirected=redirected)
        return tf.function(  # type: ignore[no-any-return]
            partial(self._step, kernels=kernels),
            autograph=False,
            experimental_attributes={"_noinline": True},
        )

    def _advance(
        self,
        state: Any,
        data: Mapping[str, Tensor],
        seeds: Tensor,
        groups: Tensor,
        first: Tensor,
        count: Tensor,
        redirected: bool = False,
    ) -> tuple[Any, Tensor]:
        """Take ``count`` steps; ``first`` is the number of the first one, or that of each row [B].

        Returns the state and scores [count, B].
        """
        one_step = self.one_step(redirected=redirected)
        history = tf.TensorArray(tf.float32, size=count, element_shape=[seeds.shape[0]])

        def step(i: Tensor, state: Any, history: Any) -> tuple[Any, ...]:
            state, reached = one_step(state, data, seeds, groups, first + i)
            return i + 1, state, history.write(i, reached)

        _, state, history = tf.while_loop(
            lambda i, *_: i < count, step, (0, state, history), parallel_iterations=1
        )
        return state, history.stack()


def _compiled(function: Callable[..., Any]) -> Any:
    # Without autograph: control flow is written out, and an importer's Python is not rewritten.
    return tf.function(function, autograph=False)


def _beside(numbers: Tensor, rows: Tensor) -> Tensor:
    """A number for each row [B], in a shape that meets rows [B, ...]."""
    return tf.reshape(numbers, [-1] + [1] * (rows.shape.rank - 1))


@lru_cache(maxsize=64)
def _fused_update(optimizer: str, rate: float, size: tuple[int, int]) -> Any:
    """The update compiled by XLA, for all networks: it reads and writes the state only once."""
    update = partial(_update, optimizer, rate)
    return tf.function(update, autograph=False, jit_compile=True)


def _update(
    optimizer: str, rate: float, params: Any, moments: Any, gradient: Any, step: Tensor
) -> Any:
    """One step of gradient ascent; the state of gradient descent's moments stays zero."""
    if optimizer == "gradient-descent":
        return (tf.nest.map_structure(lambda p, g: p + rate * g, params, gradient), *moments)
    count = tf.cast(step + 1, tf.float32)
    step_sizes = rate * tf.sqrt(1 - BETA2**count) / (1 - BETA1**count)
    mean = tf.nest.map_structure(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradient)
    spread = tf.nest.map_structure(
        lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], gradient
    )
    params = tf.nest.map_structure(
        lambda p, m, v: p + _beside(step_sizes, p) * m / (tf.sqrt(v) + EPSILON),
        params,
        mean,
        spread,
    )
    return params, mean, spread


def loop_for(net: Network, structure: Structure, recipe: Recipe) -> Loop:
    """Return the loop of a network for these settings, compiled once.

    The number of steps and the name of the recipe are not part of the settings.
    """
    key = (structure, recipe.replace(name="", steps=1))
    return compiled(net, key, lambda net: Loop(net, structure, recipe))


def _stops(steps: int, redirected: int, snapshots: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Split the steps at snapshots, at the end of redirection and into chunks."""
    marks = sorted({s for s in (*snapshots, redirected, steps) if 0 < s <= steps})
    first = 0
    for mark in marks:
        while first < mark:
            last = min(first + CHUNK, mark)
            yield first, last
            first = last


def check_finite(net: Network, numbers: np.ndarray[Any, Any], step: int) -> None:
    """Raise :class:`ModelError` where scores have stopped being numbers."""
    if not np.isfinite(numbers).all():
        raise ModelError(
            f"{net.name}: the score is not finite at step {step}; "
            "try a lower learning rate or look at the model's weights"
        )


def _shown(loop: Loop, params: Any, groups: Tensor) -> np.ndarray[Any, Any]:
    return np.asarray(loop.image(params, groups))


def _checkpoint(
    step: int, state: Any, history: Sequence[Any], snapshots: Mapping[int, Any]
) -> Checkpoint:
    return Checkpoint(
        step,
        tuple(np.asarray(part) for part in tf.nest.flatten(state)),
        np.concatenate(history),
        {taken: np.asarray(image) for taken, image in snapshots.items()},
    )


def optimize(
    net: Network,
    recipe: Recipe,
    batch: LoopInputs,
    snapshots: Sequence[int] = (),
    progress: Callable[[LoopProgress], None] | None = None,
    resume: Checkpoint | None = None,
) -> Run:
    """Optimize a batch of images and return them with snapshots and scores.

    Row i depends on (network, its objective, recipe, its seed, the batch's size) only, not on
    what the other rows are, unless its objective couples rows. With ``resume``, a checkpoint of the
    same batch, the result is that of a run that was never stopped. Raises :class:`ModelError` where
    the numbers stop being finite.
    """
    loop = loop_for(net, batch.structure, recipe)
    data = {name: tf.constant(array) for name, array in batch.data.items()}
    seeds, groups = tf.constant(batch.seeds, tf.int32), tf.constant(batch.groups, tf.int32)
    state = loop.start(seeds)
    kept: dict[int, Any] = {}
    history: list[Any] = []
    if resume is not None:
        state = tf.nest.pack_sequence_as(state, [tf.constant(part) for part in resume.state])
        kept, history = dict(resume.snapshots), [resume.history]
    elif 0 in snapshots:
        kept[0] = loop.image(state[0], groups)

    for first, last in _stops(recipe.steps, recipe.redirect_steps, snapshots):
        if resume is not None and first < resume.step:
            continue
        advance = loop.advance_redirected if first < recipe.redirect_steps else loop.advance
        state, reached = advance(
            state, data, seeds, groups, tf.constant(first), tf.constant(last - first)
        )
        numbers = np.asarray(reached)
        check_finite(net, numbers, first)
        history.append(numbers)
        if last in snapshots:
            kept[last] = loop.image(state[0], groups)
        if progress is not None:
            progress(
                LoopProgress(
                    last,
                    recipe.steps,
                    float(numbers[-1].mean()),
                    partial(_shown, loop, state[0], groups),
                    partial(_checkpoint, last, state, tuple(history), dict(kept)),
                )
            )
    params = state[0]
    del state  # the moments of a picture of 4096 pixels are 400 MB
    images = loop.image(params, groups)
    return Run(
        images=np.asarray(images),
        snapshots={step: np.asarray(image) for step, image in kept.items()},
        scores=np.asarray(loop.score(images, data, groups)),
        history=np.concatenate(history),
        taken=np.full(batch.size, recipe.steps),
    )
