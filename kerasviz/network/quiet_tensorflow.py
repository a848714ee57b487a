"""Import TensorFlow without the log lines of its C++ parts, and keep AutoGraph away."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

#: What Keras imports where it is installed, for its wrappers of scikit-learn and its file editor.
#: With SciPy, which comes along, that is a fifth of the time that TensorFlow takes to start.
UNUSED = ("sklearn", "IPython")

#: Only one thread may hold back what is written to file descriptor 2.
_importing = threading.Lock()


def import_tensorflow() -> None:
    """Import TensorFlow and let it look for devices, silently if all goes well.

    Do nothing if it is already imported. Since TensorFlow logs through Abseil, TF_CPP_MIN_LOG_LEVEL
    no longer suppresses notes on CPU instructions and missing GPUs.
    """
    with _importing:
        if "tensorflow" in sys.modules:
            return
        # TensorFlow reads it while it is imported; its information lines say nothing to a user.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with silent(), _uncollected():
            import tensorflow as tf

            tf.config.list_logical_devices()
        # TensorFlow warns of the many compiled loops of a deep network as if they were a mistake.
        tf.get_logger().setLevel("ERROR")


def start_tensorflow() -> None:
    """Import TensorFlow in a process of the package, without what no process of it uses.

    Not in a user's process: there Keras must find what is installed.
    """
    with hidden(UNUSED):
        import_tensorflow()


@contextmanager
def hidden(libraries: Collection[str]) -> Iterator[None]:
    """Import as if some libraries were not installed; those imported before stay."""
    absent = [name for name in libraries if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # the import fails
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def without_autograph(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function as it is inside of a user's ``tf.function``.

    AutoGraph would rewrite it and all importers to graph code, which they are already, and warn of
    what it cannot rewrite.
    """
    import tensorflow as tf

    plain: Callable[Parameters, Result] = tf.autograph.experimental.do_not_convert(function)
    return plain


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: an import makes none, and the search takes a quarter of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def silent() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and show it after an exception."""
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed
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
