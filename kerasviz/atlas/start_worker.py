"""Start the process of a worker: the job of a run names this module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kerasviz.network.quiet_tensorflow import UNUSED, hidden


def make(argument: Mapping[str, Any]) -> Callable[[str], Any]:
    """Make a worker, whose modules import TensorFlow; its threads are set before it starts."""
    with hidden(UNUSED):
        from kerasviz.atlas.worker import make as make_worker
    return make_worker(argument)
