"""The sandbox: the limited process that checks an upload."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import kerasviz
from kerasviz.errors import KerasvizError
from kerasviz.service.uploads import sandbox_process
from kerasviz.service.uploads.sandbox_process import Budget, InspectionRequest


class Inspection:
    """Checks one file after the other, each in a process of ``sandbox_process``.

    :meth:`stop` may be called from another thread and ends all checks.
    """

    def __init__(self, budget: Budget):
        self.budget = budget
        self.process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Kill the process, if any."""
        self._stopped = True
        self._kill()

    def run(
        self, path: Path, preprocess: str | None = None, kind: str = "network"
    ) -> dict[str, Any]:
        """Check a file of a kind in a process; raises :class:`KerasvizError` for a refusal."""
        request = InspectionRequest(str(path.resolve()), preprocess, self.budget, kind)
        command = [sys.executable, "-P", "-m", sandbox_process.__name__, request.to_json()]
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            process = subprocess.Popen(
                command,
                cwd=path.parent,
                env=environment_in(path.parent),
                stdin=subprocess.PIPE,  # the process ends with its standard input
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self.process = stack.enter_context(process)
            stack.callback(self._kill)
            if self._stopped:
                self._kill()
            timer = threading.Timer(self.budget.seconds, self._kill)
            timer.start()
            stack.callback(timer.cancel)
            assert process.stdout is not None
            output = process.stdout.read(2**20)
            code = process.wait()
        return _result(output, code, time.monotonic() - began >= self.budget.seconds)

    def _kill(self) -> None:
        process = self.process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _result(output: bytes, code: int, late: bool) -> dict[str, Any]:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines and code == 0 else None
    except ValueError:
        result = None
    if isinstance(result, dict) and "error" not in result:
        return result
    if isinstance(result, dict):
        raise KerasvizError(str(result["error"]))
    if late:
        raise KerasvizError("the file took too long to read; uploads are for files of usual size")
    if code == -signal.SIGXCPU:
        raise KerasvizError("the file takes more computing time than uploads may")
    raise KerasvizError(f"reading the file ended its process ({code}): it needs too much memory")


def environment_in(folder: Path) -> dict[str, str]:
    """Return the environment of the process: no secrets, no GPU, its files in one folder."""
    kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "KERASVIZ_CACHE", "HOME")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PYTHONPATH": str(Path(kerasviz.__file__).parents[1]),
        "TMPDIR": str(folder.resolve()),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
