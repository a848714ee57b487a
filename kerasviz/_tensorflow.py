"""TensorFlow without the lines that its C++ parts write while they start."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["import_tensorflow", "silent"]


def import_tensorflow() -> None:
    """Import TensorFlow and let it look for devices, without a word if all goes well.

    Does nothing where it is imported already. Since TensorFlow logs by Abseil,
    TF_CPP_MIN_LOG_LEVEL no longer keeps back its notes on CPU instructions and missing GPUs.
    """
    if "tensorflow" in sys.modules:
        return
    with silent():
        import tensorflow as tf

        tf.config.list_logical_devices()
    # A network with many layers has many compiled loops, which TensorFlow takes for a mistake.
    tf.get_logger().setLevel("ERROR")


@contextmanager
def silent() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; after an exception it is shown."""
    try:
        saved = os.dup(2)
    except OSError:  # the standard error is closed
        yield
        return
    with tempfile.TemporaryFile() as held, os.fdopen(saved, "wb") as terminal:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            shutil.copyfileobj(held, terminal)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal.fileno(), 2)
