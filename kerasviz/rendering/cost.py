"""The cost of pictures: how many there are, and how long they take on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.network.network import Network
from kerasviz.optvis.objectives.structure import IMAGE, taps_in
from kerasviz.rendering.batching import CANONICAL, Batch
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request

#: Rows of the timed batches, and the approximate time of each in seconds.
ROWS, SECONDS = 4, 1.5
#: The cost of an operation per pixel of the image, in multiplications, beside its own. Fitted to
#: EfficientNet-Lite0 and GoogLeNet, whose layers it times within 25 %.
OPERATION = 30.0
#: The share of a deep network's compile time that the shallowest network takes too.
SHALLOW = 0.4


def pictures_of(plans: Sequence[Batch]) -> int:
    """Count the pictures of batches."""
    return sum(plan.rows for plan in plans)


@dataclass(frozen=True)
class StepCost:
    """Count the work of a step for one picture: multiplications, operations and pixels."""

    multiplications: float
    operations: int
    pixels: int

    @property
    def density(self) -> float:
        """Return all work as multiplications per pixel."""
        return self.multiplications / self.pixels + OPERATION * self.operations


#: The taps of a batch and the size in which the network sees its pictures. The work of a step
#: depends on them.
StepKey = tuple[tuple[str, ...], tuple[int, int]]


@dataclass(frozen=True)
class Clock:
    """Estimate the time of batches on this machine, from one or two timed ones.

    ``step`` is the constant and slope of a line: the seconds of a step per pixel of one row of a
    large batch, by the density of its work. ``start`` is the time in seconds until the first step
    of the deepest loop, which has ``deepest`` operations. ``timed`` names the timed layers,
    ``seconds`` is the time that this took. ``works`` is the counted work of steps.
    """

    net: Network
    step: tuple[float, float]
    start: float
    deepest: int
    timed: tuple[str, ...]
    seconds: float
    works: Mapping[StepKey, StepCost] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, net: Network, plans: Sequence[Batch]) -> Clock:
        """Time a few steps of the batch with the least work and of the one with the most."""
        began = time.perf_counter()
        works = work_of(net, plans)
        ordered = sorted(plans, key=lambda p: (works[p].density, works[p].operations))
        ends = [ordered[0]]
        if works[ordered[-1]].density > 1.2 * works[ordered[0]].density:
            ends.append(ordered[-1])  # last: what is started once in a process is not in its start
        points = []
        for plan in ends:
            start, step = _time(net, plan)
            points.append((works[plan].density, step / works[plan].pixels))
        deepest = works[ends[-1]].operations
        timed = tuple(dict.fromkeys(net.map.name_of(_place(plan)) for plan in ends))
        known = {_key(plan): work for plan, work in works.items()}
        return cls(net, _line(points), start, deepest, timed, time.perf_counter() - began, known)

    def estimate(self, plans: Sequence[Batch]) -> float:
        """Estimate the seconds of batches; a loop is compiled once for all batches of its kind."""
        return sum(steps + start for steps, start in self.parts(plans))

    def parts(self, plans: Sequence[Batch]) -> list[tuple[float, float]]:
        """Estimate the seconds of each batch's steps, and of compiling the first of its kind."""
        others = work_of(self.net, [plan for plan in plans if _key(plan) not in self.works])
        found, compiled = [], set()
        for plan in plans:
            work, start = self.works.get(_key(plan)) or others[plan], 0.0
            row = work.pixels * (self.step[0] + self.step[1] * work.density)
            kind = (plan.structure, plan.recipe.replace(name="", steps=1), plan.batch)
            if kind not in compiled:
                compiled.add(kind)
                depth = min(1.0, work.operations / max(1, self.deepest))
                start = self.start * (SHALLOW + (1 - SHALLOW) * depth)
            rows = plan.batch * CANONICAL.get(plan.batch, 1.0)
            found.append((plan.recipe.steps * rows * row, start))
        return found


