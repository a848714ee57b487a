"""States: a task goes on where a dead worker left it, and comes out the same."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.atlas_fixtures import SHORT, threads
from support.atlas_shell import contents

from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.engines import Job, Task
from kerasviz.atlas.leases import Owner
from kerasviz.atlas.tasks import tasks_of
from kerasviz.atlas.worker import AtlasWorker, job_of
from kerasviz.io.files import digest
from kerasviz.io.storage import Storage
from kerasviz.network.network import Network
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.run import CHUNK, LoopProgress
from kerasviz.rendering.checkpoints import FOLDER, CheckpointWriter
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.render import render_batch

STEPS = 3 * CHUNK


class Killed(BaseException):
    """What no handler takes for an error."""


@pytest.fixture
def atlas(net: Network) -> Atlas:
    return Atlas.of(net, ["relu2"], SHORT.replace(steps=STEPS), threads=threads())


@pytest.fixture
def start(atlas: Atlas, model_file: Path) -> Callable[[Path], AtlasWorker]:
    def run(folder: Path) -> Any:
        owner = Owner("run", "another machine", 1, 1)
        made: Any = job_of(atlas, Storage(str(folder)), owner, str(model_file)).prepare()
        return replace(made, every=0.0)

    return run


@pytest.mark.parametrize("last", [CHUNK, 2 * CHUNK])
def test_a_task_goes_on_where_a_dead_worker_left_it(
    last: int,
    start: Callable[[Path], AtlasWorker],
    atlas: Atlas,
    net: Network,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = list({task.group: task for task in tasks_of(net, atlas.batches(net))}.values())
    whole = start(tmp_path / "whole")
    assert {whole(task.payload)["share"] for task in tasks} == {1.0}
    assert not list((tmp_path / "whole" / FOLDER).iterdir())

    def fatal(
        net: Network, plan: Any, told: Callable[[LoopProgress], None], resume: Checkpoint | None
    ) -> list[Picture]:
        def listen(p: LoopProgress) -> None:
            told(p)
            if p.step >= last:
                raise Killed

        return render_batch(net, plan, listen, resume)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("kerasviz.rendering.render.render_batch", fatal)
        for task in tasks:
            with pytest.raises(Killed):
                start(out)(task.payload)
    assert {path.name.split("-")[0] for path in (out / FOLDER).iterdir()} == {"relu2"}
    assert len(list((out / FOLDER).iterdir())) == len(tasks)
    answers = [start(out)(task.payload) for task in tasks]
    assert [answer["share"] for answer in answers] == [(STEPS - last) / STEPS] * len(tasks)
    assert contents(out) == contents(tmp_path / "whole")
    assert not list((out / FOLDER).iterdir())


WORK = """
import json, sys
from dataclasses import replace
from kerasviz.atlas.engines import Job
make, argument, payload = json.load(sys.stdin)
replace(Job(make, argument).prepare(), every=0.0)(payload)
"""


def test_a_task_goes_on_in_another_process_after_a_kill(
    net: Network, model_file: Path, tmp_path: Path
) -> None:
    recipe = SHORT.replace(steps=600)
    atlas = Atlas.of(net, ["relu2"], recipe, threads=threads())
    task = tasks_of(net, atlas.batches(net))[0]

    def job(folder: Path) -> Job:
        owner = Owner("run", "another machine", 1, 1)
        return job_of(atlas, Storage(str(folder)), owner, str(model_file))

    own, out = job(tmp_path / "out"), tmp_path / "out"
    words = [sys.executable, "-c", WORK]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None
    json.dump([own.make, dict(own.argument), task.payload], process.stdin)
    process.stdin.close()
    while not (out / FOLDER).is_dir() or not list((out / FOLDER).glob("relu2*")):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (out / "shards").exists()
    assert 0.0 < own.prepare()(task.payload)["share"] < 1.0
    assert job(tmp_path / "whole").prepare()(task.payload)["share"] == 1.0
    assert contents(out) == contents(tmp_path / "whole")


def test_another_environment_begins_anew(
    start: Callable[[Path], AtlasWorker], atlas: Atlas, net: Network, tmp_path: Path
) -> None:
    task: Task = tasks_of(net, atlas.batches(net))[0]
    worker = start(tmp_path)
    elsewhere = replace(worker, here={**worker.here, "device": "an abacus"})
    place = f"{task.name}-{digest(elsewhere.here)}"
    there = Checkpoint(16, (), np.zeros((16, 1)), {})
    CheckpointWriter(worker.storage, place, every=0.0)(
        LoopProgress(16, STEPS, 0.0, None, lambda: there)
    )
    assert worker(task.payload)["share"] == 1.0
    assert CheckpointWriter(worker.storage, place).read() is not None
