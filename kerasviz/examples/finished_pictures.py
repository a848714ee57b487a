"""Read the finished pictures of a folder, with what each was made for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import Source, read_example
from kerasviz.io.files import digest
from kerasviz.io.images import UNREADABLE, decode, image_array, pixels_of
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.term import Objective
from kerasviz.rendering.held_data import with_held
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.request import Request, python_note
from kerasviz.rendering.store import Store
from kerasviz.types import Array, Size


@dataclass(frozen=True)
class FinishedPicture:
    """Hold a finished picture of a folder: its file, and the request and row that it is of."""

    path: Path
    entry: Entry
    request: Request
    by_function: bool

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.request.recipe.picture_size

    @cached_property
    def subject(self) -> str:
        """A name that the pictures of one target by one recipe share, whatever their seeds."""
        request = self.request
        return digest([request.objective.identity(), request.recipe.identity(), request.rows])

    @cached_property
    def objective(self) -> Objective:
        """The picture's own terms, without penalties and what couples pictures."""
        at = self.request.objective.at(self.entry.row, self.request.rows)
        return Objective(at.own)

    def pixels(self, channels: int) -> Array:
        """Read the file as [H, W, channels] in [0, 1]."""
        image, _ = decode(self.path.read_bytes())
        if channels in (1, 3):
            return pixels_of(image, channels).astype(np.float32) / 255
        return np.resize(image_array(image), (*self.size, channels))

    def scaled(self, size: Size, channels: int) -> Array:
        """Read the file as [H, W, channels] in [0, 1], scaled to a size if it has another one."""
        if size == self.size:
            return self.pixels(channels)
        return read_example(self.path.read_bytes(), size, channels).astype(np.float32) / 255


def finished_pictures(store: Store, files: Collection[str] | None = None) -> list[FinishedPicture]:
    """Return the finished pictures of a store whose files are unchanged, in its order.

    ``files`` are those to look at, by default all. Pictures in tiles are left out: the network
    never sees one as a whole. Raises :class:`UsageError` where there is none.
    """
    requests: dict[tuple[str, str], Request] = {}
    pictures = []
    for entry in store.entries.values():
        settings = store.requests[entry.request]
        if files is not None and entry.file not in files:
            continue
        if settings["recipe"].get("tile") or entry.score is None or not store.intact(entry):
            continue
        key = entry.target, entry.request
        if key not in requests:
            requests[key] = Request.from_json(entry.target, settings)
        note = python_note(settings) is not None
        pictures.append(FinishedPicture(store.folder / entry.file, entry, requests[key], note))
    if not pictures:
        raise UsageError(
            f"{str(store.folder)!r} has no finished picture, those in tiles aside; render some "
            "with kerasviz render"
        )
    return pictures


def with_held_inputs(store: Store) -> Store:
    """Give a store's network the inputs that its pictures were made with.

    Of pictures that differ in them those of the last ones are taken.
    """
    held: dict[str, str] = {}
    for settings in store.requests.values():
        held |= settings.get("data", {})
    store.net = with_held(store.net, store.folder, held)
    return store


def class_of(request: Request, net: Network) -> int | None:
    """Return the class that pictures of a request show, ``None`` for other targets."""
    if len(request.objective.own) != 1 or net.classes.logits not in net.taps:
        return None
    (term,) = request.objective.own
    if term.weight <= 0 or term.unit is None:
        return None
    if term.kind in ("logit", "probability"):
        return term.unit
    logits = net.require_logits().name
    if term.kind not in ("channel", "neuron") or net.taps[term.tap].name != logits:
        return None
    number = term.unit - net.classes.first
    return number if number >= 0 else None


def by_size(
    pictures: Sequence[FinishedPicture], channels: int, most: int
) -> Iterator[tuple[list[int], Array]]:
    """Yield the numbers of at most ``most`` pictures of one size, with their pixels [B, H, W, C].

    A last batch is padded with its last picture.
    """
    sizes: dict[Size, list[int]] = {}
    for number, picture in enumerate(pictures):
        sizes.setdefault(picture.size, []).append(number)
    for numbers in sizes.values():
        read = partial(_pixels, [pictures[number] for number in numbers], channels)
        for places, pixels in in_batches(len(numbers), most, read):
            yield [numbers[place] for place in places], pixels


def _pixels(pictures: Sequence[FinishedPicture], channels: int, number: int) -> Array:
    return pictures[number].pixels(channels)


def photo_pixels(source: Source, number: int, size: Size, channels: int) -> Array | None:
    """Read a photo as [H, W, channels] in [0, 1], ``None`` where it cannot be read."""
    try:
        return read_example(source.read(number), size, channels).astype(np.float32) / 255
    except UNREADABLE:
        return None


def in_batches(
    count: int, most: int, read: Callable[[int], Array]
) -> Iterator[tuple[list[int], Array]]:
    """Yield the numbers of at most ``most`` images of one size with their pixels [B, H, W, C].

    ``read`` returns the image of a number. A last batch is padded with its last image.
    """
    batch = max(1, min(most, count))
    for first in range(0, count, batch):
        numbers = [*range(first, min(first + batch, count))]
        images = [read(number) for number in numbers]
        yield numbers, np.stack(images + images[-1:] * (batch - len(numbers)))
