"""Objectives of pictures, as plain data with algebra.

An objective is a weighted sum of terms. It names taps and units, computes nothing, and round-trips
through JSON (of a Python function JSON has the source); ``scoring`` turns rows of objectives into
tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.direction import direction as direction
from kerasviz.optvis.objectives.direction import directions as directions
from kerasviz.optvis.objectives.direction import latent as latent
from kerasviz.optvis.objectives.direction import random_direction as random_direction
from kerasviz.optvis.objectives.facets import facet as facet
from kerasviz.optvis.objectives.likeness import attributed as attributed
from kerasviz.optvis.objectives.likeness import caricature as caricature
from kerasviz.optvis.objectives.likeness import inversion as inversion
from kerasviz.optvis.objectives.likeness import likeness as likeness
from kerasviz.optvis.objectives.style import content as content
from kerasviz.optvis.objectives.style import style as style
from kerasviz.optvis.objectives.style import style_transfer as style_transfer
from kerasviz.optvis.objectives.term import Objective as Objective
from kerasviz.optvis.objectives.term import Term as Term
from kerasviz.optvis.python_function import PythonFunction

__all__ = [
    "Objective",
    "alignment",
    "attributed",
    "blur",
    "caricature",
    "channel",
    "content",
    "direction",
    "directions",
    "diversity",
    "facet",
    "function",
    "head",
    "interpolation",
    "inversion",
    "l1",
    "latent",
    "layer",
    "likeness",
    "logit",
    "neuron",
    "penalty",
    "probability",
    "random_direction",
    "style",
    "style_transfer",
    "total_variation",
]


def channel(tap: str, unit: int) -> Objective:
    """Maximize the mean of a channel over all positions.

    Args:
        tap: The name of a layer.
        unit: The number of the channel, from 0.

    Example:
        >>> channel("mixed4a", 10).terms[0].unit
        10

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017): ``layer_n[:,:,z]``.
    """
    return Objective((Term("channel", tap, unit),))


def neuron(tap: str, unit: int, position: tuple[int, ...] | None = None) -> Objective:
    """Maximize a channel at one position.

    Args:
        tap: The name of a layer.
        unit: The number of the channel, from 0.
        position: (y, x) of a map, or (number,) of a row of tokens; negative numbers count from
            the end. Without it the centre (h // 2, w // 2), for tokens that of their grid.

    Example:
        >>> neuron("mixed4a", 10, (2, 3)).terms[0].position
        (2, 3)

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017): ``layer_n[x,y,z]``.
    """
    return Objective((Term("neuron", tap, unit, position=position),))


def layer(tap: str) -> Objective:
    """Maximize the mean of the squared activations of a layer (DeepDream).

    Args:
        tap: The name of a layer.

    Example:
        >>> layer("mixed4a").to_json()
        [{'kind': 'layer', 'tap': 'mixed4a', 'weight': 1.0}]

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017): ``layer_n[:,:,:]^2``.
    """
    return Objective((Term("layer", tap),))


def head(tap: str, number: int, heads: int) -> Objective:
    """Maximize the mean of the squared outputs of one attention head.

    Args:
        tap: The name of a layer whose channels are the outputs of all heads, one after the other.
        number: The number of the head, from 0.
        heads: The number of heads.

    Example:
        >>> head("attention", 2, 6).terms[0].part
        (2, 6)
    """
    return Objective((Term("layer", tap, part=(number, heads)),))


def function(
    f: Callable[[Mapping[str, Any]], Any],
    taps: str | Sequence[str],
    name: str | None = None,
) -> Objective:
    """Maximize any function of the tensors of a network.

    ``f`` is traced as a graph: take operations of TensorFlow or Keras, ``tf.where`` in place of
    ``if``, and nothing of NumPy, which has no gradient.

    What ``f`` captures (variables around it, globals, defaults) is kept as it is now, and belongs
    to the key of its pictures. Numbers, texts, arrays, functions, and lists, tuples, sets and dicts
    of them count by their values, and must not be changed in place afterwards. With anything else,
    as a model or a variable, each objective is compiled anew, and no earlier picture is taken for
    its own.

    Args:
        f: Maps ``{tap: tensor}`` to scores [B]. The tensors are float32: [B, h, w, C], [B, tokens,
            C] or [B, C], under the names in ``taps``; that before a ReLU in place of its output,
            unless the recipe has ``pre_activation=False``. ``f`` sees a whole batch, with pictures
            of other requests and padding: score b must depend on row b of the tensors only.
        taps: The names of the tensors, or one name.
        name: The name in messages and provenance; that of ``f`` by default.

    Returns:
        An objective, which ``+``, ``-`` and ``*`` join with others. The provenance of its pictures
        has the source text of ``f`` and says that data alone cannot make them again.

    Raises:
        UsageError: For no function or no taps. While rendering: for another result than scores [B],
            one without a gradient, and an error in ``f``.

    Example:
        >>> import kerasviz, tensorflow as tf
        >>> net = kerasviz.load("efficientnet-lite0")
        >>> def contrast(tensors):
        ...     a = tensors["block1a"]                                  # [B, h, w, 16]
        ...     return tf.reduce_mean(a[..., 1] - a[..., 2], axis=[1, 2])
        >>> objective = kerasviz.objectives.function(contrast, taps=["block1a"])
        >>> kerasviz.render(net, objective, steps=2, size=32).images.shape
        (1, 32, 32, 3)

    Reference:
        lucid, ``optvis/objectives.py``: ``wrap_objective``.
    """
    names = (taps,) if isinstance(taps, str) else tuple(taps or ())
    if not names or not all(isinstance(tap, str) for tap in names):
        raise UsageError(f"function: taps {taps!r}; give the names of tensors, as ['mixed4a']")
    return Objective((Term("function", function=PythonFunction.of(f, name), taps=names),))


def logit(unit: int) -> Objective:
    """Maximize the logit of a class, the mean over positions of a head that has positions.

    Args:
        unit: The number of the class, from 0.

    Example:
        >>> logit(1).to_json()
        [{'kind': 'logit', 'unit': 1, 'weight': 1.0}]

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017): ``pre_softmax[k]``.
    """
    return Objective((Term("logit", unit=unit),))


def probability(unit: int) -> Objective:
    """Maximize the probability of a class, the softmax of the logits.

    With several positions it is the mean of the softmax at each.

    Args:
        unit: The number of the class, from 0.

    Example:
        >>> probability(1).to_json()
        [{'kind': 'probability', 'unit': 1, 'weight': 1.0}]

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017): ``softmax[k]``.
    """
    return Objective((Term("probability", unit=unit),))


def diversity(tap: str, weight: float = 0.1) -> Objective:
    """Push pictures that are optimized together apart.

    For picture a: minus the sum over the others b of the cosine of their Gram matrices at ``tap``,
    times ``weight`` times the size of a's other terms (a number without gradient). So a weight
    means the same on networks with activations of other sizes.

    Args:
        tap: The name of the layer at which pictures are compared.
        weight: The strength. The authors' 100 beside an activation of 1000 is 0.1 here.

    Example:
        >>> (channel("mixed4a", 97) + diversity("mixed4a")).couples_rows
        True

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017), section "Diversity": C_diversity.
    """
    return Objective((Term("diversity", tap, weight=weight),))


def alignment(tap: str, weight: float = 0.1) -> Objective:
    """Keep neighbours among pictures that are optimized together alike.

    For picture i: minus the sum over d = 1 to 4 of mean((A_i - A_{i+d})^2) / 5^d, times ``weight``.

    Args:
        tap: The name of the layer whose activations A are compared.
        weight: The strength.

    Example:
        >>> alignment("mixed4a").couples_rows
        True

    Reference:
        Olah et al., "Feature Visualization" (Distill 2017), footnote on interpolation; decay of the
        authors' notebook ``aligned_interpolation``.
    """
    return Objective((Term("alignment", tap, weight=weight),))


def interpolation(first: Objective, last: Objective, taps: Sequence[str] = ()) -> Objective:
    """Interpolate between two objectives along a row of pictures.

    Picture k of n is for (1 - w) ``first`` + w ``last`` with w = k / (n - 1).

    Args:
        first: The objective of the first picture.
        last: The objective of the last picture.
        taps: The layers at which neighbours are aligned.

    Returns:
        The sum of both with their fades, and an alignment for each of ``taps``.

    Example:
        >>> interpolation(channel("a", 1), channel("b", 2)).at(1, 6).terms[1].weight
        0.2

    Reference:
        lucid, ``optvis/objectives.py``: ``channel_interpolate``.
    """
    faded = first.fading("out") + last.fading("in")
    return sum((alignment(tap) for tap in taps), faded)


def l1(weight: float = -0.05) -> Objective:
    """Penalize the distance of the image from grey: the sum of |x - 0.5|.

    Args:
        weight: The factor; a negative one keeps the image grey.

    Example:
        >>> (channel("mixed4a", 10) + l1()).terms[1].weight
        -0.05

    Reference:
        lucid, ``optvis/objectives.py``: ``L1``.
    """
    return Objective((Term("l1", weight=weight),))


def total_variation(weight: float = -0.25) -> Objective:
    """Penalize the sum of absolute differences of vertical and horizontal neighbours.

    Args:
        weight: The factor; a negative one smooths the image.

    Example:
        >>> (channel("mixed4a", 10) + total_variation()).terms[1].weight
        -0.25

    Reference:
        lucid, ``optvis/objectives.py``: ``total_variation``.
    """
    return Objective((Term("total_variation", weight=weight),))


def blur(weight: float = -1.0) -> Objective:
    """Penalize the distance of the image from its blurred copy, which is held fixed.

    It is 0.5 times the sum of (x - blurred x)^2. The blur is a mean of 3 x 3 pixels with weight 1
    in the middle and 0.5 around it, of those inside the image.

    Args:
        weight: The factor; a negative one pulls every pixel towards its neighbours.

    Example:
        >>> (channel("mixed4a", 10) + blur()).terms[1].weight
        -1.0

    Reference:
        lucid, ``optvis/objectives.py``: ``blur_input_each_step``.
    """
    return Objective((Term("blur", weight=weight),))


def penalty(f: Callable[[Any], Any], weight: float = -1.0, name: str | None = None) -> Objective:
    """Penalize an image by a function of one's own.

    Args:
        f: Maps images [B, H, W, C] in [0, 1], before they are transformed, to numbers [B]; see
            :func:`function` for what it may do.
        weight: The factor; a negative one makes the numbers small.
        name: The name in messages and provenance; that of ``f`` by default.

    Example:
        >>> (channel("mixed4a", 10) + penalty(lambda images: images[:, 0, 0, 0])).terms[1].weight
        -1.0
    """
    return Objective((Term("penalty", weight=weight, function=PythonFunction.of(f, name)),))
