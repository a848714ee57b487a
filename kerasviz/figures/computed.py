"""The files of gradient pictures: computed by one backward pass, not optimized."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasviz.figures.layout.tiles import GradientTile
from kerasviz.io.files import checksum, digest
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.gradient_pictures import GradientCache, _made
from kerasviz.rendering.manifest import GradientEntry
from kerasviz.rendering.photos import Photo
from kerasviz.rendering.store import Store

#: Increased when the same inputs give other pictures.
VERSION = 2


def make_computed(store: Store, wanted: Sequence[GradientTile], gradients: GradientCache) -> int:
    """Compute the pictures whose inputs changed or whose file is missing; return how many.

    The optimized pictures that they need are in the store; the manifest gets the new ones.
    Raises :class:`UsageError` for a photo that cannot be read and :class:`ModelError` where the
    network cannot be computed.
    """
    asked = {made.file: made for made in wanted}.values()
    drafts = [_draft(store, made) for made in asked]
    missing = [d for d in drafts if not _kept(store, d)]
    # No manifest has the checksum of a file that is about to be replaced.
    store.remove([draft.file for draft in missing if draft.file in store.computed])
    here = environment()
    if missing:
        store.compute(_made(store, draft, gradients, here) for draft in missing)
    return len(missing)


def _kept(store: Store, draft: GradientEntry) -> bool:
    there = store.computed.get(draft.file)
    return there is not None and there.key == draft.key and store.intact(there)


def _draft(store: Store, made: GradientTile) -> GradientEntry:
    """Make the entry of a picture before the picture is computed."""
    photos = tuple(_source(store, photo) for photo in made.photos)
    data = made.to_json()
    return GradientEntry(
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
    """Return a photo's name, checksum, and path relative to the folder of the store."""
    if photo.request is not None:
        (entry, *_) = store.finished([photo.request])
        return {"name": photo.name, "sha256": entry.sha256, "file": entry.file}
    assert photo.file is not None
    path = Path(os.path.relpath(photo.file, store.folder)).as_posix()
    return {"name": photo.name, "sha256": checksum(photo.file.read_bytes()), "file": path}


def _key(net: Network, made: dict[str, Any], photos: Sequence[str]) -> str:
    """Return a digest of everything that decides a computed picture."""
    network = {"network": net.identity.sha256, "input": net.require_input_spec().identity()}
    held = {"data": net.data_checksums} if net.data else {}
    return digest({"version": VERSION, **network, **held, "photos": list(photos), **made})
