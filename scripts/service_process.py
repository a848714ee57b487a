"""A service in processes of its own, for scripts that measure it or kill it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

#: Looks for an answer after a start, while TensorFlow is imported and a network is loaded. They are
#: counted, not timed: a machine may hold all of it up.
LOOKS, PAUSE = 3600, 0.05
COMMAND = (sys.executable, "-c", "from kerasviz.cli import main; main()")


class ServiceProcess:
    """``kerasviz serve`` with its workers; the port and the folder stay over restarts."""

    def __init__(self, data: Path, port: int, arguments: Sequence[object]):
        self.data, self.port = data, port
        self.arguments = [str(a) for a in arguments]
        self.log = data.parent / f"{data.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of the server's process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server; it does not answer yet."""
        options = ["--port", str(self.port), "--data", str(self.data)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "serve", *self.arguments, *options],
                stdout=log,
                stderr=log,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                start_new_session=True,
            )

    def wait(self, address: str = "/healthz") -> None:
        """Wait until an address is answered with 200."""
        assert self._process is not None
        for _ in range(LOOKS):
            with contextlib.suppress(OSError):
                self.ask("GET", address)
                return
            if self._process.poll() is not None:
                break
            time.sleep(PAUSE)
        tail = self.log.read_text(errors="replace")[-3000:]
        raise SystemExit(f"the service does not answer at {address}:\n{tail}")

    def ask(self, method: str, address: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer; raises ``OSError`` for none, and for one from 400 on."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{address}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")

    def insist(self, address: str) -> Any:
        """The JSON at an address that has to be there, however often it takes."""
        for _ in range(9):
            try:
                return self.ask("GET", address)[1]
            except urllib.error.HTTPError:
                raise
            except OSError:
                time.sleep(1)
        return self.ask("GET", address)[1]

    def workers(self) -> list[int]:
        """The numbers of the processes that render."""
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.pid).children()
            return [c.pid for c in children if "resource_tracker" not in " ".join(c.cmdline())]
        return []

    def memory(self) -> dict[str, int]:
        """The resident bytes of the server, and of its workers together."""
        found = {"server": 0, "workers": 0}
        for name, numbers in (("server", [self.pid]), ("workers", self.workers())):
            for number in numbers:
                with contextlib.suppress(psutil.Error):
                    found[name] += psutil.Process(number).memory_info().rss
        return found

    def kill(self, *, workers: bool = False) -> None:
        """kill -9 the server, and its workers at the same moment if asked."""
        assert self._process is not None
        numbers = [*(self.workers() if workers else ()), self.pid]
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self._process.wait()

    def stop(self, patience: float = 60.0) -> int:
        """SIGTERM; returns how the server ended."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(patience)
