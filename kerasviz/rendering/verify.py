"""Render the pictures of a folder again and compare them with their files."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.io.files import checksum
from kerasviz.io.images import decode, encode
from kerasviz.network.front_ends.wrapped import as_recorded
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.network import Network
from kerasviz.network.taps import UnknownTapError
from kerasviz.optvis.environment import differences, environment
from kerasviz.rendering.batching import Batch, split_into_batches
from kerasviz.rendering.gradient_pictures import GradientCache, recompute
from kerasviz.rendering.held_data import with_held
from kerasviz.rendering.manifest import DerivedFile, Entry, GradientEntry, mask_file, read_manifest
from kerasviz.rendering.media.medium import companion_file
from kerasviz.rendering.picture import Picture, provenance
from kerasviz.rendering.picture_files import mask_bytes
from kerasviz.rendering.progress import RenderProgress
from kerasviz.rendering.render import render_batches
from kerasviz.rendering.request import Request, python_note
from kerasviz.rendering.store import FileCheck, Store


@dataclass(frozen=True)
class VerifySample:
    """Draw random batches that have at least ``pictures`` pictures together."""

    pictures: int
    seed: int = 0

    def of(self, batches: Sequence[Batch]) -> list[Batch]:
        """Return a part of the batches.

        >>> VerifySample(3).of([]) == []
        True
        """
        drawn, chosen = list(batches), 0
        random.Random(self.seed).shuffle(drawn)
        for number, batch in enumerate(drawn):
            if chosen >= self.pictures:
                return drawn[:number]
            chosen += batch.rows
        return drawn


#: The results of files that are as they were.
GOOD = ("same", "kept", "by function", "unchanged")


class Verification(NamedTuple):
    """The result for each file of a folder, and how the recorded environments differ."""

    files: list[FileCheck]
    environment: list[str]

    @property
    def same(self) -> bool:
        """Whether every file is as it was, as far as it can be made again."""
        return all(file.result in GOOD for file in self.files)

    @property
    def summary(self) -> str:
        """The number of files with each result, ``same`` first, in one line."""
        counts = Counter(file.result for file in self.files)
        names = sorted(counts, key=lambda name: (name != "same", name))
        words = ", ".join(f"{counts[name]:,} {name}" for name in names)
        count = len(self.files)
        return f"{count:,} {'file' if count == 1 else 'files'}: {words or 'none'}"


def verify_pictures(
    folder: Path,
    net: Network,
    progress: Callable[[RenderProgress], None] | None = None,
    sample: VerifySample | None = None,
) -> Verification:
    """Render every picture of a folder again, in the recorded batch sizes, and compare the bytes.

    Nothing is written. What cannot be rendered again, and pictures outside the sample, are
    compared with their recorded checksums. The input description of ``net`` is replaced by the
    recorded one. Raises :class:`UsageError` if the pictures are of another network.
    """
    manifest = read_manifest(folder)
    net = net.with_input_spec(InputSpec.from_json(manifest["network"]["input"]))
    net = as_recorded(net, manifest["network"])
    store = _opened(folder, net, manifest)
    # The pictures contain the name that the model's file had at that time.
    store.network = {key: manifest["network"][key] for key in store.network}
    current = environment()
    notes: list[str] = []
    for recorded in store.environments.values():
        notes += [n for n in differences(current, recorded) if n not in notes]
    held: dict[str, str] = {}  # where pictures differ in it, each batch takes its own
    for settings in store.requests.values():
        held |= settings.get("data", {})
    store.net = net = with_held(store.net, folder, held)
    names: dict[Request, str] = {}  # of requests in the manifest
    try:
        batches = list(_recorded_batches(store, names))
    except UnknownTapError as error:
        if not net.identity.by_contents:
            raise
        raise UsageError(
            f"{error}; Keras numbers the layers of a subclassed model anew in each process: name "
            "them, and render again"
        ) from error
    if sample is not None:
        batches = sample.of(batches)
    results = _rendered_again(store, batches, names, progress)
    optimized = [results.get(e.file) or _not_rendered(store, e) for e in store.entries.values()]
    slopes = GradientCache(net)
    computed = [_computed(store, entry, slopes) for entry in store.computed.values()]
    copied = [results.get(e.file) or _copied(store, e) for e in store.copied.values()]
    return Verification([*optimized, *computed, *copied], notes)


def _opened(folder: Path, net: Network, manifest: Mapping[str, Any]) -> Store:
    """Open the store of a folder.

    The checksum of a model in memory is that of its graph, which other versions of the packages may
    trace otherwise: the :class:`UsageError` for another network names those that differ.
    """
    try:
        return Store(folder, net)
    except UsageError as error:
        if "checksum" not in manifest["network"]:
            raise
        here = _versions(environment())
        recorded = map(_versions, manifest["environments"].values())
        notes = dict.fromkeys(note for versions in recorded for note in differences(here, versions))
        if not notes:
            raise
        raise UsageError(
            f"{error}; or other versions read it otherwise: {'; '.join(notes)}"
        ) from error


def _versions(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment.get(name, "") for name in ("kerasviz", "keras", "tensorflow")}


def _recorded_batches(store: Store, names: dict[Request, str]) -> Iterator[Batch]:
    """Yield the batches that render all recorded pictures again, and fill ``names``."""
    groups: dict[Any, dict[Request, None]] = {}
    for entry in store.entries.values():
        if python_note(store.requests[entry.request]):
            continue
        request = Request.from_json(entry.target, store.requests[entry.request], store.folder)
        names[request] = entry.request
        group = (
            *(request.structure(store.net), request.recipe, request.snapshots, request.data),
            tuple(request.held),
            entry.compiled_batch,
        )
        groups.setdefault(group, {})[request] = None
    for (*_, size), requests in groups.items():
        yield from split_into_batches(store.net, list(requests), size, size)


def _rendered_again(
    store: Store,
    batches: Sequence[Batch],
    names: Mapping[Request, str],
    progress: Callable[[RenderProgress], None] | None,
) -> dict[str, FileCheck]:
    """Render batches and compare their pictures; return the results by file name."""
    results: dict[str, FileCheck] = {}
    entries: dict[tuple[str, int], list[Entry]] = {}
    for entry in store.entries.values():
        entries.setdefault((entry.request, entry.row), []).append(entry)
    by_data: dict[Any, list[Batch]] = {}
    for batch in batches:
        by_data.setdefault(batch.requests[0].data, []).append(batch)
    for data, group in by_data.items():
        net = with_held(store.net, store.folder, dict(data))
        for pictures in render_batches(net, group, progress):
            for picture in pictures:
                for entry in entries[names[picture.request], picture.row]:
                    results[entry.file] = _compare(store, entry, picture)
                    if entry.score is not None and picture.mask is not None:
                        mask = mask_file(entry.file)
                        results[mask] = _compare_mask(store, mask, picture)
                    if entry.score is not None:
                        results |= _compare_companions(store, entry, picture)
    return results


def _read(store: Store, entry: Entry | GradientEntry | DerivedFile) -> bytes | FileCheck:
    """Return the bytes of an entry's file, or the reason why they cannot be compared."""
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
    image = picture.to_pil(entry.step)
    recorded = store.environments[entry.environment]
    about = {**provenance(picture, store.network, recorded), "step": entry.step}
    again = encode(image, Path(entry.file).suffix[1:], about)
    if again == data:
        return FileCheck(entry.file, "same")
    return FileCheck(entry.file, "differs", _difference(data, image))


