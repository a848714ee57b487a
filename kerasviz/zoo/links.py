"""Bring model files into the user cache by links, which take no space."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kerasviz.io.files import temporary_folder
from kerasviz.zoo.beside import FILES


def bring(source: Path, target: Path, weights: Sequence[str] = ()) -> Path:
    """Bring a file or folder to ``target``: by a hard link, else a symbolic one, else a copy.

    Folders have no hard links, and weights in files beside a model may have none: onnx refuses
    them, so that such a model gets a symbolic link, and its weights are read beside the original.
    ``target`` appears whole, in place of what was there.
    """
    if not target.exists() or target.is_symlink() or not target.samefile(source):
        with temporary_folder(target.parent, target) as folder:
            link = folder / target.name
            _link(source.resolve(), link, weights)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            os.replace(link, target)
    if not target.is_symlink() and not source.parent.samefile(target.parent):
        _copy_beside(source, target, weights)
    return target


def _link(source: Path, target: Path, weights: Sequence[str]) -> None:
    if not source.is_dir() and not weights:
        with suppress(OSError):  # another file system, or one without hard links
            os.link(source, target)
            return
    with suppress(OSError):  # Windows allows symbolic links to few users
        target.symlink_to(source, target_is_directory=source.is_dir())
        return
    copy = shutil.copytree if source.is_dir() else shutil.copyfile
    copy(source, target)


def is_copy(source: Path, target: Path) -> bool:
    """Return whether a file or folder that was brought takes space of its own."""
    return not target.samefile(source)


def _copy_beside(source: Path, target: Path, weights: Sequence[str]) -> None:
    """Copy weights and configuration to a model that is no symbolic link.

    A configuration that was brought earlier is removed where there is none any more.
    """
    here = target.parent.resolve()
    for name in weights:
        copy = here / name
        if copy.resolve().is_relative_to(here) and (source.parent / name).is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.parent / name, copy)
    folders = [source.parent, *([source.parent.parent] if source.parent.name == "onnx" else [])]
    for name in FILES:
        (here / name).unlink(missing_ok=True)
        files = [folder / name for folder in folders if (folder / name).is_file()]
        if files:
            shutil.copyfile(files[0], here / name)
