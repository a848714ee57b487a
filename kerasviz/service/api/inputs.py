"""The routes of networks whose input nobody has described: try the presets, choose one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kerasviz.service.api.responses import ERRORS, IMAGE_BODY, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.input_trials import try_presets

router = APIRouter(tags=["networks"], responses=ERRORS)


class GuessRow(BaseModel):
    """A class that the network sees, with its share of all."""

    unit: int
    label: str | None
    share: float


class TrialRow(BaseModel):
    """What a network makes of a photograph under a preset.

    ``response`` is a map of 0 to 1, for networks without classes.
    """

    preset: str
    numbers: str
    guesses: list[GuessRow]
    response: list[list[float]] | None
    error: str | None


class InputChoice(BaseModel):
    """The preset that describes the input of a network."""

    preprocess: str = Field(max_length=100)


@router.get("/api/networks/{name}/input-trials", response_model=list[TrialRow])
async def trials(name: str, state: State) -> Response:
    """Show what a network without a described input makes of a photograph of a cat."""
    return await _trials(name, state, None)


@router.post(
    "/api/networks/{name}/input-trials",
    response_model=list[TrialRow],
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def trials_of_photo(name: str, request: Request, state: State) -> Response:
    """Show what a network without a described input makes of a photograph (PNG or JPEG)."""
    return await _trials(name, state, await request.body())


@router.put("/api/networks/{name}/input", status_code=204)
def choose(name: str, choice: InputChoice, state: State) -> Response:
    """Describe the input of a network by a preset, which is remembered for its file."""
    state.networks.describe_input(name, choice.preprocess)
    return Response(status_code=204)


async def _trials(name: str, state: ServiceState, data: bytes | None) -> Response:
    net = await run_in_threadpool(state.networks.undescribed, name)
    if net is None:
        state.networks.get(name)  # which raises for an unknown network and one that cannot be read
        raise HTTPException(404, f"the input of {name} is described")
    if net.medium != "image":  # presets are those of images
        raise HTTPException(422, str(state.networks.error(name)))
    async with state.activations.slots:
        found = await run_in_threadpool(try_presets, net, data)
    return Json([trial.to_json() for trial in found])
