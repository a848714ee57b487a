"""The parameterization of interpolations: a part for every picture, and parts that all share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import tensorflow as tf

from kerasviz.optvis import randomness
from kerasviz.optvis.parameterizations.colour import to_rgb
from kerasviz.optvis.parameterizations.fourier import Fourier
from kerasviz.optvis.parameterizations.low_resolution import enlarged
from kerasviz.types import Tensor


@dataclass(frozen=True)
class Aligned:
    """A Fourier image of each picture, plus coarse images that pictures of a group share.

    For each size s of ``shared`` there is one image [s, s, C] for the whole group. For each of
    ``ramps`` there are two, of which picture k of n takes (1 - w) of the first and w of the second,
    w = k / (n - 1). All are added before colours and sigmoid, so that any image is possible and
    common structure stays in place. Source: paper, footnote on interpolation; sizes of the authors'
    notebook ``neuron_interaction`` (whose ramp TensorFlow 1 bent: 0, 1/3, 2/3, 1, 1, 1; here it is
    even).

    Each picture holds a copy of the shared parts, and the mean of the copies is used. Their
    gradients are equal, so that Adam updates the mean as it would a single image, and a batch of
    several groups needs no other state.
    """

    own: Fourier = field(default_factory=Fourier)
    shared: tuple[int, ...] = (64, 32, 16, 8)
    ramps: tuple[int, ...] = (16, 8)
    kind: ClassVar[str] = "aligned"

    def __post_init__(self) -> None:
        if not isinstance(self.own, Fourier):  # from plain data
            own = {k: v for k, v in dict(self.own).items() if k != "kind"}
            object.__setattr__(self, "own", Fourier(**own))
        object.__setattr__(self, "shared", tuple(self.shared))
        object.__setattr__(self, "ramps", tuple(self.ramps))

    @property
    def _sizes(self) -> list[int]:
        return [*self.shared, *(size for size in self.ramps for _ in range(2))]

    def init(self, seeds: Tensor, height: int, width: int, channels: int) -> Any:
        """Return the initial parameters for ``seeds`` [B]; row i depends on its seed only."""
        coarse = [
            self.own.sd * randomness.normal(seeds, (size, size, channels), stream=1 + n)
            for n, size in enumerate(self._sizes)
        ]
        return (*self.own.init(seeds, height, width, channels), *coarse)

    def to_image(self, params: Any, height: int, width: int, groups: Tensor = None) -> Tensor:
        """Compute images [B, H, W, C] in [0, 1]; rows of one of ``groups`` [B] share parts."""
        spectra, coarse = params[:2], params[2:]
        rows = spectra[0].shape[0]
        groups = tf.range(rows) if groups is None else groups
        same = tf.cast(tf.equal(groups[:, None], groups[None, :]), tf.float32)
        count = tf.reduce_sum(same, 1)
        place = tf.reduce_sum(tf.linalg.band_part(same, -1, 0), 1) - 1
        share = (place / tf.maximum(count - 1, 1))[:, None, None, None]
        values = self.own.values(spectra, height, width)
        for n, part in enumerate(coarse):
            part = tf.einsum("ij,jhwc->ihwc", same / count[:, None], part)
            ramp = n - len(self.shared)
            if ramp >= 0:
                part *= share if ramp % 2 else 1 - share
            values += enlarged(part, height, width)
        return to_rgb(values, self.own.decorrelate, self.own.root)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return {
            "kind": self.kind,
            "own": self.own.to_json(),
            "shared": list(self.shared),
            "ramps": list(self.ramps),
        }
