"""Objectives of directions: given vectors, those of files, and random ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.digits import rounded
from kerasviz.optvis.objectives.direction_files import (
    FileDirection,
    file_words,
    read_directions,
)
from kerasviz.optvis.objectives.latents import read_latents
from kerasviz.optvis.objectives.term import Objective, Term
from kerasviz.types import Array


def direction(
    tap: str, vector: Sequence[Any] | Array | str | os.PathLike[str], cosine: float = 0.0
) -> Objective:
    """Maximize the mean over positions of the dot product of activations and a vector.

    With d = A . v it is the mean of d max(0.1, d / (|A| |v| + 1e-6))^p, for p = ``cosine``. The
    vector is taken as long as it is. For latents and concepts, p = 2 shows what they alone mean.

    Args:
        tap: The name of a layer of C channels.
        vector: C numbers, those of a whole layer in its shape (H, W, C), or where they are read:
            ``"FILE.npy"``, ``"FILE.npz:KEY[ROW]"`` or ``"FILE.safetensors:KEY[ROW]"``.
        cosine: The power p of the cosine.

    Raises:
        UsageError: For a file that does not have one such vector; see :func:`directions`.

    Example:
        >>> direction("mixed4a", [1, -1]).terms[0].vector
        (1.0, -1.0)

    Reference:
        lucid, ``optvis/objectives.py``: ``direction``.
    """
    if isinstance(vector, str | os.PathLike):
        found = directions(tap, vector, cosine)
        if len(found) != 1:
            raise UsageError(
                f"direction {os.fspath(vector)!r}: {len(found)} rows; name one, as [0], or take "
                "objectives.directions"
            )
        return found[0]
    array = np.asarray(vector, np.float64)
    return Objective((_direction(tap, [float(v) for v in array.ravel()], array.shape, cosine),))


def directions(tap: str, file: str | os.PathLike[str], cosine: float = 0.0) -> list[Objective]:
    """Read directions from a file: an objective for each vector.

    Args:
        tap: The name of a layer.
        file: ``"FILE.npy[0-9]"``, ``"FILE.npz:KEY[12,40]"``; without rows all of them. An array
            [C] is one vector, [N, C] has N, [H, W, C] is one over a whole layer.
        cosine: See :func:`direction`.

    Raises:
        UsageError: For files, arrays and rows that do not exist, pickles, and numbers that are not
            finite.

    Example:
        >>> directions("mixed4a", "concepts.npz:nmf[0-9]", cosine=2)   # doctest: +SKIP
    """
    words = file_words(os.fspath(file))
    if words is None or words.option:
        raise UsageError(
            f"direction {os.fspath(file)!r}: expected FILE.npy, FILE.npz:KEY[ROW] or "
            "FILE.safetensors:KEY[ROW]"
        )
    return [of_file(tap, found, cosine) for found in read_directions(words)]


def of_file(tap: str, found: FileDirection, cosine: float = 0.0) -> Objective:
    """Return the direction that was found in a file."""
    numbers = [float(str(number)) for number in found.vector.ravel()]  # as short as float32 is
    term = _direction(tap, numbers, found.vector.shape, cosine)
    return Objective((replace(term, source=found.source),))


def latent(tap: str, file: str | os.PathLike[str], number: int) -> Objective:
    """Maximize a latent of a sparse autoencoder, the mean over positions before its gate.

    It is z = norm(A) . W_enc[:, number] + b_enc[number], without b_dec where the configuration
    ``cfg.json`` beside the file says so. Before the gate a latent that is off has a gradient.

    Args:
        tap: The layer that the autoencoder reads.
        file: ``sae_weights.safetensors`` of SAELens or ``sae.safetensors`` of sparsify.
        number: The number of the latent, from 0.

    Raises:
        UsageError: For a file or configuration that is not of such an autoencoder.

    Example:
        >>> latent("blocks.3", "sae_weights.safetensors", 123)         # doctest: +SKIP

    Reference:
        Bricken et al., "Towards Monosemanticity" (2023); SAELens, ``saes/sae.py``.
    """
    return latents(tap, Path(file), [number])[0]


def latents(tap: str, file: Path, numbers: Sequence[int]) -> list[Objective]:
    """Return the objectives of several latents of one autoencoder; see :func:`latent`."""
    return [
        Objective(
            (
                Term(
                    "latent",
                    tap,
                    unit=found.source.row,
                    vector=tuple(float(str(number)) for number in found.vector),
                    bias=found.bias,
                    normalize=found.normalize,
                    source=found.source,
                ),
            )
        )
        for found in read_latents(file, numbers)
    ]


def _direction(tap: str, numbers: list[float], shape: tuple[int, ...], cosine: float) -> Term:
    whole = shape if len(shape) > 1 else ()
    return Term("direction", tap, vector=tuple(numbers), shape=whole, cosine=float(cosine))


def random_direction(tap: str, channels: int, seed: int) -> Objective:
    """Maximize a direction of standard normal numbers, which are equal on every machine.

    Args:
        tap: The name of a layer.
        channels: The number of its channels.
        seed: The seed of NumPy's generator PCG64.

    Example:
        >>> random_direction("mixed4a", 3, seed=0).terms[0].vector
        (0.12573, -0.132105, 0.640423)

    Reference:
        The authors' notebook ``neuron_interaction``.
    """
    vector = np.random.Generator(np.random.PCG64(seed)).standard_normal(channels)
    return direction(tap, [rounded(number) for number in vector])
