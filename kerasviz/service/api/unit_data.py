"""The routes of a unit's activation spectrum, and of the units that are like it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kerasviz.examples.folder import Examples, spectrum_file
from kerasviz.examples.spectrum_charts import spectrum_chart
from kerasviz.io.digits import rounded
from kerasviz.service.api.networks import Name, best_picture, check_unit, find_layer, has_statistics
from kerasviz.service.api.responses import ERRORS, Json
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.description import label_of
from kerasviz.service.unit_neighbours import LikeUnits

router = APIRouter(tags=["networks"], responses=ERRORS)
JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
Unit = Annotated[int, Query(ge=0)]


class CropRow(BaseModel):
    """A crop of a bin: the activation there, and the name of the image."""

    value: float
    image: str


class BinRow(BaseModel):
    """A bin of a spectrum: what it holds in words, the number of values, and its crops."""

    words: str
    count: int
    crops: list[CropRow]


class SpectrumRow(BaseModel):
    """The activation spectrum of a unit.

    ``sheet`` is a picture with a column of crops for each bin. ``bars`` and ``line`` are paths of
    SVG, 60 wide for each bin and 100 high: logarithms of the counts, and x p(x). ``zero`` is where
    0 lies; ``ticks`` are places in percent with values, ``facts`` names with words.
    """

    sheet: str
    images: int
    bars: str
    line: str
    zero: float | None
    ticks: list[tuple[float, str]]
    facts: list[tuple[str, str]]
    bins: list[BinRow]


class NeighbourRow(BaseModel):
    """A unit that is like another, how much, and its best picture."""

    unit: int
    label: str | None
    likeness: float
    picture: str | None


class NeighbourRows(BaseModel):
    """The units of a layer that are like another, most first, and those that are its opposite.

    ``how`` is ``correlation`` over ``images`` of a dataset, ``cosine`` of the weights from the
    layer ``source``, or empty where neither is known.
    """

    how: Literal["correlation", "cosine", ""]
    source: str
    images: int
    near: list[NeighbourRow]
    far: list[NeighbourRow]


@router.get("/api/networks/{name}/spectrum", response_model=SpectrumRow)
def spectrum(name: str, layer: Name, unit: Unit, state: State) -> Response:
    """Return how often a unit has which activation in a dataset, with examples."""
    tap, examples = _known(state, name, layer, unit)
    assert examples.index is not None
    chart = spectrum_chart(examples.index, tap, unit, examples.field(tap))
    found = examples.index.unit(tap, unit)
    query = urlencode({"layer": tap, "unit": unit})
    return Json(
        {
            "sheet": f"/api/networks/{quote(name)}/spectrum.jpg?{query}",
            "images": examples.data["seen"],
            **{key: getattr(chart, key) for key in ("bars", "line", "zero", "ticks", "facts")},
            "bins": [
                {
                    "words": words.partition("\n")[0],
                    "count": each.count,
                    "crops": [{"value": c.value, "image": c.image} for c in each.crops],
                }
                for words, each in zip(chart.columns, found.bins, strict=True)
            ],
        }
    )


@router.get("/api/networks/{name}/spectrum.jpg", response_class=FileResponse, responses=JPEG)
def spectrum_sheet(name: str, layer: Name, unit: Unit, state: State) -> Response:
    """Return the crops of a unit's spectrum: a column of 60 pixels for each bin."""
    tap, examples = _known(state, name, layer, unit)
    path = examples.folder / spectrum_file(examples.listed(tap), unit)
    if not path.is_file():
        raise HTTPException(404, f"{path.name} is not there; run the same kerasviz examples again")
    headers = {"Cache-Control": "private, max-age=3600"}
    return FileResponse(path, media_type="image/jpeg", headers=headers)


@router.get("/api/networks/{name}/neighbours", response_model=NeighbourRows)
async def neighbours(name: str, layer: Name, unit: Unit, state: State) -> Response:
    """Return the units of a layer that are like another: by data, or else by their weights."""
    about = await run_in_threadpool(find_layer, state, name, layer)
    check_unit(about, unit)
    examples = await run_in_threadpool(state.examples, name)
    async with state.neighbours.slots:
        found = await run_in_threadpool(state.neighbours.of, name, about["tap"], unit, examples)
    return Json(await run_in_threadpool(_rows, state, name, about["tap"], found))


def _known(state: ServiceState, name: str, layer: str, unit: int) -> tuple[str, Examples]:
    """Return the tap and the examples of a unit, or answer 404 without statistics of it."""
    about = find_layer(state, name, layer)
    check_unit(about, unit)
    examples = state.examples(name)
    if examples is None or not has_statistics(state, name, about["tap"], unit):
        raise HTTPException(
            404, f"no statistics of {about['name']}; kerasviz examples finds them in images"
        )
    return about["tap"], examples


def _rows(state: ServiceState, name: str, tap: str, found: LikeUnits) -> dict[str, Any]:
    net, gallery = state.networks.get(name), state.gallery(name)

    def rows(pairs: Sequence[tuple[int, float]]) -> list[dict[str, Any]]:
        return [
            {
                "unit": unit,
                "label": label_of(net, tap, unit),
                "likeness": rounded(likeness, 3),
                "picture": best_picture(name, gallery, tap, unit)["picture"],
            }
            for unit, likeness in pairs
        ]

    source = found.source and net.map.name_of(net.taps[found.source].name)
    about = {"how": found.how, "source": source, "images": found.images}
    return {**about, "near": rows(found.near), "far": rows(found.far)}
