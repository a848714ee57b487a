"""Compile the loop of pictures that start from a photo, or are compared with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN, Kernels
from kerasviz.optvis.objectives.scoring import likeness_scores
from kerasviz.optvis.objectives.special_tokens import ALL_COUNT
from kerasviz.optvis.objectives.structure import Structure, compared_taps, style_of, styled_taps
from kerasviz.optvis.optimization.loop import LOSS_SCALE, Loop, compiled_function
from kerasviz.optvis.optimization.photos import (
    STEEPNESS,
    central_crop,
    mask_of,
    nudged,
    photo_activations,
    random_crop,
    starts_from_photo,
    steepness,
    with_unit_likeness,
)
from kerasviz.optvis.optimization.run import PHOTO, STYLE, Data
from kerasviz.optvis.optimization.slopes import BEFORE
from kerasviz.optvis.parameterizations import from_images
from kerasviz.optvis.recipe import Recipe
from kerasviz.types import Array, Tensor


class PhotoLoop(Loop):
    """The loop of rows with a photo [H, W, C], which is among their tensors.

    A picture starts from the photo, unless its objective reproduces it from noise. The photo goes
    through the same random transform as the picture. A likeness in the objective is multiplied by
    the steepness of the score beside it, which is measured before the first step.
    """

    def __init__(
        self,
        net: Network,
        structure: Structure,
        recipe: Recipe,
        special: Mapping[str, int] = ALL_COUNT,
    ):
        super().__init__(net, structure, recipe, special)
        self.compared = compared_taps(structure)
        self.styled = styled_taps(structure)
        self.from_photo = starts_from_photo(structure)
        self.masks = self.from_photo and recipe.opacity
        self.stays_near = any(slot.reduction == "likeness" for slot in structure)
        self.steepness = compiled_function(self._steepness)

    # -- before the first step ---------------------------------------------------------------

    def prepared(self, data: Data, seeds: Tensor, groups: Tensor) -> Data:
        """Return the tensors of rows with the steepness of their scores beside the likeness."""
        if not self.stays_near:
            return data
        return {**data, STEEPNESS: self.steepness(data, seeds, groups)}

    def begin(self, data: Data, seeds: Tensor) -> Any:
        """Return the state of rows before their first step."""
        return self.start(seeds, data[PHOTO])

    def restart(self, state: Any, data: Data, seeds: Tensor, mask: Tensor) -> Any:
        """Restart the rows of a state where ``mask`` [B] is true."""
        return self.enter(state, seeds, mask, data[PHOTO])

    def _parameters(self, *rows: Tensor) -> Any:
        seeds, photos = rows
        if not self.from_photo:
            return super()._parameters(seeds)
        return from_images(self.recipe.parameterization, photos)

    def _steepness(self, data: Data, seeds: Tensor, groups: Tensor) -> Tensor:
        """Measure how steep the score [B] is beside a likeness of weight -1, near the photo."""
        data = with_unit_likeness(self.structure, data)
        params = nudged(self._parameters(seeds, data[PHOTO]), seeds)
        step = tf.zeros_like(seeds)
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch(params)
            images = self._image(params, groups)
            totals, near = self._both(images, data, seeds, groups, step, PLAIN)
        return steepness(tape.gradient(totals, params), tape.gradient(near, params))

    # -- scores ------------------------------------------------------------------------------

    def _activations(
        self, seen: Tensor, data: Data, kernels: Kernels
    ) -> tuple[dict[str, Tensor], Data]:
        """Return activations with those of the photos, as the network sees them."""
        activations, data = super()._activations(seen, data, kernels)
        rest = {
            name: array for name, array in data.items() if name not in (PHOTO, STYLE, STEEPNESS)
        }
        of_photos = photo_activations(self.net, data[PHOTO], self.compared, kernels)
        if self.styled:
            settings = data[STYLE], self.styled, kernels, style_of
            of_photos |= photo_activations(self.net, *settings)
        return {**activations, **of_photos}, rest

    def _score_terms(self, images: Tensor, data: Data, groups: Tensor, terms: Data) -> Tensor:
        data = {**data, PHOTO: self.transform.whole(data[PHOTO])}
        if self.styled:
            cut = central_crop(data[STYLE], self.recipe.size)
            data = {**data, STYLE: self.transform.whole(cut)}
        return super()._score_terms(images, data, groups, terms)

    def _both(
        self,
        images: Tensor,
        data: Data,
        seeds: Tensor,
        groups: Tensor,
        step: Tensor,
        kernels: Kernels,
    ) -> tuple[Tensor, Tensor]:
        """Return the scores of images and, apart, their likeness to the photos, [B] each."""
        data = self._with_seen_photos(data, seeds, step)
        seen = self.transform.apply(images, seeds, step, self.recipe.views)
        activations, own = self._activations(seen, data, kernels)
        totals = self._scored(activations, images, own, groups)
        near = likeness_scores(self.structure, activations, self._of_views(own))
        return totals, self._mean_of_views(near)

    def _with_seen_photos(self, data: Data, seeds: Tensor, step: Tensor) -> Data:
        """Return the tensors of rows with what the network sees of their photos in a step.

        Of a style photo that is another window in each step.
        """
        seen = self.transform.apply(data[PHOTO], seeds, step, self.recipe.views)
        if not self.styled:
            return {**data, PHOTO: seen}
        window = random_crop(data[STYLE], self.recipe.size, seeds, step)
        style = self.transform.apply(window, seeds, step, self.recipe.views)
        return {**data, PHOTO: seen, STYLE: style}

    # -- steps -------------------------------------------------------------------------------

    def _gradient(
        self, params: Any, data: Data, seeds: Tensor, groups: Tensor, step: Tensor, kernels: Kernels
    ) -> tuple[Any, tuple[Tensor, ...], Tensor]:
        """Return the gradients by parameters and, for a mask, of the score by images; and scores.

        The likeness is no part of masks and scores.
        """
        if not self.stays_near:
            data = self._with_seen_photos(data, seeds, step)
            return super()._gradient(params, data, seeds, groups, step, kernels)
        scale = LOSS_SCALE if kernels.compute_dtype == tf.float16 else 1.0
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch(params)
            images = self._image(params, groups)
            totals, near = self._both(images, data, seeds, groups, step, kernels)
            near = near * data[STEEPNESS]
            raised = scale * totals, scale * near
        by_images = [tape.gradient(each, images) for each in raised]
        self._check_gradient(by_images)
        slopes, pull = (slope / scale for slope in by_images)
        gradient = tape.gradient(images, params, slopes + pull)
        return gradient, (slopes,) if self.recipe.opacity else (), totals

    def slopes_of(self, state: Any) -> Array | None:
        """Return the opacity, or the mask of pictures that start from a photo, [B, H, W]."""
        return mask_of(np.asarray(state[BEFORE])) if self.masks else super().slopes_of(state)
