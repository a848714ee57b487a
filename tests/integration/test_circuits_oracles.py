"""Numbers of the articles on circuits, in the articles' own network with its own weights.

Its file cannot be fetched here: they run where ``inception5h.zip``, or
``tensorflow_inception_graph.pb`` of it, lies beside the shared models.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kerasviz
from kerasviz import zoo
from kerasviz.analysis.connections import connections
from kerasviz.analysis.factors import factorize_family
from kerasviz.analysis.sweeps import Look, sweep_of
from kerasviz.analysis.tuning import Recorder, Tuning, heat_maps, tune
from kerasviz.figures.layout.tuned_units import curves_preferred
from kerasviz.figures.tuning.places import place_of
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of

FILES = ("inception5h.zip", "tensorflow_inception_graph.pb")
#: Preferred directions in degrees; their zero, and the sense of rotation, are conventions.
DIRECTIONS = {
    "mixed3b": {
        379: 243,
        406: 268.5,
        385: 290,
        324: 91.5,
        340: 110,
        330: 145,
        349: 181,
        388: 66.5,
        342: 22.5,
        343: 358,
    },
    "mixed3a": {
        104: 350.5,
        92: 11,
        145: 41,
        95: 78.5,
        163: 87,
        71: 137,
        147: 222.5,
        189: 267.5,
        137: 273.5,
        81: 326.5,
    },
    "conv2d2": {180: 55, 63: 181, 39: 92, 130: 139, 182: 226, 117: 253, 171: 319, 111: 358.5},
}
#: How far a direction may be off: stimuli of other sizes and radii move a peak by some degrees.
DEGREES = 12
#: The largest responses of three units, of which the ratios are compared.
MAXIMA = {379: 669, 343: 774, 349: 830}
#: High-low frequency detectors of mixed3a, and the strongest units of their two factors.
DETECTORS = (180, 153, 106, 112, 186, 132, 136, 117, 113, 108, 70, 86, 88, 160, 110)
FACTORS = {
    "conv2d2": ({119, 102, 123, 90, 173}, {89, 163, 98, 188, 158}),
    "conv2d1": ({30, 41, 55, 51, 16}, {4, 46, 1, 33, 29}),
}


@pytest.fixture(scope="module")
def net(models_folder: Path) -> Network:
    """The article's network; skipped where its file is not beside the shared models."""
    found = next((models_folder / n for n in FILES if (models_folder / n).is_file()), None)
    if found is None:
        pytest.skip(f"none of {', '.join(FILES)} in KERASVIZ_TEST_MODELS={models_folder}")
    zoo.add(found, "inceptionv1")
    return kerasviz.load("inceptionv1")


def tuned(net: Network, tap: str, units: list[int]) -> list[Tuning]:
    """Measure the curves of units for curves in 720 directions."""
    place = place_of(net, tap, positions_of(net, tap, (224, 224)).centre)
    sweep = sweep_of("curve", place.aperture, Look())
    return tune(Recorder(net, tap, place.aperture.size), place, sweep, units, 720)


def off(measured: np.ndarray, published: np.ndarray) -> np.ndarray:
    """Return how far directions are off, in degrees, after the best zero and sense of rotation."""
    errors = []
    for sense in (1, -1):
        turns = np.exp(1j * np.radians(measured - sense * published))
        errors.append(np.abs(np.degrees(np.angle(turns / turns.mean()))))
    return min(errors, key=lambda error: float(error.mean()))


def test_directions_that_are_turned_and_mirrored_are_not_off():
    published = np.array([0.0, 50.0, 200.0, 355.0])
    np.testing.assert_allclose(off((130 - published) % 360, published), 0, atol=1e-6)
    np.testing.assert_allclose(off((published + 20) % 360, published), 0, atol=1e-6)
    assert off(np.array([0.0, 90.0, 10.0, 300.0]), published).max() > DEGREES


@pytest.mark.slow
@pytest.mark.parametrize("tap", list(DIRECTIONS))
def test_units_prefer_the_published_directions(net: Network, tap: str) -> None:
    published = DIRECTIONS[tap]
    found = tuned(net, tap, list(published))
    measured = np.array([tuning.preferred for tuning in found])
    apart = off(measured, np.array(list(published.values()), float))
    assert np.median(apart) < DEGREES / 2
    assert (apart < DEGREES).sum() >= len(published) - 1


@pytest.mark.slow
def test_curve_detectors_are_as_strong_and_as_wide_as_published(net: Network) -> None:
    found = {tuning.unit: tuning for tuning in tuned(net, "mixed3b", list(MAXIMA))}
    ratios = {unit: found[unit].maximum / MAXIMA[unit] for unit in MAXIMA}
    assert max(ratios.values()) < 1.15 * min(ratios.values())
    assert found[379].half_width == pytest.approx(54.5, abs=8)


@pytest.mark.slow
def test_curve_detectors_are_in_one_branch(net: Network) -> None:
    place = place_of(net, "mixed3b", positions_of(net, "mixed3b", (224, 224)).centre)
    sweep = sweep_of("curve", place.aperture, Look())
    heat = heat_maps(Recorder(net, "mixed3b", place.aperture.size), place, sweep)
    scores = curves_preferred(heat)
    best = np.argsort(-scores, kind="stable")[:10]
    assert ((best >= 320) & (best <= 415)).sum() >= 8


@pytest.mark.slow
@pytest.mark.parametrize("tap", list(FACTORS))
def test_high_low_detectors_have_the_published_factors(net: Network, tap: str) -> None:
    weights = connections(net, tap, "mixed3a", list(DETECTORS)).weights
    factors = factorize_family(weights, 2)
    top = [set(map(int, np.argsort(-row)[:5])) for row in factors.directions]
    high, low = FACTORS[tap]
    matches = [(len(a & high), len(b & low)) for a, b in (top, top[::-1])]
    assert max(min(pair) for pair in matches) >= 4
