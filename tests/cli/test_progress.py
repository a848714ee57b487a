"""The progress of renderings in the shell."""

from __future__ import annotations

import os
import sys

import pytest

from kerasviz.cli import progress
from kerasviz.rendering.progress import RenderProgress


def report(text: str, step: int = 48) -> RenderProgress:
    return RenderProgress(3, 12, 4, step, 512, 1.0, text)


def test_plain_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("kerasviz.io.terminal.INTERVAL", 0.0)
    with progress.rendering() as update:
        update(report("mixed4c:100", 24))
        update(report("mixed4c:100"))
    shown = capsys.readouterr().err
    first = "3 of 12 pictures, step 24 of 512, mixed4c:100"
    words = "3 of 12 pictures, step 48 of 512, mixed4c:100"
    assert shown.startswith(f" 27% {first}\n 28% {words}, ")


def terminal_output(width: int, text: str) -> str:
    """What the bar writes to a pseudo-terminal, in a process of its own descriptor."""
    import fcntl
    import pty
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    stderr = sys.stderr
    with os.fdopen(follower, "w") as stream:
        sys.stderr = stream
        try:
            with progress.rendering() as update:
                update(report(text))
        finally:
            sys.stderr = stderr
    written = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(leader)
    return written.decode()


def test_bar_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = terminal_output(120, "mixed4c[100]")
    assert "28%" in shown
    assert "3 of 12 pictures, step 48 of 512, mixed4c[100]" in shown  # no markup
    assert shown.rstrip().endswith(("\x1b[2K", "\x1b[?25h"))  # the bar is gone, the cursor back


def test_narrow_terminal_keeps_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = terminal_output(60, "a" * 200)
    assert "28%" in shown
    assert "…" in shown
