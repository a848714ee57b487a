"""Write the page of a folder of tuning."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image

from kerasviz.analysis.joint_tuning import JointTuning
from kerasviz.analysis.sweeps import Sweep
from kerasviz.analysis.tuning import Tuning
from kerasviz.figures.circuits.weights import weight_url
from kerasviz.figures.tuning import svg
from kerasviz.figures.tuning.drawing import thumb
from kerasviz.figures.tuning.geometry import colour_of, ticks, value_text
from kerasviz.figures.tuning.record import (
    FIGURES,
    TunedLayer,
    TuningRecord,
    figure_name,
    strongest,
)
from kerasviz.io.images import encode
from kerasviz.rendering.pages import render_page, update
from kerasviz.rendering.picture import network_provenance

#: Titles of kinds of stimuli.
TITLES = {
    "curve": "Curves",
    "line": "Lines",
    "angle": "Angles",
    "circle": "Circles",
    "grating": "Gratings",
    "boundary": "Boundaries of two frequencies",
    "colour": "Colours",
}


@dataclass(frozen=True)
class _TuningCard:
    """A unit and a kind of stimuli on the page."""

    anchor: str
    name: str
    picture: str
    stimulus: str
    facts: tuple[tuple[str, str], ...]
    curve: Markup
    heat: str
    rows: tuple[str, ...]
    down: str
    across: str
    ticks: tuple[str, ...]
    figure: str


@dataclass(frozen=True)
class _TuningKind:
    """A kind of stimuli on the page."""

    title: str
    radial: Markup
    left_out: int
    cards: tuple[_TuningCard, ...]
    stimuli: str


@dataclass(frozen=True)
class _TurnedPhotos:
    """The curves of all units on the turned photos of one."""

    name: str
    picture: str
    plot: Markup
    units: tuple[tuple[str, str, str], ...]
    names: str
    figure: str


@dataclass(frozen=True)
class _TurnedUnit:
    """A unit of a suggested family."""

    name: str
    picture: str
    degrees: str


@dataclass(frozen=True)
class _TurnedFamilies:
    """Suggested families, by what they were found with."""

    title: str
    families: tuple[tuple[_TurnedUnit, ...], ...]


@dataclass(frozen=True)
class _TuningLayer:
    """A layer on the page."""

    name: str
    place: str
    kinds: tuple[_TuningKind, ...]
    photos: tuple[_TurnedPhotos, ...]
    families: tuple[_TurnedFamilies, ...]


def write_page(folder: Path, record: TuningRecord) -> Path:
    """Write ``index.html`` and return its path."""
    page = render_page(
        "tuning.html",
        network=network_provenance(record.net),
        layers=[_layer(layer, record) for layer in record.layers],
        colours=record.colours,
        photos=len(record.photos),
    )
    update(folder / "index.html", page.encode())
    return folder / "index.html"


def _layer(layer: TunedLayer, record: TuningRecord) -> _TuningLayer:
    aperture = layer.place.aperture
    y, x = aperture.centre
    place = (
        f"recorded at {','.join(map(str, layer.place.index))}; stimuli in a disc of radius "
        f"{aperture.radius:g} px around {y:g},{x:g} of images of "
        f"{aperture.size[0]} x {aperture.size[1]}"
    )
    return _TuningLayer(
        name=layer.place.tap,
        place=place,
        kinds=tuple(_kind(layer, sweep, record) for sweep in layer.sweeps),
        photos=tuple(_photos(found, record) for found in layer.joint),
        families=tuple(_families(layer, by, record) for by, _ in layer.families),
    )


def _kind(layer: TunedLayer, sweep: Sweep, record: TuningRecord) -> _TuningKind:
    tunings = layer.of_kind(sweep.kind)
    drawn = strongest(tunings)
    period = sweep.across.period
    return _TuningKind(
        title=TITLES[sweep.kind],
        radial=svg.radial(drawn, period, record.pictures) if period and drawn else Markup(""),
        left_out=len(tunings) - len(drawn),
        cards=tuple(_card(tuning, sweep, record.pictures) for tuning in tunings),
        stimuli=f"{FIGURES}/{figure_name(layer.name, sweep.kind, 'stimuli')}",
    )


def _card(tuning: Tuning, sweep: Sweep, pictures: dict[str, str]) -> _TuningCard:
    row = tuning.down.values[tuning.row]
    width = tuning.half_width
    facts = [
        (f"best {tuning.fine.name}", value_text(tuning.fine, tuning.preferred)),
        (f"best {tuning.down.name}", value_text(tuning.down, row)),
        ("responses", f"{float(tuning.curve.min()):.3g} to {tuning.maximum:.3g}"),
        ("half width", "none" if width is None else value_text(tuning.fine, width)),
    ]
    return _TuningCard(
        anchor=svg.card(tuning),
        name=tuning.name,
        picture=pictures.get(tuning.name, ""),
        stimulus=_url(thumb(sweep, tuning.preferred, row, 96)),
        facts=tuple(facts),
        curve=svg.curve(tuning),
        heat=weight_url(tuning.heat, float(np.abs(tuning.heat).max())),
        rows=tuple(value_text(tuning.down, value) for value in tuning.down.values),
        down=tuning.down.name,
        across=tuning.across.name,
        ticks=ticks(tuning.across),
        figure=f"{FIGURES}/{figure_name(tuning.name, tuning.kind)}",
    )


def _photos(found: JointTuning, record: TuningRecord) -> _TurnedPhotos:
    name = f"{found.tap}:{found.unit}"
    units = zip(found.units, found.preferred, strict=True)
    return _TurnedPhotos(
        name=name,
        picture=record.pictures.get(name, ""),
        plot=svg.joint(found),
        units=tuple(
            (str(unit), f"{degrees:g}°", "rgb({},{},{})".format(*colour_of(degrees)))
            for unit, degrees in units
        ),
        names=", ".join(record.photos[number] for number in found.photos),
        figure=f"{FIGURES}/{figure_name(name, 'photos')}",
    )


def _families(layer: TunedLayer, by: str, record: TuningRecord) -> _TurnedFamilies:
    def member(unit: int, degrees: float) -> _TurnedUnit:
        name = f"{layer.place.tap}:{unit}"
        return _TurnedUnit(name, record.pictures.get(name, ""), f"{degrees:g}°")

    families = tuple(
        tuple(member(unit, turn) for unit, turn in zip(f.units, f.degrees, strict=True))
        for f in dict(layer.families)[by]
    )
    return _TurnedFamilies("turned photos" if by == "photos" else TITLES[by].lower(), families)


def _url(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode(image, 'png')).decode()}"
