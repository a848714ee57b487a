"""TensorFlow's start, with a sign at a terminal that it takes a while."""

from __future__ import annotations

import sys

from kerasviz import quiet

__all__ = ["import_tensorflow"]


def import_tensorflow() -> None:
    """Import TensorFlow as :func:`kerasviz.quiet.import_tensorflow` does."""
    if "tensorflow" in sys.modules:
        return
    from kerasviz.cli.progress import working

    with working("starting TensorFlow"):
        quiet.import_tensorflow()
