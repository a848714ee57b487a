"""Versions that appear whole, under new numbers, and leave nothing behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.export.tf_serving.versions import new_version, next_version, versions


def write(folder: Path, version: int | None = None, text: str = "x") -> int:
    with new_version(folder, version) as draft:
        draft.folder.mkdir()
        (draft.folder / "file").write_text(text)
        assert not (folder / str(version)).exists()
    return draft.number


def test_numbers_go_up_and_none_is_overwritten(tmp_path: Path) -> None:
    model = tmp_path / "a" / "model"
    assert [write(model), write(model), write(model, 12), write(model)] == [1, 2, 12, 13]
    with pytest.raises(UsageError, match="--version 14"):
        write(model, 2, "other")
    assert (model / "2" / "file").read_text() == "x"
    assert versions(model) == [1, 2, 12, 13]
    assert sorted(path.name for path in model.iterdir()) == ["1", "12", "13", "2"]


def test_another_export_takes_the_number_meanwhile(tmp_path: Path) -> None:
    with new_version(tmp_path) as draft:
        draft.folder.mkdir()
        assert write(tmp_path) == 1
    assert draft.number == 2
    with pytest.raises(UsageError, match="exists already"), new_version(tmp_path, 3) as draft:
        draft.folder.mkdir()
        write(tmp_path, 3)


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_version(tmp_path / "a" / "b") as draft:
        draft.folder.mkdir()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(KerasvizError, match="cannot write"):
        write(tmp_path / "file" / "b")


def test_a_killed_export_is_no_version_and_is_cleared_away(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:  # it ends here, whatever happens
        with new_version(tmp_path) as draft:
            draft.folder.mkdir()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert versions(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 1
    with new_version(tmp_path) as draft:
        draft.folder.mkdir()
        write(tmp_path)  # does not take the other's folder for a leftover
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_names_that_are_no_versions(tmp_path: Path) -> None:
    for name in ("1a", "-3", "x"):
        (tmp_path / name).mkdir()
    (tmp_path / "7").touch()
    assert next_version(tmp_path) == 1
    with pytest.raises(UsageError):
        next_version(tmp_path, 7)
