"""Facets of photos, which an atlas shows of each unit in the place of its diverse pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.figures.layout.directions import DirectionGroup
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.objectives.term import Term
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering.facets import FacetFolders, facet_name, steering_of
from kerasviz.rendering.request import make_requests

#: The most facets of a unit: a row has room for as many.
MOST = 4


@dataclass(frozen=True)
class PhotoFacets:
    """Hold the terms that steer pictures of the units of a layer, or of the directions at it.

    Args:
        name: The name of the layer, or of the group of directions.
        terms: One for each facet.
    """

    name: str
    terms: tuple[Term, ...]

    def to_json(self) -> dict[str, Any]:
        """Return them as plain data; the numbers of probes lie beside the pictures."""
        return {"name": self.name, "terms": [term.to_json() for term in self.terms]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PhotoFacets:
        """Make them from plain data."""
        return cls(data["name"], tuple(map(Term.from_json, data["terms"])))


def photo_facets(
    net: Network,
    recipe: Recipe,
    taps: Sequence[str],
    directions: Sequence[DirectionGroup],
    folder: Path,
) -> tuple[PhotoFacets, ...]:
    """Fit the probes of the photos in a folder's folders for layers and directions.

    Raises :class:`UsageError` for folders without photos, more than four of them, and a layer
    without main layers before it.
    """
    folders = FacetFolders.of(folder)
    if len(folders.photos) > MOST:
        raise UsageError(
            f"facets {str(folder)!r}: {len(folders.photos)} folders; an atlas has room for {MOST} "
            "facets of each unit"
        )
    targets = {tap: Target(f"{tap}:0", channel(tap, 0)) for tap in taps}
    targets |= {group.name: group.directions[0].target for group in directions}
    requests = make_requests(net, [*targets.values()], recipe)
    steering = steering_of(net, requests, folders)
    return tuple(
        PhotoFacets(name, steering[request])
        for name, request in zip(targets, requests, strict=True)
    )


def facet_names(facets: Sequence[PhotoFacets]) -> tuple[str, ...]:
    """Return the names of the facets, which all layers share."""
    return tuple(map(facet_name, facets[0].terms)) if facets else ()
