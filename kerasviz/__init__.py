"""kerasviz shows what the units of a Keras or ONNX network look for.

>>> import kerasviz
>>> net = kerasviz.load("efficientnet-lite0")
>>> kerasviz.render(net, "block3b:7", steps=4, size=64).images.shape
(1, 64, 64, 3)

Functions; those of commands take the options of the command as arguments of the same name:
    load            read a model file, a network of the zoo or a model in memory
    render          optimize pictures of targets (kerasviz render)
    render_again    render the picture of a file again (kerasviz render --again)
    make_figures    make the figures of the article (kerasviz figures)
    find_examples   find the images to which units respond (kerasviz examples)
    find_directions find directions in the activations of photos (kerasviz directions)
    find_positions  find the positions at which units are largest (kerasviz positions)
    make_circuits   show what units are built from and what they feed (kerasviz circuits)
    ablate          say what silenced units and weights change on photos (kerasviz ablate)
    make_families   show units that belong together (kerasviz families)
    make_explanations  show what decides a network's answer for photos (kerasviz explain)
    make_tuning     show how units respond to shapes in all directions (kerasviz tune)
    make_atlas      render every unit of a network (kerasviz atlas)
    make_activation_atlas  map what a network sees in many photos (kerasviz activation-atlas)
    open            explore a network on a page that fills itself (kerasviz open)
    export_model    write a network for TensorFlow Serving (kerasviz export)
    convert         write a network as a Keras file or a SavedModel (kerasviz convert)
    check           compare a network with another runtime (kerasviz check)
    verify          render the pictures of a folder again (kerasviz verify)
    trust           say how far pictures can be trusted (kerasviz trust)
    listen          turn optimized spectrograms into sounds (kerasviz listen)

Data:
    Network         a network: its taps, its map, its input and its activations
    Tap             a tensor of a network that can be looked at
    InputSpec       how an image becomes the numbers that a network takes
    Recipe          the settings of an optimization
    RECIPES         the recipes by name: article, lucid, fast, vivid, vit, maco and others
    Store           a folder of pictures with the manifest that makes them again
    objectives      what is maximized, as objects that can be added: channel, neuron, layer...

Errors, of one line each:
    KerasvizError   any of them
    UsageError      a wrong name, value or argument
    ModelError      a model that cannot be read or cannot do what was asked
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kerasviz.network.processor import prepare as _prepare

if TYPE_CHECKING:
    from kerasviz.atlas.activations.make import make_activation_atlas as make_activation_atlas
    from kerasviz.atlas.make import make_atlas as make_atlas
    from kerasviz.atlas.verify import verify as verify
    from kerasviz.errors import KerasvizError as KerasvizError
    from kerasviz.errors import ModelError as ModelError
    from kerasviz.errors import UsageError as UsageError
    from kerasviz.examples.directions import find_directions as find_directions
    from kerasviz.examples.find import find_examples as find_examples
    from kerasviz.examples.listening import listen as listen
    from kerasviz.examples.trust.assess import trust as trust
    from kerasviz.export.convert import convert as convert
    from kerasviz.export.tf_serving.export import export_model as export_model
    from kerasviz.figures.ablation.make import ablate as ablate
    from kerasviz.figures.circuits.make import make_circuits as make_circuits
    from kerasviz.figures.explain.make import make_explanations as make_explanations
    from kerasviz.figures.families.make import make_families as make_families
    from kerasviz.figures.make import make_figures as make_figures
    from kerasviz.figures.tuning.make import make_tuning as make_tuning
    from kerasviz.network.input_spec import InputSpec as InputSpec
    from kerasviz.network.network import Network as Network
    from kerasviz.network.taps import Tap as Tap
    from kerasviz.optvis.objectives import objective as objectives
    from kerasviz.optvis.recipe import Recipe as Recipe
    from kerasviz.optvis.recipes import RECIPES as RECIPES
    from kerasviz.rendering.again import render_again as render_again
    from kerasviz.rendering.position_maps import find_positions as find_positions
    from kerasviz.rendering.render import render as render
    from kerasviz.rendering.store import Store as Store
    from kerasviz.service.opened import open as open
    from kerasviz.zoo.check import check as check
    from kerasviz.zoo.load import load as load

#: The version of the package; setup.cfg reads it without importing anything.
__version__ = "0.1.0"

#: The public names and where they live. They are imported on first use, because TensorFlow takes
#: seconds to import and `kerasviz --help` should not wait for it.
_HOMES = {
    "InputSpec": "network.input_spec",
    "KerasvizError": "errors",
    "ModelError": "errors",
    "Network": "network.network",
    "RECIPES": "optvis.recipes",
    "Recipe": "optvis.recipe",
    "Store": "rendering.store",
    "Tap": "network.taps",
    "UsageError": "errors",
    "ablate": "figures.ablation.make",
    "check": "zoo.check",
    "convert": "export.convert",
    "export_model": "export.tf_serving.export",
    "find_directions": "examples.directions",
    "find_examples": "examples.find",
    "find_positions": "rendering.position_maps",
    "listen": "examples.listening",
    "load": "zoo.load",
    "make_activation_atlas": "atlas.activations.make",
    "make_atlas": "atlas.make",
    "make_circuits": "figures.circuits.make",
    "make_explanations": "figures.explain.make",
    "make_families": "figures.families.make",
    "make_figures": "figures.make",
    "make_tuning": "figures.tuning.make",
    "open": "service.opened",
    "render": "rendering.render",
    "render_again": "rendering.again",
    "trust": "examples.trust.assess",
    "verify": "atlas.verify",
}

#: Those that need no TensorFlow.
_LIGHT = ("InputSpec", "KerasvizError", "ModelError", "UsageError")

#: Without ``open``, so that ``from kerasviz import *`` leaves Python's own alone.
__all__ = [*sorted(_HOMES.keys() - {"open"}), "objectives"]


_prepare()  # before anybody imports TensorFlow


def __getattr__(name: str) -> Any:
    if name in (*_HOMES, "keras", "objectives") and name not in _LIGHT:  # before others import it
        importlib.import_module("kerasviz.network.quiet_tensorflow").import_tensorflow()
    if name == "objectives":
        return importlib.import_module("kerasviz.optvis.objectives.objective")
    if name == "keras":  # callbacks for Keras
        return importlib.import_module("kerasviz.keras")
    if name in _HOMES:
        return getattr(importlib.import_module(f"kerasviz.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kerasviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "open", "__version__"]
