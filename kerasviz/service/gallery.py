"""The finished pictures of each unit, read from the manifest of a store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.io.files import stamp
from kerasviz.network.network import Network
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.manifest import JOURNAL, MANIFEST, DerivedFile, Entry, Manifest
from kerasviz.rendering.media.medium import COMPANIONS, companion_file
from kerasviz.rendering.trust_records import TRUST, read_trust, trust_rows
from kerasviz.service.jobs.seconds import SECONDS, read_seconds

#: Seconds for which a manifest is not checked again.
FRESH_SECONDS = 0.5

#: A layer's tap and the number of a unit.
Unit = tuple[str, int]


@dataclass(frozen=True)
class UnitPicture:
    """A finished picture of a unit; ``kind`` is channel, neuron, negative or diversity.

    ``snapshots`` are earlier steps of it. One of kind ``facet`` is steered towards a ``facet``.
    """

    kind: str
    recipe: str
    seed: int
    steps: int
    pixels: int
    entry: Entry
    snapshots: tuple[Entry, ...] = ()
    facet: str = ""


class Gallery:
    """The pictures of a network by unit, reread when the manifest changes."""

    def __init__(self, folder: Path, net: Network, command: CommandLine):
        self.folder, self.net, self.command = folder, net, command
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._looked = 0.0
        self._manifest = Manifest(folder)
        self._subjects: dict[str, _Subject | None] = {}
        self._units: dict[Unit, list[UnitPicture]] = {}
        self._files: dict[str, Entry] = {}
        self._trust: dict[str, dict[str, Any]] = {}
        self._seconds: dict[str, float] = {}

    def of(self, tap: str, unit: int) -> Sequence[UnitPicture]:
        """Return the pictures of a unit, rough ones before those of more steps and pixels."""
        self._refresh()
        return self._units.get((tap, unit), ())

    def best(self, tap: str, unit: int, recipe: str | None) -> UnitPicture | None:
        """Return a channel picture of a unit, preferably of a recipe, and of most steps."""
        pictures = [s for s in self.of(tap, unit) if s.kind == "channel"]
        pictures.sort(key=lambda s: (s.recipe != recipe, -s.steps * s.pixels, s.seed))
        return pictures[0] if pictures else None

    def entry(self, file: str) -> Entry | None:
        """Return the entry of a file."""
        self._refresh()
        return self._files.get(file)

    def beside(self, entry: Entry) -> list[DerivedFile]:
        """Return the files beside a picture, none for images."""
        names = [companion_file(entry.file, suffix) for suffix in COMPANIONS]
        return [self._manifest.copied[name] for name in names if name in self._manifest.copied]

    def command_of(self, entry: Entry) -> str:
        """Return the command that reproduces a picture, "" if none does."""
        return self.command.picture(self.net, entry, self._manifest.requests[entry.request])

    def trust_of(self, entry: Entry) -> list[tuple[str, str]]:
        """Return how far a picture can be trusted, as names and words; none if nobody asked."""
        self._refresh()
        record = self._trust.get(entry.file, {})
        return trust_rows(record) if record.get("sha256") == entry.sha256 else []

    def seconds_of(self, entry: Entry) -> float | None:
        """Return how long a picture took, in seconds, ``None`` where that is not known."""
        self._refresh()
        return self._seconds.get(entry.sha256)

    def pace(self, tap: str) -> float | None:
        """Return the seconds of a step at a pixel of the pictures of a tap; their median."""
        self._refresh()
        found = [
            seconds / (shown.steps * shown.pixels)
            for (own, _), pictures in self._units.items()
            for shown in pictures
            if own == tap and (seconds := self._seconds.get(shown.entry.sha256)) is not None
        ]
        return median(found) if found else None

    def contents(self, tap: str | None) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the manifest, of the pictures of one tap if it is named, and their commands.

        Raises :class:`UsageError` where there are no pictures.
        """
        self._refresh()
        with self._lock:
            data = {**self._manifest.data(), "computed": []}
            copied = data.pop("copied", [])
            if tap is not None:
                data["pictures"] = [e for e in data["pictures"] if self._tap_of(e) == tap]
                used = {entry["request"] for entry in data["pictures"]}
                data["requests"] = {k: v for k, v in data["requests"].items() if k in used}
            if not data["pictures"]:
                raise UsageError(
                    f"there are no pictures of {tap or self.net.name} yet: render some"
                )
            entries = [self._manifest.entries[entry["file"]] for entry in data["pictures"]]
            beside = {b.file for entry in entries for b in self.beside(entry)}
            if beside:
                data["copied"] = [file for file in copied if file["file"] in beside]
        return data, {e.file: words for e in entries if (words := self.command_of(e))}

    def _tap_of(self, entry: dict[str, Any]) -> str | None:
        subject = self._subjects.get(entry["request"])
        return None if subject is None else subject.unit[0]

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked < FRESH_SECONDS:
                return
            now = [stamp(self.folder / name) for name in (MANIFEST, JOURNAL, TRUST, SECONDS)]
            if now != self._stamp:
                self._manifest.refresh()
                self._read()
                self._trust = read_trust(self.folder)
                self._seconds = read_seconds(self.folder)
            self._stamp, self._looked = now, time.monotonic()

    def _read(self) -> None:
        units: dict[Unit, list[UnitPicture]] = {}
        earlier: dict[tuple[str, int], list[Entry]] = {}
        for entry in self._manifest.entries.values():
            if entry.score is None:
                earlier.setdefault((entry.key, entry.row), []).append(entry)
        for entry in self._manifest.entries.values():
            settings = self._manifest.requests[entry.request]
            if entry.request not in self._subjects:
                self._subjects[entry.request] = _subject(settings, self.net)
            subject = self._subjects[entry.request]
            if subject is None or entry.score is None or not entry.file.endswith(".png"):
                continue
            recipe = settings["recipe"]
            height, width = recipe["size"]
            numbers = (settings["seed"], recipe["steps"], height * width)
            snapshots = sorted(earlier.get((entry.key, entry.row), ()), key=lambda e: e.step)
            shown = UnitPicture(
                subject.kind, recipe["name"], *numbers, entry, tuple(snapshots), subject.facet
            )
            units.setdefault(subject.unit, []).append(shown)
        for pictures in units.values():
            pictures.sort(key=lambda shown: shown.steps * shown.pixels)
        self._units, self._files = units, dict(self._manifest.entries)


