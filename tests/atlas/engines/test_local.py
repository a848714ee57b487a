"""Processes of this machine: where they run, what they say last, and that prints are no answers."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from support.engine_jobs import job, task

from kerasviz.atlas.engines import Done, Lost, Task, local_engine, run
from kerasviz.atlas.engines.local import Processes, cores_here, gpus_here
from kerasviz.errors import UsageError


def answers(tasks: list[Task], workers: int) -> dict[str, Done]:
    engine = local_engine(workers, gpus=())
    with closing(run(tasks, engine, job())) as events:  # type: ignore[type-var]
        return {event.task.name: event for event in events if isinstance(event, Done)}


def test_workers_have_cores_of_their_own_and_what_this_process_sees() -> None:
    count = len(cores_here())
    found = answers([task(f"look {i}", "look") for i in range(count)], count)
    assert os.environ["PATH"] == found["look 0"].result["environment"]["PATH"]
    by_worker = {done.worker: done.result["cores"] for done in found.values()}
    cores = [core for each in by_worker.values() for core in each]
    assert all(len(each) == 1 for each in by_worker.values())
    assert len(cores) == len(set(cores)) and set(cores) <= set(cores_here())


def test_more_threads_than_cores_share_all_of_them() -> None:
    many = Processes(len(cores_here()) + 1, 1, ())
    assert many.cores(0) == many.cores(1) == cores_here()


def test_workers_take_turns_with_the_gpus() -> None:
    three = Processes(3, 1, ("4", "6"))
    assert [three.environment(i)["CUDA_VISIBLE_DEVICES"] for i in range(3)] == ["4", "6", "4"]
    assert three.cores(0) == []
    assert local_engine(gpus=("0", "1", "2")).starter.wanted() == 3
    assert local_engine(gpus=()).starter.wanted() == len(cores_here())


def test_gpus_are_found_by_their_files_or_as_the_environment_names_them(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert gpus_here({}, str(tmp_path)) == ["0", "1"]
    assert gpus_here({"CUDA_VISIBLE_DEVICES": "1"}, str(tmp_path)) == ["1"]
    assert gpus_here({"CUDA_VISIBLE_DEVICES": ""}, str(tmp_path)) == []


def test_a_process_that_cannot_work_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = local_engine(1, gpus=())
    monkeypatch.setattr(Processes, "environment", lambda *_: {"PYTHONPATH": "", "PATH": ""})
    monkeypatch.setattr("kerasviz.atlas.engines.local.sys.executable", "/bin/sh")
    engine.start(job())
    try:
        (lost,) = engine.poll(60.0)
    finally:
        engine.stop()
    assert isinstance(lost, Lost) and lost.task is None
    assert lost.reason.startswith("ended with status 2: ") and lost.trace


def test_a_program_that_is_not_there_is_a_lost_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = local_engine(1, gpus=())
    monkeypatch.setattr("kerasviz.atlas.engines.local.sys.executable", "/no/python")
    engine.start(job())
    try:
        (lost,) = engine.poll(60.0)
    finally:
        engine.stop()
    assert isinstance(lost, Lost) and lost.reason.startswith("FileNotFoundError: ")


@pytest.mark.parametrize(("workers", "threads"), [(0, 1), (1, 0)])
def test_numbers_below_one_are_refused(workers: int, threads: int) -> None:
    with pytest.raises(UsageError, match="give 1 or more"):
        local_engine(workers, threads)
