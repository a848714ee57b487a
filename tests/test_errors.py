"""The nearest fix in an error line, and the exit codes."""

from __future__ import annotations

import pytest

from kerasviz.errors import KerasvizError, ModelError, UsageError, first_line, near


def test_exit_codes() -> None:
    assert (KerasvizError.exit_code, ModelError.exit_code, UsageError.exit_code) == (1, 1, 2)
    assert issubclass(ModelError, KerasvizError)
    assert issubclass(UsageError, KerasvizError)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("\ntoo much\nof it"), "too much"),
        (ValueError(" \n"), "ValueError"),
        (KeyError("a"), "'a'"),
    ],
)
def test_first_line_of_an_error(error: Exception, line: str) -> None:
    assert first_line(error) == line


def test_near_finds_a_misspelled_name_first() -> None:
    names = ["conv2d0", "mixed4a", "mixed4b", "prob"]
    assert near("mixd4b", names).split(", ")[0] == "mixed4b"


def test_near_finds_names_that_contain_the_last_part_of_a_path() -> None:
    names = ["data", "inception_4a/output", "inception_4a/relu"]
    assert near("4a/output", names) == "inception_4a/output"


def test_near_ignores_case_and_returns_the_names_as_they_are() -> None:
    assert near("MIXED4A", ["Mixed4a", "other"]) == "Mixed4a"


def test_near_lists_something_where_nothing_is_near() -> None:
    assert near("zzzz", ["a1", "b2", "c3"], limit=2) == "a1, b2"


@pytest.mark.parametrize("name", ["", "x"])
def test_near_of_no_choices_is_empty(name: str) -> None:
    assert near(name, []) == ""


def test_near_names_each_choice_once_and_at_most_the_limit() -> None:
    names = ["mixed4a"] * 3 + [f"mixed4a/{i}" for i in range(10)]
    found = near("mixed4a", names, limit=4).split(", ")
    assert len(found) == len(set(found)) == 4
    assert found[0] == "mixed4a"
