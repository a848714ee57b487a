"""The cut of an atlas into batches: for hundreds of workers the last ones are small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kerasviz.figures.layout.tiles import FigureLayout, OptimizedTile, TileRow
from kerasviz.network.network import Network
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.cost import work_of
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import unique_requests

__all__ = ["SHARES", "balanced"]

#: By how much the usual batch size is divided, and for which share of the work: that of the longest
#: batches first. A thousand workers of InceptionV1's atlas then end nearly together, see
#: scripts/simulate_atlas.py; it costs hardly more work there.
SHARES = ((1, 0.7), (2, 0.2), (4, 0.1))


def balanced(net: Network, choice: FigureLayout) -> FigureLayout:
    """A choice with smaller batches for the pictures that take the least time.

    Pictures of other batch sizes have other last bits: the sizes are in their requests.
    """
    sizes = dict(_sizes(net, make_batches(net, unique_requests(net, choice.requests))))

    def own(block: TileRow) -> TileRow:
        places = tuple(
            replace(place, request=replace(place.request, batch=sizes.get(place.request)))
            if isinstance(place, OptimizedTile)
            else place
            for place in block.places
        )
        return replace(block, places=places)

    return replace(choice, blocks=tuple(map(own, choice.blocks)))


def _sizes(net: Network, plans: Sequence[Batch]) -> Iterator[tuple[Request, int]]:
    """The requests whose batch is not of the usual size, with the size."""
    works = work_of(net, plans)
    costs = [p.recipe.steps * works[p].pixels * works[p].density for p in plans]
    order = sorted(range(len(plans)), key=lambda i: -costs[i])
    total = sum(costs[i] * plans[i].rows for i in order)
    done, part, end = 0.0, 0, SHARES[0][1] * total
    for i in order:
        done += costs[i] * plans[i].rows
        while part + 1 < len(SHARES) and done > end:
            part += 1
            end += SHARES[part][1] * total
        for request in plans[i].requests if part else ():
            yield request, max(request.rows, plans[i].batch // SHARES[part][0])
