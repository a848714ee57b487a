"""The arguments that public functions share: a model, arrays of its other inputs, and names."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Container, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from kerasviz.errors import UsageError, near
from kerasviz.network.inputs import read_arrays
from kerasviz.network.network import Network
from kerasviz.zoo.load import load
from kerasviz.zoo.model_source import ModelSource

#: What a public function takes as a model: a network, or anything that :func:`load` takes.
Model = Any
#: Arrays by the names of inputs, or the ``.npz`` file that has them.
Data = Mapping[str, Any] | str | os.PathLike[str]

P = ParamSpec("P")
R = TypeVar("R")


def as_network(model: Model, data: Data | None = None) -> Network:
    """Return a network as it is, and load anything else; its other inputs are held at ``data``."""
    if isinstance(model, Network):
        return with_data(model, data)
    return with_data(model.load() if isinstance(model, ModelSource) else load(model), data)


def with_data(net: Network, data: Data | None) -> Network:
    """Return a network with inputs held at arrays, given by name or as an ``.npz`` file."""
    if data is None:
        return net
    return net.with_data(data if isinstance(data, Mapping) else read_arrays(Path(data)))


def tap_names(given: str | Iterable[str], known: Container[str]) -> list[str]:
    """Return the names of taps, each once; texts with commas are split.

    A comma may also be part of a name.

    >>> tap_names(["a", "b,c", "d,e"], {"b,c"})
    ['a', 'b,c', 'd', 'e']
    """
    names: list[str] = []
    for text in [given] if isinstance(given, str) else given:
        parts = [text] if text in known else [part.strip() for part in text.split(",")]
        names.extend(part for part in parts if part)
    return list(dict.fromkeys(names))


def named_arguments(
    others: Callable[[], Iterable[str]] = tuple,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a decorator that raises :class:`UsageError` for an argument of an unknown name.

    It names the nearest ones. ``others`` are the names that the function takes as ``**settings``.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        names = [
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if not kwargs.keys() <= set(names):
                check_argument_names(function.__name__, kwargs, [*names, *others()])
            return function(*args, **kwargs)

        return run

    return decorate


def check_argument_names(function: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise :class:`UsageError` for a name that a function does not know."""
    names = list(known)
    for name in given:
        if name in names:
            continue
        if name in inspect.signature(load).parameters:
            raise UsageError(
                f"{function}: {name!r} says how a model is read; give it to kerasviz.load, and "
                "its network to this function"
            )
        raise UsageError(f"{function}: no argument {name!r}; near: {near(name, names)}")
