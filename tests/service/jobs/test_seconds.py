"""How long pictures took, in a file beside them."""

from __future__ import annotations

from pathlib import Path

from kerasviz.service.jobs.seconds import SECONDS, note_seconds, read_seconds


def test_seconds_are_read_as_they_were_noted_and_the_last_ones_count(tmp_path: Path) -> None:
    assert read_seconds(tmp_path) == {}
    note_seconds(tmp_path, ["a", "b"], 1.23456)
    note_seconds(tmp_path, ["b"], 20)
    assert read_seconds(tmp_path) == {"a": 1.23, "b": 20.0}


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    note_seconds(tmp_path, ["a"], 2)
    with (tmp_path / SECONDS).open("a") as file:
        file.write('{"sha256": "b", "sec')
    assert read_seconds(tmp_path) == {"a": 2.0}


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    note_seconds(tmp_path / "none", ["a"], 1)
    assert read_seconds(tmp_path / "none") == {}
