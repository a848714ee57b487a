"""Draw shapes, gratings and colours on which units are tried, at one place of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.types import Array, Size

#: Points of each pixel at which a shape is sampled: one at random in each of 6 x 6 cells of a
#: quarter, each in four rotations.
CELLS = 6
TURNS = 4
#: The width of a drawn line, in pixels.
LINE = 1.0
#: The number of pixels over which a stimulus fades to grey, as far as its radius allows.
FADE = 10.0
#: The least radius, in pixels, in which a shape is a shape.
LEAST_RADIUS = 2.5
#: The seed of the points.
SEED = 0
#: The distance from a border, in pixels, beyond which all points of a pixel are on one side.
NEAR = 0.75

#: A border: a function of pixels to the right and up that is 0 on it, and grows by 1 a pixel.
Border = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Aperture:
    """Say where stimuli are drawn: a disc in an image, beyond which all is grey.

    Args:
        size: The (height, width) of the image.
        centre: (y, x) in pixels, whole numbers at the centres of pixels.
        radius: The radius of the disc in pixels; it fades to grey beyond, over 10 pixels, or over
            half of the radius of a smaller disc.

    Raises:
        UsageError: For a disc too small for shapes.

    Example:
        >>> aperture = Aperture((11, 11), (5.0, 5.0), 3.0)
        >>> aperture.mask[5].round(2)
        array([0.  , 0.33, 1.  , 1.  , 1.  , 1.  , 1.  , 1.  , 1.  , 0.33, 0.  ])
    """

    size: Size
    centre: tuple[float, float]
    radius: float

    def __post_init__(self) -> None:
        if self.radius < LEAST_RADIUS:
            raise UsageError(
                f"stimuli in a disc of radius {self.radius:g}: shapes need at least "
                f"{LEAST_RADIUS:g} pixels"
            )

    @property
    def fade(self) -> float:
        """The number of pixels over which the disc fades."""
        return min(FADE, self.radius / 2)

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns [h, w] that are not all grey: only there stimuli are computed."""
        reach = self.radius + self.fade
        rows, columns = (
            slice(max(0, int(middle - reach)), min(length, int(middle + reach) + 2))
            for middle, length in zip(self.centre, self.size, strict=True)
        )
        return rows, columns

    @cached_property
    def grid(self) -> tuple[Array, Array]:
        """How far pixels are to the right of the centre, and above it: two arrays [h, w]."""
        y, x = self.centre
        rows, columns = np.mgrid[self.window].astype(np.float64)
        return columns - x, y - rows

    @cached_property
    def mask(self) -> Array:
        """The share of the stimulus in the pixels of the window, [h, w] in [0, 1]."""
        beyond = np.hypot(*self.grid) - self.radius
        mask: Array = np.clip(1 - beyond / self.fade, 0, 1)
        return mask

    def faded(self, image: Array) -> Array:
        """Fade the window [h, w, C] of an image to grey beyond the disc: [H, W, C] in [0, 1]."""
        whole = np.full((*self.size, image.shape[-1]), 0.5, np.float32)
        whole[self.window] = 0.5 + self.mask[..., None] * (image - 0.5)
        return whole


def curve(degrees: float, radius: float, width: float = 90.0) -> Border:
    """Return the border of an arc through the centre that continues in its tangents.

    Args:
        degrees: Where the arc bulges to: 0 is right, 90 up.
        radius: The radius of the arc in pixels; infinite for a line.
        width: The angle of the arc in degrees.

    Returns:
        A function that is below 0 inside of the arc.

    Reference:
        Cammarata et al., "Curve Detectors" (Distill 2020).
    """
    if np.isinf(radius):
        return line(degrees)
    half = np.radians(width) / 2

    def border(right: Array, up: Array) -> Array:
        outward, along = _turned(right, up, degrees)
        outward = outward + radius
        on_arc = np.abs(np.arctan2(along, outward)) <= half
        tangent = outward * np.cos(half) + np.abs(along) * np.sin(half)
        distance: Array = np.where(on_arc, np.hypot(outward, along), tangent) - radius
        return distance

    return border


def angle(degrees: float, opening: float) -> Border:
    """Return the border of an angle with its tip at the centre, which points to ``degrees``.

    It is a curve of radius 0. The angle opens by ``opening`` degrees.
    """
    return curve(degrees, 0.0, 180.0 - opening)


