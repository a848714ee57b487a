"""Let a second network choose between photos by the pictures of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import Source, stream
from kerasviz.examples.finished_pictures import FinishedPicture, in_batches
from kerasviz.examples.measured import TOGETHER
from kerasviz.examples.trust.choices import EXAMPLES, Choices, choose, places
from kerasviz.examples.trust.numbers import NaturalValues
from kerasviz.examples.trust.paths import layer_vectors
from kerasviz.io.files import digest
from kerasviz.network.network import Network
from kerasviz.rendering.adapting import last_with_positions
from kerasviz.rendering.sizes import usual_size
from kerasviz.types import Array


@dataclass(frozen=True)
class Choosers:
    """Hold the pictures of a target, and those of its opposite, by their numbers."""

    excited: tuple[int, ...]
    opposite: tuple[int, ...]


def choosers(pictures: Sequence[FinishedPicture]) -> list[Choosers]:
    """Return the pictures of each target and of its opposite, at most nine a side.

    Targets without pictures of the opposite, by the same recipe, are left out.
    """
    by_target: dict[str, list[int]] = {}
    opposites: dict[str, str] = {}
    for number, picture in enumerate(pictures):
        own, other = (_target(picture, sign) for sign in (1, -1))
        by_target.setdefault(own, []).append(number)
        opposites[own] = other
    return [
        Choosers(tuple(numbers[:EXAMPLES]), tuple(by_target[opposites[own]][:EXAMPLES]))
        for own, numbers in by_target.items()
        if opposites[own] in by_target
    ]


def _target(picture: FinishedPicture, sign: int) -> str:
    request, objective = picture.request, sign * picture.objective
    photo = "" if request.photo is None else request.photo.checksum
    return digest([objective.identity(), request.recipe.identity(), request.facet, photo])


@dataclass(frozen=True)
class Embedding:
    """Embed images by a layer of a network: its means over positions, in the usual size.

    The default layer is the last one with positions.
    """

    judge: Network
    tap: str

    @classmethod
    def of(cls, judge: Network, tap: str | None) -> Embedding:
        """Choose a layer; raise :class:`UsageError` where there is none of a name."""
        chosen = tap or last_with_positions(judge)
        if chosen is None:
            raise UsageError(
                f"judge {judge.name}: no layer with positions; name one with --judge-tap"
            )
        judge.taps[chosen]  # says which names are near
        return cls(judge, chosen)

    def of_pictures(self, pictures: Sequence[FinishedPicture]) -> Array:
        """Return the vectors [N, C] of pictures, scaled to the usual size."""
        size, channels = usual_size(self.judge), self.judge.channels

        def read(number: int) -> Array:
            return pictures[number].scaled(size, channels)

        batches = partial(in_batches, len(pictures), TOGETHER, read)
        return layer_vectors(self.judge, self.tap, batches)

    def of_photos(self, source: Source, numbers: Sequence[int]) -> dict[int, Array]:
        """Return the vectors [C] of photos by their numbers in a source."""
        shape = (*usual_size(self.judge), self.judge.channels)

        def batches() -> Iterator[tuple[list[int], Array]]:
            first = 0
            for photos in stream(source, np.array(numbers), min(TOGETHER, len(numbers)), shape):
                count = int((photos.numbers >= 0).sum())
                yield [*range(first, first + count)], photos.images.astype(np.float32) / 255
                first += count

        vectors = layer_vectors(self.judge, self.tap, batches)
        return dict(zip(numbers, vectors, strict=True))


@dataclass(frozen=True)
class PhotoChoices:
    """Hold the choices by pictures, and by photos in their place, as a baseline."""

    by_pictures: Choices
    by_photos: Choices
    pictures: tuple[int, int]
    photos: int


@dataclass(frozen=True)
class _Pairs:
    """The photos of a target: pairs of strong and weak ones, and stronger and weaker examples."""

    strong: Sequence[int]
    weak: Sequence[int]
    strong_examples: Sequence[int]
    weak_examples: Sequence[int]

    @classmethod
    def of(cls, natural: NaturalValues, row: int) -> _Pairs:
        """Take the most extreme photos as examples, and the next ones for the choices."""
        pairs, examples = places(natural.count)
        strong, weak = (each[row].tolist() for each in (natural.numbers, natural.weakest))
        last = examples + pairs
        return cls(strong[examples:last], weak[examples:last], strong[:examples], weak[:examples])

    @property
    def numbers(self) -> set[int]:
        """All of them."""
        return {*self.strong, *self.weak, *self.strong_examples, *self.weak_examples}


def photo_choices(
    embedding: Embedding,
    pictures: Sequence[FinishedPicture],
    sides: Sequence[Choosers],
    natural: Mapping[int, tuple[NaturalValues, int]],
    source: Source,
) -> dict[int, PhotoChoices]:
    """Let pictures choose between the photos that excite their unit most and least.

    ``natural`` has the values of photos for each picture, with its row in them. Returns the choices
    for each picture, which those of one target share. Units to which all photos are the same, and
    pictures that nothing measures, have none; nor have any where there are too few photos.
    """
    pairs = {}
    for side in sides:
        values, row = natural.get(side.excited[0], (None, 0))
        if values is not None and places(values.count)[0] and not values.constant(row):
            pairs[side] = _Pairs.of(values, row)
    needed = sorted({number for side in pairs for number in (*side.excited, *side.opposite)})
    if not needed:
        return {}
    vectors = dict(zip(needed, embedding.of_pictures([pictures[n] for n in needed]), strict=True))
    photos = embedding.of_photos(source, sorted(set().union(*(p.numbers for p in pairs.values()))))
    found = {}
    for side, taken in pairs.items():
        strong, weak, *examples = (
            np.stack([photos[n] for n in numbers])
            for numbers in (taken.strong, taken.weak, taken.strong_examples, taken.weak_examples)
        )
        shown = (np.stack([vectors[n] for n in part]) for part in (side.excited, side.opposite))
        choices = PhotoChoices(
            choose(strong, weak, *shown),
            choose(strong, weak, *examples),
            (len(side.excited), len(side.opposite)),
            len(taken.strong_examples),
        )
        found.update(dict.fromkeys(side.excited, choices))
    return found
