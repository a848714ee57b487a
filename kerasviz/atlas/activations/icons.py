"""The icons of an activation atlas: the direction of each cell as a request for a picture."""

from __future__ import annotations

from dataclasses import dataclass

from kerasviz.analysis.atlas_cells import AtlasCells, cell_means, find_cells
from kerasviz.analysis.whitening import second_moment, unit_length, whitened
from kerasviz.atlas.activations.definition import ActivationAtlas
from kerasviz.atlas.activations.samples import ActivationSamples
from kerasviz.errors import UsageError
from kerasviz.io.digits import rounded
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.direction import direction
from kerasviz.optvis.objectives.targets import Target
from kerasviz.rendering.request import Request, make_requests
from kerasviz.types import Array

#: Digits of the numbers of a direction: of more a picture shows nothing, and records grow.
DIGITS = 4


@dataclass(frozen=True, eq=False)
class IconGrid:
    """Hold a grid of an atlas: its cells, their mean activations [M, C], and their requests."""

    cells: AtlasCells
    means: Array
    requests: tuple[Request, ...]

    @property
    def grid(self) -> int:
        """The number of cells along each side."""
        return self.cells.grid


def icon_grids(
    net: Network, atlas: ActivationAtlas, samples: ActivationSamples, places: Array
) -> list[IconGrid]:
    """Cut the points into the cells of each grid, and ask for an icon of each cell.

    An icon shows the mean of a cell's activations, multiplied by the inverse of the second moment
    of all, at unit length. Raises :class:`UsageError` where no cell has enough points.
    """
    moment = second_moment(samples.values) if atlas.whiten else None
    grids = []
    for grid in atlas.grids:
        cells = find_cells(places, grid, atlas.least)
        means = cell_means(samples.values, cells)
        vectors = means if moment is None else whitened(means, moment)
        grids.append(IconGrid(cells, means, _requests(net, atlas, cells, unit_length(vectors))))
    if not any(len(grid.cells) for grid in grids):
        raise too_few(atlas, samples)
    return grids


def too_few(atlas: ActivationAtlas, samples: ActivationSamples) -> UsageError:
    """Return the error for samples of which no cell has enough."""
    count = f"{len(samples)} activation{'' if len(samples) == 1 else 's'}"
    return UsageError(
        f"{count}: no cell has more than {atlas.least}, which --least asks for; give more photos, "
        f"--positions for several of each, or coarser --grids than {min(atlas.grids)}"
    )


def _requests(
    net: Network, atlas: ActivationAtlas, cells: AtlasCells, vectors: Array
) -> tuple[Request, ...]:
    """Return a request for the direction of each cell; a cell of zeros shows any direction."""
    targets = [
        Target(
            icon_text(atlas.tap, cells, k),
            direction(atlas.tap, [rounded(x, DIGITS) for x in v], atlas.cosine),
        )
        for k, v in enumerate(vectors)
    ]
    work = atlas.work
    return tuple(make_requests(net, targets, work.recipe, seed=work.seed)) if targets else ()


def icon_text(tap: str, cells: AtlasCells, cell: int) -> str:
    """Return the text of an icon, for people and file names.

    >>> import numpy as np
    >>> icon_text("mixed4d", find_cells(np.array([[0.9, 0.1]]), 20, 0), 0)
    'mixed4d cell 2,18 of 20x20'
    """
    row, column = int(cells.rows[cell]), int(cells.columns[cell])
    return f"{tap} cell {row},{column} of {cells.grid}x{cells.grid}"
