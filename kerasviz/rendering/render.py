"""Render requests to pictures, one batch after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError, check_choice
from kerasviz.io.images import FORMATS
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.scoring import pack_objectives
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.early_stopping import optimize_until_converged
from kerasviz.optvis.optimization.loop import LoopInputs, LoopProgress, optimize
from kerasviz.optvis.recipes import Recipe
from kerasviz.rendering.batching import Batch, make_batches
from kerasviz.rendering.checkpoints import CheckpointWriter
from kerasviz.rendering.picture_options import PictureOptions, requests_for
from kerasviz.rendering.recipe_options import RecipeOptions
from kerasviz.rendering.request import Request
from kerasviz.types import Array, FileFormat, Param, Precision, Size
from kerasviz.zoo.argument_names import named_arguments
from kerasviz.zoo.arguments import Data, Model, as_network


@dataclass(frozen=True)
class Picture:
    """Hold a finished picture: row ``row`` of a request.

    ``image`` [H, W, C] float32 in [0, 1]; ``snapshots`` the same by step; ``score`` of the
    untransformed image, without penalties and terms that couple rows; ``history`` [steps] of the
    whole scores on the transformed image; ``batch`` is the compiled batch size.
    """

    request: Request
    row: int
    image: Array
    snapshots: dict[int, Array]
    score: float
    history: Array
    batch: int


@dataclass(frozen=True)
class RenderProgress:
    """Report how many pictures are finished, and the step of the present batch.

    ``images()`` are those of the present batch, [B, H, W, C] in [0, 1].
    """

    done: int
    pictures: int
    running: int
    step: int
    steps: int
    score: float
    text: str
    images: Callable[[], Array] | None = field(default=None, compare=False, repr=False)

    @property
    def fraction(self) -> float:
        """The finished share of the work, 0 to 1."""
        return (self.done + self.running * self.step / self.steps) / max(1, self.pictures)


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
    rows: list[tuple[Request, int, int]] = []  # request, row in it, group
    for group, request in enumerate(plan.requests):
        rows += [(request, row, group) for row in range(request.rows)]
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
    return [
        Picture(
            request=request,
            row=row,
            image=run.images[i],
            snapshots={step: images[i] for step, images in run.snapshots.items()},
            score=float(run.scores[i]),
            history=run.history[: run.taken[i], i],
            batch=plan.batch,
        )
        for i, (request, row, _) in enumerate(rows)
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
        make = partial(RenderProgress, done, pictures, batch.rows)

        def report(
            p: LoopProgress,
            make: Callable[..., RenderProgress] = make,
            text: str = text,
            writer: CheckpointWriter | None = writer,
        ) -> None:
            if writer is not None:  # first: ``progress`` may raise
                writer(p)
            if progress is not None:
                progress(make(p.step, p.steps, p.score, text, p.images))

        checkpoint = None if writer is None else writer.read()
        if checkpoint is not None:  # an estimate of the time left must know which steps took none
            score = float(checkpoint.history[-1].mean())
            report(LoopProgress(checkpoint.step, batch.recipe.steps, score))
        yield render_batch(net, batch, report, checkpoint)
        done += batch.rows


@dataclass(frozen=True)
class Rendering:
    """Hold the pictures of :func:`render`, in the order of the targets."""

    pictures: tuple[Picture, ...]
    network: dict[str, Any]
    environment: dict[str, str]

    @property
    def images(self) -> Array:
        """All images, [N, H, W, C] in [0, 1]; :class:`UsageError` where their sizes differ."""
        shapes = dict.fromkeys(picture.image.shape for picture in self.pictures)
        if len(shapes) > 1:
            sizes = " and ".join("x".join(map(str, shape)) for shape in shapes)
            raise UsageError(f"the pictures are {sizes}; take them one by one from .pictures")
        return np.stack([p.image for p in self.pictures])

    @property
    def scores(self) -> Array:
        """The scores of the finished images, [N]."""
        return np.array([p.score for p in self.pictures], np.float32)

    @property
    def losses(self) -> Array:
        """Minus the score at every step, on the transformed images, [N, steps].

        NaN after the last step of a picture that has ended early.
        """
        steps = max(len(p.history) for p in self.pictures)
        ends = [(0, steps - len(p.history)) for p in self.pictures]
        padded = [
            np.pad(p.history, end, constant_values=np.nan)
            for p, end in zip(self.pictures, ends, strict=True)
        ]
        return -np.stack(padded)

    @property
    def snapshots(self) -> dict[int, Array]:
        """The images [N, H, W, C] by step number; 0 is the initial noise."""
        steps = self.pictures[0].snapshots
        return {step: np.stack([p.snapshots[step] for p in self.pictures]) for step in steps}

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """Everything that is needed to render each picture again."""
        return [provenance(p, self.network, self.environment) for p in self.pictures]


def network_provenance(net: Network) -> dict[str, Any]:
    """Return the network of a provenance: name, format, SHA-256 and input description.

    It has the signature of a SavedModel where one was chosen, and of a model in memory the kind of
    its checksum.
    """
    return {**net.identity.to_json(), "input": net.require_input_spec().to_json()}


def provenance(
    picture: Picture, network: dict[str, Any], environment: dict[str, str]
) -> dict[str, Any]:
    """Return everything that is needed to render a picture again, as plain data."""
    taken = len(picture.history)
    early = {} if taken == picture.request.recipe.steps else {"steps_taken": taken}
    return {
        "target": picture.request.text,
        **picture.request.to_json(),
        **early,
        "row": picture.row,
        "compiled_batch": picture.batch,
        "network": network,
        "environment": environment,
    }


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
    size: int | Size | str | None = None,
    steps: int | None = None,
    param: Param | None = None,
    precision: Precision | None = None,
    until_converged: bool = False,
    tile: int | None = None,
    out: str | Path | None = None,
    format: FileFormat = "png",
    data: Data | None = None,
    progress: Callable[[RenderProgress], None] | None = None,
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
        size: Pixels, a number or (height, width); by default the network's own where it takes no
            other, else the recipe's.
        steps: The updates of the image.
        param: What is optimized: pixels, their Fourier spectrum, a pyramid, or 32 x 32 pixels.
        precision: The numbers in which convolutions are computed, by default ``"auto"``, the
            fastest on this machine, or that of a recipe of your own.
        until_converged: Whether a picture ends when its score has stopped growing.
        tile: The side of the tiles, in pixels, that the network sees of large pictures.
        out: A folder for the pictures, with the manifest and the page that the command writes.
            Pictures that it has are not rendered again.
        format: The format of the files in ``out``; ``"png"`` has the provenance inside.
        data: Arrays that inputs beside the image are held at, or an ``.npz`` file of them; see
            :meth:`Network.with_data`.
        progress: Called after every chunk of steps.
        settings: Other settings of the recipe: ``learning_rate``, ``transform``...

    Returns:
        The images [N, H, W, C] in [0, 1], in the order of the targets, with their scores. With
        ``out`` they are those of the files, and the scores of single steps are interpolated
        between those that the manifest has.

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
    pictures = PictureOptions.of(seed, snapshots, diversity, negative, batch)
    changes = (steps, size, param, precision, tile, until_converged, settings)
    options = RecipeOptions(recipe, *changes)
    options.chosen()  # wrong settings are an error before the model is loaded
    check_choice("format", format, FORMATS)
    net = as_network(net, data)
    folder = None if out is None else Path(out)
    requests = requests_for(net, targets, options, pictures, folder)
    if folder is None:
        return _rendered(net, requests, progress)
    # These import this module.
    from kerasviz.rendering.commands import CommandLine
    from kerasviz.rendering.fill import fill_folder, folder_rendering
    from kerasviz.rendering.store import Store

    store = Store(folder, net, format)
    fill_folder(store, requests, CommandLine.of_python(net, options.name).of_store, progress)
    return folder_rendering(store, requests)


def _rendered(
    net: Network,
    requests: Sequence[Request],
    progress: Callable[[RenderProgress], None] | None,
) -> Rendering:
    """Render requests, each once, and return all of their pictures."""
    pictures: dict[Request, list[Picture]] = {}
    for batch in render_batches(net, make_batches(net, list(dict.fromkeys(requests))), progress):
        for picture in batch:
            pictures.setdefault(picture.request, []).append(picture)
    ordered = tuple(p for request in requests for p in pictures[request])
    return Rendering(ordered, network_provenance(net), environment())
