"""The running command, as it was typed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
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


def command_line(model: str, recipe: str) -> CommandLine:
    """Describe the running command, to write commands that make its pictures again."""
    from kerasviz.rendering.commands import CommandLine

    reading = ["data", *(f.name for kind in (ModelOptions, InputOptions) for f in fields(kind))]
    given = given_options(
        option.name or "" for option in click.get_current_context().command.params
    )
    remembered = click.get_current_context().meta.get(REMEMBERED, ())
    return CommandLine(
        model,
        (*(word for name in given if name in reading for word in given[name]), *remembered),
        recipe,
        (*(word for name in given if name not in ASIDE for word in given[name]), *remembered),
    )


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
