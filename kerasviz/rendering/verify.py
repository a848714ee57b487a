"""Verifying: every picture of a folder is made again and compared with its file."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasviz.io.files import checksum
from kerasviz.io.images import decode, encode, to_image
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.network import Network
from kerasviz.optvis.environment import differences, environment
from kerasviz.optvis.objectives.scoring import structure_of
from kerasviz.rendering.batching import Batch, split_into_batches
from kerasviz.rendering.gradient_pictures import GradientCache, recompute
from kerasviz.rendering.manifest import DerivedFile, Entry, GradientEntry, read_manifest
from kerasviz.rendering.render import Picture, RenderProgress, provenance, render_batch
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import FileCheck, Store

__all__ = ["VerifySample", "verify"]


@dataclass(frozen=True)
class VerifySample:
    """Which pictures are made again: at least so many, in whole batches drawn by chance."""

    pictures: int
    seed: int = 0

    def of(self, plans: Sequence[Batch]) -> list[Batch]:
        """Some of the batches.

        >>> Sample(3).of([]) == []
        True
        """
        drawn, chosen = list(plans), 0
        random.Random(self.seed).shuffle(drawn)
        for number, each in enumerate(drawn):
            if chosen >= self.pictures:
                return drawn[:number]
            chosen += each.rows
        return drawn


def verify(
    folder: Path,
    net: Network,
    progress: Callable[[RenderProgress], None] | None = None,
    sample: VerifySample | None = None,
) -> tuple[list[FileCheck], list[str]]:
    """Make every picture of a folder again, in the recorded batch sizes, and compare the bytes.

    Pictures that were computed from photos that are not there are compared with their checksums,
    and so are sprites and panels of examples, and optimized pictures that are not of the sample.
    Returns the results in the manifest's order, and the differences between the environments that
    are recorded and this one. Nothing is written. Raises :class:`UsageError` for another network.
    """
    manifest = read_manifest(folder)
    spec = InputSpec.from_json(manifest["network"]["input"])
    net = net.with_input_spec(spec)
    store = Store(folder, net)
    # The same file may have another name today; the pictures say what it was called then.
    store.network = {key: manifest["network"][key] for key in store.network}
    here = environment()
    results: dict[str, FileCheck] = {}
    notes: list[str] = []
    for recorded in store.environments.values():
        notes += [n for n in differences(here, recorded) if n not in notes]
    asked: dict[Request, str] = {}  # requests and their names in the manifest
    plans = list(_recorded_plans(store, asked))
    if sample is not None:
        plans = sample.of(plans)
    pictures, done = sum(p.rows for p in plans), 0
    entries: dict[tuple[str, int], list[Entry]] = {}
    for entry in store.entries.values():
        entries.setdefault((entry.request, entry.row), []).append(entry)
    for each in plans:

        def report(p: Any, done: int = done, each: Batch = each) -> None:
            if progress is not None:
                text = each.requests[0].text
                progress(RenderProgress(done, pictures, each.rows, p.step, p.steps, p.score, text))

        for picture in render_batch(net, each, report):
            for entry in entries[asked[picture.request], picture.row]:
                results[entry.file] = _compare(store, entry, picture)
        done += each.rows
    for entry in store.entries.values():
        if entry.file not in results:
            results[entry.file] = _unmade(store, entry)
    optimized = [results[file] for file in store.entries]
    slopes = GradientCache(net)
    computed = [_computed(store, entry, slopes) for entry in store.computed.values()]
    copied = [_copied(store, entry) for entry in store.copied.values()]
    return [*optimized, *computed, *copied], notes


def _recorded_plans(store: Store, asked: dict[Request, str]) -> Iterator[Batch]:
    """The batches that make all recorded pictures again, each of the recorded size."""
    groups: dict[Any, dict[Request, None]] = {}
    for entry in store.entries.values():
        request = Request.from_json(entry.target, store.requests[entry.request])
        asked[request] = entry.request
        structure = structure_of(request.objective, store.net, request.recipe.pre_activation)
        group = (structure, request.recipe, request.snapshots, entry.compiled_batch)
        groups.setdefault(group, {})[request] = None
    for (_, _, _, size), requests in groups.items():
        yield from split_into_batches(store.net, list(requests), size, size)


def _read(store: Store, entry: Entry | GradientEntry | DerivedFile) -> bytes | FileCheck:
    """The file of an entry, or what is wrong with it."""
    path = store.folder / entry.file
    if not path.is_file():
        return FileCheck(entry.file, "missing", "the file is not there")
    data = path.read_bytes()
    if checksum(data) != entry.sha256:
        return FileCheck(entry.file, "changed", "the file is not the one that was written")
    return data


def _compare(store: Store, entry: Entry, picture: Picture) -> FileCheck:
    data = _read(store, entry)
    if isinstance(data, FileCheck):
        return data
    image = {**picture.snapshots, picture.request.recipe.steps: picture.image}[entry.step]
    recorded = store.environments[entry.environment]
    about = {**provenance(picture, store.network, recorded), "step": entry.step}
    again = encode(to_image(image), Path(entry.file).suffix[1:], about)
    if again == data:
        return FileCheck(entry.file, "same")
    return FileCheck(entry.file, "differs", _difference(data, to_image(image)))


def _unmade(store: Store, entry: Entry) -> FileCheck:
    """An optimized picture that is not of the sample."""
    data = _read(store, entry)
    return data if isinstance(data, FileCheck) else FileCheck(entry.file, "unchanged")


def _computed(store: Store, entry: GradientEntry, slopes: GradientCache) -> FileCheck:
    data = _read(store, entry)
    if isinstance(data, FileCheck):
        return data
    again = recompute(store, entry, slopes)
    if again is None:
        names = ", ".join(photo["name"] for photo in entry.photos)
        detail = f"not made again: not there, or not as it was: {names}"
        return FileCheck(entry.file, "kept", detail)
    if again == data:
        return FileCheck(entry.file, "same")
    return FileCheck(entry.file, "differs", _difference(data, decode(again)[0]))


def _copied(store: Store, entry: DerivedFile) -> FileCheck:
    data = _read(store, entry)
    return data if isinstance(data, FileCheck) else FileCheck(entry.file, "same")


def _difference(data: bytes, image: Image.Image) -> str:
    """How far the picture in a file is from one that was made again."""
    before, _ = decode(data)
    now = np.asarray(image, np.int16)
    there = np.asarray(before, np.int16)
    if there.shape != now.shape:
        return "the picture has another size"
    apart = np.abs(there - now)
    if not apart.any():
        return "the pixels are the same, the file is not (another encoder?)"
    return (
        f"{np.mean(apart > 0):.1%} of the numbers differ, by {apart.mean():.2f} of 255 on average"
    )
