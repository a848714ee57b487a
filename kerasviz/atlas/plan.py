"""The plan of an atlas: its contents, and the time by the number of workers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from kerasviz.atlas.engines import Task
from kerasviz.atlas.engines.schedule import Schedule
from kerasviz.atlas.tasks import tasks_of
from kerasviz.figures.layout.directions import shown_as
from kerasviz.figures.layout.layers import called
from kerasviz.network.network import Network
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.cost import Clock, pictures_of

#: The numbers of workers that are compared, if there are tasks for them.
WORKERS = (4, 16, 64, 256, 1024)
#: The part of the time that other batch sizes must save to be mentioned.
MENTIONED_GAIN = 0.05
#: Seconds until a worker has started Python and TensorFlow.
START = 8.0
#: After this many idle workers got no task, the others are not asked.
REFUSED = 20
# The bytes of pictures are means over the article's figures of GoogLeNet and EfficientNet-Lite0.
#: Bytes of a PNG for each number of its picture.
NUMBER_BYTES = 0.8
#: Bytes of a PNG beside its picture.
HEAD_BYTES = 700
#: Bytes of the entries of a picture in shard and manifest.
ENTRY_BYTES = 4000


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
    """A number of workers of an engine, their machines, and the seconds that they take.

    ``efficiency`` is the share of the time in which they render pictures.
    """

    engine: str
    workers: int
    machines: int
    seconds: float
    efficiency: float

    def price(self, hourly: float) -> float:
        """Return what the machines cost at a price per hour."""
        return self.machines * self.seconds / 3600 * hourly


@dataclass(frozen=True)
class AtlasPlan:
    """The costs of an atlas: by layer, in bytes, and by the number of workers."""

    layers: tuple[LayerCost, ...]
    picture_bytes: int
    entry_bytes: int
    estimates: tuple[WorkerEstimate, ...]


def plan_atlas(
    net: Network, batches: Sequence[Batch], clock: Clock, cores: int, threads: int
) -> AtlasPlan:
    """Plan the batches of an atlas by a clock that has timed some with ``threads``.

    ``cores`` are those of a machine. Times are those of :func:`makespan`, for workers as fast as
    the one that the clock has timed.
    """
    parts = clock.parts(batches)
    tasks = [
        replace(task, cost=steps)
        for task, (steps, _) in zip(tasks_of(net, batches), parts, strict=True)
    ]
    compiling: dict[str, float] = {}
    for task, (_, start) in zip(tasks, parts, strict=True):
        compiling[task.group] = max(start, compiling.get(task.group, 0.0))
    pictures = pictures_of(batches)
    numbers = math.prod(batches[0].recipe.size) * (net.channels if net.channels == 1 else 3)
    local = max(1, cores // threads)  # workers of a machine
    counts = [("local", 1), *[("local", local)] * (local > 1)]
    counts += [("ray", n) for n in WORKERS if local < n <= max(4, len(tasks))]
    return AtlasPlan(
        tuple(_layers(net, batches, parts)),
        round(pictures * (HEAD_BYTES + NUMBER_BYTES * numbers)),
        pictures * ENTRY_BYTES,
        tuple(_estimate(tasks, compiling, engine, count, local) for engine, count in counts),
    )


def largest_gain(
    usual: AtlasPlan, other: AtlasPlan
) -> tuple[WorkerEstimate, WorkerEstimate] | None:
    """Return both estimates of the workers that gain most by another plan, if they gain much."""
    # The plan with more batches has estimates for more workers.
    pairs = zip(usual.estimates, other.estimates, strict=False)
    best = min(pairs, key=lambda pair: pair[1].seconds / pair[0].seconds)
    return best if best[1].seconds <= (1 - MENTIONED_GAIN) * best[0].seconds else None


def _layers(
    net: Network, batches: Sequence[Batch], parts: Sequence[tuple[float, float]]
) -> list[LayerCost]:
    layers: dict[str, list[tuple[Batch, float]]] = {}
    for batch, seconds in zip(batches, parts, strict=True):
        tap, _ = shown_as(batch.requests[0].objective.terms[0])
        layers.setdefault(tap, []).append((batch, sum(seconds)))
    return [
        LayerCost(
            called(net, tap),
            len({shown_as(r.objective.terms[0])[1] for batch, _ in layer for r in batch.requests}),
            pictures_of([batch for batch, _ in layer]),
            len(layer),
            sum(seconds for _, seconds in layer),
        )
        for tap, layer in layers.items()
    ]


def _estimate(
    tasks: Sequence[Task], compiling: Mapping[str, float], engine: str, workers: int, local: int
) -> WorkerEstimate:
    seconds = makespan(tasks, compiling, workers)
    efficiency = sum(task.cost for task in tasks) / (workers * seconds)
    return WorkerEstimate(engine, workers, math.ceil(workers / local), seconds, efficiency)


def makespan(tasks: Sequence[Task], compiling: Mapping[str, float], workers: int) -> float:
    """Estimate the seconds from asking for workers until they have done all tasks.

    The schedule of a run hands the tasks out, to workers that are alike and never fail.
    """
    schedule = Schedule(tasks, compiling)
    idle = [str(number) for number in range(workers)]
    for worker in idle:
        schedule.joined(worker)
    now, running = START, list[tuple[float, str, str]]()
    by_name = {task.name: task for task in tasks}
    while not schedule.done:
        refused: list[str] = []
        while idle and len(refused) < REFUSED:
            worker = idle.pop()
            task = schedule.next(worker, now)
            if task is None:
                refused.append(worker)
            else:
                heappush(running, (now + schedule.expected(task, worker), worker, task.name))
        now, worker, name = heappop(running)
        schedule.finished(worker, by_name[name], now)
        idle += [*refused, worker]
    return now
