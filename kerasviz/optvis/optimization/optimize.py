"""Optimize a batch of images: all steps of a run, with its snapshots and progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kerasviz.network.network import Network
from kerasviz.optvis.optimization.ascent import Ascent
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.octaves import OctaveAscent
from kerasviz.optvis.optimization.run import CHUNK, LoopInputs, LoopProgress, Run
from kerasviz.optvis.recipe import Recipe


def _stops(steps: int, redirected: int, snapshots: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Split the steps at snapshots, at the end of redirection and into chunks."""
    marks = sorted({s for s in (*snapshots, redirected, steps) if 0 < s <= steps})
    first = 0
    for mark in marks:
        while first < mark:
            last = min(first + CHUNK, mark)
            yield first, last
            first = last


def _ascent(net: Network, recipe: Recipe, batch: LoopInputs, resume: Checkpoint | None) -> Ascent:
    if recipe.octaves > 1:
        return OctaveAscent(net, recipe, batch, resume)
    loop = loop_for(net, batch.structure, recipe, batch.data)
    return Ascent(loop, recipe.steps, batch, resume)


def optimize(
    net: Network,
    recipe: Recipe,
    batch: LoopInputs,
    snapshots: Sequence[int] = (),
    progress: Callable[[LoopProgress], None] | None = None,
    resume: Checkpoint | None = None,
) -> Run:
    """Optimize a batch of images and return them with snapshots and scores.

    A row depends on the network, its objective, the recipe, its seed and the batch's size only,
    unless its objective couples rows. With ``resume``, a checkpoint of the same batch, the result
    is that of an uninterrupted run. Raises :class:`ModelError` for scores that are not finite.
    """
    run = _ascent(net, recipe, batch, resume)
    if resume is None and 0 in snapshots:
        run.snapshots[0] = run.shown()
    for first, last in _stops(recipe.steps, recipe.redirect_steps, (*snapshots, *run.marks)):
        if first < run.step:
            continue
        run.advance(last)
        if last in snapshots:
            run.snapshots[last] = run.shown()
        if progress is not None:
            progress(run.progress())
    return run.result()
