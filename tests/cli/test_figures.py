"""``kerasviz figures``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasviz.figures import CATALOGUE

Run = Callable[..., Any]
SHORT = ("--preprocess", "unit", "--recipe", "fast", "--steps", 2, "--size", 16)


def rows(text: str) -> dict[str, list[str]]:
    """The lines of the table of figures by their first word, each in words."""
    lines = [line.split() for line in text.split("\n\n")[0].splitlines()]
    return {words[0]: words[1:] for words in lines}


def test_list_counts_what_the_article_needs(run_cli: Run) -> None:
    ended = run_cli("figures", "--list")
    assert ended.code == 0 and all(len(line) <= 100 for line in ended.out.splitlines())
    found = rows(ended.out)
    assert list(found) == ["figure", *CATALOGUE, "together"]
    for slug in CATALOGUE:
        assert " ".join(found[slug]).endswith(CATALOGUE[slug].title)
    assert found["hero"][0] == "30"  # 5 groups of 6
    assert found["interpolation"][0] == "54"  # 9 pairs of 6 frames
    assert found["regularization-spectrum"][0] == "0"
    assert found["steepest-descent"][1] == "--photos"
    assert found["activation-spectrum"][1] == "--examples"
    assert "minutes" not in found["figure"]
    # The facets of a unit, and what figures share, once: less than the sum.
    counts = [int(words[0]) for slug, words in found.items() if slug in CATALOGUE]
    assert 0.9 * sum(counts) < int(found["together"][0]) < sum(counts)
    assert "2560 steps of 128 x 128 pixels" in ended.out
    others = "circuits (5), building-blocks (6), activation-atlas (3)"
    assert f"Other articles, --article NAME: {others}." in ended.out
    named = run_cli("figures", "hero", "early-vision", "--list").out
    assert "Other articles, --article NAME: building-blocks (6), activation-atlas (3)." in named


def test_list_for_a_network_has_minutes_and_what_cannot_be_made(run_cli: Run) -> None:
    import keras

    layers = keras.layers
    bare = keras.Sequential([layers.Input((16, 16, 1)), layers.Conv2D(3, 3, activation="relu")])
    bare.save("bare.keras")
    slugs = ("objectives", "fv-vs-attribution", "regularization-spectrum")
    ended = run_cli("figures", *slugs, "--list", "--model", "bare.keras", *SHORT)
    assert ended.code == 0 and not Path("out").exists()
    found = rows(ended.out)
    assert found["figure"][:2] == ["pictures", "minutes"]
    assert found["objectives"][:3] == ["3", "<", "1"]
    assert found["fv-vs-attribution"][:2] == ["-", "-"]
    assert found["regularization-spectrum"][:2] == ["0", "0"]
    assert found["together"][0] == "3"
    assert "For bare, 2 steps of 16 x 16 pixels" in ended.out
    assert "kerasviz: fv-vs-attribution: attribution explains" in ended.out


def test_a_figure_that_cannot_be_made_is_said_and_the_others_are_made(run_cli: Run) -> None:
    import keras

    layers = keras.layers
    bare = keras.Sequential([layers.Input((16, 16, 1)), layers.Conv2D(3, 3, activation="relu")])
    bare.save("bare.keras")
    slugs = ("color-decorrelation", "fv-vs-attribution", "optimization-progress")
    ended = run_cli("figures", *slugs, "--model", "bare.keras", *SHORT, "--out", "drawn")
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "kerasviz: color-decorrelation: decorrelated colours are 3, and images of bare have 1 "
        "channel",
        "kerasviz: fv-vs-attribution: attribution explains the answer of a classifier, and bare "
        "has no class logits",
        "rendering 1 picture",
        "kerasviz: error: 2 of 3 figures could not be made: color-decorrelation, fv-vs-attribution",
    ]
    assert ended.out.splitlines()[-1] == f"open {Path('drawn/index.html')}"
    assert Path("drawn/optimization-progress.png").is_file()
    assert not Path("drawn/color-decorrelation.html").exists()
    alone = run_cli("figures", slugs[0], "--model", "bare.keras", *SHORT, "--out", "none")
    assert (alone.code, alone.out) == (1, "") and not Path("none").exists()


def test_wrong_slugs_end_before_anything_starts(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("figures", "hero", "heroes", "--model", model_file, *SHORT, "--out", "drawn")
    assert ended.code == 2 and "near: hero" in ended.err and not Path("drawn").exists()


def test_photos_are_shown_and_verified(run_cli: Run, model_file: Path) -> None:
    from PIL import Image

    Path("photos").mkdir()
    for k, name in enumerate(("b.png", "a.jpg")):
        Image.linear_gradient("L").resize((40, 30 + k)).convert("RGB").save(Path("photos") / name)
    arguments = ("steepest-descent", "--model", model_file, *SHORT, "--out", "drawn")
    ended = run_cli("figures", *arguments, "--photos", "photos")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == "computed 8 pictures"
    page = Path("drawn/steepest-descent.html").read_text(encoding="utf-8")
    assert "No photos were given" not in page
    assert page.index("steepest-descent-l2-0.png") < page.index("steepest-descent-l2-1.png")
    index = Path("drawn/pictures/index.html").read_text(encoding="utf-8")
    assert "a, L-infinity metric" in index and "steepest-descent-linf-0.png" in index
    assert run_cli("verify", "drawn").out == "8 files: 8 same\n"

    Path("photos").rename("elsewhere")
    kept = run_cli("verify", "drawn")
    assert kept.code == 0
    assert kept.out.splitlines()[0] == "8 files: 8 kept"
    assert "not as it was: a" in kept.out
    pictures = Path("drawn/pictures")
    shutil.copy(pictures / "steepest-descent-l2-0.png", pictures / "steepest-descent-l2-1.png")
    changed = run_cli("verify", "drawn")
    assert changed.code == 1 and "steepest-descent-l2-1.png: changed" in changed.out
    none = run_cli("figures", *arguments, "--photos", "photos")
    assert none.code == 2 and "no photos at 'photos'" in none.err


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

    def write_figures(options: Any, wanted: Any, out: Path, *rest: Any) -> Any:
        from kerasviz.figures.make import FigureSet

        asked.update(slugs=wanted, recipe=options.recipe, out=out, seed=options.seed)
        return FigureSet((), out / "index.html", 1, 2)

    monkeypatch.setattr("kerasviz.figures.make.write_figures", write_figures)
    ended = run_cli("figures", "--model", model_file, *SHORT, "--seed", 4)
    assert ended.out.startswith("rendered 1 picture, 2 were complete, ")
    assert asked["slugs"] == list(CATALOGUE)
    assert (asked["recipe"].steps, asked["recipe"].size) == (2, (16, 16))
    assert asked["out"] == Path("out/small-figures")
    assert asked["seed"] == 4


def test_interrupt_keeps_finished_pictures(
    run_cli: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kerasviz.rendering import run

    original = run.render_batches

    def interrupted(*arguments: Any) -> Any:
        batches = original(*arguments)
        yield next(batches)
        raise KeyboardInterrupt

    arguments = ("figures", "objectives", "--model", model_file, *SHORT, "--out", "drawn")
    with monkeypatch.context() as patch:
        patch.setattr(run, "render_batches", interrupted)
        ended = run_cli(*arguments)
    assert ended.code == 130
    recorded = json.loads(Path("drawn/pictures/manifest.json").read_text())["pictures"]
    count = sum(p["score"] is not None for p in recorded)
    assert count >= 1
    assert f"{count} finished " in ended.err
    assert [line.split()[0] for line in ended.err.splitlines()] == ["rendering", "kerasviz:"]
    assert run_cli(*arguments).code == 0
