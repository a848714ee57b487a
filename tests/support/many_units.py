"""The page of a layer of many units whose pictures were never optimized: flat colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.figures.layout.appendix import layers_of
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.site import layer_pages
from kerasviz.figures.site.record import FigureRun
from kerasviz.figures.site.sprites import TILE, Strip
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import slug

__all__ = ["colour", "write_page"]


def colour(unit: int, column: int) -> tuple[int, int, int]:
    """That of a picture of a unit: no two near each other are alike."""
    return 60 * (unit % 4) + 30, 60 * (unit // 4 % 4) + 30, 36 * column + 20


class _Store:
    """A store that says of every picture that it is there."""

    def __init__(self, folder: Path, net: Network):
        self.folder, self.net = folder, net

    def find(self, request: Request) -> list[Any]:
        ending = "-{row}.png" if request.rows > 1 else ".png"
        return [
            SimpleNamespace(
                file=slug(request.text) + ending.format(row=row),
                sha256=f"{request.text} {row}",
                step=request.recipe.steps,
                row=row,
                compiled_batch=4,
                curve=((0, 0.0), (9, 1.0)),
            )
            for row in range(request.rows)
        ]

    def copied_bytes(self, path: Path) -> bytes:
        return b""

    def copy(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)


def _strip(unit: Any) -> Strip:
    size = (TILE, TILE)
    return Strip(tuple(Image.new("RGB", size, colour(unit.unit, k)) for k in range(7)))


def write_page(out: Path, net: Network, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the page with its sprites and return its path."""
    monkeypatch.setattr(layer_pages.UnitPictures, "strip", _strip)
    order = FigureOptions(net, recipe("fast").replace(steps=4, size=(64, 64)))
    order = replace(order, layers=tuple(layers_of(order)))
    store: Any = _Store(out / "pictures", net)
    choice = choose(CATALOGUE["appendix-layer"], order)
    commands: dict[str, str] = {}
    for request in dict.fromkeys(cell.request for cell in choice.optimized):
        command = CommandLine("a").render(net, request, 4)
        commands |= {entry.file: command for entry in store.find(request)}
    making = FigureRun(store, order, CommandLine("a"), commands)
    shown = layer_pages.write_layers(out, making, choice)
    (page,) = [out / page.file for page in shown.pages if page.file]
    return page
