"""Batches: requests that one compiled loop optimizes together, in a few canonical sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import Structure, taps_in
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.request import Request

#: The batch sizes that are compiled, with the cost of a row in each relative to a large batch: the
#: mean of GoogLeNet's and EfficientNet-Lite0's at 128 x 128, in float32 and bfloat16, on two cores.
#: oneDNN rounds differently at different batch sizes, so there are few, and they are recorded.
CANONICAL = {1: 2.5, 2: 1.9, 4: 1.4, 8: 1.1, 16: 1.0}
#: Rows that enter and leave a batch, at most, for each of its rows.
ENTERING = 4
#: No batch holds more pixels than this, unless a single request needs it.
MAX_PIXELS = 16 * 256 * 256


@dataclass(frozen=True)
class Batch:
    """Hold the requests that one compiled loop optimizes in ``batch`` rows, padded.

    If the recipe has patience there may be more rows of requests: they enter as others converge.
    """

    structure: Structure
    requests: tuple[Request, ...]
    batch: int

    @classmethod
    def of(cls, net: Network, requests: Sequence[Request], size: int) -> Batch:
        """Return the batch of requests that have one recipe and one structure of objectives."""
        first = requests[0]
        return cls(first.structure(net), tuple(requests), size)

    @property
    def recipe(self) -> Recipe:
        """The recipe of all requests."""
        return self.requests[0].recipe

    @property
    def rows(self) -> int:
        """Rows that are pictures; the rest of the batch is padding."""
        return sum(request.rows for request in self.requests)

    def only(self, wanted: Callable[[Request], bool]) -> Batch | None:
        """Return the batch of the wanted requests alone, of the same size."""
        left = tuple(request for request in self.requests if wanted(request))
        return replace(self, requests=left) if left else None


def _canonical(rows: int, largest: int, pixels: int) -> int:
    """Return the batch size that costs least for ``rows`` rows, without splitting a request."""
    room = max(1, MAX_PIXELS // pixels)
    sizes = {size: cost for size, cost in CANONICAL.items() if largest <= size <= room}
    if not sizes:
        return next((size for size in CANONICAL if size >= largest), largest)

    def cost(size: int) -> float:
        per_batch = size // largest * largest if largest > 1 else size
        return math.ceil(rows / per_batch) * size * sizes[size]

    return min(sizes, key=lambda size: (cost(size), -size))


def fixed_batch(net: Network, request: Request) -> int | None:
    """Return the only number of images that the network computes for a request; ``None`` for any.

    Larger batches are computed in parts of this size.
    """
    taps = taps_in(request.structure(net))
    return net.fixed_batch(taps, request.recipe.seen_size) if taps else None


def check_batch(net: Network, requests: Sequence[Request]) -> None:
    """Raise :class:`UsageError` for a batch size that the network can only compute padded."""
    for request in requests:
        only = None if request.batch is None else fixed_batch(net, request)
        if request.batch is not None and only is not None and request.batch % only:
            raise UsageError(
                f"batch {request.batch}: {net.name} computes {request.text} in batches of {only} "
                f"only; give --batch {in_parts(only, request.rows)}"
            )


def in_parts(part: int, rows: int) -> int:
    """Return the smallest multiple of ``part`` that holds ``rows`` rows.

    >>> in_parts(4, 1), in_parts(2, 3)
    (4, 4)
    """
    return -(-rows // part) * part


def make_batches(net: Network, requests: Sequence[Request]) -> list[Batch]:
    """Group requests into batches of one recipe, one structure of objectives and one size.

    The result depends on the requests only, so that a resumed run has the batch sizes of the
    first. Raises :class:`UsageError` for units and positions out of range and an image size that
    the network does not take.
    """
    groups: dict[Any, list[Request]] = {}
    for request in requests:
        pre = request.recipe.pre_activation
        structure = request.structure(net)
        for seen in (*request.recipe.octave_sizes[:-1], request.recipe.seen_size):
            net.focused(taps_in(structure)).check_size(*seen)
            pack_objectives(structure, [request.objective], net, pre, seen)
        _check_places(request)
        photos = tuple(request.held)
        group = (structure, request.recipe, request.snapshots, request.batch, photos)
        groups.setdefault(group, []).append(request)
    batches: list[Batch] = []
    for (_, recipe, _, fixed, _), members in groups.items():
        rows, largest = sum(r.rows for r in members), max(r.rows for r in members)
        only = fixed_batch(net, members[0])
        usual = _canonical(rows, largest, recipe.pixels)
        size = fixed or (usual if only is None else in_parts(only, largest))
        can_enter = recipe.patience and not recipe.redirect_steps and largest == 1
        batches += split_into_batches(net, members, size, size * ENTERING if can_enter else size)
    return batches


def _check_places(request: Request) -> None:
    """Raise :class:`UsageError` for a neuron at a place, which is another one in each octave."""
    if request.recipe.octaves > 1 and any(t.position for t in request.objective.terms):
        raise UsageError(
            f"target {request.text!r}: a place is another one in each octave; give the whole unit"
        )


def split_into_batches(
    net: Network, requests: Sequence[Request], size: int, most: int
) -> Iterator[Batch]:
    """Split requests of one kind, in order, into batches of at most ``most`` rows of requests."""
    members: list[Request] = []
    for request in requests:
        if sum(r.rows for r in members) + request.rows > most:
            yield Batch.of(net, members, size)
            members = []
        members.append(request)
    yield Batch.of(net, members, size)
