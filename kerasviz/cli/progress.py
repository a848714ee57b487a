"""Progress of the commands, on the standard error."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kerasviz.cli.stopping import kept_pictures, stoppable
from kerasviz.io.terminal import stepping as stepping
from kerasviz.io.terminal import working as working
from kerasviz.network import quiet_tensorflow

if TYPE_CHECKING:
    from kerasviz.rendering.progress import RenderProgress


@contextmanager
def rendering() -> Iterator[Callable[[RenderProgress], None]]:
    """Yield a progress function for ``render_batches``."""
    with stepping("compiling") as update:
        yield lambda progress: update(progress.fraction, progress.describe())


@contextmanager
def rendering_units(folder: Path) -> Iterator[Callable[[RenderProgress], None]]:
    """Yield a progress function for the pictures of units that a folder of pages has.

    Ctrl-C inside the block says how many of them are kept.
    """
    from kerasviz.figures.unit_pictures import PICTURES
    from kerasviz.rendering.store import count_finished

    pictures = folder / PICTURES

    def kept() -> str:
        return kept_pictures(count_finished(pictures), pictures)

    with stoppable(kept), rendering() as progress:
        yield progress


@contextmanager
def downloading(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a progress function for :func:`kerasviz.zoo.fetch`: bytes so far, and in all."""
    with stepping(name) as update:

        def report(done: int, total: int | None) -> None:
            size = f" of {total / 1e6:.1f}" if total else ""
            update(done / total if total else 0.0, f"{name} {done / 1e6:.1f}{size} MB")

        yield report


def import_tensorflow() -> None:
    """Import TensorFlow as :func:`kerasviz.network.quiet_tensorflow.start_tensorflow` does."""
    if "tensorflow" in sys.modules:
        return

    with working("starting TensorFlow"):
        quiet_tensorflow.start_tensorflow()
    gc.freeze()  # so that later collections skip TensorFlow's objects