def _compare_mask(store: Store, file: str, picture: Picture) -> FileCheck:
    if file not in store.copied:
        return FileCheck(file, "missing", "the mask was not recorded")
    data = _read(store, store.copied[file])
    if isinstance(data, FileCheck):
        return data
    again = mask_bytes(picture)
    if again == data:
        return FileCheck(file, "same")
    return FileCheck(file, "differs", _difference(data, decode(again)[0]))


def _compare_companions(store: Store, entry: Entry, picture: Picture) -> dict[str, FileCheck]:
    """Compare the files beside a picture with those of the picture that was rendered again."""
    results = {}
    for suffix, again in picture.companions().items():
        file = companion_file(entry.file, suffix)
        if file not in store.copied:
            results[file] = FileCheck(file, "missing", "the file was not recorded")
            continue
        data = _read(store, store.copied[file])
        if isinstance(data, FileCheck):
            results[file] = data
        elif again == data:
            results[file] = FileCheck(file, "same")
        else:
            results[file] = FileCheck(file, "differs", "its numbers are others")
    return results


def _not_rendered(store: Store, entry: Entry) -> FileCheck:
    """Check a picture outside the sample, or of a Python function, by its checksum."""
    data = _read(store, entry)
    if isinstance(data, FileCheck):
        return data
    note = python_note(store.requests[entry.request])
    return FileCheck(entry.file, "by function" if note else "unchanged", note or "")


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
    """Say how far the picture in a file is from the one that was rendered again."""
    before, _ = decode(data)
    now = np.asarray(image, np.int16)
    recorded = np.asarray(before, np.int16)
    if recorded.shape != now.shape:
        return "the picture has another size"
    apart = np.abs(recorded - now)
    if not apart.any():
        return "the pixels are the same, the file is not (another encoder?)"
    return (
        f"{np.mean(apart > 0):.1%} of the numbers differ, by {apart.mean():.2f} of 255 on average"
    )
