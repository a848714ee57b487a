"""Files that are brought into the cache without taking space."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from kerasviz.zoo.links import bring, is_copy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "m.onnx").write_bytes(b"model")
    return tmp_path / "from" / "m.onnx"


def refuse(*_: object, **__: object) -> None:
    raise OSError("not here")


def test_a_file_is_linked(file: Path, tmp_path: Path) -> None:
    target = bring(file, tmp_path / "to" / "m.onnx")
    assert target.stat().st_ino == file.stat().st_ino
    assert not target.is_symlink()
    assert bring(file, target) == target  # again
    assert bring(target, target) == target  # from itself
    assert not is_copy(file, target)
    assert [p.name for p in target.parent.iterdir()] == ["m.onnx"]


def test_without_hard_links_it_is_a_symbolic_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.chdir(file.parent)
    target = bring(Path("m.onnx"), tmp_path / "to" / "m.onnx")
    assert target.is_symlink()
    assert target.read_bytes() == b"model"
    assert not is_copy(file, target)
    assert bring(file, target) == target
    assert target.read_bytes() == b"model"


def test_without_any_links_it_is_a_copy(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    target = bring(file, tmp_path / "to" / "m.onnx")
    assert target.read_bytes() == b"model"
    assert is_copy(file, target)
    folder = bring(file.parent, tmp_path / "to" / "folder")
    assert (folder / "m.onnx").read_bytes() == b"model"


def test_a_folder_is_a_symbolic_link_in_place_of_a_copy(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "to" / "from"
    shutil.copytree(file.parent, target)  # of an earlier version
    assert bring(file.parent, target).is_symlink()
    assert file.read_bytes() == b"model"
    assert (target / "m.onnx").samefile(file)


def test_a_model_with_weights_beside_it_is_a_symbolic_link(file: Path, tmp_path: Path) -> None:
    (file.parent / "m.onnx.data").write_text("weights")
    target = bring(file, tmp_path / "to" / "m.onnx", ["m.onnx.data"])
    assert target.is_symlink()
    assert target.resolve() == file
    assert [p.name for p in target.parent.iterdir()] == ["m.onnx"]
    assert (file.parent / "m.onnx.data").stat().st_nlink == 1  # onnx refuses others


def test_a_copy_has_its_weights_and_configuration(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "symlink_to", refuse)
    for name in ("m.onnx.data", "config.json"):
        (file.parent / name).write_text("{}")
    (tmp_path / "outside").write_text("secret")
    weights = ["m.onnx.data", "../outside", "missing"]
    target = bring(file, tmp_path / "to" / "m.onnx", weights)
    names = ["config.json", "m.onnx", "m.onnx.data"]
    assert sorted(p.name for p in target.parent.iterdir()) == names
    assert not any(p.is_symlink() for p in target.parent.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["from", "outside", "to"]
    (file.parent / "config.json").unlink()
    bring(file, target, weights)
    assert not (target.parent / "config.json").exists()  # that of an earlier time
