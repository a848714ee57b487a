"""Report what the probes of facets say of pictures, and record it beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kerasviz.errors import KerasvizError
from kerasviz.io.digits import rounded
from kerasviz.io.files import digest, write_atomically
from kerasviz.io.images import decode, image_array
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.facets import probe_parts
from kerasviz.optvis.objectives.term import Objective, Term
from kerasviz.rendering.facet_records import FACETS, read_facets
from kerasviz.rendering.facets import probed
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store
from kerasviz.types import Array


@dataclass(frozen=True)
class FacetReport:
    """Tell what the probes of all facets of a target say of a picture.

    Args:
        target: The text of the picture's target.
        facet: The facet that it was steered towards, "" for none.
        score: The picture's score for the target.
        logits: The mean over layers of the logits of the probes, by facet: above 0 the probe takes
            the picture for one of its photos.
    """

    target: str
    facet: str
    score: float
    logits: dict[str, float]

    def __str__(self) -> str:
        logits = ", ".join(f"{name} {logit:.3g}" for name, logit in self.logits.items())
        return f"{self.target}: score {self.score:.4g}; probes: {logits}"


def facet_of(request: Request) -> Term | None:
    """Return the facet that a request is steered towards, ``None`` without one."""
    terms = request.objective.terms
    return next((term for term in terms if term.kind == "facet"), None)


def facet_groups(requests: Iterable[Request]) -> list[tuple[list[Request], list[Term]]]:
    """Group requests that differ in their facets alone, with all facets of each group.

    Groups without facets are left out.
    """
    groups: dict[str, tuple[list[Request], dict[str, Term]]] = {}
    for request in dict.fromkeys(requests):
        rest = Objective(tuple(t for t in request.objective.terms if t.kind != "facet"))
        key = digest([rest.identity(), request.recipe.identity(), request.seed, request.rows])
        members, facets = groups.setdefault(key, ([], {}))
        members.append(request)
        term = facet_of(request)
        if term is not None and term.probe is not None:
            facets.setdefault(term.probe.name, term)
    return [(members, [*facets.values()]) for members, facets in groups.values() if facets]


def facet_logits(net: Network, facets: Sequence[Term], image: Array) -> dict[str, float]:
    """Return the mean over layers of the logits of probes for a picture [H, W, C], by name.

    There are none for a picture that is too large for the network.
    """
    taps = list(dict.fromkeys(tap for term in facets for tap in term.taps))
    try:
        activations = net.activations(image[None], [net.taps[tap].name for tap in taps])
    except KerasvizError:
        return {}
    logits = {}
    for term in facets:
        each = []
        for tap, (weights, bias) in zip(term.taps, probe_parts(term, net), strict=True):
            a = activations[net.taps[tap].name]
            seen = probed(a, (weights.shape[0], weights.shape[1]) if weights.ndim > 1 else ())
            each.append(float(np.asarray(seen)[0] @ weights.reshape(-1) + bias))
        logits[term.probe.name if term.probe else ""] = rounded(np.mean(each))
    return logits


def report_facets(net: Network, pictures: Sequence[Picture]) -> list[FacetReport]:
    """Report on finished pictures of targets with facets."""
    reports = []
    for members, facets in facet_groups(picture.request for picture in pictures):
        for picture in pictures:
            if picture.request in members:
                logits = facet_logits(net, facets, picture.image)
                reports.append(
                    FacetReport(picture.target, picture.request.facet, picture.score, logits)
                )
    return reports


def record_facets(store: Store, requests: Sequence[Request]) -> None:
    """Write what the probes say of the finished pictures of requests into a store's folder."""
    groups = facet_groups(requests)
    if not groups:
        return
    records = read_facets(store.folder)
    before = dict(records)
    for members, facets in groups:
        probes = digest([term.to_json() for term in facets])
        for request in members:
            for entry in store.finished([request]):
                known = records.get(entry.file, {})
                if (known.get("sha256"), known.get("probes")) == (entry.sha256, probes):
                    continue
                image = image_array(decode((store.folder / entry.file).read_bytes())[0])
                logits = facet_logits(store.net, facets, image)
                record = {
                    "sha256": entry.sha256,
                    "probes": probes,
                    "facet": request.facet,
                    "logits": logits,
                }
                records[entry.file] = record
    if records != before:
        text = json.dumps(records, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_atomically(store.folder / FACETS, text.encode())


def recorded_facets(store: Store, requests: Sequence[Request]) -> list[FacetReport]:
    """Return the recorded reports on the finished pictures of requests with facets."""
    records = read_facets(store.folder)
    reports = []
    for members, _ in facet_groups(requests):
        for entry in store.finished(members):
            record = records.get(entry.file, {})
            if record.get("sha256") == entry.sha256 and entry.score is not None:
                reports.append(
                    FacetReport(entry.target, record["facet"], entry.score, record["logits"])
                )
    return reports
