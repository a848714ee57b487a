"""Batch sizes of an atlas: small ones at the end let hundreds of workers end together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from kerasviz.figures.layout.tiles import FigureLayout, OptimizedTile, TileRow
from kerasviz.network.network import Network
from kerasviz.rendering.batching import Batch, fixed_batch, in_parts, make_batches
from kerasviz.rendering.cost import work_of
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import unique_requests

#: Divisors of the usual batch size, and their shares of the work, the longest batches first. With
#: them a thousand workers of InceptionV1's atlas end nearly together, for hardly more work; see
#: scripts/simulate_atlas.py.
SHARES = ((1, 0.7), (2, 0.2), (4, 0.1))


def balanced(net: Network, layout: FigureLayout) -> FigureLayout:
    """Return a layout with smaller batches for the pictures that take the least time.

    Another batch size changes the last bits of a picture, so the requests name the size.
    """
    sizes = dict(_sizes(net, make_batches(net, unique_requests(net, layout.requests))))

    def resized(block: TileRow) -> TileRow:
        places = tuple(
            replace(tile, request=replace(tile.request, batch=sizes.get(tile.request)))
            if isinstance(tile, OptimizedTile)
            else tile
            for tile in block.places
        )
        return replace(block, places=places)

    return replace(layout, blocks=tuple(map(resized, layout.blocks)))


def _sizes(net: Network, batches: Sequence[Batch]) -> Iterator[tuple[Request, int]]:
    """Yield the requests whose batch is smaller than usual, with its size."""
    works = work_of(net, batches)
    costs = [b.recipe.steps * works[b].pixels * works[b].density for b in batches]
    order = sorted(range(len(batches)), key=lambda i: -costs[i])
    total = sum(costs[i] * batches[i].rows for i in order)
    done, part, end = 0.0, 0, SHARES[0][1] * total
    for i in order:
        done += costs[i] * batches[i].rows
        while part + 1 < len(SHARES) and done > end:
            part += 1
            end += SHARES[part][1] * total
        for request in batches[i].requests if part else ():
            size = max(request.rows, batches[i].batch // SHARES[part][0])
            yield request, in_parts(fixed_batch(net, request) or 1, size)
