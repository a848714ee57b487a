"""The process of a worker imports TensorFlow where nothing of it is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from kerasviz.service.jobs import start_worker
from kerasviz.service.settings import ServiceSettings

#: A worker that says what is imported, in the place of the one that renders.
CODE = """
import sys, types
from multiprocessing import Pipe
from kerasviz.service.jobs import start_worker
assert "tensorflow" not in sys.modules, "imported with the module"
worker = types.ModuleType("kerasviz.service.jobs.worker")
worker.main = lambda *given: print("tensorflow" in sys.modules, given[1])
sys.modules[worker.__name__] = sys.modules["kerasviz.service.jobs"].worker = worker
ours, theirs = Pipe()
ours.send((None, "boot:1"))
start_worker.main(theirs)
"""


def test_tensorflow_is_imported_silently_before_the_worker() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("True boot:1\n", "", 0)


def test_a_process_whose_parent_needs_none_ends() -> None:
    """As where a command finds after its start that it cannot go on."""
    started = start_worker.start()
    started.orders.close()
    started.process.join(60)
    assert started.process.exitcode == 0
    started.take(ServiceSettings(Path("nowhere"), ()), "boot:1")  # says nothing
