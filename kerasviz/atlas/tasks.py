"""The tasks of an atlas: its batches as text that a worker reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kerasviz.atlas.engines import Task
from kerasviz.io.files import digest
from kerasviz.network.network import Network
from kerasviz.rendering.batching import CANONICAL, Batch
from kerasviz.rendering.cost import StepCost, work_of
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import slug

__all__ = ["kind_of", "payload_of", "plan_of", "task_name", "tasks_of"]

#: Multiplications of a second, by which work is turned into seconds until some were measured.
SPEED = 2e10


def payload_of(plan: Batch) -> str:
    """A batch as text. All requests of a batch have one recipe and the same snapshots."""
    first = plan.requests[0]
    data = {
        "batch": plan.batch,
        "fixed": first.batch,
        "recipe": first.recipe.to_json(),
        "snapshots": list(first.snapshots),
        "requests": [[r.text, r.objective.to_json(), r.seed, r.rows] for r in plan.requests],
    }
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plan_of(net: Network, payload: str) -> Batch:
    """The batch that a text stands for."""
    data: dict[str, Any] = json.loads(payload)
    shared = {"recipe": data["recipe"], "snapshots": data["snapshots"], "batch": data["fixed"]}
    requests = [
        Request.from_json(text, {**shared, "objective": objective, "seed": seed, "rows": rows})
        for text, objective, seed, rows in data["requests"]
    ]
    return Batch.of(net, requests, data["batch"])


def task_name(payload: str) -> str:
    """The name of the task with a payload: its first target, and 16 digits that no other has."""
    data = json.loads(payload)
    return f"{slug(data['requests'][0][0])}-{digest(data)}"


def kind_of(plan: Batch) -> str:
    """A name for the loop that is compiled for a batch: plans of one kind share it."""
    snapshots = list(plan.requests[0].snapshots)
    return digest([repr(plan.structure), plan.recipe.identity(), snapshots, plan.batch])


def tasks_of(net: Network, plans: Sequence[Batch]) -> list[Task]:
    """The tasks that make batches, with the seconds that each may take."""
    works, kinds = work_of(net, plans), [kind_of(plan) for plan in plans]
    tasks = []
    for plan, kind in zip(plans, kinds, strict=True):
        payload = payload_of(plan)
        tasks.append(Task(task_name(payload), payload, _seconds(plan, works[plan]), kind))
    return tasks


def _seconds(plan: Batch, work: StepCost) -> float:
    rows = plan.batch * CANONICAL.get(plan.batch, 1.0)
    return plan.recipe.steps * rows * work.pixels * work.density / SPEED
