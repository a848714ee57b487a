"""Ending a command early: Ctrl-C and expected errors become one line and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from kerasviz.errors import KerasvizError


class Stopped(KerasvizError):
    """Report Ctrl-C; a shell's exit code for it is 130 (128 + SIGINT)."""

    exit_code = 130


@contextmanager
def stoppable(kept: Callable[[], str] | None = None) -> Iterator[None]:
    """Turn Ctrl-C inside the block into :class:`Stopped`; ``kept()`` says what is not lost.

    >>> with stoppable(lambda: "2 pictures are kept"):
    ...     raise KeyboardInterrupt
    Traceback (most recent call last):
    kerasviz.cli.stopping.Stopped: stopped; 2 pictures are kept
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        words = f"stopped; {kept()}" if kept is not None else "stopped"
        raise Stopped(words) from interrupt


def kept_pictures(count: int, folder: Path) -> str:
    """Say which pictures a stopped command leaves.

    >>> kept_pictures(1, Path("out"))
    '1 finished picture is kept in out, the same command continues from there'
    """
    pictures = "picture is" if count == 1 else "pictures are"
    return f"{count} finished {pictures} kept in {folder}, the same command continues from there"


def line_of(error: KerasvizError | click.ClickException | OSError) -> str:
    """Write the one line that the terminal shows for an error.

    >>> line_of(KerasvizError("no such file"))
    'kerasviz: error: no such file'
    """
    if isinstance(error, Stopped):
        return f"kerasviz: {error}"
    if isinstance(error, click.ClickException):
        words = error.format_message()
        context = getattr(error, "ctx", None)
        if context is not None:
            words = f"{words.rstrip('.')}; see {context.command_path} --help"
    elif isinstance(error, OSError):
        words = f"{error.filename}: {error.strerror}"
    else:
        words = str(error)
    return f"kerasviz: error: {' '.join(words.split())}"
