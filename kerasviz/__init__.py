"""kerasviz shows what the units of a Keras or ONNX network look for.

>>> import kerasviz
>>> net = kerasviz.load("efficientnet-lite0")            # doctest: +SKIP
>>> picture = kerasviz.render(net, "block3b:7").images[0]  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kerasviz._version import __version__ as __version__

if TYPE_CHECKING:
    from kerasviz.errors import KerasvizError as KerasvizError
    from kerasviz.errors import ModelError as ModelError
    from kerasviz.errors import UsageError as UsageError
    from kerasviz.figures import make_figures as make_figures
    from kerasviz.network.input_spec import InputSpec as InputSpec
    from kerasviz.network.network import Network as Network
    from kerasviz.network.taps import Tap as Tap
    from kerasviz.optvis.objectives import objective as objectives
    from kerasviz.optvis.recipes import RECIPES as RECIPES
    from kerasviz.optvis.recipes import Recipe as Recipe
    from kerasviz.rendering.render import render as render
    from kerasviz.rendering.store import Store as Store
    from kerasviz.rendering.verify import verify as verify
    from kerasviz.zoo.load import load as load

#: The public names and where they live. They are imported on first use, because TensorFlow takes
#: seconds to import and `kerasviz --help` should not wait for it.
_HOMES = {
    "InputSpec": "network.input_spec",
    "KerasvizError": "errors",
    "ModelError": "errors",
    "Network": "network.network",
    "RECIPES": "optvis.recipes",
    "Recipe": "optvis.recipes",
    "Store": "rendering.store",
    "Tap": "network.taps",
    "UsageError": "errors",
    "load": "zoo.load",
    "make_figures": "figures",
    "render": "rendering.render",
    "verify": "rendering.verify",
}

__all__ = [*sorted(_HOMES), "objectives"]


def __getattr__(name: str) -> Any:
    if name == "objectives":
        return importlib.import_module("kerasviz.optvis.objectives.objective")
    if name == "keras":  # callbacks for Keras
        return importlib.import_module("kerasviz.keras")
    if name in _HOMES:
        return getattr(importlib.import_module(f"kerasviz.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kerasviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
