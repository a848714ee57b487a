"""Photos are turned about what a unit sees, and units are recorded there."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support import oriented
from support.oriented import gabor, kernels

from kerasviz.analysis import stimuli
from kerasviz.analysis.joint_tuning import joint_tuning, turned
from kerasviz.analysis.stimuli import Aperture
from kerasviz.analysis.tuning import Place
from kerasviz.errors import UsageError

SIDE = 61
PLACE = Place("unit", (23, 23), Aperture((SIDE, SIDE), (30.0, 30.0), 7.5))


def photo(degrees: float, y: float, x: float, noise: int) -> np.ndarray:
    """A light border in a direction at a place, in grey with a little noise."""
    border = Aperture((SIDE, SIDE), (y, x), 9.0)
    share = stimuli.filled(border, stimuli.line(degrees))
    image = border.faded(stimuli.between(share, np.zeros(3), np.ones(3)))
    image += np.random.default_rng(noise).uniform(-0.02, 0.02, image.shape)
    return np.clip(image, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def net():
    planes = [np.rot90(gabor(20), k) for k in (0, 1, 3)]
    return oriented.of_keras(kernels(*planes), side=SIDE)


def test_units_in_the_order_of_their_rotation(net):
    photos = [photo(20, 26, 33, 0), photo(110, 30, 30, 1), np.full((SIDE, SIDE, 3), 0.5)]
    photos = [np.asarray(p, np.float32) for p in photos]
    first, second, _ = joint_tuning(net, PLACE, [0, 1, 2], photos, count=1, turns=36)
    assert (first.photos, second.photos) == ((0,), (1,))
    assert first.preferred == (0.0, 90.0, 270.0)
    assert second.preferred == (270.0, 0.0, 180.0)
    np.testing.assert_allclose(first.curves[0], np.roll(first.curves[1], -9), atol=0.05)
    data = json.loads(json.dumps(first.to_json()))
    assert data["preferred"] == [0, 90, 270] and len(data["curves"][1]) == 36


def test_photos_are_turned_about_the_position_where_the_unit_is_largest(net):
    """It is found off the middle, and the response there is that of the photo itself."""
    image = photo(20, 26, 35, 0)
    (found,) = joint_tuning(net, PLACE, [0], [image], count=4, turns=36)
    whole = net.activations(image[None], ["unit"])["unit"].numpy()[0, ..., 0]
    assert np.unravel_index(whole.argmax(), whole.shape) == (19, 28)
    assert found.curves[0, 0] == pytest.approx(whole.max(), rel=0.1)
    assert found.curves[0, 0] > 1.5 * found.curves[0, 5]
    assert found.photos == (0,)  # fewer than asked for


def test_turned_photos_are_turned_to_the_left_in_a_disc():
    image = np.random.default_rng(0).uniform(0, 1, (31, 31, 3)).astype(np.float32)
    place = Place("unit", (8, 8), Aperture((31, 31), (15.0, 15.0), 9.0))
    frames = list(turned(image, place, 4))
    aperture = place.aperture
    for k, frame in enumerate(frames):
        wanted = aperture.faded(np.rot90(image, k)[aperture.window])
        np.testing.assert_allclose(frame, wanted, atol=0.01)
    grey = next(iter(turned(image[..., :1], place, 4)))
    np.testing.assert_allclose(grey[..., 0], frames[0][..., 0], atol=0.01)


def test_means_over_photos_and_a_unit_that_is_not_there(net):
    photos = [photo(20, 30, 30, 0), photo(65, 30, 30, 1)]
    (both,) = joint_tuning(net, PLACE, [0], photos, count=2, turns=72)
    alone = [joint_tuning(net, PLACE, [0], [p], count=1, turns=72)[0] for p in photos]
    np.testing.assert_allclose(both.curves, np.mean([a.curves for a in alone], 0), rtol=1e-5)
    assert both.photos == (0, 1) and both.preferred == (0.0,)
    with pytest.raises(UsageError, match="unit has the units 0 to 2, given 7"):
        joint_tuning(net, PLACE, [7], photos)
