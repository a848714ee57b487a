"""Compile the loop: gradient ascent on images through a network, in chunks of steps.

One loop is traced per (network, structure of objectives, static settings, size, batch). Units,
seeds and step numbers are tensors, so that the next unit needs no tracing, and a chunk of steps is
one graph call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.optvis.function_calls import function_scores
from kerasviz.optvis.objectives.scoring import own_scores, rivals_of, scores
from kerasviz.optvis.objectives.special_tokens import ALL_COUNT
from kerasviz.optvis.objectives.structure import IMAGE, Structure, taps_in
from kerasviz.optvis.objectives.sums import term_scores
from kerasviz.optvis.optimization.kernels import fast_kernels, portable_kernels
from kerasviz.optvis.optimization.optimizers import UPDATES, fused_update, per_row
from kerasviz.optvis.optimization.relu_gradients import REDIRECTED
from kerasviz.optvis.optimization.run import (
    Data,
)
from kerasviz.optvis.optimization.slopes import add_slopes, no_slopes, opacity_of
from kerasviz.optvis.optimization.tiling import check_tiles, scores_of_tiles, tiled
from kerasviz.optvis.parameterizations import Alpha
from kerasviz.optvis.parameterizations.alpha import GREY, laid_on, opaque
from kerasviz.optvis.python_function import names_of
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.transforms.views import spread
from kerasviz.types import Array, Tensor

#: The factor of scores whose gradient is computed in float16, which has no numbers below 6e-8.
LOSS_SCALE = 2.0**10


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
        self.finished_image = compiled_function(self._finished_image)
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

    def shown(self, state: Any, groups: Tensor, images: Tensor) -> Tensor:
        """Return images of a state as they are kept: larger where the recipe says so."""
        return images if self.recipe.final_size is None else self.finished_image(state[0], groups)

    def slopes_of(self, state: Any) -> Array | None:
        """Return the opacity, or the mask, [B, H, W] of the images of a state."""
        return opacity_of(state)

    def _image(self, params: Any, groups: Tensor) -> Tensor:
        return self.recipe.parameterization.to_image(params, *self.recipe.size, groups)

    def _finished_image(self, params: Any, groups: Tensor) -> Tensor:
        """Compute images in the size of finished pictures."""
        return self.recipe.parameterization.to_image(params, *self.recipe.picture_size, groups)

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
