"""Networks that are only names and shapes, and pictures that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.figures.layout import penalty_weights
from kerasviz.io.images import to_image
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value
from kerasviz.rendering import gradient_pictures, run
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.gradient_pictures import GradientCache, GradientTask
from kerasviz.rendering.picture import Picture


class Outline:
    """A program with layers of given widths, that computes nothing: all is 0."""

    def __init__(self, values: Sequence[Value], channels: int):
        self.values = {value.name: value for value in values}
        self.inputs = {"image": Port("image", tf.float32, (None, None, None, channels))}
        self.outputs = [values[-1].name]
        self.module_kinds: dict[str, str] = {}

    def compute(self, feeds: Any, names: Sequence[str], **_: Any) -> Any:
        shapes = {name: self.values[name].shape or () for name in names}
        return {name: tf.zeros([n or 1 for n in shape]) for name, shape in shapes.items()}


def outline(
    layers: Mapping[str, int],
    *,
    op: str = "Conv2D",
    classes: int = 0,
    channels: int = 3,
    name: str = "outline",
    sha256: str = "1" * 64,
    **extra: Any,
) -> Network:
    values = [Value(n, op, (None, None, None, c)) for n, c in layers.items()]
    if classes:
        values.append(Value("logits", "MatMul", (None, classes)))
        values.append(Value("prob", "Softmax", (None, classes), softmax_input="logits"))
    identity = Identity(name, name, "zoo", sha256)
    program = Outline(values, channels)
    return Network(program, identity, input_spec=preset("unit"), **extra)


def waves(seed: int, height: int, width: int, channels: int) -> np.ndarray[Any, Any]:
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    image = np.full((height, width, channels), 0.5)
    for _ in range(6):
        down, across = draw.uniform(1, 12, 2)
        wave = np.sin(6.3 * (down * y + across * x) + draw.uniform(0, 6.3))
        image += 0.2 * wave[..., None] * draw.uniform(-1, 1, channels)
    return np.clip(image, 0, 1).astype(np.float32)


def pictures_of(net: Network, plan: Batch) -> Iterator[Picture]:
    for request in plan.requests:
        for row in range(request.rows):
            steps = request.recipe.steps
            seed = sum(map(ord, request.text)) + request.seed + row
            image = waves(seed, *request.recipe.size, net.channels)
            noise = np.random.default_rng(seed).uniform(0.4, 0.6, image.shape)
            yield Picture(
                request=request,
                row=row,
                image=image,
                snapshots={
                    s: (noise + (image - noise) * (s / steps) ** 0.4).astype(np.float32)
                    for s in request.snapshots
                },
                score=3.0 * np.log1p(steps),
                history=3.0 * np.log1p(np.arange(steps)),
                batch=plan.batch,
            )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the rendering by waves, and what is computed from outlines too.

    The list holds the targets that were rendered.
    """
    made: list[str] = []

    def render_batches(
        net: Network,
        plans: Sequence[Batch],
        progress: Callable[..., None] | None = None,
        *others: object,
    ) -> Iterator[list[Picture]]:
        for plan in plans:
            made.extend(request.text for request in plan.requests)
            yield list(pictures_of(net, plan))

    def compute(task: GradientTask, photos: Any, slopes: GradientCache) -> Any:
        if not isinstance(slopes.net.program, Outline):
            return really(task, photos, slopes)
        return to_image(waves(len(task.kind + task.tap), *task.size, 3)), ""

    really = gradient_pictures.compute
    monkeypatch.setattr(gradient_pictures, "compute", compute)
    monkeypatch.setattr(run, "render_batches", render_batches)
    measured = lambda net, plans: [list(pictures_of(net, plan)) for plan in plans]  # noqa: E731
    monkeypatch.setattr(penalty_weights, "render_batches", measured)
    return made


@pytest.fixture
def network_of() -> Callable[..., Network]:
    """Make a network from the names of its layers and their numbers of channels."""
    return outline
