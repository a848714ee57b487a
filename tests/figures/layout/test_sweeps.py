"""What the settings of sweeps are."""

from __future__ import annotations

from itertools import product

import pytest

from kerasviz.figures import CATALOGUE
from kerasviz.figures.layout.sweeps import SIZE, numbers_of, settings_of, swept
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.parameterizations import Fourier, Pixel
from kerasviz.optvis.recipes import recipe

SWEEPS = {
    "naive-noise": (5, 5),
    "frequency-penalization": (100, 13),
    "transformation-robustness": (80, 12),
    "preconditioning": (20, 8),
}


@pytest.mark.parametrize("slug", SWEEPS)
def test_all_settings_or_those_beside_the_first(slug: str) -> None:
    figure = CATALOGUE[slug]
    controls = [c for c in figure.controls if c.kind != "unit"]
    every = settings_of(figure)
    assert every == list(product(*(range(len(c.values)) for c in controls)))
    some = settings_of(figure, initial_only=True)
    assert (len(every), len(some)) == SWEEPS[slug]
    first = tuple(c.initial for c in controls)
    assert first in some and set(some) <= set(every)
    # Every value of every control is seen in some setting.
    for k, control in enumerate(controls):
        assert {setting[k] for setting in some} == set(range(len(control.values)))


@pytest.mark.parametrize("slug", ["frequency-penalization", "transformation-robustness"])
def test_of_penalties_and_transforms_each_is_seen_alone(slug: str) -> None:
    figure = CATALOGUE[slug]
    first = tuple(c.initial for c in figure.controls if c.kind != "unit")
    few = settings_of(figure, initial_only=True)
    alone = [setting for setting in few if setting != first]
    assert all(sum(value != 0 for value in setting) <= 1 for setting in alone)
    off = numbers_of(figure, (0, 0, 0))
    assert set(off.values()) <= {0, 1} and off.get("scale", 1) == 1  # the first values are off


def test_a_few_settings_of_preconditioning_have_all_switches() -> None:
    some = settings_of(CATALOGUE["preconditioning"], initial_only=True)
    assert {(0, 0, 2), (0, 1, 2), (1, 0, 2), (1, 1, 2)} <= set(some)


@pytest.mark.parametrize("slug", SWEEPS)
def test_settings_change_what_they_name_and_share_a_structure(slug: str) -> None:
    figure, plain = CATALOGUE[slug], recipe("article")
    seen = set()
    for setting in settings_of(figure):
        numbers = numbers_of(figure, setting)
        own, objective = swept(plain, channel("a", 1), numbers)
        assert own.size == SIZE
        if "learning_rate" in numbers:
            assert own.learning_rate == numbers["learning_rate"]
        pixels = isinstance(own.parameterization, Pixel)
        if "decorrelated" in numbers:
            assert pixels == (not numbers["decorrelated"])
            assert bool(own.transform.steps) == bool(numbers["transforms"])
        elif slug == "transformation-robustness":
            assert isinstance(own.parameterization, Fourier)
            names = [type(step).__name__ for step in own.transform.steps]
            assert ("Jitter" in names) == bool(numbers["jitter"])
            assert ("Rotate" in names) == bool(numbers["rotate"])
            assert ("Scale" in names) == (numbers["scale"] != 1)
        else:
            assert pixels and not own.transform.steps
        weights = {t.kind: t.weight for t in objective.terms if t.kind != "channel"}
        assert weights == {k: numbers[k] for k in ("l1", "total_variation", "blur") if k in numbers}
        seen.add((own, objective))
    assert len(seen) == len(settings_of(figure))  # no two settings are the same
