"""Progress: plain lines without a terminal, a bar with one, no chatter of TensorFlow."""

from __future__ import annotations

import io
import os
import sys
from types import SimpleNamespace

import pytest

from kerasviz._tensorflow import silent
from kerasviz.cli import progress
from kerasviz.cli.progress import Lines, duration


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (3600, "1:00:00")]
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_lines_come_at_most_once_in_the_interval_with_the_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, interval=5.0, clock=clock)
    for second in range(21):
        clock.now = 100.0 + second
        lines(second / 40, f"step {second}")
    assert stream.getvalue().splitlines() == [
        " 12% step 5, 0:35 left",
        " 25% step 10, 0:30 left",
        " 38% step 15, 0:25 left",
        " 50% step 20, 0:20 left",
    ]


def test_short_work_prints_nothing() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, 5.0, clock)
    lines(0.5, "half")
    clock.now += 9
    lines(1.0, "done")
    assert stream.getvalue() == ""


def test_unknown_fraction_has_no_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, 5.0, clock)
    clock.now += 9
    lines(0.0, "waiting")
    assert stream.getvalue() == "  0% waiting\n"


def test_what_was_done_before_does_not_count_for_the_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(stream, 5.0, clock)
    clock.now += 2  # imports
    lines(0.8, "goes on")
    for second in (5, 10):
        clock.now = 102.0 + second
        lines(0.8 + second / 100, "on")
    assert stream.getvalue().splitlines() == [" 85% on, 0:15 left", " 90% on, 0:10 left"]


def report(text: str, fraction: float = 0.25) -> SimpleNamespace:
    return SimpleNamespace(done=3, pictures=12, step=48, steps=512, text=text, fraction=fraction)


def test_plain_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    with progress.rendering() as update:
        update(report("mixed4c:100", 0.2))  # type: ignore[arg-type]
        update(report("mixed4c:100"))  # type: ignore[arg-type]
    shown = capsys.readouterr().err
    words = "3 of 12 pictures, step 48 of 512, mixed4c:100"
    assert shown.startswith(f" 20% {words}\n 25% {words}, ")


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
                update(report(text))  # type: ignore[arg-type]
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
    assert "25%" in shown
    assert "3 of 12 pictures, step 48 of 512, mixed4c[100]" in shown  # no markup
    assert shown.rstrip().endswith(("\x1b[2K", "\x1b[?25h"))  # the bar is gone, the cursor back


def test_narrow_terminal_keeps_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = terminal_output(60, "a" * 200)
    assert "25%" in shown
    assert "…" in shown


def test_silence_holds_back_what_c_code_writes(capfd: pytest.CaptureFixture[str]) -> None:
    with silent():
        os.write(2, b"chatter\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_silence_ends_with_what_was_held_back_after_an_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ImportError), silent():
        os.write(2, b"a library is missing\n")
        raise ImportError
    assert "a library is missing" in capfd.readouterr().err
