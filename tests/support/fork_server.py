"""A process that has imported everything and forks one that runs a command, again and again.

Importing TensorFlow takes seconds; a copy of a process that has done so starts at once. Nothing is
computed before the copy is made, so that it is as a fresh process. Reads a line of JSON for each
command: its arguments, its folder and the file of its output; prints the number of the process, and
after an empty line how it ended.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO


class ForkServer:
    """Starts commands in copies of one process that has imported everything."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "ready\n"

    def start(self, arguments: Sequence[object], folder: Path, output: Path) -> int:
        """Start ``kerasviz`` with arguments; returns the number of its process."""
        order = {
            "arguments": [str(a) for a in arguments],
            "folder": str(folder),
            "output": str(output),
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """How the process ended: its exit code, or minus the signal that killed it.

        Until then its number is its own, though it may have ended long ago.
        """
        assert self._server.stdin is not None
        self._server.stdin.write("\n")
        self._server.stdin.flush()
        return int(self._line())

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def _line(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()


def _import_all() -> None:
    import kerasviz
    import kerasviz.cli

    for module in pkgutil.walk_packages(kerasviz.__path__, "kerasviz."):
        if module.name.split(".")[1] in ("cli", "figures", "importers", "zoo", "examples"):
            importlib.import_module(module.name)


def _run(order: dict[str, object]) -> None:
    os.chdir(str(order["folder"]))
    with open(str(order["output"]), "w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    from kerasviz.cli import main

    sys.argv = ["kerasviz", *order["arguments"]]  # type: ignore[misc]
    main()


def _serve(orders: IO[str]) -> None:
    print("ready", flush=True)
    while line := orders.readline():
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        print(child, flush=True)
        orders.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _import_all()
    _serve(sys.stdin)
