"""Compile the loop: gradient ascent on images through a network, in chunks of steps.

One loop is traced per (network, structure of objectives, static settings, size, batch). Units,
seeds and step numbers are tensors, so that the next unit needs no tracing, and a chunk of steps is
one graph call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError, UsageError
from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.optvis.function_calls import function_scores
from kerasviz.optvis.objectives.scoring import (
    IMAGE,
    Structure,
    own_scores,
    rivals_of,
    scores,
    taps_in,
)
from kerasviz.optvis.objectives.special_tokens import ALL_COUNT, left_out
from kerasviz.optvis.objectives.sums import term_scores
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.compile_cache import compiled
from kerasviz.optvis.optimization.kernels import fast_kernels, portable_kernels
from kerasviz.optvis.optimization.optimizers import UPDATES, fused_update, per_row
from kerasviz.optvis.optimization.relu_gradients import REDIRECTED
from kerasviz.optvis.optimization.slopes import add_slopes, no_slopes, opacity_of, without_moments
from kerasviz.optvis.optimization.tiling import check_tiles, scores_of_tiles, tiled
from kerasviz.optvis.parameterizations import Alpha, Parameterization
from kerasviz.optvis.parameterizations.alpha import GREY, laid_on, opaque
from kerasviz.optvis.python_function import names_of
from kerasviz.optvis.recipes import Recipe
from kerasviz.optvis.transforms.views import spread
from kerasviz.types import Array, Tensor

#: Tensors of objectives by name, as :func:`pack_objectives` gives them.
Data = Mapping[str, Tensor]
NO_DATA: Data = MappingProxyType({})
#: The photos of rows [B, H, W, C] in [0, 1], among the tensors of objectives.
PHOTO = "photo"
#: The photos whose style rows take [B, H, W, C] in [0, 1], larger than the images, there too.
STYLE = "style"
#: Steps in one graph call. Between calls there is time for progress, snapshots and Ctrl-C.
CHUNK = 16
#: The factor of scores whose gradient is computed in float16, which has no numbers below 6e-8.
LOSS_SCALE = 2.0**10


@dataclass(frozen=True)
class LoopInputs:
    """The rows of one run: their objectives, seeds and groups.

    ``data`` comes from :func:`pack_objectives`; ``seeds`` and ``groups`` are integers [B]. Rows of
    one group were requested together, and objectives may couple them. ``terms`` comes from
    :func:`pack_terms`.
    """

    structure: Structure
    data: Mapping[str, Array]
    seeds: Array
    groups: Array
    terms: Mapping[str, Array] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.seeds)

    def tensors(self, rows: Array | slice = slice(None)) -> tuple[Data, Tensor, Tensor]:
        """Return the data, seeds and groups of some rows."""
        data = {name: tf.constant(array[rows]) for name, array in self.data.items()}
        seeds, groups = (tf.constant(n[rows], tf.int32) for n in (self.seeds, self.groups))
        return data, seeds, groups

    def term_tensors(self, rows: Array | slice = slice(None)) -> Data:
        """Return the tensors of the terms of sums of some rows."""
        return {name: tf.constant(array[rows]) for name, array in self.terms.items()}


@dataclass(frozen=True)
class LoopProgress:
    """The progress of a run: ``step`` of ``steps``, and the mean score of the last step.

    ``images()`` computes the current images, [B, H, W, C] in [0, 1]; ``checkpoint()`` copies what a
    run needs to resume from this step; ``stopped()`` is the result of a run that ends here.
    """

    step: int
    steps: int
    score: float
    images: Callable[[], Array] | None = field(default=None, compare=False, repr=False)
    checkpoint: Callable[[], Checkpoint] | None = field(default=None, compare=False, repr=False)
    stopped: Callable[[], Run] | None = field(default=None, compare=False, repr=False)


@dataclass
class Run:
    """The result of :func:`optimize`: all rows of the batch.

    ``images`` [B, H, W, C] in [0, 1]; ``snapshots`` the same by step number (0 is the initial
    noise); ``scores`` [B] of the finished images, untransformed, without penalties and the terms
    that couple rows; ``terms`` [B, T] those of the terms of sums; ``history`` [steps, B] complete
    scores of the transformed images at each step, NaN after the number of steps that a row has
    ``taken`` [B]. ``complete`` [B] is false for rows that took fewer steps because the run was
    stopped; those that had not begun took none. Transparent images have an ``opacity`` [B, H, W] in
    [0, 1], and snapshots theirs in ``snapshot_opacities``. Images that start from a photo have a
    ``mask`` [B, H, W] instead, see :func:`mask_of`.
    """

    images: Array
    snapshots: dict[int, Array]
    scores: Array
    terms: Array
    history: Array
    taken: Array
    complete: Array
    opacity: Array | None = None
    snapshot_opacities: dict[int, Array] = field(default_factory=dict)
    mask: Array | None = None

    def of(self, parameterization: Parameterization) -> Run:
        """Return the run with the opacities that the images of a parameterization have."""
        if not isinstance(parameterization, Alpha):
            return self
        snapshots = self.snapshots.items()
        return replace(
            self,
            images=self.images[..., :-1],
            snapshots={step: images[..., :-1] for step, images in snapshots},
            opacity=self.images[..., -1],
            snapshot_opacities={step: images[..., -1] for step, images in snapshots},
        )


class Loop:
    """The compiled functions for a network, a structure and a recipe but for its steps."""

    #: Whether sums of slopes are a mask beside the images, not their opacity.
    masks = False

    def __init__(
        self,
        net: Network,
        structure: Structure,
        recipe: Recipe,
        special: Mapping[str, int] = ALL_COUNT,
    ):
        self.special = special
        self.net, self.structure, self.recipe = net, structure, recipe
        self.taps = list(taps_in(structure))
        functions = [slot.function for slot in structure if slot.function is not None]
        self.functions = names_of([*functions, *recipe.functions])
        if recipe.tile:
            check_tiles(structure, recipe.size, recipe.tile, recipe.penalties)
        self.rivals = rivals_of(net, structure, recipe.rivals)
        fixed = net.fixed_size != (None, None)
        self.transform = recipe.transform.to_image_size() if fixed else recipe.transform
        kernels_of = fast_kernels if recipe.transform.fused else portable_kernels
        self.kernels = kernels_of(recipe.precision)
        self.redirected_kernels = kernels_of(recipe.precision, REDIRECTED)
        self.update = partial(UPDATES[recipe.optimizer], recipe.learning_rate)
        if recipe.transform.fused:
            self.update = fused_update(recipe.optimizer, recipe.learning_rate, recipe.size)
        self.start = compiled_function(self._start)
        self.enter = compiled_function(self._enter)
        self.image = compiled_function(self._image)
        self.score = compiled_function(self._score)
        self.score_terms = compiled_function(self._score_terms)
        self.advance = compiled_function(partial(self._advance, self.kernels))
        self.advance_redirected = compiled_function(partial(self._advance, self.redirected_kernels))

    def prepared(self, data: Data, seeds: Tensor, groups: Tensor) -> Data:
        """Return the tensors of rows with what is measured before their first step: nothing."""
        return data

    def begin(self, data: Data, seeds: Tensor) -> Any:
        """Return the state of rows before their first step."""
        return self.start(seeds)

    def restart(self, state: Any, data: Data, seeds: Tensor, mask: Tensor) -> Any:
        """Restart the rows of a state where ``mask`` [B] is true."""
        return self.enter(state, seeds, mask)

    def _parameters(self, seeds: Tensor) -> Any:
        height, width = self.recipe.size
        return self.recipe.parameterization.init(seeds, height, width, self.net.channels)

    def _start(self, *rows: Tensor) -> Any:
        """Return the state before the first step: parameters and the optimizer's two moments.

        Where slopes give the opacity their sums follow, see :func:`no_slopes`.
        """
        params, seeds = self._parameters(*rows), rows[0]
        zeros = tf.nest.map_structure(tf.zeros_like, params)
        sums = no_slopes(seeds, self.recipe.size) if self.recipe.opacity else ()
        return params, zeros, zeros, *sums

    def _enter(self, state: Any, seeds: Tensor, mask: Tensor, *rows: Tensor) -> Any:
        return tf.nest.map_structure(
            lambda new, old: tf.where(per_row(mask, new), new, old),
            self._start(seeds, *rows),
            state,
        )

    def slopes_of(self, state: Any) -> Array | None:
        """Return the opacity, or the mask, [B, H, W] of the images of a state."""
        return opacity_of(state)

    def _image(self, params: Any, groups: Tensor) -> Tensor:
        return self.recipe.parameterization.to_image(params, *self.recipe.size, groups)

    def _score(self, images: Tensor, data: Data, groups: Tensor) -> Tensor:
        """Score untransformed images without penalties and couplings, [B]."""
        return self._score_terms(images, data, groups, {})[..., 0]

    def _score_terms(self, images: Tensor, data: Data, groups: Tensor, terms: Data) -> Tensor:
        """Score untransformed images as a whole and by each term of sums, [B, 1 + T]."""
        images = self.transform.whole(opaque(self.recipe.parameterization, images))

        def score(images: Tensor) -> Tensor:
            activations, own = self._activations(images, data, PLAIN)
            activations = {**activations, IMAGE: images}
            whole = own_scores(self.structure, activations, own, groups, self.special)
            named = self.structure, activations, terms, groups, self.special
            return tf.stack([whole, *(term_scores(*named) if terms else ())], axis=-1)

        tile = self.recipe.tile
        return scores_of_tiles(score, images, tile) if tile else score(images)

    def _layers(
        self, params: Any, seeds: Tensor, groups: Tensor, step: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return images, what the network is shown of them, and what opacity costs [B] if any."""
        images, own = self._image(params, groups), self.recipe.parameterization
        if not isinstance(own, Alpha):
            return images, images, None
        cost = own.weight * tf.reduce_mean(images[..., -1], [1, 2])
        return laid_on(images, GREY), own.on_background(images, seeds, step), cost

    def _totals(
        self, seen: Tensor, images: Tensor, data: Data, groups: Tensor, kernels: Kernels
    ) -> Tensor:
        """Score images [B, H, W, C] by what the network sees of them; [B], means over views."""
        activations, data = self._activations(seen, data, kernels)
        return self._scored(activations, images, data, groups)

    def _activations(
        self, seen: Tensor, data: Data, kernels: Kernels
    ) -> tuple[dict[str, Tensor], Data]:
        """Return the activations of what the network sees, and the tensors to score them by."""
        return self.net.activations(seen, self.taps, kernels=kernels), data

    def _scored(
        self, activations: Mapping[str, Tensor], images: Tensor, data: Data, groups: Tensor
    ) -> Tensor:
        views = self.recipe.views
        if views > 1:  # rows of a group are coupled in the same view
            data = self._of_views(data)
            groups = tf.reshape(groups[:, None] * views + tf.range(views), [-1])
        activations = {**activations, IMAGE: spread(images, views)}
        settings = self.rivals, self.special
        totals = scores(self.structure, activations, data, groups, *settings)
        totals = self._mean_of_views(totals)
        for penalty in self.recipe.penalties:
            totals -= function_scores(penalty, images)
        return totals

    def _of_views(self, data: Data) -> Data:
        """Repeat the tensors of rows [B, ...] for their views, [B * views, ...]."""
        views = self.recipe.views
        return {n: tf.repeat(a, views, axis=0) if views > 1 else a for n, a in data.items()}

    def _mean_of_views(self, totals: Tensor) -> Tensor:
        views = self.recipe.views
        return totals if views == 1 else tf.reduce_mean(tf.reshape(totals, [-1, views]), axis=1)

    def _gradient(
        self, params: Any, data: Data, seeds: Tensor, groups: Tensor, step: Tensor, kernels: Kernels
    ) -> tuple[Any, tuple[Tensor, ...], Tensor]:
        """Return the gradients by parameters and, for an opacity, images; and the scores [B]."""

        def score(seen: Tensor, images: Tensor) -> Tensor:
            return self._totals(seen, images, data, groups, kernels)

        loss_scale = LOSS_SCALE if kernels.compute_dtype == tf.float16 else 1.0
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(params)
            images, shown, cost = self._layers(params, seeds, groups, step)
            seen = self.transform.apply(shown, seeds, step, self.recipe.views)
            if not self.recipe.tile:
                totals = score(seen, images)
                target, upstream = totals, tf.fill(tf.shape(totals), loss_scale)
        if self.recipe.tile:
            target = seen
            upstream, lifted = tiled(lambda s: loss_scale * score(s, s), seen, self.recipe.tile)
            totals = lifted / loss_scale
        if cost is not None:  # a share of the score, whatever its size
            size = tf.abs(totals)
            target, upstream = [target, cost], [upstream, -loss_scale * size]
            totals -= size * cost
        sources = (images,) if self.recipe.opacity else ()
        gradient, slopes = tape.gradient(target, (params, sources), upstream)
        self._check_gradient(gradient)
        if loss_scale == 1.0:
            return gradient, slopes, totals
        gradient, slopes = tf.nest.map_structure(lambda g: g / loss_scale, (gradient, slopes))
        return gradient, slopes, totals

    def _check_gradient(self, gradient: Any) -> None:
        if any(part is None for part in tf.nest.flatten(gradient)):
            raise ModelError(
                f"{self.net.name}: {', '.join(self.taps)} has no gradient to the image "
                f"{self.net.image_port.name} ({self.net.image_port.dtype.name}); name a tap that "
                "changes gradually with it"
            )

    def _step(
        self, state: Any, data: Data, seeds: Tensor, groups: Tensor, step: Tensor, kernels: Kernels
    ) -> tuple[Any, Tensor]:
        """Take one step; return the next state and the scores [B] before the step."""
        params, *moments = state[:3]
        step = tf.broadcast_to(step, tf.shape(seeds))
        gradient, slopes, totals = self._gradient(params, data, seeds, groups, step, kernels)
        sums = add_slopes(state[3:], slopes)
        return (*self.update(params, moments, gradient, step), *sums), totals

    def one_step(self, kernels: Kernels) -> Callable[..., tuple[Any, Tensor]]:
        """Return the function (state, data, seeds, groups, step) -> (next state, scores [B]).

        It is never inlined: in a graph with cycles TensorFlow's oneDNN pass visits nodes in random
        order, and leaves some gradients of pooling to slow kernels.
        """
        return tf.function(  # type: ignore[no-any-return]
            partial(self._step, kernels=kernels),
            autograph=False,
            experimental_attributes={"_noinline": True},
        )

    def _advance(
        self,
        kernels: Kernels,
        state: Any,
        data: Data,
        seeds: Tensor,
        groups: Tensor,
        first: Tensor,
        count: Tensor,
    ) -> tuple[Any, Tensor]:
        """Take ``count`` steps from number ``first``, one for all rows or one for each [B].

        Returns the state and scores [count, B].
        """
        one_step = self.one_step(kernels)
        history = tf.TensorArray(tf.float32, size=count, element_shape=[seeds.shape[0]])

        def step(i: Tensor, state: Any, history: Any) -> tuple[Any, ...]:
            state, totals = one_step(state, data, seeds, groups, first + i)
            return i + 1, state, history.write(i, totals)

        _, state, history = tf.while_loop(
            lambda i, *_: i < count, step, (0, state, history), parallel_iterations=1
        )
        return state, history.stack()


