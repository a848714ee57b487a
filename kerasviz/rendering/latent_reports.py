"""Report whether the latents of autoencoders are on in their pictures, and record it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import KerasvizError
from kerasviz.io.files import write_atomically
from kerasviz.io.images import decode, image_array, opacity_of
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.latents import LatentState, latent_state
from kerasviz.optvis.objectives.term import Term
from kerasviz.optvis.parameterizations.alpha import opaque
from kerasviz.rendering.manifest import Entry
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store
from kerasviz.types import Array

#: The record in a folder of pictures: a list of reports by file of a picture.
LATENTS = "latents.json"


@dataclass(frozen=True)
class LatentReport:
    """Tell whether a latent is on in the picture of a target.

    Args:
        target: The text of the target.
        tap: The layer that the autoencoder reads.
        latent: The number of the latent.
        state: Whether it is on, how strong it is and its rank among all latents.
    """

    target: str
    tap: str
    latent: int
    state: LatentState

    def __str__(self) -> str:
        state = self.state
        rank = f"rank {state.rank} of {state.latents} latents"
        if not state.on:
            return (
                f"{self.target}: latent {self.latent} is off at all positions ({rank}): the "
                "picture does not show it; try more steps or another seed"
            )
        share = f"{100 * state.share:.3g} % of the positions"
        return (
            f"{self.target}: latent {self.latent} is on at {share}, code {state.code:.4g}, {rank}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "target": self.target,
            "tap": self.tap,
            "latent": self.latent,
            "on": self.state.on,
            **asdict(self.state),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LatentReport:
        """Return the report of plain data."""
        state = LatentState(data["code"], data["rank"], data["latents"], data["share"])
        return cls(data["target"], data["tap"], data["latent"], state)


def latents_of(request: Request) -> list[Term]:
    """Return the latents that a request maximizes, of files that are here."""
    return [
        term
        for term in request.objective.terms
        if term.kind == "latent" and term.weight > 0 and term.source and term.source.path
    ]


def report_latents(
    net: Network, request: Request, image: Array, opacity: Array | None = None
) -> list[LatentReport]:
    """Report on the latents of the picture [H, W, C] of a request; none without their file."""
    if opacity is not None:
        layers = np.concatenate([image, opacity[..., None]], axis=-1)
        image = opaque(request.recipe.parameterization, layers)[..., : image.shape[-1]]
    reports, seen = [], np.asarray(request.recipe.transform.whole(image[None]))
    for term in latents_of(request):
        source = term.source
        assert source is not None and source.row is not None
        try:
            tap = net.taps[term.tap].name
            a = np.asarray(net.activations(seen, [tap])[tap])
            state = latent_state(Path(source.path), source.row, a.reshape(-1, a.shape[-1]))
        except KerasvizError:  # the file has gone, or a tiled picture is too large for the network
            continue
        reports.append(LatentReport(request.text, term.tap, source.row, state))
    return reports


def record_latents(store: Store, requests: Sequence[Request]) -> None:
    """Write the reports on the finished pictures of requests into the folder of a store."""
    wanted = [request for request in requests if latents_of(request)]
    if not wanted:
        return
    records = latent_records(store.folder)
    before = dict(records)
    for request in wanted:
        for entry in store.finished([request]):
            if records.get(entry.file, {}).get("sha256") == entry.sha256:
                continue
            file = decode((store.folder / entry.file).read_bytes())[0]
            layers = image_array(file), opacity_of(file)
            reports = [report.to_json() for report in report_latents(store.net, request, *layers)]
            if reports:
                records[entry.file] = {"sha256": entry.sha256, "latents": reports}
    if records != before:
        text = json.dumps(records, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_atomically(store.folder / LATENTS, text.encode())


def recorded_latents(store: Store, requests: Sequence[Request]) -> list[LatentReport]:
    """Return the recorded reports on the finished pictures of requests."""
    records = latent_records(store.folder)
    return [
        LatentReport.from_json(report)
        for entry in store.finished(requests)
        for report in latents_in(records, entry)
    ]


def latents_in(records: dict[str, Any], entry: Entry) -> list[dict[str, Any]]:
    """Return the reports on a picture, as plain data; none where its file is another one now."""
    record = records.get(entry.file, {})
    return list(record["latents"]) if record.get("sha256") == entry.sha256 else []


def latent_records(folder: Path) -> dict[str, Any]:
    """Return the records of a folder by file, none where there is no readable record."""
    try:
        return dict(json.loads((folder / LATENTS).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # none yet, or a damaged one: it is written again
        return {}
