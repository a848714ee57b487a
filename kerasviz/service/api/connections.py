"""The route of a unit's connections."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from kerasviz.analysis.circuit import Layer, Partner
from kerasviz.io.digits import rounded
from kerasviz.service.api.networks import Name, best_picture, check_unit, find_layer
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.description import label_of

router = APIRouter(tags=["networks"], responses=ERRORS)


class PartnerRow(BaseModel):
    """A unit of another layer: its share of all weights there, and its best picture."""

    unit: int
    label: str | None
    share: float
    picture: str | None


class ConnectedLayer(BaseModel):
    """The strongest partners in a layer: ``level`` layers onward, or back if it is below 0."""

    layer: str
    level: int
    exciting: list[PartnerRow]
    inhibiting: list[PartnerRow]
    held: list[str]


@router.get("/api/networks/{name}/connections", response_model=list[ConnectedLayer])
async def connections(
    name: str, layer: Name, unit: Annotated[int, Query(ge=0)], state: State
) -> Response:
    """Return what a unit is built from and what it feeds, by the weights between the layers."""
    about = await run_in_threadpool(find_layer, state, name, layer)
    check_unit(about, unit)
    async with state.connections.slots:
        circuit = await run_in_threadpool(state.connections.of, name, about["tap"], unit)
    rows = [_layer_row(state, name, found) for found in circuit.layers]
    return Json([row for row in rows if row is not None])


def _layer_row(state: ServiceState, name: str, found: Layer) -> dict[str, Any] | None:
    """Return a layer with its partners, ``None`` for one that is not listed."""
    taps = state.networks.get(name).taps
    listed = [e for e in state.described(name)["layers"] if e["tap"] == taps[found.tap].name]
    if not listed:
        return None
    return {
        "layer": listed[0]["name"],
        "level": found.level,
        "exciting": [_partner_row(state, name, listed[0]["tap"], p) for p in found.exciting],
        "inhibiting": [_partner_row(state, name, listed[0]["tap"], p) for p in found.inhibiting],
        "held": list(found.held),
    }


def _partner_row(state: ServiceState, name: str, tap: str, partner: Partner) -> dict[str, Any]:
    return {
        "unit": partner.unit,
        "label": label_of(state.networks.get(name), tap, partner.unit),
        "share": rounded(partner.share, 4),
        "picture": best_picture(name, state.gallery(name), tap, partner.unit)["picture"],
    }
