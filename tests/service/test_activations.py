"""Activations of an uploaded image in a transformer: the map of the patches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support import tokens

from kerasviz.io.images import decode, encode, to_image
from kerasviz.network.network import Network
from kerasviz.service.activations import ImageActivations


def answer(net: Network, tap: str, unit: int) -> tuple[dict[str, Any], np.ndarray]:
    """The answer for an image, and the activations of the tap for the same image."""
    side = net.fixed_size[0] or 224
    pixels = np.random.default_rng(0).random((side, side, 3)).astype(np.float32)
    data = encode(to_image(pixels), "png")
    networks: Any = SimpleNamespace(get=lambda name: net)
    found = ImageActivations(networks).of("it", tap, unit, data)
    shown = np.asarray(decode(data)[0], np.float32)[None] / 255
    return found, np.asarray(net.activations(shown, [tap])[tap])[0]


@pytest.mark.parametrize("special", [0, 1, 2])
def test_the_map_of_tokens_is_that_of_the_patches(special: int) -> None:
    found, rows = answer(tokens.network(special), "block", 4)
    assert rows.shape == (56 * 56 + special, 6) and found["shape"] == [56, 56, 6]
    wanted = [[rows[special + y * 56 + x, 4] for x in range(56)] for y in range(56)]
    assert np.allclose(found["map"], wanted, rtol=1e-5, atol=1e-5)
    means = rows.mean(0)
    assert [top["unit"] for top in found["top"]] == np.argsort(-means, kind="stable").tolist()


def test_a_row_without_a_map_is_one_line() -> None:
    found, row = answer(tokens.detector(), "row", 7)
    assert found["shape"] == [1, 9, 9]
    assert np.allclose(found["map"], [row[:, 7]], rtol=1e-5)


def test_a_vector_is_one_position() -> None:
    found, means = answer(tokens.network(), "mean", 2)
    assert found["shape"] == [1, 1, 6]
    assert np.allclose(found["map"], [[means[2]]], rtol=1e-5)
