"""``kerasviz open``: its settings, its one line, its window."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.described_models import classifier
from support.facet_fixtures import write_themes

from kerasviz.cli.open import PORT


@pytest.fixture
def opened(run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the command with a server that is ready at once; return its settings and windows."""
    seen: list[Any] = []
    windows: list[str] = []

    def serve(setting: Any, at: socket.socket, ready: Callable[[str], None], worker: Any) -> None:
        assert worker == "a worker"
        seen.append((setting, at.getsockname()[1]))
        ready(f"http://127.0.0.1:{at.getsockname()[1]}")

    monkeypatch.setattr("kerasviz.service.server.serve", serve)
    monkeypatch.setattr("kerasviz.service.jobs.start_worker.start", lambda: "a worker")
    monkeypatch.setattr("webbrowser.open", windows.append)

    def run(*arguments: Any) -> Any:
        found = run_cli("open", *arguments)
        assert found.code == 0, found.err
        setting, port = seen[-1]
        return found, setting, port, windows

    return run


def test_it_says_one_line_and_opens_a_window(
    opened: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    file = classifier(tmp_path / "my net.onnx")
    found, setting, port, windows = opened(file)
    place = f"http://127.0.0.1:{port}/#/my_net"
    assert found.out == f"my_net is open at {place} (Ctrl-C stops)\n" and not found.err
    assert windows == [place]
    assert setting.filling and setting.quiet and not setting.framed_by
    assert setting.host == "127.0.0.1" and setting.token is None
    assert setting.data.parent == tmp_path / "cache" / "open"
    _, again, _, _ = opened(file, "--no-browser", "--embed")
    assert again.data == setting.data and "http://localhost:*" in again.framed_by
    assert len(windows) == 1
    other = tmp_path / "other"
    other.mkdir()
    same_name = classifier(other / "my net.onnx", seed=5)
    assert opened(same_name)[1].data != setting.data  # of another file


def test_several_networks_are_open_together(
    opened: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    before, after = (classifier(tmp_path / f"{n}.onnx", seed=k) for k, n in enumerate("ab"))
    found, setting, port, _ = opened(before, after, "--no-browser")
    assert found.out == f"a and b are open at http://127.0.0.1:{port}/#/ (Ctrl-C stops)\n"
    assert list(setting.sources()) == ["a", "b"]


def test_another_port_is_taken_if_its_own_is(opened: Callable[..., Any], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", PORT))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        _, _, port, _ = opened("efficientnet-lite0", "--data", tmp_path / "data", "--no-browser")
    assert port != PORT


def test_facets_are_photos_in_folders(opened: Callable[..., Any], tmp_path: Path) -> None:
    themes = write_themes(tmp_path / "themes", {"blue": (60, 60, 200), "red": (200, 60, 60)})
    words = ("--data", tmp_path / "data", "--no-browser")
    _, setting, _, _ = opened("efficientnet-lite0", "--facets", themes, *words)
    assert setting.facets == themes


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("missing.onnx",), "no file and no zoo network 'missing.onnx'"),
        (("efficientnet-lite0", "--examples", "nowhere"), "nowhere"),
        (("efficientnet-lite0", "--facets", "nowhere"), "nowhere"),
        ((), "MODEL"),
    ],
)
def test_bad_use_is_one_line(run_cli: Callable[..., Any], arguments: Any, line: str) -> None:
    found = run_cli("open", *arguments)
    assert found.code == 2 and line in found.err
