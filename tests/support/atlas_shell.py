"""``kerasviz atlas`` as a process of its own, with real workers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import psutil
import pytest

#: The atlas of all tests: the 5 units of relu2, 35 pictures, 5 tasks of 3 kinds. The precision that
#: is the fastest may be another one from one run to the next, on a machine with other work.
SETTINGS = ("relu2", "--preprocess", "torchvision", "--steps", "3", "--size", "16")
SETTINGS += ("--precision", "float32")
PICTURES, TASKS = 35, 5
#: Ctrl-C is heard in a process that is started in the background, too.
MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from kerasviz.cli import main
main()
"""


def start(*arguments: object, **variables: str) -> subprocess.Popen[str]:
    """Start ``kerasviz`` with arguments."""
    environment = {**os.environ, **variables}
    # The runs of tests have a number of threads; commands find theirs.
    environment.pop("TF_NUM_INTRAOP_THREADS", None)
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """What a process wrote until it ended as it should."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, out + err
    return out, err


def run(*arguments: object, code: int = 0, **variables: str) -> tuple[str, str]:
    """What ``kerasviz`` writes that runs in this process, which has imported TensorFlow already.

    Its workers are processes all the same.
    """
    from kerasviz.cli import main

    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["kerasviz", *map(str, arguments)])
        patch.setattr("kerasviz.io.terminal.INTERVAL", float("inf"))
        for name, value in variables.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main()
    assert (end.value.code or 0) == code, out.getvalue() + err.getvalue()
    return out.getvalue(), err.getvalue()


def until(true: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process brings about before it ends."""
    while not true():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def workers_of(process: int) -> list[psutil.Process]:
    """The processes that work for a run in a process."""
    found = []
    for child in psutil.Process(process).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "kerasviz.atlas.engines.worker_process" in child.cmdline():
                found.append(child)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """The files that do not depend on who made them and when."""
    parts = ("pictures", "shards", "layers", "units", "index.html", "units.html", "search.js")
    files = [path for part in parts for path in sorted((folder / part).rglob("*"))]
    files += [folder / part for part in parts if (folder / part).is_file()]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.is_file()
    }


def placeless(files: Mapping[str, bytes | None]) -> dict[str, Any]:
    """Files without the path to the model, which is told as seen from their folder."""
    name = "pictures/manifest.json"
    manifest = json.loads(files[name] or b"")
    assert Path(manifest["network"].pop("source")).name == "small.onnx"
    return {**files, name: manifest}


def pictures(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(folder).items() if name.endswith(".png")}


def rendered(logs: list[bytes]) -> Counter[str]:
    """How many times each task was rendered, by the logs of runs."""
    lines = [json.loads(line) for log in logs for line in log.splitlines()]
    return Counter(line["task"] for line in lines if line.get("state") == "made")


def logs(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "runs").iterdir())]
