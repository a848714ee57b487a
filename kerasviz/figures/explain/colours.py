"""Colour the positions of a layer: by sign, by group, by the classes that they speak for."""

from __future__ import annotations

import numpy as np

from kerasviz.types import Array

#: Colours of groups: well apart for all eyes (Okabe and Ito, "Color Universal Design", 2008).
GROUPS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999")
#: Colours of groups of classes.
CLASSES = ("#e69f00", "#56b4e9", "#cc79a7")


def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour as bytes.

    >>> rgb("#ff8000")
    (255, 128, 0)
    """
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return red, green, blue


def mixed(shares: Array, colours: tuple[str, ...]) -> tuple[Array, Array]:
    """Mix colours by their shares [h, w, K].

    Returns colours [h, w, 3], bytes, and opacities [h, w] in [0, 1]: the sum of the shares, over
    the largest one.

    >>> mixed(np.array([[[1.0, 0.0], [0.5, 0.5]]]), ("#ff0000", "#0000ff"))[0].tolist()
    [[[255, 0, 0], [128, 0, 128]]]
    """
    palette = np.array([rgb(colours[k % len(colours)]) for k in range(shares.shape[-1])], float)
    total = shares.sum(-1, keepdims=True)
    mean = (shares / np.maximum(total, 1e-12)) @ palette
    return np.rint(mean).astype(np.uint8), total[..., 0] / max(float(total.max()), 1e-12)