def line(degrees: float, offset: float = 0.0) -> Border:
    """Return a straight border, ``offset`` pixels from the centre towards ``degrees``."""
    return lambda right, up: _turned(right, up, degrees)[0] - offset


def circle(radius: float) -> Border:
    """Return the border of a disc around the centre."""
    return lambda right, up: np.hypot(right, up) - radius


def filled(aperture: Aperture, border: Border) -> Array:
    """Return the share of each pixel that is outside a border, [h, w] in [0, 1].

    >>> filled(Aperture((1, 5), (0.0, 2.0), 9.0), line(0.0))
    array([[0. , 0. , 0.5, 1. , 1. ]])
    """
    return _sampled(aperture, border, lambda distance: distance > 0, NEAR)


def outlined(aperture: Aperture, border: Border, width: float = LINE) -> Array:
    """Return the share of each pixel that is not on a line along a border, [h, w] in [0, 1].

    >>> outlined(Aperture((1, 5), (0.0, 2.0), 9.0), line(0.0))
    array([[1., 1., 0., 1., 1.]])
    """
    half = width / 2
    return _sampled(aperture, border, lambda d: np.abs(d) > half, NEAR + half)


def grating(aperture: Aperture, degrees: float, wavelength: float, phase: float = 0.0) -> Array:
    """Return stripes that change towards ``degrees`` as a sine wave, [h, w] in [0, 1].

    ``phase`` is in degrees; at 90 a white stripe goes through the centre.
    """
    across = _turned(*aperture.grid, degrees)[0]
    waves: Array = 0.5 + 0.5 * np.sin(2 * np.pi * across / wavelength + np.radians(phase))
    return waves


def frequency_boundary(
    aperture: Aperture, degrees: float, wavelength: float, ratio: float, phase: float = 0.0
) -> Array:
    """Return stripes of one wavelength on one side of a line, and of another on the other side.

    The stripes cross the line at right angles, so that no edge of brightness lies along it.

    Args:
        aperture: Where they are.
        degrees: Where the side of wavelength ``wavelength * ratio`` is.
        wavelength: The wavelength of the other side, in pixels.
        ratio: The factor between them.
        phase: As for :func:`grating`.
    """
    far = filled(aperture, line(degrees))
    near_waves = grating(aperture, degrees + 90, wavelength, phase)
    far_waves = grating(aperture, degrees + 90, wavelength * ratio, phase)
    mixed: Array = near_waves + far * (far_waves - near_waves)
    return mixed


def between(shares: Array, dark: Array, light: Array) -> Array:
    """Mix two colours [C] by shares [h, w] of the second: an image [h, w, C]."""
    mixed: Array = dark + shares[..., None] * (light - dark)
    return mixed


def plain(aperture: Aperture, colour: Array) -> Array:
    """Return one colour [C] in all pixels, [h, w, C]."""
    return np.broadcast_to(colour, (*aperture.mask.shape, len(colour)))


def _turned(right: Array, up: Array, degrees: float) -> tuple[Array, Array]:
    """Return how far points are towards a direction, and to its left."""
    # Quarter turns are exact, so that networks that are turned by them see the same pixels.
    quarters, rest = divmod(degrees, 90.0)
    for _ in range(int(quarters) % TURNS):
        right, up = up, -right
    cosine, sine = np.cos(np.radians(rest)), np.sin(np.radians(rest))
    return right * cosine + up * sine, up * cosine - right * sine


def _sampled(
    aperture: Aperture, border: Border, light: Callable[[Array], Array], near: float
) -> Array:
    """Return the share of points in each pixel that are light, sampled where a border is near.

    The points are the same in all pixels, and after a quarter turn.
    """
    right, up = aperture.grid
    distance = border(right, up)
    shares = light(distance).astype(np.float64)
    close = np.abs(distance) < near
    offsets = _offsets()
    samples = border(right[close][:, None] + offsets[0], up[close][:, None] + offsets[1])
    shares[close] = light(samples).mean(1)
    return shares


def _offsets() -> Array:
    """Return points within a pixel, [2, points] in [-.5, .5], that a quarter turn keeps."""
    cells = np.mgrid[:CELLS, :CELLS].reshape(2, -1)
    x, y = (cells + np.random.default_rng(SEED).uniform(0, 1, cells.shape)) / (2 * CELLS)
    turned = [(x, y), (-y, x), (-x, -y), (y, -x)]
    return np.concatenate(turned, axis=1)
