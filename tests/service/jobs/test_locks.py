"""Locks of a data folder, as two services and their workers take them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from kerasviz.errors import UsageError
from kerasviz.service.jobs import locks
from kerasviz.service.jobs.locks import exclusive_lock, shared_lock


def test_one_service_works_in_a_folder(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path):
        with shared_lock(tmp_path), shared_lock(tmp_path):
            pass
        with pytest.raises(UsageError, match=r"another kerasviz serve works in .*another --data"):
            exclusive_lock(tmp_path).__enter__()
    with exclusive_lock(tmp_path):
        pass


def test_a_service_waits_for_the_workers_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def work() -> None:
        with shared_lock(tmp_path):
            began.set()
            time.sleep(0.3)

    worker = threading.Thread(target=work)
    worker.start()
    began.wait()
    before = time.monotonic()
    with exclusive_lock(tmp_path):
        assert time.monotonic() - before > 0.1
    worker.join()
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    with shared_lock(tmp_path):
        with pytest.raises(UsageError, match="another kerasviz serve"):
            exclusive_lock(tmp_path).__enter__()
        with shared_lock(tmp_path):
            pass
