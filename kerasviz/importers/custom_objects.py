"""Collect the Keras layers and functions of modules that a model file needs."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError


def custom_objects(modules: Sequence[str]) -> dict[str, Any]:
    """Import modules and return the Keras layers and functions that they define, by name.

    The working directory is searched too. Raises :class:`UsageError` for a module that cannot be
    imported.
    """
    objects: dict[str, Any] = {}
    if not modules:
        return objects
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    for name in modules:
        if name.endswith(".py"):
            raise UsageError(f"--import {name}: give the module's name, {Path(name).stem!r}")
        try:
            module = importlib.import_module(name)
        except (ImportError, SyntaxError) as error:
            raise UsageError(f"--import {name}: {error} (searched from {folder})") from error
        for key, value in vars(module).items():
            if inspect.isclass(value) and _is_layer(value):
                is_defined = not value.__module__.startswith(("keras.", "tf_keras."))
            else:
                is_defined = inspect.isfunction(value) and value.__module__ == name
            if is_defined:
                objects[key] = value
    return objects


def _is_layer(kind: type[Any]) -> bool:
    """Return whether a class is a layer of Keras 3 or 2, without importing either."""
    return any(
        base.__name__ == "Layer" and base.__module__.partition(".")[0] in ("keras", "tf_keras")
        for base in kind.__mro__
    )
