"""``kerasviz families``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--no-pictures")


def test_families_of_a_file(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("families", model_file, "conv1", "--alike", -1, *SMALL, "--out", "f")
    assert ended.code == 0, ended.notes
    assert ended.out.startswith("family 1: ") and ended.out.endswith("open f/index.html\n")
    families = ("--families", "f/families.json")
    data = run_cli("families", model_file, "conv1", *families, *SMALL, "--json")
    assert sorted(json.loads(data.out)["families"][0]["units"]) == [0, 1, 2, 3, 4, 5]


def test_errors_are_one_line(run_cli: Run, model_file: Path) -> None:
    for arguments, line in (
        (("conv9",), "unknown tap 'conv9'"),
        (("conv1", "--families", "none.json"), "cannot be read as families"),
    ):
        ended = run_cli("families", model_file, *arguments, *SMALL)
        assert ended.code != 0 and line in ended.notes and "Traceback" not in ended.notes
