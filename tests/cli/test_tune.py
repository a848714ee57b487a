"""``kerasviz tune``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--no-pictures", "--angles", 36)


def test_tuning_of_units_of_a_file(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("tune", model_file, "conv2:0-1", *SMALL, "--families", "--out", "t")
    assert ended.code == 0, ended.notes
    first, second, *_, last = ended.out.splitlines()
    assert first.startswith("conv2:0 curve: ") and ", radius " in second
    assert last == "open t/index.html" and Path("t/index.html").is_file()
    options = (*SMALL, "--stimuli", "circle", "--out", "t", "--json")
    data = json.loads(run_cli("tune", model_file, "conv2:1", *options).out)
    assert data["page"] == "t/index.html"
    assert [(t["unit"], t["kind"]) for t in data["tuning"]] == [(1, "circle")]


def test_errors_are_one_line(run_cli: Run, model_file: Path) -> None:
    for options, line in (
        (["conv2"], "give LAYER:UNIT"),
        (["conv9:1"], "unknown tap 'conv9'"),
        (["conv2:1", "--stimuli", "square"], "square"),
        (["conv2:1", "--images", "nowhere"], "no photos at"),
    ):
        ended = run_cli("tune", model_file, *options, *SMALL)
        assert ended.code != 0 and line in ended.notes and "Traceback" not in ended.notes
