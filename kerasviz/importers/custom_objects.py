"""Collect the Keras layers and functions of modules that a model file needs."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError

__all__ = ["custom_objects"]


def custom_objects(modules: Sequence[str]) -> dict[str, Any]:
    """Import modules and return the Keras layers and functions that they define, by name.

    The working directory is searched too. Raises :class:`UsageError` for a module that cannot be
    imported.
    """
    found: dict[str, Any] = {}
    if not modules:
        return found
    import keras

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    for name in modules:
        if name.endswith(".py"):
            raise UsageError(f"--import {name}: give the module's name, {Path(name).stem!r}")
        try:
            module = importlib.import_module(name)
        except (ImportError, SyntaxError) as error:
            raise UsageError(f"--import {name}: {error} (searched from {here})") from error
        for key, value in vars(module).items():
            if inspect.isclass(value) and issubclass(value, keras.layers.Layer):
                own = not value.__module__.startswith("keras.")
            else:
                own = inspect.isfunction(value) and value.__module__ == name
            if own:
                found[key] = value
    return found
