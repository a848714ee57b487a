"""What remains of an engine when the process that runs it is interrupted or killed: nothing.

An engine says nothing by itself either, not even Ray's where a worker dies.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

TESTS = Path(__file__).parents[2]
PATIENCE = 120.0
CODE = """
import signal
import sys
from contextlib import closing
from support.engine_jobs import job, task
from kerasviz.atlas.engines import local_engine, ray_engine, run

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have it ignore
engine = local_engine(2, gpus=()) if sys.argv[1] == "local" else ray_engine(workers=2)
tasks = [task(file, "hang", cost=600.0, told=file) for file in sys.argv[2:]]
try:
    with closing(run(tasks, engine, job())) as events:
        for event in events:
            print(event, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def wait_until(what: Callable[[], bool], words: str) -> None:
    latest = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < latest, words
        time.sleep(0.05)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
@pytest.mark.parametrize("kind", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_no_process_outlives_the_one_that_runs_the_engine(
    kind: str, how: signal.Signals, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "ray":
        request.getfixturevalue("ray_there")
    files = [tmp_path / "one", tmp_path / "other"]
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(TESTS)}
    environment.pop("RAY_ADDRESS", None)
    with (tmp_path / "said").open("wb") as said:
        coordinator = subprocess.Popen(
            [sys.executable, "-c", CODE, kind, *map(str, files)],
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    words = (tmp_path / "said").read_text
    found: list[psutil.Process] = []
    try:
        ended = coordinator.poll
        wait_until(lambda: all(f.exists() for f in files) or ended() is not None, "no worker began")
        if how == signal.SIGINT:  # and after a worker was killed
            os.kill(int(files[0].read_text()), signal.SIGKILL)
            wait_until(lambda: words().count("Joined(") == 3, "no worker took its place")
        found = psutil.Process(coordinator.pid).children(recursive=True)
        workers = {int(file.read_text()) for file in files[1:]}
        assert workers <= {process.pid for process in found}, words()
        os.killpg(coordinator.pid, how)  # as a terminal does by Ctrl-C
        wait_until(lambda: ended() is not None, "the coordinator goes on")
        wait_until(lambda: not any(map(alive, found)), f"{found} are left")
    finally:
        for process in filter(alive, found):
            process.kill()
        coordinator.kill()
        coordinator.wait()
    if how == signal.SIGINT:
        assert coordinator.returncode == 0
        *lines, last = words().splitlines()
        assert last == "interrupted", words()
        assert all(line.startswith(("Joined(", "Began(", "Lost(")) for line in lines), words()
        assert sum(line.startswith("Lost(") for line in lines) == 1, words()