def _key(plan: Batch) -> StepKey:
    """Return what the work of a step depends on."""
    return tuple(t for slot in plan.structure for t in slot.taps or (IMAGE,)), plan.recipe.seen_size


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the constant and slope of the line through two points, neither negative.

    >>> _line([(1.0, 3.0), (3.0, 7.0)]), _line([(2.0, 3.0)])
    ((1.0, 2.0), (0.0, 1.5))
    """
    (x, y), (u, v) = points[0], points[-1]
    slope = max(0.0, (v - y) / (u - x)) if u > x else y / x
    constant = y - slope * x
    return (constant, slope) if constant >= 0 else (0.0, v / u)


def _place(plan: Batch) -> str:
    return next(iter(taps_in(plan.structure)), "the image")


def _time(net: Network, plan: Batch) -> tuple[float, float]:
    """Time the start of a batch, and a step for one row of a large batch, in seconds."""
    rows = max(ROWS, max(request.rows for request in plan.requests))
    batch = min(plan.batch, rows)
    requests: list[Request] = []
    for request in plan.requests:
        if sum(r.rows for r in requests) + request.rows <= batch:
            requests.append(replace(request, snapshots=()))

    def run(steps: int) -> float:
        recipe = plan.recipe.replace(steps=steps)
        short = tuple(replace(request, recipe=recipe) for request in requests)
        began = time.perf_counter()
        render_batch(net, replace(plan, requests=short, batch=batch))
        return time.perf_counter() - began

    first, again = run(1), min(run(1), run(1))
    steps = int(min(32, max(2, SECONDS / again)))
    step = max(run(1 + steps) - again, 1e-6) / steps
    return max(first - again, 0.0), step / (batch * CANONICAL.get(batch, 1.0))


# -- work ------------------------------------------------------------------------------------


def work_of(net: Network, plans: Sequence[Batch]) -> dict[Batch, StepCost]:
    """Count the work of a step of each batch in the network's graph, without running it."""
    found: dict[Batch, StepCost] = {}
    sizes = dict.fromkeys(plan.recipe.seen_size for plan in plans)
    for size in sizes:
        own = [plan for plan in plans if plan.recipe.seen_size == size]
        taps = sorted({tap for plan in own for tap in taps_in(plan.structure)})
        graph = _Graph(net, taps, size)
        for plan in own:
            found[plan] = graph.work(taps_in(plan.structure))
    return found


class _Graph:
    """Hold the operations from the image to some taps."""

    def __init__(self, net: Network, taps: Sequence[str], size: tuple[int, int]):
        image = tf.TensorSpec([1, *size, net.channels], tf.float32)
        traced = tf.function(lambda x: net.activations(x, taps), autograph=False)
        concrete = traced.get_concrete_function(image)
        self.ends = dict(zip(taps, _outputs(concrete, taps), strict=True))
        self.pixels = size[0] * size[1]
        self.known: dict[tuple[str, ...], StepCost] = {}

    def work(self, taps: tuple[str, ...]) -> StepCost:
        """Count the work up to some of the taps."""
        if taps not in self.known:
            seen: dict[str, Any] = {}
            todo = [self.ends[tap].op for tap in taps]
            while todo:
                op = todo.pop()
                if op.name not in seen:
                    seen[op.name] = op
                    todo += [tensor.op for tensor in op.inputs]
            ops = [op for op in seen.values() if op.type not in _FREE]
            self.known[taps] = StepCost(sum(map(_multiplications, ops)), len(ops), self.pixels)
        return self.known[taps]


def _outputs(concrete: Any, taps: Sequence[str]) -> list[Any]:
    names = sorted(taps)  # as a dictionary of results is flattened
    by_name = dict(zip(names, concrete.outputs, strict=True))
    return [by_name[tap] for tap in taps]


#: Operations of a graph that compute nothing.
_FREE = ("Const", "Placeholder", "ReadVariableOp", "Identity", "NoOp")


def _multiplications(op: Any) -> float:
    """Count the multiplications of a convolution or matrix product; 0 for other operations."""
    if op.type in ("Conv2D", "DepthwiseConv2dNative"):
        height, width, depth, _ = (float(n or 1) for n in op.inputs[1].shape)
        return _numbers(op.outputs[0]) * height * width * (depth if op.type == "Conv2D" else 1)
    if op.type in ("MatMul", "BatchMatMulV2"):
        return _numbers(op.outputs[0]) * float(op.inputs[0].shape[-1] or 1)
    return 0.0


def _numbers(tensor: Any) -> float:
    shape = tensor.shape
    return float(np.prod([n or 1 for n in shape])) if shape.rank is not None else 0.0
