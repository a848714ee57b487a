"""Redirected gradients of rectifiers (lucid), for a score that is maximized."""

from __future__ import annotations

import numpy as np


def redirected(x, upstream, ceiling=np.inf):
    """The gradient with respect to ``x`` [B, ...] of a ReLU clipped at ``ceiling``."""
    out = np.zeros_like(upstream)
    for b in range(len(x)):
        plain, helped = np.zeros_like(x[b]), np.zeros_like(x[b])
        for place in np.ndindex(x[b].shape):
            at, g = x[b][place], upstream[b][place]
            off = at < 0 or at > ceiling
            plain[place] = 0 if off else g
            pushes_away = (at < 0 and g < 0) or (at > ceiling and g > 0)
            helped[place] = 0 if pushes_away else g
        out[b] = plain if np.linalg.norm(plain) > 0 else helped
    return out