def compiled_function(function: Callable[..., Any]) -> Any:
    """Compile a function, to be traced once."""
    # Without autograph, which would rewrite the Python code of importers.
    traced = tf.function(function, autograph=False)
    # Every loop is traced once. TensorFlow takes those of several networks for one that is traced
    # again and again, and warns; it has no public way to say that it is not.
    traced._omit_frequent_tracing_warning = True
    return traced


def loop_for(
    net: Network, structure: Structure, recipe: Recipe, data: Mapping[str, Any] = NO_DATA
) -> Loop:
    """Return the loop for these settings, compiled once and kept with the network.

    ``data`` are the tensors of rows, which may have photos. Recipes that differ in name and number
    of steps share a loop, unless crops shrink with the steps.
    """
    recipe = recipe.replace(transform=recipe.transform.with_crops(steps=recipe.steps))
    kind: type[Loop] = Loop
    if PHOTO in data:
        from kerasviz.optvis.optimization.photo_loop import PhotoLoop  # which imports this module

        kind = PhotoLoop
    key = (kind, structure, recipe.replace(name="", steps=1))
    net.warn_of_training()
    net = net.focused(taps_in(structure))
    special = left_out(net, recipe.special_tokens, taps_in(structure))
    return compiled(net, key, lambda net: kind(net, structure, recipe, special))


