"""Copy the optimized pictures of units beside their examples."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.examples.folder import unit_file
from kerasviz.io.files import checksum, write_atomically
from kerasviz.io.images import on_checkerboard, open_image
from kerasviz.network.network import Network
from kerasviz.rendering.manifest import MANIFEST, Entry, Manifest

#: The longest side of a copy in pixels: twice that of a crop, for screens of many pixels.
SIDE = 196
#: The quality of its JPEG file.
QUALITY = 88
#: The folder of the pictures of figures and atlases, in theirs.
INSIDE = "pictures"

#: A layer's tap and the number of a unit.
Unit = tuple[str, int]


def pictures_folder(net: Network, named: Path | None) -> Path | None:
    """Return the folder of the optimized pictures: the named one, or where they are by default.

    Raises :class:`UsageError` for a named folder without pictures of this network.
    """
    folder = Path("out") / net.name if named is None else named
    found = next((f for f in (folder, folder / INSIDE) if (f / MANIFEST).is_file()), None)
    fits = found is not None and Manifest(found).network.get("sha256") == net.identity.sha256
    if named is not None and not fits:
        what = "no pictures" if found is None else f"pictures of another network than {net.name}"
        raise UsageError(
            f"{str(named)!r} holds {what}; name a folder that kerasviz render, figures or atlas "
            "made"
        )
    return found if fits else None


def best_pictures(net: Network, folder: Path) -> dict[Unit, Entry]:
    """Return the best picture of each unit in a folder: that of most steps and pixels."""
    manifest = Manifest(folder)
    best: dict[Unit, tuple[int, Entry]] = {}
    for entry in manifest.entries.values():
        request = manifest.requests[entry.request]
        unit, recipe = _unit_of(request, net), request["recipe"]
        if unit is None or entry.score is None or entry.step != recipe["steps"]:
            continue
        effort = recipe["steps"] * recipe["size"][0] * recipe["size"][1]
        if unit not in best or effort > best[unit][0]:
            best[unit] = effort, entry
    return {unit: entry for unit, (_, entry) in best.items()}


def _unit_of(request: Mapping[str, Any], net: Network) -> Unit | None:
    """Return the unit whose channel a picture shows, ``None`` if it shows anything else."""
    terms = request["objective"]
    if len(terms) != 1 or terms[0]["kind"] != "channel" or terms[0]["weight"] <= 0:
        return None
    tap, unit = terms[0]["tap"], terms[0].get("unit")
    return (net.taps[tap].name, int(unit)) if tap in net.taps and unit is not None else None


def add_pictures(net: Network, folder: Path, manifest: dict[str, Any], pictures: Path) -> bool:
    """Copy pictures beside the examples in a folder and into its manifest, and say if any are new.

    A unit's entry gets ``optimized``, the file with its checksum; one without a picture keeps that
    of an earlier call.
    """
    best, changed = best_pictures(net, pictures), False
    for tap in manifest["taps"]:
        name = net.taps[tap["tap"]].name
        for number, unit in enumerate(tap["units"]):
            entry = best.get((name, number))
            if entry is None:
                continue
            file = unit_file(tap["tap"], number).replace(".jpg", "-optimized.jpg")
            data = _copy_of(pictures / entry.file)
            about = {"file": file, "sha256": checksum(data)}
            if unit.get("optimized") != about:
                write_atomically(folder / file, data)
                unit["optimized"], changed = about, True
    return changed


def _copy_of(path: Path) -> bytes:
    with open_image(path) as image:
        small = on_checkerboard(image)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
