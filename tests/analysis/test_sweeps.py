"""The lists of stimuli."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.analysis.stimuli import Aperture
from kerasviz.analysis.sweeps import KINDS, Look, sweep_of
from kerasviz.errors import UsageError

APERTURE = Aperture((20, 23), (9.0, 11.5), 8.0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_yields_its_images_in_order(kind):
    sweep = sweep_of(kind, APERTURE, Look())
    images = list(sweep.images(sweep.across, sweep.down.values))
    rows, columns = len(sweep.down.values), len(sweep.across.values)
    assert len(images) == rows * columns * sweep.variants
    assert {image.shape for image in images} == {(20, 23, 3)}
    assert all(image.min() >= 0 and image.max() <= 1 for image in images)
    assert len({image.tobytes() for image in images}) > 0.9 * columns  # they differ
    last = sweep.image(sweep.across.values[-1], sweep.down.values[-1])
    np.testing.assert_array_equal(last, images[-sweep.variants])
    assert all((image[0, 0] == 0.5).all() for image in images)  # grey outside


def test_colours_and_grey():
    look = Look("filled", (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    image = sweep_of("line", APERTURE, look).image(0.0, 0.0)
    np.testing.assert_allclose(image[9, 6], (1, 0, 0))
    np.testing.assert_allclose(image[9, 16], (0, 0, 1))
    grey = sweep_of("curve", APERTURE, Look(channels=1)).image(0.0, np.inf)
    assert grey.shape == (20, 23, 1)
    blue = sweep_of("colour", APERTURE, Look()).image(240.0, 0.5)
    np.testing.assert_allclose(blue[9, 11], (0, 0, 1), atol=1e-6)
    inside, outside = (
        sweep_of("circle", APERTURE, Look()).image(4.0, light)[9, 11, 0] for light in (0.0, 1.0)
    )
    assert (inside, outside) == (0.0, 1.0)


def test_outlines_are_lines():
    filled, outlined = (
        sweep_of("line", APERTURE, Look(style)).image(0.0, 0.5) for style in ("filled", "outlined")
    )
    assert filled[9, 6, 0] == 0 and outlined[9, 6, 0] == 1
    assert outlined[9, 12, 0] < 0.1


def test_finer_axes():
    grating = sweep_of("grating", APERTURE, Look())
    assert grating.across.period == 180
    assert len(grating.across.finer(360).values) == 180
    circle = sweep_of("circle", APERTURE, Look())
    assert circle.across.finer(360) is circle.across


def test_errors():
    for make, message in (
        (lambda: sweep_of("curves", APERTURE, Look()), "curves"),
        (lambda: Look("dotted"), "dotted"),
        (lambda: Look(dark=(1.0, 0.0, 0.0), channels=1), "sees grey images; give two greys"),
        (lambda: sweep_of("colour", APERTURE, Look(channels=1)), "leave colour out"),
    ):
        with pytest.raises(UsageError, match=message):
            make()
