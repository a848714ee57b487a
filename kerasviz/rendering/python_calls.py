"""Write the Python call that makes pictures again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from kerasviz.network.network import Network
from kerasviz.optvis.parameterizations import Alpha
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import RECIPES
from kerasviz.rendering.adapting import adapt_recipe
from kerasviz.rendering.request import Request

#: The longest call that is written in one line.
LINE = 88
#: The recipe that is taken without a name.
DEFAULT = "fast"


def python_call(net: Network, requests: Sequence[Request]) -> str:
    """Write calls of ``kerasviz.render`` for requests; those of equal settings share a call.

    The targets must be texts that parse to their objectives, and the settings have no functions of
    the user. Settings that ``render`` itself adapts to a target are left out.

    >>> python_call(net, [picture.request for picture in r])     # doctest: +SKIP
    'kerasviz.render(net, "block3b:7", seed=2, steps=64, precision="float32")'
    """
    calls: dict[str, tuple[dict[str, str], list[str]]] = {}
    for request in dict.fromkeys(requests):
        arguments = _arguments(request, _before_adapting(net, request))
        calls.setdefault(repr(arguments), (arguments, []))[1].append(request.written)
    return "\n".join(_call(texts, arguments) for arguments, texts in calls.values())


def _call(texts: Sequence[str], arguments: dict[str, str]) -> str:
    targets = [_literal(text) for text in texts]
    listed = targets[0] if len(targets) == 1 else f"[{', '.join(targets)}]"
    parts = ["net", listed, *(f"{name}={value}" for name, value in arguments.items())]
    line = f"kerasviz.render({', '.join(parts)})"
    if len(line) <= LINE:
        return line
    return "kerasviz.render(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def _before_adapting(net: Network, request: Request) -> Recipe:
    """Return the recipe that ``render`` adapts to a target, or that of the request."""
    recipe = request.recipe
    base = RECIPES.get(recipe.name, recipe)
    names = ("pre_activation", "redirect_steps", "transform")
    asked = recipe.replace(**{name: getattr(base, name) for name in names})
    return asked if adapt_recipe(asked, request.objective, net) == recipe else recipe


def _arguments(request: Request, recipe: Recipe) -> dict[str, str]:
    """Return the keyword arguments that say everything but the target, as they are typed."""
    arguments = {}
    if request.seed:
        arguments["seed"] = str(request.seed)
    arguments |= _recipe_arguments(recipe)
    if request.snapshots:
        arguments["snapshots"] = repr(request.snapshots)
    if request.rows > 1:
        arguments["diversity"] = str(request.rows)
    if request.balance:
        arguments["balance"] = "True"
    if request.loop_layers:
        arguments["loop_layers"] = repr(request.loop_layers)
    if request.photo is not None:
        arguments["from_"] = _literal(request.photo.name)
    if request.style is not None:
        arguments["style"] = _literal(request.style.name)
    if request.batch:
        arguments["batch"] = str(request.batch)
    if request.data:
        arguments["data"] = f"{{{', '.join(f'{_literal(n)}: ...' for n, _ in request.data)}}}"
    return arguments


def _recipe_arguments(recipe: Recipe) -> dict[str, str]:
    """Return a preset with the settings that differ, or the whole recipe.

    The precision is always written: without it the fastest of the machine is taken.
    """
    own = recipe.parameterization
    if isinstance(own, Alpha):
        opaque = recipe.replace(parameterization=own.own)
        if opaque.transparent() == recipe:
            return {**_recipe_arguments(opaque), "alpha": "True"}
    base = RECIPES.get(recipe.name)
    if base is None:
        changed: dict[str, Any] = {"recipe": recipe}
    else:
        names = [f.name for f in fields(recipe) if getattr(recipe, f.name) != getattr(base, f.name)]
        changed = {name: getattr(recipe, name) for name in names}
        if recipe.name != DEFAULT:
            changed = {"recipe": recipe.name, **changed}
        changed["precision"] = recipe.precision
    if not all(map(_is_plain, changed.values())):
        return {"recipe": f"kerasviz.Recipe.from_json({recipe.to_json()!r})"}
    return {name: _literal(value) for name, value in changed.items()}


def _is_plain(value: Any) -> bool:
    """Return whether a value is a number, a text or a tuple of these."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float)


def _literal(value: Any) -> str:
    """Write a value as it is typed, texts in double quotes and a square size as one number.

    >>> _literal("a'b"), _literal((64, 64)), _literal((64, 96))
    ('"a\\'b"', '64', '(64, 96)')
    """
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        return str(value[0])
    return repr(value)
