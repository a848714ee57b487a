"""The order and the choice of a layer's units, against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.examples.statistics.index import ExampleIndex, write_index
from kerasviz.service.walls import GIVES_DATA, WallQuestion, correlations, wall

UNITS = 40
DRAW = np.random.default_rng(3)
MAXIMUM = DRAW.normal(1, 1, UNITS).astype(np.float32)
SELECTIVITY = np.where(MAXIMUM > 0, DRAW.random(UNITS), np.nan).astype(np.float32)
MEANS = DRAW.normal(size=(UNITS, 3)).astype(np.float32)
PREFERRED = np.where(MAXIMUM > 0, MEANS.argmax(1), -1).astype(np.int32)
CLASSES = ["cat", "dog", "owl"]


def index_of(folder: Path, classes: list[str]) -> ExampleIndex:
    """An index of one tap with random numbers."""
    near = (np.arange(UNITS)[:, None] + [1, 2]) % UNITS
    arrays: dict[str, Any] = {
        "maximum": MAXIMUM,
        "neighbours": near.astype(np.int32),
        "neighbour_correlation": np.tile(np.float32([0.9, 0.5]), (UNITS, 1)),
        "opposites": np.full((UNITS, 1), -1, np.int32),
        "opposite_correlation": np.zeros((UNITS, 1), np.float32),
    }
    if classes:
        arrays |= {"selectivity": SELECTIVITY, "class_mean": MEANS, "preferred": PREFERRED}
    about = {"taps": [{"tap": "relu", "values_of": "conv", "units": UNITS}], "classes": classes}
    write_index(folder / "index.safetensors", {"relu": arrays}, about, np.arange(3))
    return ExampleIndex(folder)


@pytest.fixture
def index(tmp_path: Path) -> ExampleIndex:
    return index_of(tmp_path, CLASSES)


@pytest.mark.parametrize(
    ("question", "values"),
    [
        (WallQuestion("peak"), MAXIMUM),
        (WallQuestion("class", of_class="owl"), MEANS[:, 2]),
        (WallQuestion("class"), MEANS[:, 0]),
        (WallQuestion("selectivity"), SELECTIVITY),
    ],
)
def test_the_largest_come_first_and_unknown_ones_last(
    index: ExampleIndex, question: WallQuestion, values: Any
) -> None:
    found = wall(question, UNITS, index, "relu")
    order = np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")
    np.testing.assert_array_equal(found.units, order)
    assert found.values is not None and not found.wants
    np.testing.assert_allclose(found.values, values[order])


def test_units_are_chosen(index: ExampleIndex) -> None:
    notes = [(3, True, False), (7, False, True), (9, True, True), (99, True, True)]

    def shown(question: WallQuestion) -> list[int]:
        return [int(unit) for unit in wall(question, UNITS, index, "relu", notes=notes).units]

    assert shown(WallQuestion(show="starred")) == [7, 9]
    assert shown(WallQuestion(show="named")) == [3, 9]
    dead = [int(unit) for unit in np.flatnonzero(MAXIMUM <= 0)]
    assert dead and shown(WallQuestion(show="dead")) == dead
    assert sorted([*dead, *shown(WallQuestion(show="active"))]) == list(range(UNITS))
    owls = np.flatnonzero(PREFERRED == 2)
    by_peak = owls[np.argsort(-MAXIMUM[owls], kind="stable")]
    assert shown(WallQuestion("peak", "class", "owl")) == list(by_peak)
    assert shown(WallQuestion(show="starred", numbers="0-7, 39")) == [7]
    assert shown(WallQuestion(numbers="30-99, 2")) == [2, *range(30, UNITS)]


def test_measured_values_sort_and_strong_connections_of_both_signs_come_first() -> None:
    values = np.array([0.1, -0.5, 0.3])
    found = wall(WallQuestion("connection"), 3, None, "relu", measured=values)
    assert found.values is not None
    assert list(found.units) == [1, 2, 0] and list(found.values) == [-0.5, 0.3, 0.1]
    assert list(wall(WallQuestion("photo"), 3, None, "relu", measured=values).units) == [2, 0, 1]


def test_what_is_missing_is_said_and_units_come_by_number(tmp_path: Path) -> None:
    for sort in ("peak", "selectivity", "class"):
        found = wall(WallQuestion(sort), 3, None, "relu")
        assert list(found.units) == [0, 1, 2] and found.values is None
        assert GIVES_DATA in found.wants and "\n" not in found.wants
    assert GIVES_DATA in wall(WallQuestion(show="dead"), 3, None, "relu").wants
    without = index_of(tmp_path, [])
    found = wall(WallQuestion("peak", "class"), UNITS, without, "relu")
    assert "have no classes" in found.wants and len(found.units) == UNITS
    assert found.values is not None, "sorted all the same"
    assert wall(WallQuestion("photo"), 2, None, "relu", measured="give one").wants == "give one"


def test_wrong_questions_are_refused(index: ExampleIndex) -> None:
    with pytest.raises(UsageError, match="no class 'cta'; near: cat"):
        wall(WallQuestion("class", of_class="cta"), UNITS, index, "relu")
    with pytest.raises(UsageError, match="give numbers such as 0-99, 512"):
        wall(WallQuestion(numbers="ten"), UNITS, index, "relu")


def test_correlations_are_those_of_the_index(index: ExampleIndex) -> None:
    found = correlations(index, "relu", 38, UNITS)
    known = {int(unit): float(found[unit]) for unit in np.flatnonzero(~np.isnan(found))}
    assert known == pytest.approx({38: 1, 39: 0.9, 0: 0.5})
