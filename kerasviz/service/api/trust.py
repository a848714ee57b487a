"""The route of trust: how far finished pictures can be trusted, in numbers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from kerasviz.errors import KerasvizError
from kerasviz.network.network import Network
from kerasviz.rendering.sizes import usual_size
from kerasviz.rendering.store import Store
from kerasviz.service.api.jobs import accepted
from kerasviz.service.api.responses import ERRORS, without_folders
from kerasviz.service.api.schemas import JobStatus, TrustRequest
from kerasviz.service.api.state import ServiceState, State
from kerasviz.service.jobs.trust import (
    TrustWork,
    asked_of_trust,
    check_work,
    lay_photos,
    options_of,
    photo_folder,
)
from kerasviz.service.uploads.receiving import remove

router = APIRouter(tags=["renders"], responses=ERRORS)


@router.post(
    "/api/trust",
    status_code=202,
    response_model=JobStatus,
    responses={200: {"model": JobStatus, "description": "the same request was sent before"}},
)
def ask(message: TrustRequest, http_request: Request, state: State) -> Response:
    """Ask how far finished pictures can be trusted: a job as those of pictures, with ``trust``."""
    state.check_disk()
    net = state.networks.get(message.network)
    judge = None if message.judge is None else state.networks.get(message.judge)
    work = _work(message, net, judge, state)
    asked = asked_of_trust(net, work, usual_size(net)[0] * usual_size(net)[1])
    folder = photo_folder(state.setting.data, asked.key)
    with state.reading, without_folders(state.setting):
        lay_photos(
            folder, {name: state.photos.found(ids) for name, ids in message.by_class.items()}
        )
        try:
            store = Store(state.setting.pictures / message.network, net)
            check_work(store, options_of(work, judge, folder))
        except KerasvizError:
            remove(folder)
            raise
    answer = accepted(state, message, http_request, [asked], message.network)
    if answer.status_code == 200:  # there are the numbers
        remove(folder)
    return answer


def _work(
    message: TrustRequest, net: Network, judge: Network | None, state: ServiceState
) -> TrustWork:
    gallery = state.gallery(message.network)
    entries = {file: gallery.entry(file) for file in dict.fromkeys(message.pictures)}
    for file, entry in entries.items():
        if entry is None or entry.score is None:
            raise HTTPException(404, f"no finished picture {file[:100]!r} of {message.network}")
    named = [(photo, name) for name, ids in message.by_class.items() for photo in ids]
    if message.tap is not None:
        net.taps[message.tap]  # says which names are near
    return TrustWork(
        tuple((file, entry.sha256) for file, entry in entries.items() if entry),
        tuple(sorted(set(named))),
        None if judge is None else (message.judge or "", judge.identity.sha256),
        message.tap,
    )
