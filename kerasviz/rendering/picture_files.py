"""Make the files of a finished picture, with the provenance inside, and their entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kerasviz.io.digits import rounded
from kerasviz.io.files import checksum, digest
from kerasviz.io.images import encode, opacity_of, to_image
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.picture import Picture, provenance
from kerasviz.rendering.request import Request

#: Points of a score curve in the manifest.
CURVE = 33


@dataclass(frozen=True)
class Origin:
    """Hold the recorded origin of a picture: network, environment and the request's key."""

    network: dict[str, Any]
    environment: dict[str, str]
    key: str
    file_format: str = "png"

    @cached_property
    def place(self) -> str:
        """The name of the environment in a manifest."""
        return digest(self.environment)

    @staticmethod
    def request(request: Request) -> str:
        """Return the name of a request's settings in a manifest."""
        return digest(request.to_json())


#: Gives the file name of a picture after a step, from its origin and its bytes.
Naming = Callable[[Picture, int, Origin, bytes], str]


def entries_of(picture: Picture, origin: Origin, naming: Naming) -> Iterator[tuple[Entry, bytes]]:
    """Yield the entry and the bytes of each file of a picture, its snapshots first."""
    request = picture.request
    about = provenance(picture, origin.network, origin.environment)
    for step in dict.fromkeys((*picture.snapshots, request.recipe.steps)):
        final, image = step == request.recipe.steps, picture.to_pil(step)
        data = encode(image, origin.file_format, {**about, "step": step})
        entry = Entry(
            file=naming(picture, step, origin, data),
            sha256=checksum(data),
            key=origin.key,
            target=request.text,
            step=step,
            row=picture.row,
            compiled_batch=picture.batch,
            score=rounded(picture.score) if final else None,
            term_scores=_terms(picture) if final else (),
            curve=_curve(picture.history) if final else (),
            request=origin.request(request),
            environment=origin.place,
            transparent=opacity_of(image) is not None,
        )
        yield entry, data


def mask_bytes(picture: Picture) -> bytes:
    """Return the file of a picture's mask: grey, the share of pixels that are lower."""
    assert picture.mask is not None
    return encode(to_image(picture.mask[..., None]), "png")


def content_name(_: Picture, __: int, origin: Origin, data: bytes) -> str:
    """Return ``objects/``, two digits of the SHA-256 of the bytes, and all of its digits."""
    name = checksum(data)
    return f"objects/{name[:2]}/{name}.{origin.file_format}"


def _terms(picture: Picture) -> tuple[tuple[str, float], ...]:
    return tuple((name, rounded(score)) for name, score in picture.term_scores.items())


def _curve(history: np.ndarray[Any, Any]) -> tuple[tuple[int, float], ...]:
    steps = np.unique(np.linspace(0, len(history) - 1, CURVE).round().astype(int))
    return tuple((int(s), rounded(float(history[s]), 4)) for s in steps)
