"""scripts/kill_atlas.py and speed_atlas.py: an atlas of a real network, by workers that die."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SMALL = ("efficientnet-lite0", "stem", "--size", 32)


def said(script: str, *arguments: object) -> str:
    """What a script printed; it must end well."""
    environment = {**os.environ}
    environment.pop("TF_NUM_INTRAOP_THREADS", None)  # workers have one each
    words = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_atlas_whose_workers_are_killed_has_the_bytes_of_one_that_is_left_alone(
    ray_there: Any, tmp_path: Path
) -> None:
    # A loaded machine takes ten seconds to start a worker: sooner killed, it never makes a picture.
    out = said("kill_atlas.py", *SMALL, "--steps", 32, "--every", 15, "--out", tmp_path)
    killed = re.search(r"^ray: ended with 0 after \d+ s, (\d+) killed$", out, re.MULTILINE)
    assert killed is not None and int(killed[1]) > 0, out
    assert "\n224 and 224 pictures: the same bytes\n" in out
    assert re.search(r"^(\d+) files: \1 same$", out, re.MULTILINE), out
    assert out.endswith("verify ended with 0\n")


@pytest.mark.slow
def test_one_and_two_workers_make_the_same_and_are_compared_with_the_simulator(
    tmp_path: Path,
) -> None:
    out = said("speed_atlas.py", *SMALL, "--steps", 16, "--out", tmp_path)
    *_, first, second, last = out.splitlines()
    assert last == "224 pictures: the same bytes"
    rows = [row.split() for row in (first, second)]
    assert [row[0] for row in rows] == ["1", "2"]
    assert rows[0][2] == rows[0][4] == "1.00"
    for row in rows:  # how well they do is for a quiet machine to say
        rendering, command, predicted = (float(row[i]) for i in (1, 3, 5))
        assert 0 < rendering < command
        # seconds are printed with a decimal
        assert float(row[6].rstrip("%")) == pytest.approx(100 * (predicted / rendering - 1), abs=3)
