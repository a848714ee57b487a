"""Pictures that are computed from others by one backward pass, not optimized: their files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.environment import environment
from kerasviz.figures.choice import Made
from kerasviz.figures.computing import Slopes, Task, compute
from kerasviz.figures.photos import Photo, read_photo
from kerasviz.files import checksum, digest
from kerasviz.images import encode
from kerasviz.network import Network
from kerasviz.store import Computed, Store

__all__ = ["Slopes", "make_computed", "recompute"]

Array = np.ndarray[Any, Any]

#: Changes when the same inputs give other pictures.
VERSION = 2


def make_computed(store: Store, wanted: Sequence[Made], slopes: Slopes) -> int:
    """Compute the pictures whose inputs changed or whose file is not there; returns how many.

    The optimized pictures that they need are in the store, and what is made is in its manifest.
    Raises :class:`UsageError` for a photo that cannot be read and :class:`ModelError` where the
    network cannot be computed.
    """
    asked = {made.file: made for made in wanted}.values()
    drafts = [_draft(store, made) for made in asked]
    missing = [d for d in drafts if not _kept(store, d)]
    # No manifest has the checksum of a file that is about to be replaced.
    store.forget([draft.file for draft in missing if draft.file in store.computed])
    here = environment()
    if missing:
        store.compute(_made(store, draft, slopes, here) for draft in missing)
    return len(missing)


def recompute(store: Store, entry: Computed, slopes: Slopes) -> bytes | None:
    """The file of an entry, made again; ``None`` where a photo is not there as it was."""
    for photo in entry.photos:
        path = store.folder / photo["file"]
        if not path.is_file() or checksum(path.read_bytes()) != photo["sha256"]:
            return None
    return _made(store, entry, slopes, store.environments[entry.environment])[1]


def _kept(store: Store, draft: Computed) -> bool:
    there = store.computed.get(draft.file)
    return there is not None and there.key == draft.key and store.intact(there)


def _draft(store: Store, made: Made) -> Computed:
    """The entry of a picture before it is computed."""
    photos = tuple(_source(store, photo) for photo in made.photos)
    data = made.to_json()
    return Computed(
        file=f"{made.file}.png",
        sha256="",
        key=_key(store.net, data, [photo["sha256"] for photo in photos]),
        name=made.name,
        words="",
        made=data,
        photos=photos,
        environment="",
    )


def _source(store: Store, photo: Photo) -> dict[str, str]:
    """A photo's name, checksum, and path as seen from the folder of the store."""
    if photo.request is not None:
        (entry, *_) = store.finished([photo.request])
        return {"name": photo.name, "sha256": entry.sha256, "file": entry.file}
    assert photo.file is not None
    path = Path(os.path.relpath(photo.file, store.folder)).as_posix()
    return {"name": photo.name, "sha256": checksum(photo.file.read_bytes()), "file": path}


def _key(net: Network, made: dict[str, Any], photos: Sequence[str]) -> str:
    """A name for all that decides a computed picture."""
    spec = net.require_input_spec().to_json()
    del spec["source"]
    network = {"network": net.identity.sha256, "input": spec}
    return digest({"version": VERSION, **network, "photos": list(photos), **made})


def _made(
    store: Store, entry: Computed, slopes: Slopes, here: dict[str, str]
) -> tuple[Computed, bytes]:
    """Compute a picture: its entry and its file, with its provenance inside."""
    task = Task.from_json(entry.made)
    sources = [store.folder / photo["file"] for photo in entry.photos]
    photos = np.stack([read_photo(path, task.size, store.net.channels) for path in sources])
    image, words = compute(task, photos, slopes)
    about = {
        "name": entry.name,
        "words": words,
        "computed": entry.made,
        "photos": [{"name": p["name"], "sha256": p["sha256"]} for p in entry.photos],
        "network": store.network,
        "environment": here,
    }
    data = encode(image, "png", about)
    names = {"words": words, "sha256": checksum(data), "environment": digest(here)}
    return Computed(**{**vars(entry), **names}), data
