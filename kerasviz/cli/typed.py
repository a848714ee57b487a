"""The running command, as it was typed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from itertools import chain
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from kerasviz.cli.options import InputOptions, ModelOptions

if TYPE_CHECKING:
    from kerasviz.rendering.commands import CommandLine

#: The key of options on the input that were remembered, in the context of a command.
REMEMBERED = "kerasviz.remembered"
#: Options that do not change what figures show, and are written by ``CommandLine`` itself.
ASIDE = ("model", "out", "only_list")


def command_line(model: str, recipe: str, *, held: bool = True) -> CommandLine:
    """Describe the running command, to write commands that make its pictures again.

    ``held`` says whether its option ``--data`` has arrays for inputs; of services it is a folder.
    """
    from kerasviz.rendering.commands import CommandLine

    reading = [
        *(["data"] if held else []),
        *(f.name for kind in (ModelOptions, InputOptions) for f in fields(kind)),
    ]
    every = [option.name or "" for option in click.get_current_context().command.params]
    remembered = click.get_current_context().meta.get(REMEMBERED, ())
    return CommandLine(
        model,
        (*typed_words(name for name in every if name in reading), *remembered),
        recipe,
        (*typed_words(name for name in every if name not in ASIDE), *remembered),
    )


def typed_words(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the named options that were given to the running command, as one line."""
    return tuple(chain.from_iterable(given_options(names).values()))


def given_options(names: Iterable[str]) -> dict[str, list[str]]:
    """Return those of the named options that were given to the running command, as typed."""
    context, wanted = click.get_current_context(), set(names)
    return {
        option.name: _words_of(option, context.params[option.name])
        for option in context.command.params
        if isinstance(option, click.Option)
        and option.name in wanted
        and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    }


def _words_of(option: click.Option, value: Any) -> list[str]:
    """Write an option with its value as typed."""
    flag = option.opts[-1]
    if option.is_flag:
        return [flag]
    if option.multiple:
        return [word for each in value for word in (flag, str(each))]
    if isinstance(value, tuple):
        joint = "x" if option.name == "size" else ","
        value = joint.join(f"{number:g}" for number in value)
    return [flag, str(value)]
