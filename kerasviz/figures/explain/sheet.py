"""Draw the overview of a photo: what raises the score where, by layer, groups and classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kerasviz.figures.drawing.sheet import BOLD, PLAIN, SMALL, Sheet, wrap
from kerasviz.figures.explain.colours import CLASSES, GROUPS, mixed
from kerasviz.figures.explain.findings import Findings
from kerasviz.figures.explain.page import ShownPictures, class_label, class_name
from kerasviz.network.network import Network
from kerasviz.rendering.overlay import coloured, overlay, plain

#: Pixels of the sheet, of its edge, between columns, and of a small picture beside others.
WIDTH = 1080
MARGIN = 20
GAP = 16
ICON = 56
#: Columns of layers.
COLUMNS = 5


def draw_sheet(net: Network, found: Findings, pictures: ShownPictures, folder: Path) -> Image.Image:
    """Draw the overview of a photo; ``folder`` is that of the pictures."""
    sheet = Sheet(WIDTH)
    target = found.explanation.target
    label = class_label(net, target) or target
    y = sheet.text(MARGIN, MARGIN, [f"{net.name}: {label}, in {found.name}"], BOLD)
    y = sheet.text(MARGIN, y, ["orange raises the score, blue lowers it"], SMALL) + GAP / 2
    y = _top(sheet, net, found, y) + GAP
    if found.groups is not None:
        y = _groups(sheet, found, pictures, folder, y) + GAP
    _layers(sheet, found, pictures, folder, y)
    return sheet.finish(MARGIN).reduce(2)  # of twice the size


def _top(sheet: Sheet, net: Network, found: Findings, y: float) -> float:
    """Draw the photo, the classes that the network sees, and the maps of the detailed layer."""
    width = 224.0
    height = width * found.image.shape[0] / found.image.shape[1]
    drawn = [plain(found.image)]
    titles = ["photo"]
    if found.groups is not None:
        places = found.groups.groups.places.transpose(1, 2, 0)
        drawn.append(coloured(found.image, *mixed(places, GROUPS)))
        titles.append(f"groups of {found.groups.groups.tap}")
    if found.classes is not None:
        colours, strengths = mixed(found.classes.mixture()[0], CLASSES)
        drawn.append(coloured(found.image, colours, found.classes.sizes * (strengths > 0)))
        titles.append(f"classes at {found.classes.tap}")
    end = y
    for k, (picture, title) in enumerate(zip(drawn, titles, strict=True)):
        x = MARGIN + k * (width + GAP)
        below = sheet.picture(x, y, (width, height), picture)
        end = max(end, sheet.text(x, below + 4, wrap(title, SMALL, width), SMALL))
    x = MARGIN + len(drawn) * (width + GAP)
    lines = [f"{class_name(net, n)}  {value:.3g}" for n, value in found.guesses]
    return max(end, sheet.text(x, y, lines, PLAIN))


def _groups(
    sheet: Sheet, found: Findings, pictures: ShownPictures, folder: Path, y: float
) -> float:
    """Draw the groups in a row: where each is, its picture and what it contributes."""
    assert found.groups is not None
    groups = found.groups.groups
    count = len(groups.units)
    width = min(170.0, (WIDTH - 2 * MARGIN - (count - 1) * GAP) / count)
    end = y
    for k, share in enumerate(found.groups.contributions):
        x = MARGIN + k * (width + GAP)
        only = np.zeros((*groups.places.shape[1:], len(GROUPS)))
        only[..., k % len(GROUPS)] = groups.places[k]
        drawn = coloured(found.image, *mixed(only, GROUPS))
        below = sheet.picture(x, y, (width, width * drawn.height / drawn.width), drawn) + 4
        if pictures.groups:
            _icon(sheet, folder / pictures.groups[k], x, below, width)
            below += width + 4
        end = max(end, sheet.text(x, below, [f"group {k + 1}: {share:+.3g}"], PLAIN))
    return end


def _layers(
    sheet: Sheet, found: Findings, pictures: ShownPictures, folder: Path, y: float
) -> float:
    """Draw a map of each layer, with the units that raise the score most."""
    width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS
    end = y
    for k, layer in enumerate(found.explanation.layers):
        if k and k % COLUMNS == 0:
            y = end + GAP
        x = MARGIN + (k % COLUMNS) * (width + GAP)
        below = sheet.text(x, y, wrap(layer.tap, PLAIN, width)[:2], PLAIN)
        if layer.map is not None:
            drawn = overlay(found.image, layer.map)
            below = sheet.picture(x, below, (width, width * drawn.height / drawn.width), drawn)
        below += 4
        for n, unit in enumerate(layer.raising[:3]):
            left = x + n * (ICON + 6)
            file = pictures.units.get(f"{layer.tap}:{unit.unit}")
            under = below
            if file:
                _icon(sheet, folder / file, left, below, ICON)
                under += ICON
            lines = [str(unit.unit), f"{unit.contribution:+.2g}"]
            end = max(end, sheet.text(left, under, lines, SMALL))
        end = max(end, below)
    return end


def _icon(sheet: Sheet, file: Path, x: float, y: float, side: float) -> None:
    with Image.open(file) as picture:
        sheet.picture(x, y, (side, side), picture.convert("RGB"))
