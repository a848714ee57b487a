"""The route of a layer's wall: its units in order."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kerasviz.examples.statistics.index import ExampleIndex
from kerasviz.io.digits import rounded
from kerasviz.service.api.networks import check_unit, find_layer
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.walls import GIVES_DATA, Show, Sort, WallQuestion, correlations, wall
from kerasviz.types import Array

router = APIRouter(tags=["networks"], responses=ERRORS)


class WallPage(BaseModel):
    """The units of a layer in order, with the values by which they are sorted.

    Where numbers are missing, units come by their own numbers, and ``wants`` says what gives the
    missing ones. ``data`` is whether images were searched for the layer, ``classes`` are theirs.
    """

    units: list[int]
    values: list[float | None] | None = None
    wants: str = ""
    data: bool = False
    classes: list[str] = []


class WallQuery(BaseModel):
    """What a wall is asked for."""

    layer: str = Field(max_length=300)
    sort: Sort = "number"
    show: Show = "all"
    of_class: str = Field(
        "", alias="class", max_length=200, description="A class of the images that were searched."
    )
    like: int | None = Field(None, ge=0, description="The unit that others are compared with.")
    to: str = Field("", max_length=300, description="LAYER:UNIT, to which connections lead.")
    photo: str = Field("", max_length=40, description="The id of /api/photos.")
    units: str = Field("", max_length=300, description="Numbers, as 0-99, 512.")


@router.get("/api/networks/{name}/wall", response_model=WallPage)
async def order(name: str, query: Annotated[WallQuery, Query()], state: State) -> Response:
    """Return the units of a layer in the order and the choice of its wall."""
    about = await run_in_threadpool(find_layer, state, name, query.layer)
    question = WallQuestion(query.sort, query.show, query.of_class, query.units)
    tap, count = about["tap"], about["units"] or 0
    index = await run_in_threadpool(index_of, state, name, tap)
    measured: Array | str = ""
    if query.sort == "photo":
        measured = await _to_photo(state, name, tap, query.photo)
    elif query.sort == "likeness":
        async with state.neighbours.slots:
            measured = await run_in_threadpool(_alike, state, name, about, index, query.like)
    elif query.sort == "connection":
        async with state.connections.slots:
            measured = await run_in_threadpool(_connected, state, name, about, query.to)
    notes = [(n.unit, bool(n.name), n.star) for n in state.notes.of(name) if n.tap == tap]
    found = await run_in_threadpool(
        wall,
        question,
        count,
        index,
        tap,
        notes=notes,
        measured=measured,
        layer=about["name"],
    )
    return Json(
        {
            "units": found.units,
            "values": None if found.values is None else _plain(found.values),
            "wants": found.wants,
            "data": index is not None,
            "classes": [] if index is None else index.classes,
        }
    )


def index_of(state: ServiceState, name: str, tap: str) -> ExampleIndex | None:
    """Return the statistics of a layer's units in data, if images were searched for it."""
    examples = state.examples(name)
    index = None if examples is None else examples.index
    return index if index is not None and tap in index.taps else None


async def _to_photo(state: ServiceState, name: str, tap: str, photo: str) -> Array | str:
    if not photo:
        return "Drop a photo on this page, or choose one: units are sorted by what responds to it."
    data = state.photos.find(photo).read_bytes()
    async with state.activations.slots:
        return await run_in_threadpool(state.activations.means, name, tap, data)


def _alike(
    state: ServiceState,
    name: str,
    about: dict[str, Any],
    index: ExampleIndex | None,
    unit: int | None,
) -> Array | str:
    if unit is None:
        return "Give the number of the unit that others are compared with."
    check_unit(about, unit)
    tap, count = about["tap"], about["units"]
    if index is not None and "neighbours" in index.names(tap):
        return correlations(index, tap, unit, count)
    cosines = state.neighbours.cosines(name, tap, unit)
    if cosines is not None:
        return cosines
    return f"The weights of {about['name']} cannot be compared; its activations can: {GIVES_DATA}."


def _connected(state: ServiceState, name: str, about: dict[str, Any], to: str) -> Array | str:
    if not to:
        return "Name a unit of another layer, as LAYER:UNIT, to see what it is connected with."
    layer, _, number = to.rpartition(":")
    if not layer or not number.isdecimal():
        raise HTTPException(422, f"connection {to!r}: give a unit as LAYER:UNIT")
    other = find_layer(state, name, layer)
    check_unit(other, int(number))
    return state.connections.shares(name, about["tap"], other["tap"], int(number))


def _plain(values: Array) -> list[float | None]:
    """Return numbers of four digits, ``None`` for those that are not known."""
    return [None if np.isnan(v) else rounded(v, 4) for v in values]