def _stops(steps: int, redirected: int, snapshots: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Split the steps at snapshots, at the end of redirection and into chunks."""
    marks = sorted({s for s in (*snapshots, redirected, steps) if 0 < s <= steps})
    first = 0
    for mark in marks:
        while first < mark:
            last = min(first + CHUNK, mark)
            yield first, last
            first = last


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
            images=np.asarray(images),
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


def _ascent(net: Network, recipe: Recipe, batch: LoopInputs, resume: Checkpoint | None) -> Ascent:
    if recipe.octaves > 1:
        from kerasviz.optvis.optimization.octaves import OctaveAscent  # which imports this module

        return OctaveAscent(net, recipe, batch, resume)
    loop = loop_for(net, batch.structure, recipe, batch.data)
    return Ascent(loop, recipe.steps, batch, resume)


def optimize(
    net: Network,
    recipe: Recipe,
    batch: LoopInputs,
    snapshots: Sequence[int] = (),
    progress: Callable[[LoopProgress], None] | None = None,
    resume: Checkpoint | None = None,
) -> Run:
    """Optimize a batch of images and return them with snapshots and scores.

    A row depends on the network, its objective, the recipe, its seed and the batch's size only,
    unless its objective couples rows. With ``resume``, a checkpoint of the same batch, the result
    is that of an uninterrupted run. Raises :class:`ModelError` for scores that are not finite.
    """
    run = _ascent(net, recipe, batch, resume)
    if resume is None and 0 in snapshots:
        run.snapshots[0] = run.images()
    for first, last in _stops(recipe.steps, recipe.redirect_steps, (*snapshots, *run.marks)):
        if first < run.step:
            continue
        run.advance(last)
        if last in snapshots:
            run.snapshots[last] = run.images()
        if progress is not None:
            progress(run.progress())
    return run.result()
