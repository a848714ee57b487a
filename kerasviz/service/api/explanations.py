"""The routes that say what decides which class a network sees in a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from kerasviz.analysis.explanation import LayerShare, UnitShare, short
from kerasviz.service.api.networks import Name, best_picture, find_layer
from kerasviz.service.api.responses import ERRORS, IMAGE_BODY, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.description import label_of

router = APIRouter(tags=["networks"], responses=ERRORS)


class ClassGuessRow(BaseModel):
    """A class that the network sees: its number, its logit, and its share of all."""

    number: int
    label: str | None
    score: float
    share: float


class GuessesPage(BaseModel):
    """The classes that a network sees in a photo, and the ``layers`` that can say why."""

    guesses: list[ClassGuessRow]
    layers: list[str]


class UnitShareRow(BaseModel):
    """A unit, what it contributes to the logit, and its best picture."""

    unit: int
    label: str | None
    contribution: float
    picture: str | None


class LayerSharePage(BaseModel):
    """What a layer contributes to the logit of a class.

    ``map`` [h, w] are the contributions of the positions, without those of special tokens, which
    contribute ``special`` together. The contributions sum to ``score - baseline - missing``.
    """

    layer: str
    score: float
    baseline: float
    missing: float
    special: float
    map: list[list[float]] | None
    raising: list[UnitShareRow]
    lowering: list[UnitShareRow]


@router.post(
    "/api/networks/{name}/guesses",
    response_model=GuessesPage,
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def guesses(name: str, request: Request, state: State) -> Response:
    """Return the classes that a network sees in a photo (PNG or JPEG)."""
    data = await request.body()
    async with state.explanations.slots:
        found = await run_in_threadpool(state.explanations.guesses, name, data)
        taps = await run_in_threadpool(state.explanations.layers, name, data)
    listed = {e["tap"]: e["name"] for e in state.described(name)["layers"]}
    known = [state.networks.get(name).taps[tap].name for tap in taps]
    rows = [{**asdict(g), "score": short(g.score), "share": short(g.share)} for g in found]
    return Json({"guesses": rows, "layers": [listed[tap] for tap in known if tap in listed]})


@router.post(
    "/api/networks/{name}/attribution",
    response_model=LayerSharePage,
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def attribution(
    name: str,
    layer: Name,
    number: Annotated[int, Query(ge=0, description="The class, from 0.")],
    request: Request,
    state: State,
) -> Response:
    """Return what the positions and units of a layer contribute to a class, for a photo."""
    about = await run_in_threadpool(find_layer, state, name, layer)
    data = await request.body()
    async with state.explanations.slots:
        found = await run_in_threadpool(state.explanations.of, name, about["tap"], number, data)
    return Json(await run_in_threadpool(_page, state, name, about, found))


def _page(
    state: ServiceState, name: str, about: dict[str, Any], found: LayerShare
) -> dict[str, Any]:
    net, gallery = state.networks.get(name), state.gallery(name)

    def rows(shares: Sequence[UnitShare]) -> list[dict[str, Any]]:
        return [
            {
                "unit": one.unit,
                "label": label_of(net, about["tap"], one.unit),
                "contribution": short(one.contribution),
                "picture": best_picture(name, gallery, about["tap"], one.unit)["picture"],
            }
            for one in shares
        ]

    numbers = {key: short(getattr(found, key)) for key in ("score", "baseline", "missing")}
    return {
        "layer": about["name"],
        **numbers,
        "special": short(found.special),
        "map": None if found.map is None else short(found.map),
        "raising": rows(found.raising),
        "lowering": rows(found.lowering),
    }
