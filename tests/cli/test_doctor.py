"""``kerasviz doctor``."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from typing import Any

import pytest

from kerasviz import __version__
from kerasviz.cli.doctor import _missing, extras

Run = Callable[..., Any]


def test_everything_is_reported(run_cli: Run) -> None:
    ended = run_cli("doctor")
    assert ended.code == 0, ended.out
    rows = dict(line.split(maxsplit=1) for line in ended.out.splitlines() if "self" not in line)
    assert rows["kerasviz"] == __version__
    assert rows["tensorflow"] == importlib.metadata.version("tensorflow")
    assert rows["found"].startswith(("CPU", "GPU"))
    assert "efficientnet-lite0" in rows["networks"]
    assert ended.out.splitlines()[-1].split() == ["self", "check", "ok"]
    assert len(ended.out.splitlines()) < 24  # a screen; history is behind --all


def test_what_was_measured_is_counted_and_listed_by_all(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = [
        {"network": name, "taps": ["a", "b", "c"], "precision": "float32", "why": f"reason {k}"}
        for k, name in enumerate(("one", "two", "one"))
    ]
    monkeypatch.setattr("kerasviz.optvis.optimization.precision.choices_here", lambda: choices)
    short, whole = run_cli("doctor").out, run_cli("doctor", "--all").out
    assert "measured 3 times, for 2 networks (--all)" in short and "reason" not in short
    for k, name in enumerate(("one", "two", "one")):
        assert f"float32 for {name} to a, b, ...: reason {k}" in whole
    assert "[gpu]" in whole and "[gpu]" not in short


def test_json(run_cli: Run) -> None:
    data = json.loads(run_cli("doctor", "--json").out)
    assert data["check"] == "ok"
    assert data["environment"]["kerasviz"] == __version__
    assert data["extras"]["dev"] == [] or isinstance(data["extras"]["dev"][0], str)


def test_failing_check_ends_with_1(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerasviz.cli.doctor._check", lambda: "the picture is empty")
    ended = run_cli("doctor")
    assert ended.code == 1
    assert "the picture is empty" in ended.out


def test_extras_are_those_of_the_package() -> None:
    provided = importlib.metadata.metadata("kerasviz").get_all("Provides-Extra")
    assert list(extras()) == provided


def test_missing_requirements_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own extras count, those of a requirement's extra too, plain requirements do not."""
    needs = {
        "a": ['b>=1; extra == "x"', "c", 'd[more]>=2 ; extra == "x"', 'e; extra == "xy"'],
        "d": ['f; extra == "more"', 'g; extra == "other"'],
    }

    def version(name: str) -> str:
        if name in ("a", "d"):
            return "1"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needs.get(name))
    monkeypatch.setattr(importlib.metadata, "version", version)
    assert _missing("a", "x") == ["b", "f"]
