"""List the stimuli that a unit is tried on: shapes that change along two axes."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from kerasviz.analysis import stimuli
from kerasviz.analysis.stimuli import Aperture, Border
from kerasviz.errors import UsageError, check_choice
from kerasviz.io.digits import rounded
from kerasviz.types import Array

#: The kinds of stimuli, in the order of pages.
KINDS = ("curve", "line", "angle", "circle", "grating", "boundary", "colour")
#: How shapes are drawn.
STYLES = ("filled", "outlined")

#: The angles of a heat map all around.
AROUND = 36
TURN = 360.0
#: Radii of curves and offsets of lines, as parts of the radius of the disc.
CURVES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, np.inf)
OFFSETS = (-1 / 2, -1 / 4, 0.0, 1 / 4, 1 / 2)
#: Degrees by which angles open.
OPENINGS = (30.0, 60.0, 90.0, 120.0, 150.0)
#: The number of radii of circles, up to that of the disc.
CIRCLES = 24
#: Waves of gratings across the disc, and the shortest wave in pixels.
WAVES = (16, 12, 8, 6, 4, 3, 2, 1)
SHORTEST = 3.0
#: The finer waves of a boundary across the disc, and the factors of the coarser ones.
FINE_WAVES = 16
RATIOS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
#: Degrees by which waves are shifted; the largest response counts.
PHASES = (0.0, 90.0, 180.0, 270.0)
#: Lightnesses of colours, all of them saturated.
LIGHTNESSES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class StimulusAxis:
    """Hold what changes from stimulus to stimulus.

    Args:
        name: What it is.
        unit: ``"degrees"``, ``"pixels"`` or "".
        values: Its values.
        period: Where it starts again, ``None`` where it does not.

    Example:
        >>> StimulusAxis("direction", "degrees", (0.0, 90.0), 360.0).finer(4).values
        (0.0, 90.0, 180.0, 270.0)
    """

    name: str
    unit: str
    values: tuple[float, ...]
    period: float | None = None

    def finer(self, count: int) -> StimulusAxis:
        """Return an axis of ``count`` values a full turn; the same one where it has no period."""
        if self.period is None:
            return self
        return replace(self, values=_around(self.period, round(count * self.period / TURN)))


@dataclass(frozen=True)
class Look:
    """Say how stimuli are drawn.

    Args:
        style: ``"filled"``, or ``"outlined"`` for lines of one pixel.
        dark: [R, G, B] in [0, 1] of the inner side of a shape, of lines, and of valleys of waves.
        light: That of the other side.
        channels: The number of channels of the images, 1 or 3.

    Raises:
        UsageError: For an unknown style, and colours for a network that sees grey.
    """

    style: str = "filled"
    dark: tuple[float, float, float] = (0.0, 0.0, 0.0)
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channels: int = 3

    def __post_init__(self) -> None:
        check_choice("style", self.style, STYLES)
        if self.channels == 1 and len({*self.dark}) + len({*self.light}) > 2:
            raise UsageError("colours of stimuli: the network sees grey images; give two greys")

    def image(self, shares: Array) -> Array:
        """Return an image [h, w, C] of shares [h, w] of the light colour."""
        dark, light = (np.array(c[: self.channels]) for c in (self.dark, self.light))
        return stimuli.between(shares, dark, light)

    def shape(self, aperture: Aperture, border: Border) -> Array:
        """Return the image of a shape."""
        drawn = stimuli.filled if self.style == "filled" else stimuli.outlined
        return self.image(drawn(aperture, border))


@dataclass(frozen=True)
class Sweep:
    """Hold stimuli along two axes.

    Args:
        kind: One of :data:`KINDS`.
        across: The axis of tuning curves.
        down: The axis of the rows of a heat map.
        aperture: Where the stimuli are.
        draw: Return the images [h, w, C] of two values: one, or all phases of one.
        variants: The number of these images.
    """

    kind: str
    across: StimulusAxis
    down: StimulusAxis
    aperture: Aperture
    draw: Callable[[float, float], Iterable[Array]]
    variants: int = 1

    def images(self, across: StimulusAxis, down: Iterable[float]) -> Iterator[Array]:
        """Yield all images, row after row, faded to grey around the aperture."""
        for row in down:
            for column in across.values:
                for image in self.draw(column, row):
                    yield self.aperture.faded(image)

    def image(self, across: float, down: float) -> Array:
        """Return one image, the first phase of several."""
        return self.aperture.faded(next(iter(self.draw(across, down))))


def sweep_of(kind: str, aperture: Aperture, look: Look) -> Sweep:
    """Return the stimuli of a kind in an aperture.

    Raises:
        UsageError: For an unknown kind, and colours for a network that sees grey images.

    Example:
        >>> sweep = sweep_of("curve", Aperture((32, 32), (15.5, 15.5), 8.0), Look())
        >>> len(sweep.across.values), sweep.down.values
        (36, (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, inf))
    """
    check_choice("stimuli", kind, KINDS)
    return _MAKERS[kind](aperture, look)


def _around(period: float, count: int) -> tuple[float, ...]:
    return tuple(period * k / count for k in range(count))


_DIRECTIONS = StimulusAxis("direction", "degrees", _around(TURN, AROUND), TURN)


def _parts(aperture: Aperture, shares: Iterable[float]) -> tuple[float, ...]:
    return tuple(rounded(share * aperture.radius, 4) for share in shares)


def _curves(aperture: Aperture, look: Look) -> Sweep:
    down = StimulusAxis("radius", "pixels", _parts(aperture, CURVES))
    return Sweep(
        "curve",
        _DIRECTIONS,
        down,
        aperture,
        lambda degrees, radius: [look.shape(aperture, stimuli.curve(degrees, radius))],
    )


def _lines(aperture: Aperture, look: Look) -> Sweep:
    down = StimulusAxis("offset", "pixels", _parts(aperture, OFFSETS))
    return Sweep(
        "line",
        _DIRECTIONS,
        down,
        aperture,
        lambda degrees, offset: [look.shape(aperture, stimuli.line(degrees, offset))],
    )


def _angles(aperture: Aperture, look: Look) -> Sweep:
    return Sweep(
        "angle",
        _DIRECTIONS,
        StimulusAxis("opening", "degrees", OPENINGS),
        aperture,
        lambda degrees, opening: [look.shape(aperture, stimuli.angle(degrees, opening))],
    )


def _circles(aperture: Aperture, look: Look) -> Sweep:
    looks = (look, replace(look, dark=look.light, light=look.dark))
    radii = _parts(aperture, (k / CIRCLES for k in range(1, CIRCLES + 1)))
    return Sweep(
        "circle",
        StimulusAxis("radius", "pixels", radii),
        StimulusAxis("lightness inside", "", (0.0, 1.0)),
        aperture,
        lambda radius, inside: [looks[int(inside)].shape(aperture, stimuli.circle(radius))],
    )


def _gratings(aperture: Aperture, look: Look) -> Sweep:
    lengths = _parts(aperture, (2 / n for n in WAVES))
    whole = tuple(n for n in lengths if n >= SHORTEST) or lengths[-1:]
    drawn = partial(stimuli.grating, aperture)
    return Sweep(
        "grating",
        StimulusAxis("direction", "degrees", _around(TURN / 2, AROUND // 2), TURN / 2),
        StimulusAxis("wavelength", "pixels", whole),
        aperture,
        lambda degrees, length: (look.image(drawn(degrees, length, p)) for p in PHASES),
        len(PHASES),
    )


def _boundaries(aperture: Aperture, look: Look) -> Sweep:
    finest = max(SHORTEST, 2 * aperture.radius / FINE_WAVES)
    drawn = partial(stimuli.frequency_boundary, aperture)
    return Sweep(
        "boundary",
        _DIRECTIONS,
        StimulusAxis("ratio of wavelengths", "", RATIOS),
        aperture,
        lambda degrees, ratio: (look.image(drawn(degrees, finest, ratio, p)) for p in PHASES),
        len(PHASES),
    )


def _colours(aperture: Aperture, look: Look) -> Sweep:
    if look.channels == 1:
        raise UsageError("stimuli colour: the network sees grey images; leave colour out")

    def draw(hue: float, lightness: float) -> Iterable[Array]:
        rgb = np.array(colorsys.hls_to_rgb(hue / TURN, lightness, 1.0))
        return [stimuli.plain(aperture, rgb)]

    hues = StimulusAxis("hue", "degrees", _DIRECTIONS.values, TURN)
    return Sweep("colour", hues, StimulusAxis("lightness", "", LIGHTNESSES), aperture, draw)


_MAKERS: dict[str, Callable[[Aperture, Look], Sweep]] = {
    "curve": _curves,
    "line": _lines,
    "angle": _angles,
    "circle": _circles,
    "grating": _gratings,
    "boundary": _boundaries,
    "colour": _colours,
}
