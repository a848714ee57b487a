"""Choose the points of an atlas, all or those of classes, and lay them out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasviz.analysis.atlas_layout import (
    CLASS_LEAST_DISTANCE,
    CLASS_NEIGHBOURS,
    comparison_layout,
    has_umap,
    pca_layout,
    umap_layout,
    unit_square,
)
from kerasviz.atlas.activations.samples import ActivationSamples, read_rows, write_array
from kerasviz.errors import UsageError
from kerasviz.io.arrays import file_checksum
from kerasviz.io.files import digest
from kerasviz.types import Array

#: The layouts that are computed here.
METHODS = ("umap", "pca")
#: The most points of a class that are chosen by what they contribute to it (Carter et al. 2019).
OF_CLASS = 2000


@dataclass(frozen=True)
class AtlasClasses:
    """Name the classes that an atlas is about: none, one, or two that are compared."""

    first: int | None = None
    second: int | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the classes."""
        return tuple(n for n in (self.first, self.second) if n is not None)

    def points(self, samples: ActivationSamples) -> Array | None:
        """Return the points of the classes in ascending order, ``None`` for all points.

        Raises :class:`UsageError` for samples without contributions to classes.
        """
        if self.first is None:
            return None
        shares = samples.attributions
        if shares is None:
            raise UsageError(
                "the activations have no contributions to classes, by which those of a class are "
                "chosen; give --attributions FILE.npy, or a network with classes and --images"
            )
        if max(self.numbers) >= shares.shape[1]:
            raise UsageError(
                f"class {max(self.numbers)}: the attributions are of {shares.shape[1]} classes"
            )
        best = np.concatenate(
            [shares[k : k + OF_CLASS].argmax(1) for k in range(0, len(shares), OF_CLASS)]
        )
        chosen = [points_of_class(np.asarray(shares[:, n]), best == n) for n in self.numbers]
        return np.unique(np.concatenate(chosen))


def points_of_class(shares: Array, best: Array) -> Array:
    """Return the points of a class: the 2000 that contribute most, and those that it is best for.

    ``shares`` [N] are the contributions to the class, ``best`` [N] says where no other class gets
    more. Points that contribute nothing, or less, are not among the former.

    >>> points_of_class(np.array([3.0, -1.0, 0.0]), np.array([False, True, False])).tolist()
    [0, 1]
    """
    most = np.argsort(-shares, kind="stable")[:OF_CLASS]
    return np.union1d(most[shares[most] > 0], np.flatnonzero(best))


def layout_name(layout: str | os.PathLike[str] | None, classes: AtlasClasses) -> str:
    """Return the method of a layout, or the checksum of the user's file.

    Raises :class:`UsageError` for an unknown method.
    """
    if classes.second is not None:
        if layout is not None:
            raise UsageError("layout: the comparison of two classes has its own; leave it out")
        return "comparison"
    text = ("umap" if has_umap() else "pca") if layout is None else os.fspath(layout)
    if text in METHODS:
        return text
    if not text.lower().endswith((".npy", ".npz")):
        raise UsageError(f"unknown layout {text!r}; choose from {', '.join(METHODS)} or FILE.npy")
    if not Path(text).is_file():
        raise UsageError(f"layout {text!r}: there is no such file")
    return file_checksum(Path(text))


def lay_out(
    samples: ActivationSamples,
    layout: str | os.PathLike[str] | None,
    classes: AtlasClasses,
    seed: int,
    folder: Path,
    say: Callable[[str], None],
) -> Array:
    """Return the places [N, 2] of points in [0, 1]; what is computed is kept in the folder.

    Raises :class:`UsageError` for a file of another number of rows.
    """
    name = layout_name(layout, classes)
    if layout is not None and name not in METHODS:
        points = read_rows(layout)
        if points.shape != (len(samples), 2):
            raise UsageError(
                f"layout {os.fspath(layout)}: {' x '.join(map(str, points.shape))} numbers; "
                f"expected {len(samples)} x 2, a place for each activation"
            )
        return unit_square(points)
    settings = [samples.identity, name, list(classes.numbers), seed]
    file = folder / f"layout-{digest(settings)}.npy"
    if not file.is_file():
        say(f"laying out {len(samples):,} activations by {name}")
        write_array(file, _computed(samples, name, classes, seed))
    points = np.load(file, mmap_mode="r", allow_pickle=False)
    return np.asarray(points) if name == "comparison" else unit_square(points)


def _computed(samples: ActivationSamples, name: str, classes: AtlasClasses, seed: int) -> Array:
    if name == "comparison" and samples.attributions is not None:
        first, second = (samples.attributions[:, n].astype(np.float64) for n in classes.numbers)
        return comparison_layout(samples.values, first - second, seed)
    if name == "pca":
        return pca_layout(samples.values)
    if classes.first is None:
        return umap_layout(samples.values, seed)
    return umap_layout(samples.values, seed, CLASS_NEIGHBOURS, CLASS_LEAST_DISTANCE)
