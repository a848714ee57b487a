from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasviz.atlas.definition import Atlas
from kerasviz.atlas.leases import Leases, Owner
from kerasviz.atlas.shards import Shard, finished, picture_path, read_shards
from kerasviz.atlas.tasks import plan_of, tasks_of
from kerasviz.atlas.worker import AtlasWorker, job_of
from kerasviz.errors import ModelError
from kerasviz.io.images import decode
from kerasviz.io.storage import Storage
from kerasviz.network.network import Network
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store

Start = Callable[..., AtlasWorker]


@pytest.fixture
def start(atlas: Atlas, model_file: Path, tmp_path: Path) -> Start:
    def run(source: Path = model_file, run: str = "here") -> Any:
        owner = Owner(run, "another machine", 1, 1)
        return job_of(atlas, Storage(str(tmp_path)), owner, str(source)).prepare()

    return run


def test_tasks_are_the_batches_as_text(atlas: Atlas, net: Network) -> None:
    batches = atlas.batches(net)
    tasks = tasks_of(net, batches)
    assert [plan_of(net, task.payload) for task in tasks] == batches
    assert len({task.name for task in tasks}) == len(tasks)
    assert all(task.cost > 0 for task in tasks)
    channel, facets = (
        next(t for t, b in zip(tasks, batches, strict=True) if b.requests[0].rows == rows)
        for rows in (1, 4)
    )
    assert channel.group != facets.group
    again = tasks_of(net, atlas.batches(net))
    assert again == tasks


def test_a_task_leaves_the_pictures_of_the_store(
    start: Start, atlas: Atlas, net: Network, tmp_path: Path
) -> None:
    storage, worker = Storage(str(tmp_path)), start()
    tasks = tasks_of(net, atlas.batches(net))
    answers = [worker(task.payload) for task in tasks]
    assert {answer["state"] for answer in answers} == {"made"}
    assert sum(answer["pictures"] for answer in answers) == 35
    assert finished(storage) == {task.name for task in tasks}
    store = Store(tmp_path / "store", net)
    render_into(store, atlas.requests(net))
    theirs = {
        (entry.key, entry.row): (store.folder / entry.file).read_bytes()
        for entry in store.entries.values()
    }
    size = 0
    for name, shard in read_shards(storage, [task.name for task in tasks]):
        assert shard is not None and shard.task == name
        for entry in shard.entries:
            data = (tmp_path / picture_path(entry)).read_bytes()
            size += len(data)
            assert data == theirs.pop((entry.key, entry.row))
            assert hashlib.sha256(data).hexdigest() == entry.sha256 == Path(entry.file).stem
            assert decode(data)[1]["environment"] == shard.environments[entry.environment]
    assert not theirs
    assert size == sum(answer["bytes"] for answer in answers)
    # Another time there is nothing to do.
    assert worker(tasks[0].payload) == {"state": "there", "share": 0.0, "pictures": 0, "bytes": 0}


def test_what_another_run_is_at_is_left_to_it(start: Start, atlas: Atlas, net: Network) -> None:
    one, two = start(run="one"), start(run="two")
    payload = tasks_of(net, atlas.batches(net))[0].payload
    name = tasks_of(net, atlas.batches(net))[0].name
    assert one.leases.take(name)
    assert two(payload) == {"state": "busy", "share": 0.0, "pictures": 0, "bytes": 0}
    assert one(payload)["state"] == "made"
    assert two(payload)["state"] == "there"


def test_another_model_is_not_rendered(start: Start, other_model_file: Path) -> None:
    with pytest.raises(ModelError, match="another model on this machine"):
        start(other_model_file)


def test_a_storage_that_is_full_is_an_answer(
    start: Start, atlas: Atlas, net: Network, tmp_path: Path
) -> None:
    worker = start()
    (tmp_path / "pictures").write_text("a file in the place of the folder")
    task = tasks_of(net, atlas.batches(net))[0]
    answer = worker(task.payload)
    assert answer["state"] == "refused" and "cannot write" in answer["why"]
    assert finished(Storage(str(tmp_path))) == set()
    (tmp_path / "pictures").unlink()
    assert worker(task.payload)["state"] == "made"


def test_shards_are_lines_of_a_journal_and_damaged_ones_are_none(
    start: Start, atlas: Atlas, net: Network, tmp_path: Path
) -> None:
    task = tasks_of(net, atlas.batches(net))[0]
    start()(task.payload)
    path = tmp_path / "shards" / f"{task.name}.jsonl"
    data = path.read_bytes()
    shard = Shard.from_bytes(data)
    assert shard is not None and shard.to_bytes() == data
    lines = data.splitlines(keepends=True)
    assert json.loads(lines[0]) == {"task": task.name, "pictures": len(shard.entries)}
    damaged = [b"", b"\n", data[:-20], b"".join(lines[:-1]), b"".join(lines[:1] + lines[2:])]
    for part in damaged:
        assert Shard.from_bytes(part) is None
    storage = Storage(str(tmp_path))
    storage.write("shards/other.jsonl", data)  # under another name
    assert dict(read_shards(storage, ["other", "none"])) == {"other": None, "none": None}


def test_claims_are_dropped_after_the_task(
    start: Start, atlas: Atlas, net: Network, tmp_path: Path
) -> None:
    worker = start(run="one")
    task = tasks_of(net, atlas.batches(net))[0]
    worker(task.payload)
    other = Leases(Storage(str(tmp_path)), Owner("two", "elsewhere", 1, 1))
    assert other.holder(task.name) is None
