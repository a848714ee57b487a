"""The plan of an atlas: what it holds, and how long it takes by the number of workers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kerasviz.atlas.engines import Task
from kerasviz.atlas.engines.simulation import Conditions, Workload, simulate
from kerasviz.atlas.tasks import tasks_of
from kerasviz.network.network import Network
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.cost import Clock, pictures_of

__all__ = ["AtlasPlan", "LayerCost", "WorkerEstimate", "outline", "sooner"]

#: The numbers of workers that are worth to compare, if there are tasks for them.
WORKERS = (4, 16, 64, 256, 1024)
#: The part of the time that another cut into batches must save to be worth a word.
WORTH = 0.05
#: Seconds until a worker has started Python and TensorFlow.
START = 8.0
#: Bytes of a PNG for each number in it and beside them, and of its entry in shard and manifest:
#: means over the article's figures of GoogLeNet and EfficientNet-Lite0.
NUMBER, HEAD, ENTRY = 0.8, 700, 4000


@dataclass(frozen=True)
class LayerCost:
    """The units of a layer, their pictures and batches, and the seconds on one worker."""

    tap: str
    units: int
    pictures: int
    batches: int
    seconds: float


@dataclass(frozen=True)
class WorkerEstimate:
    """Workers of an engine on so many machines, with the seconds that they take.

    ``efficiency`` is the share of the time in which they render what is kept.
    """

    engine: str
    workers: int
    machines: int
    seconds: float
    efficiency: float

    def price(self, hourly: float) -> float:
        """What the machines cost at a price per hour."""
        return self.machines * self.seconds / 3600 * hourly


@dataclass(frozen=True)
class AtlasPlan:
    """What an atlas takes: layer by layer, in bytes, and by fleet."""

    layers: tuple[LayerCost, ...]
    picture_bytes: int
    entry_bytes: int
    fleets: tuple[WorkerEstimate, ...]


def outline(
    net: Network, plans: Sequence[Batch], clock: Clock, cores: int, threads: int
) -> AtlasPlan:
    """Plan the batches of an atlas by a clock that was set with so many threads.

    ``cores`` are those of a machine. Hours are those of a simulated run by the schedule of the
    engines, with workers like those that the clock has timed.
    """
    parts = clock.parts(plans)
    tasks = [
        replace(task, cost=steps)
        for task, (steps, _) in zip(tasks_of(net, plans), parts, strict=True)
    ]
    compiling: dict[str, float] = {}
    for task, (_, start) in zip(tasks, parts, strict=True):
        compiling[task.kind] = max(start, compiling.get(task.kind, 0.0))
    pictures = pictures_of(plans)
    numbers = math.prod(plans[0].recipe.size) * (net.channels if net.channels == 1 else 3)
    each = max(1, cores // threads)
    counts = [("local", 1), *[("local", each)] * (each > 1)]
    counts += [("ray", n) for n in WORKERS if each < n <= max(4, len(tasks))]
    return AtlasPlan(
        tuple(_layers(plans, parts)),
        round(pictures * (HEAD + NUMBER * numbers)),
        pictures * ENTRY,
        tuple(_fleet(tasks, compiling, engine, count, each) for engine, count in counts),
    )


def sooner(usual: AtlasPlan, other: AtlasPlan) -> tuple[WorkerEstimate, WorkerEstimate] | None:
    """The fleet that gains most by another outline, in both; ``None`` where none gains much."""
    pairs = zip(usual.fleets, other.fleets, strict=False)  # more batches are worth more workers
    best = min(pairs, key=lambda pair: pair[1].seconds / pair[0].seconds)
    return best if best[1].seconds <= (1 - WORTH) * best[0].seconds else None


def _layers(plans: Sequence[Batch], parts: Sequence[tuple[float, float]]) -> list[LayerCost]:
    found: dict[str, list[tuple[Batch, float]]] = {}
    for plan, seconds in zip(plans, parts, strict=True):
        tap = plan.requests[0].objective.terms[0].tap or ""
        found.setdefault(tap, []).append((plan, sum(seconds)))
    return [
        LayerCost(
            tap,
            len({request.objective.terms[0].unit for plan, _ in own for request in plan.requests}),
            pictures_of([plan for plan, _ in own]),
            len(own),
            sum(seconds for _, seconds in own),
        )
        for tap, own in found.items()
    ]


def _fleet(
    tasks: Sequence[Task], compiling: Mapping[str, float], engine: str, workers: int, each: int
) -> WorkerEstimate:
    load = Workload(tuple(tasks), compiling)
    outcome = simulate(load, Conditions(workers=workers, start=START))
    return WorkerEstimate(
        engine, workers, math.ceil(workers / each), outcome.makespan, outcome.efficiency
    )
