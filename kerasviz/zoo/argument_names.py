"""The names of arguments of public functions; an unknown one is a one-line error."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, TypeVar

from kerasviz.errors import UsageError, near

P = ParamSpec("P")
R = TypeVar("R")


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
    from kerasviz.zoo.load import load

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
