"""Render the pictures that pages of photos show: units, and directions of groups and positions."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kerasviz.analysis.photo_views import CHAIN_UNITS
from kerasviz.figures.explain.findings import PARTNERS, Findings
from kerasviz.io.files import write_atomically
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.direction_files import FileWords
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.types import Array

#: Units of the detailed layer that have pictures: the most frequent among those of its positions.
DICTIONARY = 24


def unit_texts(found: Findings, most: int) -> list[str]:
    """Return the targets of all units that the page of a photo shows, each once.

    Of the most active units of each layer, ``most`` are shown.
    """
    texts = []
    for layer in found.explanation.layers:
        texts += [f"{layer.tap}:{unit.unit}" for unit in (*layer.raising, *layer.lowering)]
    for view in found.winners:
        texts += [f"{view.tap}:{unit}" for unit in view.frequent(most)]
    if found.view is not None:
        units, counts = np.unique(found.view.units, return_counts=True)
        for unit in units[np.argsort(-counts, kind="stable")][:DICTIONARY]:
            texts.append(f"{found.view.tap}:{unit}")
    for pair in found.pairs:
        texts += [f"{pair.later}:{unit}" for unit in pair.units]
    if found.pairs:
        first = found.pairs[-1]
        texts += [f"{first.earlier}:{unit}" for unit in shown_units(found)[first.earlier]]
    return list(dict.fromkeys(texts))


def shown_units(found: Findings) -> dict[str, list[int]]:
    """Return the units of a chain of layers that one can walk along, by layer."""
    units = {pair.later: list(pair.units) for pair in found.pairs}
    if found.pairs:
        first = found.pairs[-1]
        own = [unit for row in first.partners(PARTNERS) for unit, _ in row]
        units[first.earlier] = list(dict.fromkeys(own))[:CHAIN_UNITS]
    return units


def group_texts(net: Network, found: Findings, folder: Path) -> list[str]:
    """Write the vectors of a photo's groups, and return the targets that are their directions."""
    if found.groups is None:
        return []
    groups = found.groups.groups
    return write_vectors(net, folder / f"{found.name}.groups.npy", groups.tap, groups.units)


def write_vectors(net: Network, path: Path, tap: str, vectors: Array) -> list[str]:
    """Write vectors [N, C] of a layer into a file, and return the targets that name them."""
    buffer = io.BytesIO()
    np.save(buffer, vectors.astype(np.float32))
    write_atomically(path, buffer.getvalue())
    text = f"{tap}@{FileWords(str(path)).named(None)}"
    return [target.text for target in parse_targets([text], net)]


def of_all(found: Iterable[Findings], texts: Sequence[Sequence[str]], most: int) -> list[str]:
    """Return the targets of the pictures of several photos, those of their groups among them."""
    every = [text for findings in found for text in unit_texts(findings, most)]
    return list(dict.fromkeys([*every, *(text for own in texts for text in own)]))
