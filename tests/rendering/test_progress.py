"""Where the progress of a rendering is shown, and what its last line says."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from support.tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.rendering.progress import RenderProgress, displayed, summary


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def picture(target: str, score: float) -> SimpleNamespace:
    return SimpleNamespace(target=target, score=score)


def test_a_function_is_called_with_every_chunk_of_steps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reports: list[RenderProgress] = []
    kerasviz.render(network(), ["joined:1", "joined:2"], steps=40, size=12, progress=reports.append)
    assert [r.step for r in reports] == [16, 32, 40]
    assert reports[-1].fraction == 1 and reports[0].images().shape == (2, 12, 12, 3)  # type: ignore[misc]
    assert capsys.readouterr().err == ""


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (None, False):
        kerasviz.render(network(), "joined:1", steps=2, size=12, progress=progress)
    assert capsys.readouterr().err == ""


def test_true_shows_lines_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kerasviz.io.terminal.INTERVAL", -1.0)
        made = kerasviz.render(network(), "joined:1", steps=20, size=12, progress=True)
    first, last = capsys.readouterr().err.splitlines()
    assert first == " 80% 0 of 1 pictures, step 16 of 20, joined:1"
    assert last.startswith("1 picture, ") and last.endswith(f"(score {made[0].score:.4g})")


def test_only_a_function_may_be_given_beside_true_and_false() -> None:
    with pytest.raises(UsageError, match="progress 'bar': expected True, False, None"):
        kerasviz.render(network(), "joined:1", steps=1, size=12, progress="bar")  # type: ignore[arg-type]


def test_a_terminal_has_a_bar_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Bar:
        def __enter__(self) -> object:
            return lambda fraction, text: shown.append(text)

        def __exit__(self, *_: object) -> None:
            shown.append("closed")

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("kerasviz.rendering.progress.stepping", lambda first: Bar())
    with displayed(None) as display:
        display(RenderProgress(0, 4, 4, 16, 32, 1.0, "a:1"))
        display.end("4 pictures")
        assert terminal.getvalue() == ""
    assert shown == ["0 of 4 pictures, step 16 of 32, a:1", "closed"]
    assert terminal.getvalue() == "4 pictures\n"
    with displayed(False) as display:
        display(RenderProgress(0, 4, 4, 16, 32, 1.0, "a:1"))
    assert len(shown) == 2


def test_the_summary_names_the_best_picture() -> None:
    pictures = [picture("a:1", 2.5), picture("a:2", 13.25)]
    assert summary(pictures, 12.4) == "2 pictures, 12 s, best a:2 (score 13.25)"  # type: ignore[arg-type]
    assert summary(pictures[:1], 0.234).startswith("1 picture, 0.2 s, a:1 (")  # type: ignore[arg-type]
    assert summary(pictures[:1], 75) == "1 picture, 1:15, a:1 (score 2.5)"  # type: ignore[arg-type]
    assert summary([], 75) == "0 pictures, 1:15"
