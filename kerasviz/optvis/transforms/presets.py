"""The steps of the transforms that recipes have."""

from __future__ import annotations

from kerasviz.optvis.transforms.gradient_limit import LimitGradient
from kerasviz.optvis.transforms.steps import (
    Crop,
    Jitter,
    Pad,
    ResizedCrop,
    Rotate,
    Scale,
    Shrink,
    Step,
)
from kerasviz.optvis.transforms.views import Noise

#: The article's transforms (its footnote on the default settings).
ARTICLE_STEPS: tuple[Step, ...] = (
    Pad(16),
    Jitter(16),
    Scale((1.0, 0.975, 1.025, 0.95, 1.05)),
    Rotate(tuple(float(angle) for angle in range(-5, 6))),
    Jitter(8),
    Crop(),
)
#: The reference library's standard transforms (lucid, ``optvis/transform.py``).
LUCID_STEPS: tuple[Step, ...] = (
    Pad(12),
    Jitter(8),
    Scale(tuple(1 + (i - 5) / 50 for i in range(11))),
    Rotate(tuple(float(angle) for angle in (*range(-10, 11), *[0] * 5))),
    Jitter(4),
)
#: The article's transforms, then a random crop: the thing is seen from near and from afar. The
#: window may hang over the border by part of the wide pad, else borders were hardly seen. The last
#: step halves the time of all others.
VIVID_STEPS: tuple[Step, ...] = (
    *(Pad(64), *ARTICLE_STEPS[1:-1]),
    *(ResizedCrop(0.5), Crop(), Shrink(0.7)),
)

#: The article's transforms, then a random crop of the picture, continued by its mirror image: no
#: patch is always the same patch of a transformer, the border is seen as often as the middle, and
#: no patch is flat. Noise and the limit keep patches from gradients far above all others.
VIT_STEPS: tuple[Step, ...] = (
    *(Pad(64, mode="reflect"), *ARTICLE_STEPS[1:-1]),
    *(ResizedCrop(0.35), Crop(), Noise(0.05), LimitGradient(1.0)),
)
