"""The checks of scripts/faithful.py, on pictures that show what they look for, and that do not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny

from kerasviz.figures import CATALOGUE
from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import GradientTile
from kerasviz.optvis.recipes import recipe

SCRIPT = Path(__file__).parents[2] / "scripts" / "faithful.py"
SIDE, CHANNELS = 32, 600
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def faithful() -> Any:
    spec = importlib.util.spec_from_file_location("faithful", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = sys.modules["faithful"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wave(length: float, amount: float = 0.1, level: float = 0.5) -> Array:
    rows = np.sin(2 * np.pi * np.arange(SIDE) / length)[:, None, None]
    return np.float32(level + amount * np.tile(rows, (1, SIDE, 3)))


def noise(seed: int, amount: float = 0.1) -> Array:
    return np.float32(0.5 + amount * np.random.default_rng(seed).normal(size=(SIDE, SIDE, 3)))


class Fake:
    """Pictures that a function paints, and activations that one makes up."""

    def __init__(self, net: Any) -> None:
        order = FigureOptions(
            net, recipe("article").replace(steps=64, size=(SIDE, SIDE)), quick=True
        )
        slugs = ("hero", "objectives", "diversity-4a97", "interpolation", "naive-noise")
        more = ("preconditioning", "steepest-descent")
        self.choices = {slug: choose(CATALOGUE[slug], order) for slug in (*slugs, *more)}
        self.read: Callable[[Any], Array] = lambda cell: noise(0)
        self.activations: Callable[[Array, str], Array] = lambda images, tap: images

    def stack(self, cells: Any) -> Array:
        return np.stack([self.read(cell) for cell in cells])


@pytest.fixture
def pictures(network_of: Callable[..., Any]) -> Fake:
    return Fake(network_of(dict.fromkeys(ARTICLE_LAYERS, CHANNELS), classes=1000))


def holds(checks: Any) -> list[bool]:
    return [bool(check.holds) for check in checks]


def test_hero_asks_for_pictures_in_which_more_and_more_is_somewhere(
    faithful: Any, pictures: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faithful, "variety", lambda _, images: images.mean((1, 2, 3)))
    group = {c: i for i, b in enumerate(pictures.choices["hero"].blocks) for c in b.optimized}
    pictures.read = lambda cell: wave(4, level=0.1 * group[cell])
    assert holds(faithful._hero(pictures, None)) == [True]
    pictures.read = lambda cell: wave(4, level=0.5 - 0.1 * group[cell])
    assert holds(faithful._hero(pictures, None)) == [False]


def test_variety_is_that_of_the_quarters(faithful: Any) -> None:
    judge = tiny.network()
    same = np.tile(noise(1)[:8, :8], (4, 4, 1))
    apart = same.copy()
    apart[:16, :16] = 0.2
    one, other, flat = faithful.variety(judge, np.stack([same, apart, np.full_like(same, 0.5)]))
    assert max(flat, one) < 0.1 * other  # their borders differ a little


def test_objectives_ask_for_an_empty_surround(faithful: Any, pictures: Fake) -> None:
    centre = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    centre[12:20, 12:20] = noise(1)[:8, :8]
    pictures.read = lambda cell: centre if cell.column.kind == "neuron" else noise(2)
    assert holds(faithful._objectives(pictures)) == [True]
    pictures.read = lambda cell: noise(2) if cell.column.kind == "neuron" else centre
    assert holds(faithful._objectives(pictures)) == [False]


def test_diversity_asks_for_pictures_that_differ_and_activate(
    faithful: Any, pictures: Fake
) -> None:
    cells = pictures.choices["diversity-4a97"].optimized
    unit = cells[0].request.objective.terms[0].unit
    pictures.read = lambda cell: noise(cells.index(cell), 0.3)

    def activations(images: Array, _: str) -> Array:
        found = np.random.default_rng(5).normal(size=(len(images), 4, 4, CHANNELS)) ** 3
        found[..., unit] = 3.0
        return found

    pictures.activations = activations
    assert holds(faithful._diversity(pictures)) == [True, True]
    pictures.read = lambda cell: noise(0, 0.3)  # all the same
    assert holds(faithful._diversity(pictures)) == [True, False]

    def weak(images: Array, tap: str) -> Array:
        found = activations(images, tap)
        found[2, ..., unit] = 1.0
        return found

    pictures.activations = weak
    assert holds(faithful._diversity(pictures))[0] is False


def test_interpolation_asks_for_frames_that_morph(faithful: Any, pictures: Fake) -> None:
    choice = pictures.choices["interpolation"]
    (block,) = choice.blocks[:1]
    pictures.choices["interpolation"] = replace(choice, blocks=(block,))
    first, last = (t for t in block.optimized[0].request.objective.terms if t.kind == "channel")
    frames = len(block.optimized) - 1

    def mixed(share: float) -> Array:
        return (1 - share) * noise(1) + share * noise(2)

    def activations(images: Array, _: str) -> Array:
        near = [np.abs(images - noise(seed)).mean((1, 2, 3)) for seed in (1, 2)]
        found = np.zeros((len(images), 2, 2, CHANNELS))
        found[..., first.unit], found[..., last.unit] = (-n[:, None, None] for n in near)
        return found

    pictures.activations = activations
    pictures.read = lambda cell: mixed(cell.row / frames)
    assert holds(faithful._interpolation(pictures)) == [True, True]
    pictures.read = lambda cell: mixed(cell.row % 2)  # from one to the other and back
    assert holds(faithful._interpolation(pictures)) == [False, False]


def test_noise_is_asked_for_where_nothing_regularizes(faithful: Any, pictures: Fake) -> None:
    switched = {
        cell: setting[:2]
        for setting, cell in faithful.by_setting(pictures.choices["preconditioning"]).items()
    }

    def read(cell: Any) -> Array:
        amount = 0.3 / (1 + 3 * sum(switched.get(cell, ())))
        return wave(16, 0.2) + noise(3, amount) - 0.5

    pictures.read = read
    assert holds(faithful._noise(pictures)) == [True, True]
    pictures.read = lambda cell: wave(16) if cell not in switched else noise(3)
    assert holds(faithful._noise(pictures)) == [False, True]  # all alike: none is the only least
    pictures.read = lambda cell: wave(4 if sum(switched.get(cell, ())) == 2 else 16)
    assert holds(faithful._noise(pictures)) == [False, False]


def test_steepest_directions_are_ordered_for_every_photo(faithful: Any, pictures: Fake) -> None:
    amounts = {"decorrelated": 0.01, "l2": 0.1, "linf": 0.5}

    def read(made: GradientTile) -> Array:
        return wave(16, 0.2) + noise(4, amounts.get(made.kind, 0.0)) - 0.5

    pictures.read = read
    assert holds(faithful._steepest(pictures)) == [True]
    amounts["l2"] = 0.001
    assert holds(faithful._steepest(pictures)) == [False]
