"""The store of a network, shared by the processes that write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from portalocker import Lock, LockFlags

from kerasviz.examples.trust.assess import record
from kerasviz.examples.trust.summary import Record
from kerasviz.io.files import checksum, make_folder
from kerasviz.network.network import Network
from kerasviz.rendering.facet_reports import record_facets
from kerasviz.rendering.latent_reports import latent_records, latents_in, record_latents
from kerasviz.rendering.manifest import Entry, mask_file
from kerasviz.rendering.media.medium import companion_file
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store

LOCK = ".lock"


class SharedStore:
    """A store of a network's pictures that is locked while its manifest is rewritten."""

    def __init__(self, folder: Path, net: Network):
        self.folder, self.net = make_folder(folder), net
        self._store = Store(folder, net)

    def found(self, requests: Sequence[Request]) -> dict[Request, list[dict[str, Any]]]:
        """Return the files of the requests that are complete."""
        with self._locked() as store:
            complete = [r for r in requests if store.complete(r)]
            record_latents(store, complete)
            return {r: made_of(store, r) for r in complete}

    def add(self, pictures: Sequence[Picture]) -> dict[Request, list[dict[str, Any]]]:
        """Save the new pictures of a batch, and return the files of all."""
        requests = list(dict.fromkeys(p.request for p in pictures))
        with self._locked() as store:
            new = [r for r in requests if not store.complete(r)]
            for picture in pictures:
                if picture.request in new:
                    store.add(picture)
            if new:
                store.save()
            record_latents(store, requests)
            return {r: made_of(store, r) for r in requests}

    def note_facets(self, requests: Sequence[Request]) -> None:
        """Record what the probes of the requests' facets say of those that are finished."""
        with self._locked() as store:
            record_facets(store, requests)

    def note_trust(self, numbers: Mapping[str, Record]) -> None:
        """Record how far pictures can be trusted, by file."""
        with self._locked() as store:
            record(store, numbers)

    @contextmanager
    def _locked(self) -> Iterator[Store]:
        """Lock the store and read its present state."""
        with Lock(self.folder / LOCK, flags=LockFlags.EXCLUSIVE):  # released with the process, too
            self._store.refresh()
            yield self._store


def _mask(store: Store, entry: Entry) -> dict[str, str]:
    name = mask_file(entry.file)
    return {"file": name, "sha256": checksum(store.copied_bytes(store.folder / name))}


def _beside(store: Store, entry: Entry) -> list[dict[str, str]]:
    """Return the files beside a picture, none for images."""
    names = [companion_file(entry.file, suffix) for suffix in store.medium.suffixes]
    return [{"file": name, "sha256": store.copied[name].sha256} for name in names]


def made_of(store: Store, request: Request) -> list[dict[str, Any]]:
    """Return the files of a request's finished pictures as the queue records them.

    Those from photos have their snapshots and masks with them, signals the files of their numbers,
    and those of latents of autoencoders whether they are on.
    """
    latents = latent_records(store.folder)
    entries = sorted(store.find(request), key=lambda entry: (entry.row, entry.step))
    made = []
    for e in (entry for entry in entries if entry.step == request.recipe.steps):
        alone = Request.from_json(e.target, store.requests[e.request]).alone
        about = {
            "term_scores": dict(e.term_scores),
            "alone": alone,
            "snapshots": [
                {"step": s.step, "file": s.file, "sha256": s.sha256}
                for s in entries
                if s.row == e.row and s.step != e.step
            ],
            "mask": _mask(store, e) if request.has_mask else None,
            "beside": _beside(store, e),
            "recipe": request.recipe.name,
            "latents": latents_in(latents, e),
        }
        filled = {name: value for name, value in about.items() if value}
        made.append({"row": e.row, "file": e.file, "sha256": e.sha256, "score": e.score, **filled})
    return made
