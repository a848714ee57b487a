"""``kerasviz figures``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasviz.figures import CATALOGUE

Run = Callable[..., Any]
SHORT = ("--preprocess", "unit", "--recipe", "fast", "--steps", 2, "--size", 16)


def test_list(run_cli: Run) -> None:
    ended = run_cli("figures", "--list")
    assert [line.split()[0] for line in ended.out.splitlines()] == list(CATALOGUE)
    for slug, line in zip(CATALOGUE, ended.out.splitlines(), strict=True):
        assert line.endswith(CATALOGUE[slug].title)


def test_figures_are_drawn_and_can_be_verified(run_cli: Run, model_file: Path) -> None:
    arguments = ("figures", "objectives", "--model", model_file, *SHORT, "--out", "drawn")
    ended = run_cli(*arguments)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("rendered ")
    assert lines[-1] == f"open {Path('drawn/index.html')}"
    for name in ("index.html", "objectives.html", "objectives.png", "pictures/manifest.json"):
        assert (Path("drawn") / name).stat().st_size > 0
    assert not Path("drawn/hero.png").exists()

    again = run_cli(*arguments)
    assert again.out.splitlines()[0].startswith("nothing to do: ")
    assert run_cli("verify", "drawn").code == 0


def test_all_figures_and_the_default_folder(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch, model_file: Path
) -> None:
    asked: dict[str, Any] = {}

    def make_figures(net: Any, slugs: Any, recipe: Any, out: Path, **rest: Any) -> Any:
        from kerasviz.figures.make import FigureSet

        asked.update(slugs=slugs, recipe=recipe, out=out, **rest)
        return FigureSet((), out / "index.html", 1, 2)

    monkeypatch.setattr("kerasviz.figures.make_figures", make_figures)
    ended = run_cli("figures", "--model", model_file, *SHORT, "--seed", 4)
    assert ended.out.startswith("rendered 1 picture, 2 were there already\n")
    assert asked["slugs"] == list(CATALOGUE)
    assert (asked["recipe"].steps, asked["recipe"].size) == (2, (16, 16))
    assert asked["out"] == Path("out/small-figures")
    assert asked["seed"] == 4


def test_interrupt_keeps_finished_pictures(
    run_cli: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kerasviz import store

    original = store.render_plans

    def interrupted(net: Any, plans: Any, progress: Any = None) -> Any:
        batches = original(net, plans, progress)
        yield next(batches)
        raise KeyboardInterrupt

    arguments = ("figures", "objectives", "--model", model_file, *SHORT, "--out", "drawn")
    with monkeypatch.context() as patch:
        patch.setattr(store, "render_plans", interrupted)
        ended = run_cli(*arguments)
    assert ended.code == 130
    recorded = json.loads(Path("drawn/pictures/manifest.json").read_text())["pictures"]
    count = sum(p["score"] is not None for p in recorded)
    assert count >= 1
    assert f"{count} finished " in ended.err
    assert len(ended.err.splitlines()) == 1
    assert run_cli(*arguments).code == 0
