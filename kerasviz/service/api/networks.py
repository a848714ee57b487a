"""The routes that explore a network: its layers, their units, a search, an image."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from PIL import Image
from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from kerasviz.errors import near
from kerasviz.io.files import stamp
from kerasviz.io.images import decode
from kerasviz.service.api.responses import (
    ERRORS,
    IMAGE_BODY,
    PNG,
    Json,
    beside_json,
    picture_url,
)
from kerasviz.service.api.schemas import (
    Activations,
    LayerPage,
    Listed,
    NetworkPage,
    UnitPage,
)
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.description import label_of
from kerasviz.service.gallery import Gallery, UnitPicture
from kerasviz.service.sharing import site_of

router = APIRouter(tags=["networks"], responses=ERRORS)

#: Results of a search, at most.
MOST_RESULTS = 50
#: Pixels a side of a small picture, its quality (0 to 100), and how many are kept, 4 kB each.
SMALL = 112
SMALL_QUALITY = 75
MOST_SMALL = 8192
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}, "image/webp": {}}}}
#: The types of pictures and of the files beside them, by their endings.
TYPES = {
    ".png": "image/png",
    ".npy": "application/octet-stream",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".wav": "audio/wav",
    ".txt": "text/plain",
}
#: What the names of files begin with that pictures are made from.
HELD = ("array-", "input-")
#: Units of a request, at most.
MOST_UNITS = 1024
ZIP: dict[str, Any] = {"application/zip": {}}
BUCKETS = ("top", "positive", "negative", "bottom")
#: For pictures whose address has their checksum: they never change.
FOREVER = "private, max-age=31536000, immutable"
Name = Annotated[str, Query(max_length=300)]
Bucket = Literal["top", "positive", "negative", "bottom"]


class SearchMatch(BaseModel):
    """A result of a search."""

    kind: Literal["class", "layer", "unit"]
    layer: str
    unit: int | None
    label: str | None


@router.get("/api/networks", response_model=list[Listed])
def listed(state: State) -> Response:
    """List the networks."""
    return Json([_listed(state, name) for name in state.networks.names()])


@router.get("/api/networks/{name}", response_model=NetworkPage)
def network(name: str, state: State) -> Response:
    """Describe a network: its layers with their inputs, its classes, the recipes."""
    return Json(state.described(name))


@router.get("/api/networks/{name}/layer", response_model=LayerPage)
def layer(
    name: str,
    layer: Name,
    state: State,
    first: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=0, le=MOST_UNITS)] = 64,
    recipe: Annotated[str, Query(max_length=40)] = "fast",
    units: Annotated[str, Query(max_length=8000, pattern=r"^(\d{1,9}(,\d{1,9})*)?$")] = "",
) -> Response:
    """Return units of a layer with their finished pictures: ``units``, or else those in a row."""
    about = find_layer(state, name, layer)
    net, gallery = state.networks.get(name), state.gallery(name)
    last = about["units"] or 0
    wanted = [int(number) for number in units.split(",")[:MOST_UNITS]] if units else None
    rows = []
    for unit in range(first, min(last, first + count)) if wanted is None else wanted:
        if unit >= last:
            continue
        picture = best_picture(name, gallery, about["tap"], unit, recipe)
        rows.append({"unit": unit, "label": label_of(net, about["tap"], unit), **picture})
    return Json({"layer": about, "units": rows, "pace": gallery.pace(about["tap"])})


@router.get("/api/networks/{name}/unit", response_model=UnitPage)
def unit(name: str, layer: Name, unit: Annotated[int, Query(ge=0)], state: State) -> Response:
    """Return the pictures of a unit with their settings, its examples and its neighbours."""
    about = find_layer(state, name, layer)
    check_unit(about, unit)
    gallery = state.gallery(name)
    pictures = gallery.of(about["tap"], unit)
    return Json(
        {
            "layer": about["name"],
            "unit": unit,
            "label": label_of(state.networks.get(name), about["tap"], unit),
            "pictures": [_picture(name, gallery, shown) for shown in pictures],
            "examples": _examples(state, name, about["tap"], unit),
            "statistics": has_statistics(state, name, about["tap"], unit),
            "previous": unit - 1 if unit else None,
            "next": unit + 1 if unit + 1 < about["units"] else None,
        }
    )


@router.get("/api/networks/{name}/search", response_model=list[SearchMatch])
def search(name: str, q: Annotated[str, Query(max_length=200)], state: State) -> Response:
    """Find classes by label, layers by name, and a unit by ``LAYER:UNIT``."""
    return Json(_search(state, name, q.strip()))


@router.get(
    "/api/networks/{name}/share",
    response_class=StreamingResponse,
    responses={200: {"content": ZIP}},
)
def share(name: str, state: State, layer: Name | None = None) -> Response:
    """Return the pictures so far, of a layer if it is named, as a zipped site without a server."""
    tap = None if layer is None else find_layer(state, name, layer)["tap"]
    archive = site_of(state.gallery(name), name, tap)
    disposition = f'attachment; filename="{quote(name)}-pictures.zip"'
    return StreamingResponse(
        archive,
        media_type="application/zip",
        headers={"Content-Disposition": disposition},
        background=BackgroundTask(archive.close),
    )


@router.get("/api/networks/{name}/provenance")
def provenance(name: str, file: Name, state: State) -> dict[str, Any]:
    """Return all that is needed to reproduce a picture, with the command."""
    gallery = state.gallery(name)
    entry = gallery.entry(file)
    if entry is None:
        raise HTTPException(404, f"no picture {file!r}")
    _, about = decode((gallery.folder / entry.file).read_bytes())
    return {**(about or {}), "command": gallery.command_of(entry)}


@router.get("/api/networks/{name}/example", response_class=Response, responses=PNG)
def example(
    name: str,
    layer: Name,
    unit: int,
    bucket: Bucket,
    k: Annotated[int, Query(ge=0)],
    state: State,
) -> Response:
    """Return a crop of a dataset image to which a unit responds."""
    examples, about = state.examples(name), find_layer(state, name, layer)
    crops = examples.crops(about["tap"], unit, bucket) if examples and unit >= 0 else []
    if k >= len(crops):
        raise HTTPException(404, "no such example")
    buffer = io.BytesIO()
    crops[k].save(buffer, "PNG")
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(buffer.getvalue(), media_type="image/png", headers=headers)


@router.post(
    "/api/networks/{name}/activations",
    response_model=Activations,
    openapi_extra={"requestBody": IMAGE_BODY},
)
async def activations(
    request: Request,
    name: str,
    layer: Name,
    state: State,
    unit: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Return the activations of a layer for an image (PNG or JPEG), scaled and cropped."""
    about = await run_in_threadpool(find_layer, state, name, layer)
    if unit is not None:
        check_unit(about, unit)
    data = await request.body()  # before a slot is taken: it may come slowly
    async with state.activations.slots:
        found = await run_in_threadpool(state.activations.of, name, about["tap"], unit, data)
    gallery = await run_in_threadpool(state.gallery, name)
    for row in found["top"]:
        row |= best_picture(name, gallery, about["tap"], row["unit"])
    return Json(found)


