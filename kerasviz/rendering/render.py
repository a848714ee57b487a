"""Render requests to pictures, one batch after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.scoring import pack_objectives, taps_of
from kerasviz.optvis.objectives.targets import Target, parse_targets
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.early_stopping import optimize_until_converged
from kerasviz.optvis.optimization.loop import LoopInputs, LoopProgress, Run, optimize
from kerasviz.optvis.optimization.precision import AUTO, choose
from kerasviz.optvis.recipes import RECIPES, Recipe
from kerasviz.optvis.recipes import recipe as find_recipe
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.checkpoints import CheckpointWriter
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.progress import RenderProgress, Report, displayed, summary
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.request import Request, by_image, make_requests
from kerasviz.rendering.sizes import unless_named


def render_batch(
    net: Network,
    plan: Batch,
    progress: Callable[[LoopProgress], None] | None = None,
    resume: Checkpoint | None = None,
) -> list[Picture]:
    """Render one batch and return its pictures, without the padding.

    With a recipe that has patience each picture ends when it has converged, and there are no
    checkpoints to ``resume`` from.
    """
    rows = _rows(plan)
    # Padding repeats the last row, as groups of their own, so that it couples with nothing.
    padding = [(rows[-1][0], 0, -1 - i) for i in range(plan.batch - len(rows))]
    padded = rows + padding
    batch = LoopInputs(
        structure=plan.structure,
        data=pack_objectives(
            plan.structure,
            [r.objective.at(row, r.rows) for r, row, _ in padded],
            net,
            plan.recipe.pre_activation,
            plan.recipe.seen_size,
        ),
        seeds=np.array([r.seed + row for r, row, _ in padded], np.int32),
        groups=np.array([group for _, _, group in padded], np.int32),
    )
    snapshots = plan.requests[0].snapshots
    if plan.recipe.patience:
        run = optimize_until_converged(net, plan.recipe, batch, plan.batch, snapshots, progress)
    else:
        run = optimize(net, plan.recipe, batch, snapshots, progress, resume)
    return _pictures(plan, run)


def _rows(plan: Batch) -> list[tuple[Request, int, int]]:
    """Return the rows of a batch that are pictures: request, row in it, and group."""
    return [
        (request, row, group)
        for group, request in enumerate(plan.requests)
        for row in range(request.rows)
    ]


def _pictures(plan: Batch, run: Run) -> list[Picture]:
    """Return the pictures of a run, without those that had not begun when it was stopped."""
    return [
        Picture(
            request=request,
            row=row,
            image=run.images[i],
            snapshots={
                step: images[i] for step, images in run.snapshots.items() if step <= run.taken[i]
            },
            score=float(run.scores[i]),
            history=run.history[: run.taken[i], i],
            batch=plan.batch,
            interrupted=not run.complete[i],
        )
        for i, (request, row, _) in enumerate(_rows(plan))
        if run.taken[i]
    ]


def render_batches(
    net: Network,
    batches: Sequence[Batch],
    progress: Callable[[RenderProgress], None] | None = None,
    checkpoint_of: Callable[[Batch], CheckpointWriter | None] | None = None,
) -> Iterator[list[Picture]]:
    """Render batch after batch; yield the pictures of each as soon as they are finished.

    With ``checkpoint_of`` a batch continues from its checkpoint and saves the next ones. The caller
    drops the checkpoint once the pictures are saved.
    """
    pictures, done = sum(batch.rows for batch in batches), 0
    for batch in batches:
        text = batch.requests[0].text
        if len(batch.requests) > 1:
            text += f" … {batch.requests[-1].text}"
        writer = None if checkpoint_of is None else checkpoint_of(batch)

        def report(
            p: LoopProgress,
            batch: Batch = batch,
            before: tuple[int, int, int] = (done, pictures, batch.rows),
            text: str = text,
            writer: CheckpointWriter | None = writer,
        ) -> None:
            if writer is not None:  # first: ``progress`` may raise
                writer(p)
            if progress is not None:
                now = partial(_stopped, batch, p.stopped) if p.stopped else None
                progress(RenderProgress(*before, p.step, p.steps, p.score, text, p.images, now))

        checkpoint = None if writer is None else writer.read()
        if checkpoint is not None:  # an estimate of the time left must know which steps took none
            score = float(checkpoint.history[-1].mean())
            report(LoopProgress(checkpoint.step, batch.recipe.steps, score))
        yield render_batch(net, batch, report, checkpoint)
        done += batch.rows


def _stopped(batch: Batch, stopped: Callable[[], Run]) -> list[Picture]:
    return _pictures(batch, stopped())


@dataclass
class _Collector:
    """Collect the pictures of batches, and what a running one would be if it ended now."""

    report: Report
    pictures: list[Picture] = field(default_factory=list)
    running: Callable[[], list[Picture]] | None = None

    def __call__(self, progress: RenderProgress) -> None:
        self.running = progress.stopped
        self.report(progress)

    def add(self, pictures: Sequence[Picture]) -> None:
        """Add the pictures of a finished batch."""
        self.pictures += pictures
        self.running = None

    def stop(self) -> bool:
        """Add the pictures of the running batch as they are; return whether there are any."""
        if self.running is not None:
            self.add(self.running())
        return bool(self.pictures)


def render_requests(
    net: Network, requests: Sequence[Request], progress: bool | Report | None = None
) -> Rendering:
    """Render requests in memory.

    Ctrl-C ends it with the finished pictures, and those of the running batch as they are after its
    last chunk of steps. Where there is no picture yet it remains a ``KeyboardInterrupt``.

    Args:
        net: The network.
        requests: The pictures, in the order of the result; equal ones are rendered once.
        progress: See :func:`displayed`.
    """
    began = time.monotonic()
    with displayed(progress) as display:
        collector, stopped = _Collector(display), False
        batches = make_batches(net, list(dict.fromkeys(requests)))
        try:
            for pictures in render_batches(net, batches, collector):
                collector.add(pictures)
        except KeyboardInterrupt:
            stopped = True
            if not collector.stop():
                raise
        by_request: dict[Request, list[Picture]] = {}
        for picture in collector.pictures:
            by_request.setdefault(picture.request, []).append(picture)
        rendering = Rendering(
            tuple(p for request in requests for p in by_request.get(request, ())),
            net,
            environment(),
            tuple(request.text for request in requests if request not in by_request),
        )
        line = summary(rendering.pictures, time.monotonic() - began)
        display.end(f"{line}; {rendering.interruption}" if stopped else line, warn=stopped)
    return rendering


def render(
    net: Network,
    targets: str | Objective | Sequence[str | Objective],
    *,
    recipe: str | Recipe = "fast",
    seed: int = 0,
    snapshots: Sequence[int] = (),
    progress: bool | Report | None = None,
    data: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Rendering:
    """Optimize pictures and return them.

    Args:
        net: The network.
        targets: Texts such as ``"mixed4a:476"`` (see ``GRAMMAR``), or objectives.
        recipe: How to optimize, or the name of a recipe: ``"fast"`` takes 128 steps,
            ``"article"`` those of the paper.
        seed: The seed of the noise that the pictures start from.
        snapshots: Step numbers whose images are kept too; 0 is the noise.
        progress: ``None`` shows a bar in notebooks and at terminals, ``True`` elsewhere too,
            ``False`` never; a function is called with a ``RenderProgress`` after every chunk of
            steps.
        data: Arrays that inputs beside the image are held at; see :meth:`Network.with_data`.
        changes: Other settings of the recipe: ``steps``, ``size`` (a number or (height, width);
            by default the network's own where it takes no other), ``learning_rate``,
            ``precision`` (by default ``"auto"``, the fastest on this machine, or that of a recipe
            of your own)...

    Returns:
        The pictures in the order of the targets: images in [0, 1], scores, and how they were made.
        After Ctrl-C (in a notebook: interrupt) those that are finished, and those of the running
        batch as they are, which ``interrupted`` marks.

    Raises:
        UsageError: For unknown names and settings out of range.

    Example:
        >>> net = kerasviz.load("efficientnet-lite0")                   # doctest: +SKIP
        >>> r = kerasviz.render(net, "block3b:7", steps=128, size=96)   # doctest: +SKIP
        >>> r.images.shape, r.losses.shape                              # doctest: +SKIP
        ((1, 96, 96, 3), (1, 128))

    Reference:
        Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017.
    """
    net = net if data is None else net.with_data(data)
    chosen = find_recipe(recipe)
    if isinstance(changes.get("size"), int):
        changes["size"] = (changes["size"], changes["size"])
    precision = changes.pop("precision", AUTO if recipe in tuple(RECIPES) else chosen.precision)
    chosen = chosen.replace(**changes)
    parsed = _parsed(net, [targets] if isinstance(targets, str | Objective) else targets)
    if precision == AUTO:
        objectives = [target.objective for target in parsed]
        precision = choose(net, taps_of(objectives, net, chosen.pre_activation)).precision
    chosen = chosen.replace(precision=precision)
    requests = []
    for part, image in by_image(net, parsed, chosen):
        sized = chosen if "size" in changes else unless_named(chosen, image)
        requests += make_requests(net, part, sized, seed=seed, snapshots=snapshots)
    return render_requests(net, requests, progress)


def _parsed(net: Network, targets: Sequence[str | Objective]) -> list[Target]:
    parsed: list[Target] = []
    for number, target in enumerate(targets):
        if isinstance(target, Objective):
            parsed.append(Target(f"objective {number}", target))
        else:
            parsed += parse_targets([target], net)
    return parsed
