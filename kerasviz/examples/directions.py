"""Find directions in the activations of photos, for targets ``TAP@FILE.npz``."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError, check_choice, whole_number
from kerasviz.examples.activation_samples import SampledTap, Samples, sample_activations
from kerasviz.examples.datasets import Source, open_source
from kerasviz.examples.decomposition import concept_vector, decompose
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.io.terminal import Update, reporting, stepping
from kerasviz.network.network import Network
from kerasviz.network.size import size_of
from kerasviz.optvis.objectives.direction import direction
from kerasviz.optvis.objectives.term import Objective
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import slug
from kerasviz.types import Array, DirectionMethod, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network

#: Directions that are found unless a number is given.
USUAL_COUNT = 10
Photos = str | os.PathLike[str] | Source


@dataclass(frozen=True)
class Directions:
    """Hold directions of a tap that were found in photos.

    Args:
        tap: The name of the tap.
        method: How they were found, also the name of the array in the file.
        vectors: [N, C] float32, the most important first.
        report: ``explained`` is the share of the squares of the activations (``nmf``), or of their
            variance, that is explained; ``shares`` those of each; ``accuracy`` is the balanced one
            of a concept vector on photos that it was not fitted to, 0.5 for a guess.
        images: Photos that were used.
        unreadable: Photos that could not be read.
        odd: Photos whose activations are not finite.
        about: All of that and the settings, as plain data.
        file: The file, if one was written.
    """

    tap: str
    method: str
    vectors: Array
    report: dict[str, Any]
    images: int
    unreadable: int
    odd: int
    about: dict[str, Any]
    file: Path | None = None

    @property
    def targets(self) -> list[str]:
        """The texts of their targets, where a file was written."""
        if self.file is None:
            return []
        return [f"{self.tap}@{self.file}:{self.method}[{k}]" for k in range(len(self.vectors))]

    def objectives(self, cosine: float = 0.0) -> list[Objective]:
        """Return their objectives; see ``objectives.direction``."""
        return [direction(self.tap, vector, cosine) for vector in self.vectors]

    def to_bytes(self) -> bytes:
        """Return the ``.npz`` file: the vectors under the name of the method, and ``about``."""
        buffer = io.BytesIO()
        about = np.array(json.dumps(self.about, ensure_ascii=False))
        np.savez(buffer, allow_pickle=False, **{self.method: self.vectors, "about": about})
        return buffer.getvalue()


@named_arguments()
def find_directions(  # noqa: PLR0913 - the options of the command
    net: Model,
    tap: str,
    images: Photos,
    *,
    method: DirectionMethod = "nmf",
    count: int | None = None,
    against: Photos | None = None,
    out: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    batch: int = 32,
    size: int | Size | str | None = None,
    seed: int = 0,
    data: Data | None = None,
    progress: bool | Update | None = None,
) -> Directions:
    """Find directions in the activations of photos, as ``kerasviz directions`` does.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        tap: The layer.
        images: A folder of image files, a TFRecord file, or ``"tfds:NAME@SPLIT"``.
        method: ``"nmf"`` finds parts that add up to the activations, which must not be negative;
            ``"pca"`` the axes of the largest variance; ``"kmeans"`` the centres of clusters;
            ``"cav"`` the one direction that tells ``images`` from those of ``against``.
        count: The number of directions, by default 10, or that of the channels if it is smaller.
        against: The photos without the concept, for ``"cav"``.
        out: An ``.npz`` file to write.
        limit: The number of photos of a source, the first ones; ``None`` for all.
        batch: Photos that are computed at once.
        size: Pixels of the photos, a number or (height, width); by default what the network was
            trained for, else 224.
        seed: Draws positions, starts and tests.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them.
        progress: ``None`` shows a bar at a terminal, ``True`` elsewhere too, ``False`` never; a
            function is called with the finished fraction and a text.

    Returns:
        The vectors, with how good they are.

    Raises:
        UsageError: Without scikit-learn, for an unknown tap, sources without photos and settings
            that do not fit.

    Example:
        >>> found = kerasviz.find_directions(net, "block3b", "photos")  # doctest: +SKIP
        >>> kerasviz.render(net, found.objectives(cosine=2))           # doctest: +SKIP

    Reference:
        Olah et al., "The Building Blocks of Interpretability" (Distill 2018), on factorization; Kim
        et al., "Interpretability Beyond Feature Attribution" (2018), on concept vectors.
    """
    check_choice("method", method, ("nmf", "pca", "kmeans", "cav"))
    if (against is not None) != (method == "cav"):
        needs = (
            "needs against=, the photos without" if method == "cav" else "takes no against: give"
        )
        raise UsageError(f"method {method!r} {needs} the concept" + _hint(method))
    if method == "cav" and count not in (None, 1):
        raise UsageError(f"count {count}: cav finds one direction")
    wanted = None if count is None else whole_number("count", count)
    file = None if out is None else Path(out)
    if file is not None and file.suffix.lower() != ".npz":
        raise UsageError(f"out {str(file)!r}: expected a file that ends in .npz")
    sources = [_source(photos) for photos in (images, against) if photos is not None]
    net = as_network(net, data).require_images("directions")
    sampled = SampledTap(
        net,
        tap,
        usual_size(net) if size is None else size_of(size),
        whole_number("batch", batch),
        None if limit is None else whole_number("limit", limit),
        whole_number("seed", seed, 0),
    )
    with reporting(progress, partial(stepping, "compiling")) as report:
        samples = _samples(sampled, sources, method, report)
    if method == "cav":
        vectors, quality = concept_vector(samples[0].values, samples[1].values, seed)
    else:
        vectors, quality = decompose(
            method, samples[0].values, wanted or min(USUAL_COUNT, sampled.channels), seed
        )
    found = Directions(
        tap,
        method,
        np.ascontiguousarray(vectors, np.float32),
        dict(quality),
        sum(sample.images for sample in samples),
        sum(sample.unreadable for sample in samples),
        sum(sample.odd for sample in samples),
        _about(sampled, sources, samples, method, quality),
        file,
    )
    if file is not None:
        make_folder(file.parent)
        write_atomically(file, found.to_bytes())
    return found


def directions_file(net: Network, tap: str, method: str) -> Path:
    """Return the file that the command writes by default."""
    return Path("out") / f"{net.name}-directions" / f"{slug(tap)}-{method}.npz"


def _hint(method: str) -> str:
    return "" if method == "cav" else " it for method 'cav'"


def _source(photos: Photos) -> Source:
    return open_source(os.fspath(photos)) if isinstance(photos, str | os.PathLike) else photos


def _samples(
    sampled: SampledTap, sources: list[Source], method: str, report: Callable[[float, str], None]
) -> list[Samples]:
    """Sample the sources one after the other; a concept vector takes means over positions."""
    total, before, found = sum(map(sampled.images, sources)), 0, []
    for source in sources:

        def read(seen: int, before: int = before) -> None:
            report((before + seen) / total, f"{before + seen} of {total} photos")

        found.append(sample_activations(sampled, source, pooled=method == "cav", progress=read))
        before += sampled.images(source)
    report(1.0, f"finding directions by {method}")
    return found


def _about(
    sampled: SampledTap,
    sources: list[Source],
    samples: list[Samples],
    method: str,
    quality: dict[str, Any],
) -> dict[str, Any]:
    import sklearn

    return {
        "method": method,
        "tap": sampled.tap,
        "network": network_provenance(sampled.net),
        "photos": [
            {
                "name": Path(source.label).name,
                "identity": source.identity,
                "images": sample.images,
                "unreadable": sample.unreadable,
                "not_finite": sample.odd,
                "activations": len(sample.values),
            }
            for source, sample in zip(sources, samples, strict=True)
        ],
        "size": list(sampled.size),
        "batch": sampled.batch,
        "limit": sampled.limit,
        "seed": sampled.seed,
        "report": quality,
        "scikit-learn": sklearn.__version__,
    }