@router.get("/pictures/{name}/{file}", response_class=FileResponse, responses=PICTURE)
def picture(
    name: str,
    file: str,
    state: State,
    v: Annotated[str, Query(max_length=64)] = "",
    small: bool = False,
) -> Response:
    """Return a picture, or a file beside it; browsers keep it if its checksum is in the address.

    A ``small`` one is WebP with sides of at most 112 pixels, for walls.
    """
    folder = state.setting.pictures / name
    path = folder / file
    known = name in state.networks and Path(file).name == file and len(file) < 200
    suffix = path.suffix
    if not known or suffix not in TYPES or file.startswith((".", *HELD)) or not path.is_file():
        raise HTTPException(404, f"no picture {file[:100]!r}")
    headers = {"Cache-Control": FOREVER if v else "no-cache"}
    if suffix != ".png":
        return FileResponse(path, media_type=TYPES[suffix], headers=headers)
    if small:
        data = small_picture(path, stamp(path))
        return Response(data, media_type="image/webp", headers=headers)
    return FileResponse(path, media_type="image/png", headers=headers)


@lru_cache(maxsize=MOST_SMALL)
def small_picture(path: Path, _stamp: Any) -> bytes:
    """Return a picture as WebP with sides of at most :data:`SMALL` pixels."""
    with Image.open(path) as image:
        image.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=SMALL_QUALITY, method=2)
    return buffer.getvalue()


def best_picture(
    name: str, gallery: Gallery, tap: str, unit: int, recipe: str | None = None
) -> dict[str, Any]:
    """Return the address and the steps of the best picture of a unit, ``None`` without one."""
    best = gallery.best(tap, unit, recipe)
    if best is None:
        return {"picture": None, "steps": None}
    return {"picture": picture_url(name, best.entry.file, best.entry.sha256), "steps": best.steps}


