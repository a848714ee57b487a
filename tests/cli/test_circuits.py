"""``kerasviz circuits``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--steps", 2, "--size", 24, "--partners", 1)


def test_circuits_of_a_file(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("circuits", model_file, "conv2:1", *SMALL, "--out", "c")
    assert ended.code == 0, ended.notes
    first, *_, last = ended.out.splitlines()
    assert first.startswith("conv2:1 from conv1: excites ")
    assert last == "open c/conv2-1.html" and Path("c/conv2-1.html").is_file()
    data = run_cli("circuits", model_file, "conv2:1", *SMALL, "--out", "c", "--json")
    assert json.loads(data.out)["circuits"][0]["earlier"][0]["tap"] == "conv1"


def test_errors_are_one_line(run_cli: Run, model_file: Path) -> None:
    for target, line in (("conv2", "give LAYER:UNIT"), ("conv9:1", "unknown tap 'conv9'")):
        ended = run_cli("circuits", model_file, target, *SMALL)
        assert ended.code != 0 and line in ended.notes and "Traceback" not in ended.notes
    ended = run_cli("circuits", model_file, "conv1:1", "--from", "conv2", *SMALL)
    assert "nothing of conv2 reaches conv1" in ended.notes
