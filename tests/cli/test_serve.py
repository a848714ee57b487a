from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.described_models import classifier


def test_help_says_how_to_ask(run_cli: Callable[..., Any]) -> None:
    found = run_cli("serve", "--help")
    assert found.code == 0
    for option in ("--host", "--port", "--data", "--workers", "--token", "--allow-upload"):
        assert option in found.out
    assert "/v1/models/" in found.out


def test_without_its_packages_it_says_what_to_install(
    run_cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else original(name)
    )
    found = run_cli("serve")
    assert found.code == 1
    assert found.err == (
        "kerasviz: error: kerasviz serve needs uvicorn; run: pip install 'kerasviz[serve]'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nothing.onnx",), "no file and no zoo network 'nothing.onnx'; near: "),
        (("efficientnet-lite0", "--host", "0.0.0.0"), "give a --token too"),
        (("efficientnet-lite0", "--token", "secret"), "print(secrets.token_urlsafe())"),
        (("efficientnet-lite0", "--workers", "-1"), "--workers"),
        (("efficientnet-lite0", "--port", "70000"), "--port"),
        (("efficientnet-lite0", "--examples", "nowhere"), "'nowhere' has no examples.json"),
        (("efficientnet-lite0", "--cors", "example.org"), "--cors example.org is no site"),
        (("efficientnet-lite0", "--cors", "https://a.org/page"), "as https://example.org"),
    ],
)
def test_bad_use_is_one_line(
    run_cli: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    found = run_cli("serve", *arguments, "--data", tmp_path / "data")
    assert found.code == 2
    assert line in found.err and found.err.count("\n") == 1
    assert not (tmp_path / "data").exists(), "nothing is written"


def test_options_are_remembered_for_the_served_files(
    run_cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(setting: Any, at: Any, ready: Callable[[str], None]) -> None:
        ready("http://127.0.0.1:8501")

    monkeypatch.setattr("kerasviz.service.server.serve", serve)
    file = classifier(tmp_path / "m.onnx")
    options = ("--preprocess", "unit", "--port", 0, "--data", tmp_path / "data")
    found = run_cli("serve", file, "efficientnet-lite0", *options)
    assert found.code == 0, found.err
    assert found.err.startswith("--preprocess unit is remembered for m.onnx")
    assert found.err.count("\n") == 1
    shown = run_cli("models", "info", file).out
    assert "0 to 1, RGB (remembered --preprocess unit)" in shown


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(
    run_cli: Callable[..., Any], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = run_cli("serve", "efficientnet-lite0", "--port", port, "--data", tmp_path / "data")
    assert found.code == 1
    assert f"cannot listen at 127.0.0.1:{port}" in found.err and "--port" in found.err
    assert found.err.count("\n") == 1