def _listed(state: ServiceState, name: str) -> dict[str, Any]:
    networks = state.networks
    if not networks.loaded(name):
        about = {"title": name, "layers": 0, "classes": 0, "loaded": False}
        return {"name": name, **about, "error": networks.error(name)}
    net = state.described(name)
    layers = sum(layer["main"] for layer in net["layers"])
    about = {"title": net["title"], "layers": layers, "classes": net["classes"]}
    return {"name": name, **about, "loaded": True, "error": None}


def find_layer(state: ServiceState, name: str, layer: str) -> dict[str, Any]:
    """Find a layer by its listed name, its tap, or an alias of the tap."""
    layers: Sequence[dict[str, Any]] = state.described(name)["layers"]
    taps = state.networks.get(name).taps
    tap = taps[layer].name if layer in taps else None
    for listed_layer in layers:
        if listed_layer["name"] == layer or listed_layer["tap"] == tap:
            return listed_layer
    raise HTTPException(
        404, f"no layer {layer!r} in {name}; near: {near(layer, [e['name'] for e in layers])}"
    )


def check_unit(layer: dict[str, Any], unit: int) -> None:
    """Answer 404 for a unit that a layer does not have."""
    if unit >= (layer["units"] or 0):
        last = (layer["units"] or 0) - 1
        raise HTTPException(404, f"{layer['name']} has the units 0 to {last}")


def _picture(name: str, gallery: Gallery, shown: UnitPicture) -> dict[str, Any]:
    entry = shown.entry
    return {
        "kind": shown.kind,
        "facet": shown.facet,
        "seconds": gallery.seconds_of(entry),
        "snapshots": [
            {"step": e.step, "url": picture_url(name, e.file, e.sha256)} for e in shown.snapshots
        ],
        "recipe": shown.recipe,
        "steps": shown.steps,
        "seed": shown.seed,
        "row": entry.row,
        "file": entry.file,
        "trust": gallery.trust_of(entry),
        "url": picture_url(name, entry.file, entry.sha256),
        "score": entry.score,
        "provenance": f"/api/networks/{quote(name)}/provenance?{urlencode({'file': entry.file})}",
        "command": gallery.command_of(entry),
        "beside": [beside_json(name, b.file, b.sha256) for b in gallery.beside(entry)],
    }


def _examples(state: ServiceState, name: str, tap: str, unit: int) -> list[dict[str, Any]]:
    examples = state.examples(name)
    if examples is None:
        return []
    rows = []
    for bucket in BUCKETS:
        for k, example in enumerate(examples.of(tap, unit, bucket)):
            query = urlencode({"layer": tap, "unit": unit, "bucket": bucket, "k": k})
            url = f"/api/networks/{quote(name)}/example?{query}"
            about = {"value": example.value, "image": example.image}
            rows.append({"bucket": bucket, **about, "url": url})
    return rows


def has_statistics(state: ServiceState, name: str, tap: str, unit: int) -> bool:
    """Return whether the examples of a network have statistics of a unit."""
    examples = state.examples(name)
    return examples is not None and examples.has_statistics(tap) and unit < examples.units(tap)


def _search(state: ServiceState, name: str, text: str) -> list[dict[str, Any]]:
    net, layers = state.networks.get(name), state.described(name)["layers"]
    wanted = text.casefold().replace("_", " ")
    if not wanted:
        return []
    results: list[dict[str, Any]] = []
    head, colon, number = text.rpartition(":")
    if colon and number.strip().isdecimal() and len(number) < 10:
        for layer in layers:
            fits = head in (layer["name"], layer["tap"]) or head in net.taps[layer["tap"]].aliases
            if fits and int(number) < (layer["units"] or 0):
                label = label_of(net, layer["tap"], int(number))
                results.append(_hit("unit", layer["name"], int(number), label))
    logits = net.classes.logits
    known = logits is not None and logits in net.taps
    classes = [e for e in layers if known and e["tap"] == net.taps[str(logits)].name]
    for layer in classes:
        hits = [k for k, label in enumerate(net.labels) if wanted in label.casefold()]
        hits.sort(key=lambda k: (not net.labels[k].casefold().startswith(wanted), k))
        first = net.classes.first
        results += [_hit("class", layer["name"], first + k, net.labels[k]) for k in hits]
    names = [e for e in layers if wanted in e["name"].casefold().replace("_", " ")]
    names.sort(key=lambda e: not e["main"])
    return [*results[:MOST_RESULTS], *(_hit("layer", e["name"], None, None) for e in names)][
        :MOST_RESULTS
    ]


def _hit(kind: str, layer: str, unit: int | None, label: str | None) -> dict[str, Any]:
    return {"kind": kind, "layer": layer, "unit": unit, "label": label}
