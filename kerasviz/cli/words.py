"""The options of commands beside the arguments of Python functions, as rows of one table."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import click

from kerasviz import types

#: The public functions of commands; the words of both are the same.
FUNCTIONS = {
    "render": "render",
    "figures": "make_figures",
    "examples": "find_examples",
    "directions": "find_directions",
    "positions": "find_positions",
    "circuits": "make_circuits",
    "ablate": "ablate",
    "families": "make_families",
    "explain": "make_explanations",
    "tune": "make_tuning",
    "atlas": "make_atlas",
    "activation-atlas": "make_activation_atlas",
    "export": "export_model",
    "open": "open",
    "check": "check",
    "convert": "convert",
    "verify": "verify",
    "trust": "trust",
}
#: Options on how a model is read, which are arguments of ``kerasviz.load``.
READING = {
    "preprocess": "preprocess",
    "mean": "mean",
    "std": "std",
    "channel_order": "channel_order",
    "labels": "labels",
    "signature": "signature",
    "importer": "importer",
    "unsafe": "unsafe",
    "import": "custom_objects",
    "range": "range_",
    "axes": "axes",
    "rate": "rate",
    "front_end": "front_end",
}
#: Options that only a terminal needs, with what Python has instead.
TERMINAL = {
    "json": "the function returns the data",
    "list": "kerasviz.figures.FIGURES has the figures by name",
    "plan": "kerasviz.atlas.plan.plan_atlas returns the estimate",
    "price": "the estimates of a plan have a method price",
    "report": "kerasviz.importers.onnx.report.report_of returns the report on a file",
}
#: Options of a command for which Python has another function or name.
ELSEWHERE = {
    ("render", "again"): ("render_again", "file"),
    ("figures", "model"): ("make_figures", "net"),
    ("render", "from"): ("render", "from_"),
    ("render", "loop-layer"): ("render", "loop_layers"),
    ("circuits", "from"): ("make_circuits", "from_"),
    ("families", "from"): ("make_families", "from_"),
}
#: Options whose default, or what they take, differs, with the reason.
NOTES = {
    ("render", "out"): "None writes no files; the command writes into out/NAME",
    ("directions", "out"): "None writes no file; the command writes into out/NAME-directions",
    ("positions", "out"): "None writes no files; the command writes into out/NAME-positions",
    ("render", "again"): "a function of its own, because targets and settings are in the file",
    ("explain", "out"): "None writes into out/NAME-explanations, as the command",
    ("ablate", "out"): "None writes into out/NAME-ablation, as the command",
    ("families", "out"): "None writes into out/NAME-families, as the command",
    ("circuits", "out"): "None writes into out/NAME-circuits, as the command",
    ("tune", "out"): "None writes into out/NAME-tuning, as the command",
    ("render", "loop-layer"): "all layers in one list; the option is given again for each",
    ("*", "range"): "range is a function of the language Python itself",
    ("*", "from"): "from is a word of the language Python itself",
    ("open", "browser"): "notebooks show the page in a frame; the command opens a window",
    ("open", "embed"): "notebooks show the page in a frame",
    ("figures", "model"): "the network is the first argument of every function",
    ("*", "import"): "the classes by name, in place of the module that has them",
}
#: Arguments that a command does not have, with the reason.
PYTHON_ONLY = {
    "progress": "commands show progress themselves",
    "settings": "other fields of a recipe; commands read them from a file",
    "custom_objects": "--import names the module of the classes",
}


@dataclass(frozen=True)
class OptionWord:
    """Hold an option of a command and its place in Python.

    ``function`` and ``parameter`` are "" for an option of a terminal, which ``note`` explains, and
    for one that Python lacks, which has no note. Defaults that say nothing are ``None``.
    """

    command: str
    option: str
    function: str
    parameter: str
    default: Any = None
    python_default: Any = None
    choices: tuple[str, ...] = ()
    python_choices: tuple[str, ...] = ()
    note: str = ""

    @property
    def python(self) -> str:
        """The argument as it is written, "" where there is none."""
        return f"kerasviz.{self.function}({self.parameter}=)" if self.function else ""


def option_words(command: click.Command, name: str) -> Iterator[OptionWord]:
    """Yield the options of a command, one of :data:`FUNCTIONS`, with their places in Python."""
    defaults = command.make_context(name, [], resilient_parsing=True).params
    own = _parameters(FUNCTIONS[name])
    for option in command.params:
        if not isinstance(option, click.Option):
            continue
        flag = max(option.opts, key=len)
        option_name = flag.lstrip("-")
        word = option_name.replace("-", "_")
        note = NOTES.get((name, option_name), NOTES.get(("*", option_name), ""))
        function, parameter = ELSEWHERE.get((name, option_name), (FUNCTIONS[name], word))
        if (name, option_name) not in ELSEWHERE and word not in own:
            if word in TERMINAL:
                yield OptionWord(name, flag, "", "", note=TERMINAL[word])
                continue
            function, parameter = "load", READING.get(word, "")
        known = _parameters(function).get(parameter)
        if known is None:
            yield OptionWord(name, flag, "", "")
            continue
        yield OptionWord(
            name,
            flag,
            function,
            parameter,
            _plain(defaults[option.name or ""]),
            _plain(known.default),
            tuple(option.type.choices) if isinstance(option.type, click.Choice) else (),
            _choices(known),
            note,
        )


def words_table() -> list[tuple[str, str, str, str]]:
    """Return rows of all commands for the documentation: command, option, Python, note."""
    from kerasviz.cli import commands

    return [
        (word.command, word.option, word.python, word.note)
        for name in FUNCTIONS
        for word in option_words(commands.commands[name], name)
    ]


def _parameters(function: str) -> dict[str, inspect.Parameter]:
    import kerasviz

    return dict(inspect.signature(getattr(kerasviz, function)).parameters)


def _choices(parameter: inspect.Parameter) -> tuple[str, ...]:
    """Return the choices of an argument that is annotated with a literal type."""
    kinds = [getattr(types, part.strip(), None) for part in str(parameter.annotation).split("|")]
    return next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())


def _plain(default: Any) -> Any:
    """Return a default, ``None`` for those that say nothing."""
    return None if default is inspect.Parameter.empty or default == () else default
