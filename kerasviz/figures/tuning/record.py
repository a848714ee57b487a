"""Write the numbers and drawings of a folder of tuning."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.analysis.families import Family
from kerasviz.analysis.family_suggestion import RotatedUnits
from kerasviz.analysis.joint_tuning import JointTuning
from kerasviz.analysis.sweeps import Sweep
from kerasviz.analysis.tuning import Place, Tuning
from kerasviz.figures.tuning.drawing import (
    joint_image,
    radial_image,
    stimuli_image,
    unit_image,
)
from kerasviz.io.files import make_folder, write_atomically
from kerasviz.io.images import encode
from kerasviz.network.network import Network
from kerasviz.rendering.picture import network_provenance
from kerasviz.rendering.store import slug

VERSION = 1
MAKER = "kerasviz tune"
#: The folder of the drawings, in that of the page.
FIGURES = "figures"
#: The most curves of a radial plot, those of the largest responses.
MOST_DRAWN = 40


@dataclass(frozen=True, eq=False)
class TunedLayer:
    """Hold what was measured of a layer.

    Args:
        place: Where its units were recorded.
        units: Their numbers.
        sweeps: The stimuli.
        tunings: One for each of them and each unit.
        joint: One for each unit, where photos were turned.
        families: Suggested families, by what they were found with: a kind of stimuli, or photos.
    """

    place: Place
    units: tuple[int, ...]
    sweeps: tuple[Sweep, ...]
    tunings: tuple[Tuning, ...]
    joint: tuple[JointTuning, ...] = ()
    families: tuple[tuple[str, tuple[RotatedUnits, ...]], ...] = ()

    @property
    def name(self) -> str:
        """The layer with the position."""
        return f"{self.place.tap}@{','.join(map(str, self.place.index))}"

    def with_joint(
        self, joint: Sequence[JointTuning], families: Sequence[RotatedUnits] | None
    ) -> TunedLayer:
        """Return the layer with what was measured on photos, ``None`` without families."""
        found = () if families is None else (("photos", tuple(families)),)
        return replace(self, joint=tuple(joint), families=(*self.families, *found))

    def of_kind(self, kind: str) -> list[Tuning]:
        """Return the tunings of all units by one kind of stimuli."""
        return [tuning for tuning in self.tunings if tuning.kind == kind]


@dataclass(frozen=True, eq=False)
class TuningRecord:
    """Hold all that a folder of tuning shows.

    Args:
        net: The network.
        layers: What was measured.
        pictures: The files of the pictures of units, by unit.
        photos: The names of the photos.
        style: How shapes were drawn.
        colours: The colours of the stimuli, as they were given.
    """

    net: Network
    layers: tuple[TunedLayer, ...]
    pictures: dict[str, str]
    photos: tuple[str, ...]
    style: str
    colours: str

    def to_json(self) -> dict[str, Any]:
        """Return all numbers as plain data."""
        return {
            "maker": MAKER,
            "version": VERSION,
            "network": network_provenance(self.net),
            "style": self.style,
            "colours": self.colours,
            "photos": list(self.photos),
            "layers": [_layer_json(layer) for layer in self.layers],
        }


def write_numbers(folder: Path, record: TuningRecord) -> None:
    """Write ``tuning.json``, ``tuning.csv``, ``photos.csv`` and ``families.json``."""
    _write_json(folder / "tuning.json", record.to_json())
    _write_csv(folder / "tuning.csv", _rows(record))
    if record.photos:
        _write_csv(folder / "photos.csv", _photo_rows(record))
    families = [entry for layer in record.layers for entry in _families_json(layer)]
    if families:
        _write_json(folder / "families.json", families)


def write_figures(folder: Path, record: TuningRecord) -> None:
    """Write the drawings as PNG files into ``figures/``."""
    make_folder(folder / FIGURES)
    pictures = {unit: folder / file for unit, file in record.pictures.items()}
    for layer in record.layers:
        for sweep in layer.sweeps:
            tunings = layer.of_kind(sweep.kind)
            images = {
                figure_name(layer.name, sweep.kind, "stimuli"): stimuli_image(sweep),
                **{figure_name(t.name, t.kind): unit_image(t) for t in tunings},
            }
            if sweep.across.period is not None:
                name = figure_name(layer.name, sweep.kind, "radial")
                images[name] = radial_image(strongest(tunings), sweep.across.period, pictures)
            for name, image in images.items():
                write_atomically(folder / FIGURES / name, encode(image, "png"))
        for found in layer.joint:
            name = figure_name(f"{found.tap}:{found.unit}", "photos")
            write_atomically(folder / FIGURES / name, encode(joint_image(found), "png"))


def figure_name(*parts: str) -> str:
    """Return the name of a drawing.

    >>> figure_name("block:3", "curve")
    'block-3-curve.png'
    """
    return f"{slug('-'.join(parts))}.png"


def strongest(tunings: Sequence[Tuning]) -> list[Tuning]:
    """Return the tunings of the largest responses above 0, as many as a plot shows, in order."""
    excited = [tuning for tuning in tunings if tuning.maximum > 0]
    kept = sorted(excited, key=lambda tuning: -tuning.maximum)[:MOST_DRAWN]
    return [tuning for tuning in tunings if tuning in kept]


def _layer_json(layer: TunedLayer) -> dict[str, Any]:
    aperture = layer.place.aperture
    return {
        "tap": layer.place.tap,
        "position": list(layer.place.index),
        "image": list(aperture.size),
        "centre": list(aperture.centre),
        "radius": aperture.radius,
        "units": list(layer.units),
        "tuning": [tuning.to_json() for tuning in layer.tunings],
        "joint": [found.to_json() for found in layer.joint],
        "families": {
            by: [{"units": list(f.units), "degrees": list(f.degrees)} for f in found]
            for by, found in layer.families
        },
    }


def _families_json(layer: TunedLayer) -> Iterator[dict[str, Any]]:
    """Yield families in the format of files of families."""
    for by, found in layer.families:
        for number, family in enumerate(found, 1):
            degrees = ", ".join(f"{degree:g}" for degree in family.degrees)
            comment = f"alike by {by}, turned by {degrees} degrees; suggested"
            yield Family(layer.place.tap, f"{by} {number}", family.units, comment).to_json()


def _rows(record: TuningRecord) -> Iterator[tuple[Any, ...]]:
    yield "tap", "unit", "stimuli", "part", "across", "at", "down", "in row", "response"
    for layer in record.layers:
        for t in layer.tunings:
            for value, row in zip(t.down.values, t.heat, strict=True):
                for at, response in zip(t.across.values, row, strict=True):
                    names = (t.across.name, _number(at), t.down.name, _number(value))
                    yield t.tap, t.unit, t.kind, "heat map", *names, _number(response)
            value = t.down.values[t.row]
            for at, response in zip(t.fine.values, t.curve, strict=True):
                names = (t.fine.name, _number(at), t.down.name, _number(value))
                yield t.tap, t.unit, t.kind, "curve", *names, _number(response)


def _photo_rows(record: TuningRecord) -> Iterator[tuple[Any, ...]]:
    yield "tap", "photos of", "unit", "turned by", "response"
    for layer in record.layers:
        for found in layer.joint:
            for unit, curve in zip(found.units, found.curves, strict=True):
                for degrees, response in zip(found.degrees, curve, strict=True):
                    yield found.tap, found.unit, unit, _number(degrees), _number(response)


def _number(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else "inf"


def _write_csv(path: Path, rows: Iterator[tuple[Any, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_atomically(path, text.getvalue().encode())


def _write_json(path: Path, data: Any) -> None:
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode())
