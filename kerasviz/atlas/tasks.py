"""The tasks of an atlas: its batches as text for workers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kerasviz.atlas.arrays import read_arrays
from kerasviz.atlas.engines import Task
from kerasviz.io.files import digest
from kerasviz.io.storage import Storage
from kerasviz.network.network import Network
from kerasviz.rendering.batching import CANONICAL, Batch
from kerasviz.rendering.cost import StepCost, work_of
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import slug

#: Multiplications of a second, which turn work into seconds until tasks were measured.
SPEED = 2e10


def payload_of(batch: Batch) -> str:
    """Write a batch as text. Its requests have one recipe and the same snapshots."""
    first = batch.requests[0]
    data = {
        "batch": batch.batch,
        "fixed": first.batch,
        "recipe": first.recipe.to_json(),
        "snapshots": list(first.snapshots),
        "requests": [[r.text, r.objective.to_json(), r.seed, r.rows] for r in batch.requests],
    }
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plan_of(net: Network, payload: str, storage: Storage | None = None) -> Batch:
    """Return the batch that a text stands for, with its arrays from a storage."""
    data: dict[str, Any] = json.loads(payload)
    shared = {"recipe": data["recipe"], "snapshots": data["snapshots"], "batch": data["fixed"]}
    requests = [
        Request.from_json(text, {**shared, "objective": objective, "seed": seed, "rows": rows})
        for text, objective, seed, rows in data["requests"]
    ]
    if storage is not None:
        requests = list(read_arrays(storage, tuple(requests)))
    return Batch.of(net, requests, data["batch"])


def task_name(payload: str) -> str:
    """Name the task with a payload by its first target and 16 digits, which no other task has."""
    data = json.loads(payload)
    return f"{slug(data['requests'][0][0])}-{digest(data)}"


def group_of(batch: Batch) -> str:
    """Name the loop that is compiled for a batch and shared by all batches of its group."""
    snapshots = list(batch.requests[0].snapshots)
    return digest([repr(batch.structure), batch.recipe.identity(), snapshots, batch.batch])


def tasks_of(net: Network, batches: Sequence[Batch]) -> list[Task]:
    """Make the tasks of batches, with the seconds that each may take."""
    works = work_of(net, batches)
    tasks = []
    for batch in batches:
        payload = payload_of(batch)
        seconds = _seconds(batch, works[batch])
        tasks.append(Task(task_name(payload), payload, seconds, group_of(batch)))
    return tasks


def _seconds(batch: Batch, work: StepCost) -> float:
    rows = batch.batch * CANONICAL.get(batch.batch, 1.0)
    return batch.recipe.steps * rows * batch.recipe.views * work.pixels * work.density / SPEED
