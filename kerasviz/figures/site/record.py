"""The record of a set of figures, ``figures.json``, and the facts of their pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import (
    ExamplesTile,
    FigureLayout,
    GradientTile,
    OptimizedTile,
    Tile,
)
from kerasviz.figures.site.page import Fact, PictureFacts
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.pages import update
from kerasviz.rendering.store import Store

RECORD = "figures.json"
VERSION = 1


@dataclass(frozen=True)
class FigureRun:
    """Describe a run that makes figures: its pictures, options and command line.

    ``commands`` make pictures again, by file.
    """

    store: Store
    options: FigureOptions
    command: CommandLine
    commands: Mapping[str, str] = field(default_factory=dict)

    def origins(self, layout: FigureLayout) -> PictureFacts:
        """Return the facts of a figure's pictures."""
        facts = {tile: fact for tile in layout.tiles if (fact := self._fact(tile)) is not None}
        return PictureFacts(facts, self.command.figure(layout.figure.slug))

    def _fact(self, tile: Tile) -> Fact | None:
        if isinstance(tile, OptimizedTile):
            return self._optimized(tile)
        if isinstance(tile, GradientTile):
            names = [photo.name for photo in tile.photos]
            source = names[0] if len(names) == 1 else f"{len(names)} photos"
            return Fact(f"computed from {source}, not optimized")
        if isinstance(tile, ExamplesTile):
            return Fact(f"from a data set, not optimized · {tile.facts}")
        return None

    def _optimized(self, tile: OptimizedTile) -> Fact:
        request, store = tile.request, self.store
        entry = store.entry(request, tile.step, tile.row)
        score = "" if entry.score is None else f"score {entry.score:.4g} · "
        steps = request.recipe.steps
        step = f"{steps} steps" if entry.step == steps else f"step {entry.step} of {steps}"
        line = f"{score}{step} · seed {request.seed + entry.row}"
        return Fact(line, self.commands.get(entry.file, ""))

    def record(self, slug: str) -> dict[str, Any]:
        """Return the options of a figure as plain data."""
        options = self.options
        return {
            "command": self.command.figure(slug) or None,
            "model": self.command.model,
            "recipe": options.recipe.to_json(),
            "seed": options.seed,
            "quick": options.quick,
            "photos": [photo.name for photo in options.photos],
            "layers": list(options.layers),
            "examples": None if options.examples is None else options.examples.folder.name,
        }


def write_record(out: Path, run: FigureRun, made: Iterable[str], present: Iterable[str]) -> None:
    """Record how the figures of a folder were made, including those of earlier runs.

    ``made`` are the slugs of this run, ``present`` those in the folder.
    """
    path = out / RECORD
    earlier = _read(path)
    now = {slug: run.record(slug) for slug in made}
    figures = {slug: now.get(slug, earlier.get(slug)) for slug in present}
    data = {"format": VERSION, "network": run.store.network, "figures": figures}
    update(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def _read(path: Path) -> Mapping[str, Any]:
    """Read the figures of a record; none where it is missing or damaged."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["figures"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
