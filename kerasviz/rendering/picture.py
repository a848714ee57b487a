"""Hold a finished picture, and say how it was made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.io.images import to_image
from kerasviz.network.network import Network
from kerasviz.rendering.media.image import IMAGES
from kerasviz.rendering.media.medium import Medium
from kerasviz.rendering.request import Request
from kerasviz.rendering.show import show
from kerasviz.types import Array, NotebookView


@dataclass(frozen=True, eq=False, repr=False)
class Picture(NotebookView):
    """Hold a picture: row ``row`` of a request.

    Args:
        request: What was asked for.
        row: The number of the row.
        image: [H, W, C] float32 in [0, 1].
        snapshots: The same by step; 0 is the initial noise.
        score: That of the untransformed image, without penalties and terms that couple rows.
        history: [steps] The whole scores on the transformed image.
        batch: The compiled batch size.
        interrupted: Whether the run ended before the picture was finished.
        term_scores: Those of the terms of a sum by name, without their weights.
        opacity: [H, W] in [0, 1], 0 where a transparent picture shows what lies behind it; ``None``
            for an opaque one.
        snapshot_opacities: The same by step, as far as snapshots have it.
        mask: [H, W] in [0, 1] of a picture that starts from a photo: the share of its pixels on
            which the score depended less, over all steps; ``None`` for others.
        medium: How its numbers are drawn, and what files stand beside it.
    """

    request: Request
    row: int
    image: Array
    snapshots: dict[int, Array]
    score: float
    history: Array
    batch: int
    interrupted: bool = False
    term_scores: dict[str, float] = field(default_factory=dict)
    opacity: Array | None = None
    snapshot_opacities: dict[int, Array] = field(default_factory=dict)
    mask: Array | None = None
    medium: Medium = IMAGES

    @property
    def target(self) -> str:
        """The text of the target."""
        return self.request.text

    @property
    def alone(self) -> dict[str, float]:
        """What each term of a balanced sum reached alone, by name; empty for other pictures."""
        return self.request.alone

    @property
    def seed(self) -> int:
        """The seed of the noise that this picture started from."""
        return self.request.seed + self.row

    @property
    def steps(self) -> int:
        """The number of steps that the picture took."""
        return len(self.history)

    def to_pil(self, step: int | None = None) -> Image.Image:
        """Return the picture as 8-bit image of Pillow, with the pixels that a file has.

        Args:
            step: The step of a snapshot; by default the finished picture.
        """
        if step is None or step == self.request.recipe.steps:
            return self.medium.pil(self.image, self.opacity)
        return self.medium.pil(self.snapshots[step], self.snapshot_opacities.get(step))

    def companions(self) -> dict[str, bytes]:
        """Return the files beside the finished picture by their endings; none for images."""
        return self.medium.companions(self.image)

    def masked(self, share: float = 0.8) -> Image.Image:
        """Return the picture with its photo again where the score depended on it least.

        Args:
            share: The part of the pixels that are those of the photo, from 0 to 1.

        Raises:
            UsageError: For a picture that has no mask: it does not start from a photo.
        """
        if self.mask is None or self.request.photo is None:
            raise UsageError(
                f"picture of {self.target}: it has no mask; render it with from_=PHOTO"
            )
        photo = self.request.photo.numbers / np.float32(255)
        return to_image(np.where((self.mask >= share)[..., None], self.image, photo))

    def show(self) -> None:
        """Show the picture: below the cell of a notebook, else in the system's viewer."""
        show(self)

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        steps = f"{self.steps} step{'' if self.steps == 1 else 's'}"
        if self.interrupted:
            steps = f"interrupted after {self.steps} of {self.request.recipe.steps} steps"
        return (
            f"<Picture {self.target}: {height}x{width}, score {self.score:.4g}, {steps}, "
            f"seed {self.seed}>"
        )


def network_provenance(net: Network) -> dict[str, Any]:
    """Return the network of a provenance: name, format, SHA-256 and input description.

    It has the signature of a SavedModel where one was chosen, and of a model in memory the kind of
    its checksum.
    """
    described = {"input": net.require_input_spec().to_json()}
    return {**net.identity.to_json(), **described, **net.geometry}


def provenance(
    picture: Picture, network: dict[str, Any], environment: dict[str, str]
) -> dict[str, Any]:
    """Return everything that is needed to render a picture again, as plain data."""
    taken = len(picture.history)
    early: dict[str, Any] = {}
    if taken != picture.request.recipe.steps:
        early["steps_taken"] = taken
    if picture.interrupted:
        early["interrupted"] = True
    return {
        "target": picture.request.text,
        **picture.request.to_json(),
        **early,
        "row": picture.row,
        "compiled_batch": picture.batch,
        "network": network,
        "environment": environment,
    }
