"""``kerasviz atlas``; whole runs with real workers are in tests/atlas/test_runs.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kerasviz.atlas import make as making
from kerasviz.atlas.make import AtlasSummary
from kerasviz.errors import UsageError
from kerasviz.io.storage import Storage

Run = Callable[..., Any]
SHORT = ("--preprocess", "inception", "--steps", 3, "--size", 16, "--precision", "float32")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What :func:`render_atlas` was asked for; nothing is rendered."""
    seen: dict[str, Any] = {}

    def render_atlas(net: Any, atlas: Any, storage: Storage, engine: Any, **options: Any) -> Any:
        seen.update(net=net, atlas=atlas, storage=storage, engine=engine, **options)
        tally = making.RunProgress({"a": 30, "b": 12}, {"b"})
        options["watch"](tally)
        tally.failures["killed"] += 2
        options["watch"](tally)
        return AtlasSummary(storage.address("index.html"), 42, 30, 1)

    monkeypatch.setattr(making, "render_atlas", render_atlas)
    return seen


def test_the_plan_is_a_table(run_cli: Run, model_file: Path, tmp_path: Path) -> None:
    ended = run_cli("atlas", model_file, *SHORT, "--plan", "--price", "0.5")
    assert (ended.code, ended.notes) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "small: 77 pictures of 16 x 16 pixels, 3 steps in float32"
    assert lines[2].split() == ["layer", "units", "pictures", "batches", "time"]
    rows = {line.split()[0]: line.split()[1:4] for line in lines[3:6]}
    assert [row[:2] for row in rows.values()] == [["6", "42"], ["5", "35"], ["11", "77"]]
    heads = next(line for line in lines if line.startswith("engine"))
    assert heads.split() == ["engine", "workers", "machines", "time", "efficiency", "price"]
    assert {len(line) for line in lines[2:6]} == {len(lines[2])}
    assert not any(tmp_path.iterdir())  # nothing is written


def test_what_was_made_and_what_went_wrong_is_said(
    run_cli: Run, model_file: Path, asked: dict[str, Any]
) -> None:
    ended = run_cli("atlas", model_file, "conv2", *SHORT, "--seed", 4, "--workers", 3)
    assert ended.code == 0, ended.err
    folder = Path("out/small-atlas").absolute()
    assert ended.out == (f"rendered 30 pictures, 12 were complete\nopen {folder}/index.html\n")
    assert ended.notes == (
        "42 pictures in 2 batches, 12 are complete\n"
        "on the way: 2 failures (2 killed)\n"
        "made again: 1 file was missing or damaged\n"
    )
    atlas = asked["atlas"]
    assert (atlas.seed, atlas.threads, atlas.recipe.size) == (4, 1, (16, 16))
    assert asked["storage"].local == folder
    assert asked["about"] == {"engine": "local", "workers": 3, "threads": 1}


def test_precision_and_threads_are_those_of_the_atlas_that_is_there(
    run_cli: Run, model_file: Path, asked: dict[str, Any]
) -> None:
    narrow = (*SHORT[:-1], "bfloat16", "--threads", 3, "--out", "there")
    assert run_cli("atlas", model_file, *narrow).code == 0
    Path("there").mkdir()
    data = json.dumps(asked["atlas"].to_json())
    Path("there/atlas.json").write_text(data)
    assert run_cli("atlas", model_file, *SHORT[:-2], "--out", "there").code == 0
    assert (asked["atlas"].recipe.precision, asked["atlas"].threads) == ("bfloat16", 3)
    assert run_cli("atlas", model_file, *SHORT, "--threads", 2, "--out", "there").code == 0
    assert (asked["atlas"].recipe.precision, asked["atlas"].threads) == ("float32", 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--price", "1"), "--price is for --plan"),
        (("--address", "auto"), "add --engine ray"),
        (("no-such-layer",), "near"),
        (("prob",), "no channels with positions"),
        (("--out", "nowhere://bucket"), "s3://BUCKET"),
        (("--examples", "none"), "none"),
        (("--workers", "0"), "0 is not in the range"),
        (("--engine", "slurm"), "'slurm' is not one of"),
    ],
)
def test_wrong_use_is_one_line(
    run_cli: Run, model_file: Path, options: tuple[str, ...], words: str
) -> None:
    ended = run_cli("atlas", model_file, *SHORT, *options)
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert not Path("out").exists()


def test_other_settings_than_those_that_are_there_are_refused(
    run_cli: Run, model_file: Path, asked: dict[str, Any]
) -> None:
    assert run_cli("atlas", model_file, *SHORT, "--out", "there").code == 0
    Path("there").mkdir()
    Path("there/atlas.json").write_text(json.dumps(asked["atlas"].to_json()))
    pytest.MonkeyPatch().undo()
    with pytest.raises(UsageError, match="steps: there 3, here 4; seed: there 0, here 1"):
        making.agree(
            Storage("there"),
            replace(asked["atlas"], recipe=asked["atlas"].recipe.replace(steps=4), seed=1),
        )


def test_without_ray_the_extra_is_named(
    run_cli: Run, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    ended = run_cli("atlas", model_file, *SHORT, "--engine", "ray")
    assert ended.code == 2
    assert "pip install 'kerasviz[ray]'" in ended.err
