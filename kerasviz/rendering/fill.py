"""Fill a folder with pictures and its page, and read pictures back from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kerasviz.io.images import decode, image_array, on_colour, opacity_of
from kerasviz.optvis.environment import environment
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.facet_reports import record_facets
from kerasviz.rendering.latent_reports import record_latents
from kerasviz.rendering.manifest import Entry, mask_file
from kerasviz.rendering.media.medium import companion_file
from kerasviz.rendering.pages import write_index
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.progress import RenderProgress, Report, displayed, summary
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import RunSummary, render_into
from kerasviz.rendering.store import Store
from kerasviz.types import Array

#: Standard deviation of a picture's numbers (0 to 1) below which it is one grey.
FLAT = 0.01


def fill_folder(
    store: Store,
    requests: Sequence[Request],
    commands: Callable[[Store], Mapping[str, str]],
    progress: Callable[[RenderProgress], None] | None = None,
    missing: Sequence[Batch] | None = None,
) -> RunSummary:
    """Render the requests that a store lacks, and write the page of its folder.

    The page is written even if Ctrl-C ends it before all are finished. ``commands`` make the
    pictures of a store again, by file; for ``missing`` see :func:`render_into`.
    """
    try:
        made = render_into(store, requests, progress, missing=missing)
        record_latents(store, requests)
        record_facets(store, requests)
        return made
    finally:
        if store.entries:
            write_index(store.folder, store.manifest(), commands(store))


def render_in(
    store: Store,
    requests: Sequence[Request],
    commands: Callable[[Store], Mapping[str, str]],
    progress: bool | Report | None = None,
    missing: Sequence[Batch] | None = None,
) -> Rendering:
    """Fill a folder as :func:`fill_folder` does, and return the pictures of its files.

    Ctrl-C ends it with the finished pictures; where there is none it remains a
    ``KeyboardInterrupt``. For ``progress`` see :func:`displayed`.
    """
    began = time.monotonic()
    with displayed(progress) as display:
        stopped = False
        try:
            fill_folder(store, requests, commands, display, missing)
        except KeyboardInterrupt:
            stopped = True
            if not store.finished(requests):
                raise
        rendering = _rendering(store, requests)
        line = summary(rendering.pictures, time.monotonic() - began)
        display.end(f"{line}; {rendering.interruption}" if stopped else line, warn=stopped)
    return rendering


def _rendering(store: Store, requests: Sequence[Request]) -> Rendering:
    """Read the pictures of requests from the files of a store, those of each request by row.

    Their histories are drawn as lines between the points that the manifest has.
    """
    finished = [
        (request, entry)
        for request in requests
        for entry in store.find(request)
        if entry.step == request.recipe.steps
    ]
    places = {entry.environment for _, entry in finished}
    current = store.environments[places.pop()] if len(places) == 1 else environment()
    pictures = tuple(_picture(store, request, entry) for request, entry in finished)
    complete = {request for request, _ in finished}
    missing = tuple(request.text for request in requests if request not in complete)
    return Rendering(pictures, store.net, current, missing)


def _picture(store: Store, request: Request, finished: Entry) -> Picture:
    rows = [entry for entry in store.find(request) if entry.row == finished.row]
    files = {entry.step: decode((store.folder / entry.file).read_bytes())[0] for entry in rows}
    beside = {
        suffix: store.copied_bytes(store.folder / companion_file(finished.file, suffix))
        for suffix in store.medium.suffixes
    }
    read = {
        step: store.medium.read(file, beside if step == finished.step else {})
        for step, file in sorted(files.items())
    }
    images = {step: values for step, values in read.items() if values is not None}
    opacities = {step: o for step, file in files.items() if (o := opacity_of(file)) is not None}
    steps, scores = zip(*finished.curve, strict=True) if finished.curve else ((), ())
    history: Any = np.zeros(0)
    if steps:
        history = np.interp(np.arange(steps[-1] + 1), steps, scores)
    if request.balance:  # what its terms reach alone is in the manifest
        settings = store.requests[finished.request]
        request = Request.from_json(finished.target, settings, store.folder)
    return Picture(
        request=request,
        row=finished.row,
        image=images.pop(request.recipe.steps),
        snapshots=images,
        score=float("nan") if finished.score is None else finished.score,
        history=np.asarray(history, np.float32),
        batch=finished.compiled_batch,
        term_scores=dict(finished.term_scores),
        opacity=opacities.pop(request.recipe.steps, None),
        snapshot_opacities=opacities,
        mask=_mask(store, finished),
        medium=store.medium,
    )


def _mask(store: Store, entry: Entry) -> Array | None:
    data = store.copied_bytes(store.folder / mask_file(entry.file))
    return image_array(decode(data)[0])[..., 0] if data else None


def flat_files(store: Store, requests: Sequence[Request]) -> list[str]:
    """Return the files of finished pictures that are one grey: their units had no gradient.

    Transparent pictures lie on grey.
    """
    flat = []
    for entry in store.finished(requests) if store.net.medium == "image" else ():
        image = on_colour(decode((store.folder / entry.file).read_bytes())[0], "#808080")
        # The numbers of a picture of 4096 pixels would take hundreds of MB, its histogram does not.
        counts, values = np.reshape(image.histogram(), (-1, 256)).sum(0), np.arange(256) / 255
        mean = np.average(values, weights=counts)
        if np.average((values - mean) ** 2, weights=counts) < FLAT**2:
            flat.append(entry.file)
    return flat
