"""kerasviz shows what the units of a Keras or ONNX network look for.

>>> import kerasviz
>>> net = kerasviz.load("efficientnet-lite0")            # doctest: +SKIP
>>> picture = kerasviz.render(net, "block3b:7").images[0]  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerasviz import objectives as objectives
    from kerasviz.errors import KerasvizError as KerasvizError
    from kerasviz.errors import ModelError as ModelError
    from kerasviz.errors import UsageError as UsageError
    from kerasviz.figures import make_figures as make_figures
    from kerasviz.input_spec import InputSpec as InputSpec
    from kerasviz.loader import load as load
    from kerasviz.network import Network as Network
    from kerasviz.recipes import RECIPES as RECIPES
    from kerasviz.recipes import Recipe as Recipe
    from kerasviz.rendering import render as render
    from kerasviz.store import Store as Store
    from kerasviz.taps import Tap as Tap
    from kerasviz.verification import verify as verify

__version__ = "0.1.0"

#: The public names and where they live. They are imported on first use, because TensorFlow takes
#: seconds to import and `kerasviz --help` should not wait for it.
_HOMES = {
    "InputSpec": "input_spec",
    "KerasvizError": "errors",
    "ModelError": "errors",
    "Network": "network",
    "RECIPES": "recipes",
    "Recipe": "recipes",
    "Store": "store",
    "Tap": "taps",
    "UsageError": "errors",
    "load": "loader",
    "make_figures": "figures",
    "render": "rendering",
    "verify": "verification",
}

__all__ = [*sorted(_HOMES), "objectives"]


def __getattr__(name: str) -> Any:
    if name == "objectives":
        return importlib.import_module("kerasviz.objectives")
    if name in _HOMES:
        return getattr(importlib.import_module(f"kerasviz.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kerasviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
