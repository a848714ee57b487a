"""Pictures that were never optimized, in place of ``render_batches``: stores of them are quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasviz.network.network import Network
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.recipe import Recipe
from kerasviz.rendering import run
from kerasviz.rendering.batching import Batch
from kerasviz.rendering.picture import Picture
from kerasviz.rendering.request import Request
from kerasviz.rendering.store import Store


def flat_pictures(
    _: Any, plans: Sequence[Batch], progress: Callable[..., None] | None = None, *others: Any
) -> Iterator[list[Picture]]:
    """Pictures that cost nothing: noise of its own for every request and row."""
    for plan in plans:
        found = []
        for request in plan.requests:
            for row in range(request.rows):
                draw = np.random.default_rng([*request.text.encode(), row])
                image = draw.random((*request.recipe.size, 3), np.float32)
                steps = request.recipe.steps
                found.append(
                    Picture(
                        request=request,
                        row=row,
                        image=image,
                        snapshots={s: image * ((1 + s) / (1 + steps)) for s in request.snapshots},
                        score=float(row + 1),
                        history=np.arange(steps, dtype=np.float64),
                        batch=plan.batch,
                    )
                )
        yield found


def fill_store(folder: Path, net: Network, texts: Sequence[str], chosen: Recipe) -> None:
    """Put flat pictures of some targets into a folder."""
    targets = [target for text in texts for target in parse_target(text, net)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "render_batches", flat_pictures)
        requests = [Request(t.text, t.objective, chosen, snapshots=(0,)) for t in targets]
        run.render_into(Store(folder, net), requests)
