"""Weigh the numbers of a layer by how much they contribute to a score, for one photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from kerasviz.analysis.offsets import Offsets
from kerasviz.analysis.smoothed_pooling import smoothed_max_pool
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.network.program import PLAIN
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import own_scores
from kerasviz.optvis.objectives.structure import structure_of, taps_in
from kerasviz.optvis.objectives.term import Objective
from kerasviz.types import Array, PreActivation


def contributions(
    net: Network,
    tap: str,
    objective: Objective,
    image: Array,
    *,
    pre_activation: PreActivation = True,
) -> Array:
    """Return what each number of a layer contributes to a score, in units of the largest.

    It is the layer times the derivative of the score by it, with a smoothed gradient of
    max-pooling; see :func:`smoothed_max_pool`.

    Args:
        net: The network.
        tap: The name of the layer, before that of the objective.
        objective: What is scored, such as a class.
        image: [H, W, C] in [0, 1].
        pre_activation: Whether units are taken before their ReLU.

    Returns:
        [h, w, C], [tokens, C] or [C] in [-1, 1], float32.

    Raises:
        UsageError: For a layer that the score does not depend on.

    Example:
        >>> photo = np.ones((16, 16, 3), np.float32) / 2
        >>> contributions(net, "stem", kerasviz.objectives.logit(2), photo).shape
        (14, 14, 8)

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018).
    """
    structure = structure_of(objective, net, pre_activation)
    data = pack_objectives(structure, [objective], net, pre_activation, image.shape[:2])
    tensors = {name: tf.constant(array) for name, array in data.items()}
    names = taps_in(structure)
    focused = net.focused([*names, tap])
    smoothed = replace(PLAIN, max_pool=smoothed_max_pool)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        offsets = Offsets(focused, [tap], tape, smoothed)
        images = tf.constant(image, tf.float32)[None]
        activations = focused.activations(images, [*names, tap], kernels=offsets.kernels)
        score = own_scores(structure, activations, tensors, tf.range(1))
    found: Array = (offsets.derivatives(score)[tap] * offsets.values[tap]).numpy()[0]
    largest = np.abs(found).max(initial=0.0)
    if not largest:
        raise UsageError(
            f"{net.name}: the score does not depend on {tap} in this photo; name a layer before it "
            "(kerasviz taps lists them in order)"
        )
    shares: Array = (found / largest).astype(np.float32)
    return shares
