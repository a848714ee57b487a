"""Render requests to pictures, one batch after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import check_choice
from kerasviz.io.images import FORMATS
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.optvis.objectives.facets import WEIGHT
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.sums import pack_terms
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.early_stopping import optimize_until_converged
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import LoopInputs, LoopProgress, Run
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.tokens.find import TokenResult, search_rows
from kerasviz.optvis.tokens.search import TokenSearch
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.checkpoints import CheckpointWriter
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.held_data import check_arrays
from kerasviz.rendering.media.media import medium_of
from kerasviz.rendering.media.medium import Medium
from kerasviz.rendering.media.token_record import TokenRecord
from kerasviz.rendering.media.tokens import TokenMedium
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.picture_options import PictureOptions, listed, requests_for
from kerasviz.rendering.progress import RenderProgress, Report, displayed, summary
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.rendering import Rendering
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store
from kerasviz.types import Array, FileFormat, Param, Photos, Precision, SearchName, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network


def render_batch(
    net: Network,
    plan: Batch,
    progress: Callable[[LoopProgress], None] | None = None,
    resume: Checkpoint | None = None,
) -> list[Picture]:
    """Render one batch and return its pictures, without the padding.

    With a recipe that has patience or a cutoff each picture ends when it has converged or has the
    score, and there are no checkpoints to ``resume`` from.
    """
    check_arrays(plan.requests)
    rows = _rows(plan)
    # Padding repeats the last row, as groups of their own, so that it couples with nothing.
    padding = [(rows[-1][0], 0, -1 - i) for i in range(plan.batch - len(rows))]
    padded = rows + padding
    objectives = [r.objective.at(row, r.rows) for r, row, _ in padded]
    settings = objectives, net, plan.recipe.pre_activation, plan.recipe.seen_size
    batch = LoopInputs(
        structure=plan.structure,
        data={**pack_objectives(plan.structure, *settings), **_photos(padded)},
        terms=pack_terms(plan.structure, *settings),
        seeds=np.array([r.seed + row for r, row, _ in padded], np.int32),
        groups=np.array([group for _, _, group in padded], np.int32),
    )
    snapshots = plan.requests[0].snapshots
    if plan.recipe.search is not None:
        run, results = search_rows(net, plan.recipe, batch, progress)
        return _with_results(_pictures(plan, run, medium_of(net)), results)
    if plan.recipe.patience or plan.recipe.cutoff is not None:
        run = optimize_until_converged(net, plan.recipe, batch, plan.batch, snapshots, progress)
    else:
        run = optimize(net, plan.recipe, batch, snapshots, progress, resume)
    return _pictures(plan, run, medium_of(net))


def _with_results(pictures: Sequence[Picture], results: Sequence[TokenResult]) -> list[Picture]:
    """Return pictures of tokens with what their searches say of them."""
    shown = []
    for picture, result in zip(pictures, results, strict=False):
        search = picture.request.recipe.search or TokenSearch()
        tokenizer = search.tokens(result.vocabulary)
        record = TokenRecord(picture.target, result, tokenizer)
        shown.append(replace(picture, medium=TokenMedium(tokenizer, record)))
    return shown


def _photos(rows: Sequence[tuple[Request, int, int]]) -> dict[str, Array]:
    """Return the photos of rows [B, H, W, C] in [0, 1], where they have any."""
    stacks: dict[str, list[Array]] = {}
    for request, _, _ in rows:
        for name, held in request.held.items():
            stacks.setdefault(name, []).append(held.numbers)
    return {name: _in_unit(np.stack(photos)) for name, photos in stacks.items()}


def _in_unit(arrays: Array) -> Array:
    """Return bytes as numbers in [0, 1]; sounds have such numbers."""
    return arrays if arrays.dtype == np.float32 else arrays.astype(np.float32) / 255


def _rows(plan: Batch) -> list[tuple[Request, int, int]]:
    """Return the rows of a batch that are pictures: request, row in it, and group."""
    return [
        (request, row, group)
        for group, request in enumerate(plan.requests)
        for row in range(request.rows)
    ]


def _pictures(plan: Batch, run: Run, medium: Medium) -> list[Picture]:
    """Return the pictures of a run, without those that had not begun when it was stopped."""
    return [
        Picture(
            request=request,
            row=row,
            image=run.images[i],
            snapshots=_until(run, run.snapshots, i),
            score=float(run.scores[i]),
            history=run.history[: run.taken[i], i],
            batch=plan.batch,
            interrupted=not run.complete[i],
            term_scores=dict(zip(request.term_names, map(float, run.terms[i]), strict=False)),
            opacity=None if run.opacity is None else run.opacity[i],
            mask=None if run.mask is None else run.mask[i],
            snapshot_opacities=_until(run, run.snapshot_opacities, i),
            medium=medium,
        )
        for i, (request, row, _) in enumerate(_rows(plan))
        if run.taken[i]
    ]


def _until(run: Run, by_step: Mapping[int, Array], row: int) -> dict[int, Array]:
    """Return what a row has by step, of one that was stopped up to the last step that it took.

    One that ended by itself has its finished picture at later steps.
    """
    last = math.inf if run.complete[row] else run.taken[row]
    return {step: arrays[row] for step, arrays in by_step.items() if step <= last}


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
    medium = medium_of(net)
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
                now = partial(_stopped, batch, p.stopped, medium) if p.stopped else None
                progress(
                    RenderProgress(*before, p.step, p.steps, p.score, text, p.images, now, medium)
                )

        checkpoint = None if writer is None else writer.read()
        if checkpoint is not None:  # an estimate of the time left must know which steps took none
            score = float(checkpoint.history[-1].mean())
            report(LoopProgress(checkpoint.step, batch.recipe.steps, score))
        yield render_batch(net, batch, report, checkpoint)
        done += batch.rows


def _stopped(batch: Batch, stopped: Callable[[], Run], medium: Medium) -> list[Picture]:
    return _pictures(batch, stopped(), medium)


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
    from kerasviz.rendering.balance import weighed  # which imports this module

    began = time.monotonic()
    with displayed(progress) as display:
        requests = weighed(net, requests, progress=display)
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


@named_arguments(lambda: [setting.name for setting in fields(Recipe)])
def render(  # noqa: PLR0913 - the options of the command
    net: Model,
    targets: str | Objective | Iterable[str | Objective],
    *,
    recipe: str | Path | Recipe = "fast",
    seed: int = 0,
    snapshots: Sequence[int] = (),
    diversity: int | None = None,
    negative: bool = False,
    batch: int | None = None,
    balance: bool = False,
    from_: Photos = (),
    style: Photos = None,
    facets: str | Path | None = None,
    facet_weight: float | str | Sequence[float] = WEIGHT,
    facet_positions: bool = False,
    loop_layers: Sequence[str] = (),
    size: int | Size | str | None = None,
    steps: int | None = None,
    param: Param | None = None,
    precision: Precision | None = None,
    until_converged: bool = False,
    tile: int | None = None,
    views: int | None = None,
    cutoff: float | None = None,
    final_size: int | Size | str | None = None,
    tokens: int | None = None,
    tokenizer: str | Path | None = None,
    forbid: str | None = None,
    search: SearchName | None = None,
    seconds: float | None = None,
    alpha: bool = False,
    out: str | Path | None = None,
    format: FileFormat = "png",
    data: Data | None = None,
    spectrum: str | Path | None = None,
    progress: bool | Report | None = None,
    **settings: Any,
) -> Rendering:
    """Optimize pictures and return them, as ``kerasviz render`` does.

    Args:
        net: The network, or what :func:`kerasviz.load` takes.
        targets: Texts such as ``"mixed4a:476"`` (see ``GRAMMAR``), or objectives.
        recipe: How to optimize, the name of a recipe or its file: ``"fast"`` takes 128 steps,
            ``"article"`` those of the paper.
        seed: The seed of the noise that the pictures start from.
        snapshots: Step numbers whose images are kept too; 0 is the noise.
        diversity: The number of pictures of each target that are pushed apart.
        negative: Whether to show what the targets respond to least.
        batch: The pictures that are optimized at once, by default chosen by number and size.
        balance: Whether each term of a sum is divided by what it reaches alone, so that none hides
            the others. Each is optimized alone first, for 32 steps. Penalties keep their weights.
        from_: A photo, or several, from which pictures start: the recipe ``"fast"`` then stands for
            ``"accentuation"``, which adds what raises the score and little else. Files, folders,
            images of Pillow, or arrays [H, W, 3]. ``"caricature:LAYER"`` and ``"inversion:LAYER"``
            show, from noise, what a layer has of it. The shorter side is scaled to the size, and
            the longer one cropped.
        style: A photo in whose style the target ``"style"`` paints that of ``from_``.
        facets: A folder of folders with photos, one for each facet: after the picture of a target
            there is one for each, steered towards what tells its photos from the others. In
            ``out``, ``facets.json`` says how far.
        facet_weight: The strength of facets, or several, or ``"row"`` for nine from 0.1 to 5: there
            is a picture for each.
        facet_positions: Whether it counts for facets where in their photos things are.
        loop_layers: Layers whose units share one compiled loop, which computes all of them: units
            of many layers are there sooner, where pictures take few steps. The last bits of a
            picture depend on it.
        size: Pixels, a number or (height, width); by default the network's own where it takes no
            other, else the recipe's.
        steps: The updates of the image.
        param: What is optimized: pixels, their Fourier spectrum, a pyramid, 32 x 32 pixels, a small
            network that paints them (``"cppn"``), the phases of a spectrum with fixed magnitudes
            (``"maco"``), pixels that are cut off at black and white (``"clip"``), a grey image
            (``"grey"``), or small changes of a photo (``"l2-ball"``, ``"linf-ball"``).
        precision: The numbers in which convolutions are computed, by default ``"auto"``, the
            fastest on this machine, or that of a recipe of your own.
        until_converged: Whether a picture ends when its score has stopped growing.
        tile: The side of the tiles, in pixels, that the network sees of large pictures.
        views: The transformed images that the network sees of each image in a step, such as 16
            crops of a photo; more take more time and memory and give a steadier way.
        cutoff: The score of the untransformed picture from which on it is finished, such as the
            largest that a unit has in photos: a photo is changed no more than that takes. Snapshots
            of later steps are the finished picture.
        seconds: The length of a sound, or of a signal of known rate.
        final_size: Pixels of the finished picture, where ``param`` has one in any size: ``"cppn"``
            paints it anew, sharp in every size.
        tokens: The number of tokens of sequences, for networks that take token ids.
        tokenizer: The file of their tokenizer: ``tokenizer.json``, ``vocab.txt`` or ``vocab.json``.
        forbid: Tokens that are never chosen: ``"non-ascii"``, ``"non-letters"``, and ids as
            ``"0-3,17"``.
        search: How tokens are searched for: ``"epo"``, ``"gcg"``, ``"greedy"`` or ``"random"``.
        alpha: Whether pictures are transparent where the target does not need them, see
            :class:`Alpha`; ``r[0].opacity`` is [H, W], and a file has it too.
        out: A folder for the pictures, with the manifest and the page that the command writes.
            Pictures that it has are not rendered again.
        format: The format of the files in ``out``; ``"png"`` has the provenance inside.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them; see
            :meth:`Network.with_data`.
        spectrum: A folder of photographs; pictures of the recipe ``"maco"`` have the magnitudes of
            their spectrum, which are built in otherwise. 100 or more are best.
        progress: ``None`` shows a bar in notebooks and at terminals, ``True`` elsewhere too,
            ``False`` never; a function is called with a ``RenderProgress`` after every chunk of
            steps.
        settings: Other settings of the recipe: ``learning_rate``, ``transform``...

    Returns:
        The pictures in the order of the targets: images in [0, 1], scores, and how they were made.
        After Ctrl-C (in a notebook: interrupt) those that are finished, and those of the running
        batch as they are, which ``interrupted`` marks. With ``out`` they are those of the files,
        and the scores of single steps are interpolated between those that the manifest has; after
        Ctrl-C they are the finished ones, and the same call continues.

    Raises:
        UsageError: For unknown names and settings out of range.

    Example:
        >>> r = kerasviz.render(net, ["block3b:7", "logit:goldfish"], steps=4, size=32)
        >>> r.images.shape, r.losses.shape
        ((2, 32, 32, 3), (2, 4))

    Reference:
        Olah, Mordvintsev, Schubert: Feature Visualization, Distill 2017.
    """
    asked = (seed, snapshots, diversity, negative, batch, balance, from_, style)
    pictures = PictureOptions.of(*asked, facets, facet_weight, facet_positions, loop_layers)
    changes = (steps, size, param, precision, tile, until_converged, settings)
    of_tokens = (tokens, tokenizer, forbid, search, seconds)
    options = RecipeOptions(
        recipe, *changes, spectrum, alpha, views, cutoff, final_size, *of_tokens
    )
    options.chosen()  # wrong settings are an error before the model is loaded
    check_choice("format", format, FORMATS)
    wanted = listed(targets)
    net = as_network(net, data)
    folder = None if out is None else Path(out)
    requests = requests_for(net, wanted, options, pictures, folder)
    if folder is None:
        return render_requests(net, requests, progress)
    from kerasviz.rendering.fill import render_in  # which imports this module

    commands = CommandLine.of_python(net, options.name).of_store
    return render_in(Store(folder, net, format), requests, commands, progress)
