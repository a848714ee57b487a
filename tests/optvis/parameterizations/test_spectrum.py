from __future__ import annotations

import numpy as np
import pytest

from kerasviz.optvis.parameterizations.spectrum import (
    CARDINAL,
    MEAN,
    PROFILE,
    fitted_spectrum,
    measured_spectrum,
    radial_spectrum,
)
from reference.colour import M


def test_the_built_in_spectrum_has_the_values_of_its_profile():
    spectrum = radial_spectrum(512, 512, 3)
    assert spectrum.shape == (3, 512, 257)
    for k, row in PROFILE.items():
        rise = np.exp(np.interp(np.log(k), np.log(list(CARDINAL)), np.log(list(CARDINAL.values()))))
        for bin_ in ((0, k), (k % 512, 0), (-k % 512, 0)):
            np.testing.assert_allclose(spectrum[:, *bin_], np.array(row) * rise)
    np.testing.assert_allclose(spectrum[:, 0, 0], MEAN)
    # Between two values by the logarithms, and off the axes without the rise.
    assert spectrum[0, 0, 3] == pytest.approx(
        1.25 * np.exp(np.interp(np.log(3), np.log([2, 4]), np.log([37435 * 1.2, 16921])))
    )
    assert spectrum[0, 3, 4] == pytest.approx(
        np.exp(np.interp(np.log(5), np.log([4, 8]), np.log([16921, 7464])))
    )
    assert (np.diff(spectrum[:, 0]) < 0).all() and spectrum.min() > 0


@pytest.mark.parametrize("size", [(128, 128), (96, 127), (127, 64)])
def test_pictures_of_other_sizes_have_the_same_waves_across(size):
    height, width = size
    spectrum, whole = radial_spectrum(*size, 3), radial_spectrum(512, 512, 3)
    assert spectrum.shape == (3, height, width // 2 + 1)
    across = spectrum[:, 0] if width >= height else spectrum[:, :, 0]
    np.testing.assert_allclose(across[:, 1:30], whole[:, 0, 1:30])
    # The shorter side has only the longer waves that fit into it.
    other = spectrum[:, 1, 0] if width >= height else spectrum[:, 0, 1]
    ratio = max(size) / min(size)
    waves = np.interp(np.log(ratio), np.log([1, 2]), np.log([80143 * 2.0, 37435 * 1.5]))
    assert other[0] == pytest.approx(np.exp(waves))
    np.testing.assert_array_equal(spectrum[:, 1:, 0], spectrum[:, :0:-1, 0])


def test_other_colours_than_three_have_the_brightness():
    np.testing.assert_array_equal(radial_spectrum(8, 8, 1), radial_spectrum(8, 8, 3)[:1])
    assert (radial_spectrum(8, 8, 5) == radial_spectrum(8, 8, 3)[:1]).all()


def test_the_spectrum_of_photos_is_the_mean_of_their_decorrelated_magnitudes():
    draw = np.random.default_rng(0)
    for side in (6, 7):
        values = draw.normal(0, 0.1, (4, side, side, 3))
        photos = values @ M.T  # colours of decorrelated values
        expected = np.mean([np.abs(np.fft.rfft2(np.moveaxis(v, 2, 0))) for v in values], axis=0)
        found = measured_spectrum(photos)
        assert found.dtype == np.float32 and found.shape == (3, side, side // 2 + 1)
        np.testing.assert_allclose(found, expected, rtol=0.01, atol=0.01)


def test_a_measured_spectrum_fits_pictures_of_its_own_and_other_sizes():
    photos = np.random.default_rng(1).uniform(size=(3, 8, 8, 3))
    measured = measured_spectrum(photos)
    own = fitted_spectrum(measured, 8, 8, 3)
    np.testing.assert_allclose(own, measured, rtol=1e-5)
    larger = fitted_spectrum(measured, 16, 12, 3)
    assert larger.shape == (3, 16, 7)
    np.testing.assert_allclose(larger[:, ::2, 6], measured[:, :, 4], rtol=1e-5)  # the finest
    np.testing.assert_allclose(larger[:, 4, 3], measured[:, 2, 2], rtol=1e-5)
    halfway = measured[:, 2, 2].astype(float) + measured[:, 3, 2]
    np.testing.assert_allclose(larger[:, 5, 3], halfway / 2, rtol=1e-5)
    np.testing.assert_allclose(larger[:, 0, 0], measured[:, 0, 0], rtol=1e-5)
    # The peak of the mean colour does not leak into the waves beside it.
    assert larger[:, 0, 1].max() <= measured[:, :2, :2][:, [0, 1, 1], [1, 0, 1]].max() * 1.001
    np.testing.assert_allclose(larger[:, 1:, 0], larger[:, :0:-1, 0])
    assert fitted_spectrum(measured, 5, 7, 1).shape == (1, 5, 4)
