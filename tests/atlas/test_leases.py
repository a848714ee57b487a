from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from kerasviz.atlas.leases import Leases, Owner
from kerasviz.io.storage import Storage


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def elsewhere(run: str) -> Owner:
    return Owner(run, "another machine", 1, 1)


def test_a_task_has_one_holder(tmp_path: Path, clock: Clock) -> None:
    storage = Storage(str(tmp_path))
    one, two = (Leases(storage, elsewhere(run), 60, clock) for run in ("one", "two"))
    assert one.take("a")
    assert not two.take("a")
    assert two.take("b")
    assert two.holder("a") == one.owner
    assert one.holder("a") is None  # its own
    one.drop("a")
    assert two.take("a") and not one.take("a")


def test_a_worker_takes_over_from_another_of_its_run(tmp_path: Path, clock: Clock) -> None:
    storage = Storage(str(tmp_path))
    assert Leases(storage, elsewhere("one"), 60, clock).take("a")
    assert Leases(storage, elsewhere("one"), 60, clock).take("a")


def test_a_claim_runs_out_unless_it_is_renewed(tmp_path: Path, clock: Clock) -> None:
    storage = Storage(str(tmp_path))
    one, two = (Leases(storage, elsewhere(run), 60, clock) for run in ("one", "two"))
    assert one.take("a")
    clock.now += 59
    assert not two.take("a")
    clock.now += 2
    assert two.take("a")
    assert not one.take("a")


def test_a_claim_is_renewed_while_it_is_kept(tmp_path: Path) -> None:
    leases = Leases(Storage(str(tmp_path)), elsewhere("one"), lease=0.3)
    path = tmp_path / "claims" / "a"

    def until() -> float:
        return float(json.loads(path.read_bytes())["until"])

    assert leases.take("a")
    first = until()
    with leases.kept("a"):
        deadline = time.monotonic() + 60
        while until() < first + 0.3:  # several times
            assert time.monotonic() < deadline
            time.sleep(0.01)
    last = until()
    time.sleep(0.3)
    assert until() == last


def test_the_claim_of_a_process_that_was_killed_holds_no_longer(
    tmp_path: Path, clock: Clock
) -> None:
    code = (
        "import sys, time; from kerasviz.atlas.leases import *;"
        "from kerasviz.io.storage import Storage;"
        "c = Leases(Storage(sys.argv[1]), Owner.here('killed'), 1e9); c.take('a');"
        "print(c.owner.dead, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "False\n"
        mine = Leases(Storage(str(tmp_path)), Owner.here("mine"), 60, clock)
        assert not mine.take("a")
    finally:
        process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and was not waited for
    assert mine.take("a")
    process.wait()
    process.stdout.close()


def test_another_machine_or_another_process_of_that_number_is_not_taken_for_it() -> None:
    own = Owner.here("mine")
    assert own.start and not own.dead
    assert replace(own, start=own.start + 1).dead
    assert not replace(own, place="another machine", start=own.start + 1).dead


def test_a_damaged_claim_holds_nothing(tmp_path: Path, clock: Clock) -> None:
    storage = Storage(str(tmp_path))
    for number, data in enumerate([b"", b"{", b"[]", b'{"until": 1e12}', b"null"]):
        storage.write(f"claims/{number}", data)
        assert Leases(storage, elsewhere("one"), 60, clock).take(str(number))
