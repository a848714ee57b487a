"""The files of gradient pictures: computed by one backward pass, not optimized."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, GradientTile, TileRow
from kerasviz.io.files import checksum, digest
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.gradient_pictures import TOO_SMALL, GradientCache, _made
from kerasviz.rendering.manifest import GradientEntry
from kerasviz.rendering.photos import OWN_PHOTOS, Photo
from kerasviz.rendering.store import Store

#: Kinds of pictures whose result stands under each of them.
LABELLED = ("grid", "attribution")
#: Increased when the same inputs give other pictures.
VERSION = 3


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


def label_computed(store: Store, layout: FigureLayout) -> FigureLayout:
    """Return a layout with what was found when its pictures were computed.

    What concerns one picture is its label, what concerns several is a note. Grids of maps that are
    too small for one are left out.
    """
    found = {tile: store.computed[f"{tile.file}.png"].words for tile in layout.computed}

    def labelled(row: TileRow) -> TileRow:
        places = tuple(
            replace(place, label=found[place])
            if isinstance(place, GradientTile) and place.kind in LABELLED
            else place
            for place in row.places
        )
        told = tuple(p for p in places if isinstance(p, EmptyTile) or p.label != TOO_SMALL)
        return replace(row, places=told)

    notes = dict.fromkeys(w for tile, w in found.items() if w and tile.kind not in LABELLED)
    blocks = tuple(row for row in map(labelled, layout.blocks) if row.places)
    small = sum(words == TOO_SMALL for words in found.values())
    if small:
        notes[f"Grids of {small} maps are left out: they are too small to tell."] = None
    return replace(layout, blocks=blocks, notes=(*layout.notes, *notes))


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
    """Return a photo's name, checksum, and path relative to the folder of the store.

    A photo of the package is copied into the folder, which stays whole when it is moved.
    """
    data = photo.file.read_bytes()
    if photo.file in OWN_PHOTOS:
        path = store.folder / f"photo-{photo.file.name}"
        store.copy(path, data)
    else:
        path = photo.file
    file = Path(os.path.relpath(path, store.folder)).as_posix()
    return {"name": photo.name, "sha256": checksum(data), "file": file}


def _key(net: Network, made: dict[str, Any], photos: Sequence[str]) -> str:
    """Return a digest of everything that decides a computed picture."""
    network = {"network": net.identity.sha256, "input": net.require_input_spec().identity()}
    held = {"data": net.data_checksums} if net.data else {}
    return digest({"version": VERSION, **network, **held, "photos": list(photos), **made})