#: The layer that has the units of a kind of objective of classes: of probabilities by its name.
_CLASSES: Mapping[str, Callable[[Network], str | None]] = {
    "logit": lambda net: net.classes.logits,
    "probability": lambda _: "prob",
}


@dataclass(frozen=True)
class _Subject:
    """What a picture shows of a unit."""

    unit: Unit
    kind: str
    facet: str = ""


def _subject(data: dict[str, Any], net: Network) -> _Subject | None:
    """Return the unit and kind of a picture, ``None`` if it shows no single unit."""
    terms = data["objective"]
    diverse = [term for term in terms if term["kind"] == "diversity"]
    facets = [term["probe"]["name"] for term in terms if term["kind"] == "facet"]
    others = [term for term in terms if term["kind"] not in ("diversity", "facet")]
    if len(others) != 1 or others[0].get("unit") is None:
        return None
    term = others[0]
    of_classes = term["kind"] in _CLASSES
    tap = _CLASSES[term["kind"]](net) if of_classes else term.get("tap")
    if not of_classes and term["kind"] not in ("channel", "neuron"):
        return None
    if tap is None or tap not in net.taps:
        return None
    first = net.classes.first if of_classes else 0
    unit = (net.taps[tap].name, first + int(term["unit"]))
    if facets:
        return _Subject(unit, "facet", facets[0])
    if diverse:
        return _Subject(unit, "diversity")
    if term["weight"] < 0:
        return _Subject(unit, "negative")
    return _Subject(unit, "neuron" if term["kind"] == "neuron" else "channel")
