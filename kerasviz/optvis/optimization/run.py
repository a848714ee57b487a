"""Hold the rows of a run, its progress and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import tensorflow as tf

from kerasviz.optvis.objectives.structure import Structure
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.parameterizations import Alpha, Parameterization
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
