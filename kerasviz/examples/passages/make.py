"""Write the examples of units in recordings or texts into a folder, with a page for each tap."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.examples.make import Summary, check_settings
from kerasviz.examples.passages.search import (
    FoundPassages,
    Report,
    Responses,
    own_positions,
    read_again,
    search,
)
from kerasviz.examples.passages.sources import Passage, PassageSource, Recordings, Texts
from kerasviz.examples.search import NAMED, check_units, tensors_of
from kerasviz.io.digits import rounded
from kerasviz.io.files import digest, make_folder, read_manifest_file, write_atomically
from kerasviz.io.sounds import wav_bytes
from kerasviz.io.tokenizers import Tokenizer
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.rendering.media.sound import samples_of
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.store import slug
from kerasviz.types import Array

MANIFEST = "passages.json"
VERSION = 1
#: The most places of a curve; of more, neighbours are one, with the largest of them.
PLACES = 120
#: The strongest shade of a place: that of the unit's largest activation.
SHADES = 9


@dataclass(frozen=True)
class PassageQuestion:
    """What is searched: the units of ``taps`` in a source, for ``count`` passages each."""

    net: Network
    taps: tuple[str, ...]
    source: PassageSource
    count: int
    batch: int
    limit: int | None

    def __post_init__(self) -> None:
        check_units(self.net, self.taps)

    @property
    def values(self) -> dict[str, str]:
        """The tensors by tap, as for images."""
        return tensors_of(self.net, self.taps)

    def to_json(self) -> dict[str, Any]:
        """Return everything that decides the result, as plain data."""
        return {
            "network": network_provenance(self.net),
            "taps": self.values,
            "files": digest(self.source.checksums),
            "per_unit": self.count,
            "batch": self.batch,
            "limit": self.limit,
            **self.source.cut,
        }


def make_passages(question: PassageQuestion, folder: Path, report: Report) -> Summary:
    """Find the passages to which units respond most, and write them, with pages.

    Raises :class:`UsageError` for a folder with other examples, and a source of which nothing can
    be read.
    """
    settings = question.to_json()
    if (folder / MANIFEST).is_file():
        _, manifest = read_manifest_file(folder / MANIFEST, VERSION, "kerasviz examples")
        check_settings(folder, manifest["settings"], settings)
        return _summary(folder, manifest, made=False)
    make_folder(folder)
    net, source = question.net, question.source
    units = {tap: net.taps[name].channels or 0 for tap, name in question.values.items()}
    responses = Responses(net, question.values, question.batch)
    found = search(source, responses, units, question.count, question.limit, report)
    report(1.0, "writing the examples")
    passages, curves = _looked_at(question, responses, found, folder)
    pages = [tap if k else "index" for k, tap in enumerate(question.values)]
    links = [(tap, f"{slug(page)}.html") for tap, page in zip(question.values, pages, strict=True)]
    manifest = {
        "format": VERSION,
        "settings": settings,
        "source": str(source.folder),
        "environment": environment(),
        "passages": len(found.where),
        "unreadable": found.unreadable,
        "not_finite": found.odd,
        "taps": [_tap(tap, found, curves[tap]) for tap in question.values],
    }
    used = {number: passages[number] for number in found.used}
    for about, (tap, file) in zip(manifest["taps"], links, strict=True):
        page = render_page(
            "passages.html",
            network=net.name,
            noun=source.noun,
            tap=tap,
            file=file,
            links=links,
            seen=len(found.where),
            passages=used,
            units=about["units"],
            before=None if question.values[tap] == tap else question.values[tap],
        )
        update(folder / file, page.encode())
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":")) + "\n"
    write_atomically(folder / MANIFEST, text.encode())
    return _summary(folder, manifest, made=True)


def _summary(folder: Path, manifest: Mapping[str, Any], *, made: bool) -> Summary:
    return Summary(
        images=manifest["passages"],
        units=sum(len(tap["units"]) for tap in manifest["taps"]),
        unreadable=len(manifest["unreadable"]),
        odd=manifest["not_finite"],
        names=tuple(manifest["unreadable"])[:NAMED],
        classes=0,
        page=folder / "index.html",
        made=made,
    )


def _tap(tap: str, found: FoundPassages, curves: Mapping[tuple[int, int], str]) -> dict[str, Any]:
    """Return the examples of a tap's units: [activation, passage, place, curve], by rank."""
    top = found.tops[tap]
    units = []
    for unit in range(len(top.value)):
        ranked = zip(top.value[unit], top.passage[unit], top.place[unit], strict=True)
        units.append(
            [
                [rounded(value), int(passage), int(place), curves[unit, int(passage)]]
                for value, passage, place in ranked
                if passage >= 0
            ]
        )
    return {"tap": tap, "units": units}


def _looked_at(
    question: PassageQuestion, responses: Responses, found: FoundPassages, folder: Path
) -> tuple[dict[int, dict[str, Any]], dict[str, dict[tuple[int, int], str]]]:
    """Compute the passages that are examples again, for the curves of their units.

    Returns what the page shows of each passage, and the curves by tap, unit and passage. The WAV
    files of passages of recordings are written.
    """
    shown: dict[int, dict[str, Any]] = {}
    curves: dict[str, dict[tuple[int, int], str]] = {tap: {} for tap in question.values}
    for number, passage in read_again(question.source, found, found.used):
        name, start, count = found.where[number]
        shown[number] = {"file": name, "start": start, "count": count}
        shown[number] |= _contents(question.source, passage, number, folder)
        for tap, array in responses.of([passage]).items():
            top = found.tops[tap]
            real = array[0, : own_positions(passage, array.shape[1]).stop]
            for unit in np.flatnonzero((top.passage == number).any(axis=1)):
                curves[tap][int(unit), number] = shades(real[:, unit], top.value[unit, 0])
    return shown, curves


def shades(values: Array, largest: float) -> str:
    """Return activations as digits from 0 to 9, in parts of the largest one; 0 below 0.

    >>> shades(np.array([-1.0, 0.5, 2.0]), 2.0)
    '029'
    """
    if len(values) > PLACES:
        values = np.array([part.max() for part in np.array_split(values, PLACES)])
    parts = np.clip(values / largest, 0, 1) if largest > 0 else np.zeros(len(values))
    return "".join(str(round(SHADES * part)) for part in parts.tolist())


def spaced(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """Return tokens, with a blank before those that stand apart only in the text of several."""
    tokens = [tokenizer.token(k) for k in ids]
    apart = [False]
    for k in range(1, len(ids)):
        before, own = tokens[k - 1].strip(), tokens[k]
        together = tokenizer.text([ids[k - 1], ids[k]])
        apart.append(not own.startswith(" ") and f"{before} {own}" in together)
    return [
        f" {token}" if is_apart else token for token, is_apart in zip(tokens, apart, strict=True)
    ]


def _contents(source: PassageSource, passage: Passage, number: int, folder: Path) -> dict[str, Any]:
    """Return the tokens of a text; write the passage of a recording, and return its file."""
    if isinstance(source, Texts):
        ids: Sequence[int] = [int(k) for k in passage.values[0, : passage.count, 0]]
        return {"tokens": spaced(source.tokenizer, ids)}
    assert isinstance(source, Recordings)
    make_folder(folder / "passages")
    file = f"passages/{number}.wav"
    samples = samples_of(passage.values)[: passage.count].mean(axis=1)
    write_atomically(folder / file, wav_bytes(samples, source.rate)[0])
    return {"wav": file, "rate": source.rate}
