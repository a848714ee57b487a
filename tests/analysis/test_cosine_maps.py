"""Cosines with the activations at one position against loops, and the overlay of a photo."""

from __future__ import annotations

import numpy as np
import pytest
from support.tiny import network

from kerasviz.analysis.cosine_maps import cosine_maps, cosine_overlay
from kerasviz.errors import UsageError

NET = network()
DRAW = np.random.default_rng(0)
PHOTO, OTHER = (DRAW.uniform(size=size).astype(np.float32) for size in [(17, 22, 3), (13, 30, 3)])


@pytest.mark.parametrize("position", [(0, 3), (-1, -2), None])
def test_cosines_are_those_of_loops(position: tuple[int, int] | None) -> None:
    one, other = cosine_maps(NET, "left", PHOTO, position, [OTHER])
    a, b = (
        NET.activations(image[None], ["left"])["left"].numpy()[0].astype(float)
        for image in (PHOTO, OTHER)
    )
    y, x = position or (a.shape[0] // 2, a.shape[1] // 2)
    v = a[y, x]
    for found, activations in ((one, a), (other, b)):
        assert found.shape == activations.shape[:2]
        for place in np.ndindex(*found.shape):
            u = activations[place]
            length = (np.sqrt((u * u).sum()) + 1e-4) * (np.sqrt((v * v).sum()) + 1e-4)
            assert found[place] == pytest.approx(float(u @ v) / length, abs=1e-6)
    assert one[y, x] == pytest.approx(1, abs=1e-3)
    (alone,) = cosine_maps(NET, "left", PHOTO, position)
    np.testing.assert_allclose(alone, one, atol=1e-6)


def test_an_overlay_is_dark_where_cosines_are_low() -> None:
    picture = np.asarray(cosine_overlay(PHOTO, np.array([[1.0, 0.5], [-1.0, 0.0]])), float) / 255
    assert picture.shape == PHOTO.shape
    for place, share in (
        ((0, 0), 1),
        ((0, -1), 1 - 0.75 * (1 - 0.5**0.5)),
        ((-1, 0), 0.25),
        ((-1, -1), 0.25),
    ):
        np.testing.assert_allclose(picture[place], PHOTO[place] * share, atol=0.51 / 255)


def test_layers_without_a_map_and_positions_outside_are_one_line() -> None:
    for tap, position, line in [
        ("logits", None, "no map with positions"),
        ("left", (40, 0), "40"),
        ("lefft", None, "near: left"),
    ]:
        with pytest.raises(UsageError, match=line) as refused:
            cosine_maps(NET, tap, PHOTO, position)
        assert "\n" not in str(refused.value)
