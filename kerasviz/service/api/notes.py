"""The routes of the names and stars that people give units."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from kerasviz.service.api.networks import check_unit, find_layer
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.notes import Note

router = APIRouter(tags=["networks"], responses=ERRORS)


class NoteRow(BaseModel):
    """What was noted of a unit: a name, or "", and whether it has a star."""

    layer: str = Field(max_length=300)
    unit: Annotated[int, Field(ge=0)]
    name: str = Field("", max_length=1000)
    star: bool = False


@router.get("/api/networks/{name}/notes", response_model=list[NoteRow])
def notes(name: str, state: State) -> Response:
    """List the units of a network that have a name or a star."""
    state.networks.get(name)  # raises for an unknown network
    return Json([_row(state, name, note) for note in state.notes.of(name)])


@router.put("/api/networks/{name}/notes", response_model=NoteRow)
def take(name: str, note: NoteRow, state: State) -> Response:
    """Give a unit a name and a star, or take them away."""
    state.check_disk()
    about = find_layer(state, name, note.layer)
    check_unit(about, note.unit)
    kept = state.notes.take(name, Note(about["tap"], note.unit, note.name, note.star))
    return Json(_row(state, name, kept))


def _row(state: ServiceState, name: str, note: Note) -> dict[str, Any]:
    listed = [e["name"] for e in state.described(name)["layers"] if e["tap"] == note.tap]
    about = {"unit": note.unit, "name": note.name, "star": note.star}
    return {"layer": listed[0] if listed else note.tap, **about}
