"""The options of commands are the arguments of functions, and the other way round."""

from __future__ import annotations

import inspect
import pydoc

import click
import pytest

import kerasviz
from kerasviz.cli import commands
from kerasviz.cli.words import (
    FUNCTIONS,
    NOTES,
    PYTHON_ONLY,
    TERMINAL,
    OptionWord,
    option_words,
    words_table,
)

WORDS = [w for name in FUNCTIONS for w in option_words(commands.commands[name], name)]


def named(words: list[OptionWord]) -> list[str]:
    return [f"{word.command} {word.option}" for word in words]


def test_every_option_is_an_argument_or_of_a_terminal_only() -> None:
    assert len(WORDS) > 100
    assert not named([w for w in WORDS if not w.function and not w.note])


def test_names_and_defaults_are_the_same() -> None:
    for word in WORDS:
        if word.function and not word.note:
            assert word.parameter == word.option.lstrip("-").replace("-", "_"), word
            assert word.default == word.python_default, word


def test_choices_are_the_same() -> None:
    chosen = [word for word in WORDS if word.choices and word.function != "load"]
    assert {word.parameter for word in chosen} > {"param", "precision", "format", "engine", "to"}
    for word in chosen:
        assert word.choices == word.python_choices, word


def test_an_option_without_an_argument_is_found() -> None:
    for name in FUNCTIONS:
        command = commands.commands[name]
        strange = click.Option(["--frobnicate"], is_flag=True)
        more = click.Command(name, params=[*command.params, strange])
        assert named([w for w in option_words(more, name) if not w.function and not w.note]) == [
            f"{name} --frobnicate"
        ]


def test_another_default_or_other_choices_are_found() -> None:
    changed = click.Command(
        "render",
        params=[
            click.Option(["--recipe"], default="article"),
            click.Option(["--format"], type=click.Choice(("png", "gif")), default="png"),
        ],
    )
    recipe, file_format = option_words(changed, "render")
    assert (recipe.default, recipe.python_default) == ("article", "fast")
    assert file_format.choices != file_format.python_choices == ("png", "jpg", "webp")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_is_an_option_or_of_python_only(name: str) -> None:
    """Positional arguments of a command have names in capitals, and the network any."""
    command, function = commands.commands[name], FUNCTIONS[name]
    known = {w.parameter for w in WORDS if w.command == name and w.function == function}
    positional = {p.name for p in command.params if isinstance(p, click.Argument)}
    parameters = set(inspect.signature(getattr(kerasviz, function)).parameters)
    reading = {w.option.lstrip("-") for w in WORDS if w.command == name and w.function == "load"}
    assert parameters - known - positional - reading - PYTHON_ONLY.keys() <= {"net"}
    assert positional - parameters <= {"model"}  # the network


def test_what_python_has_instead_exists() -> None:
    named = [word for note in TERMINAL.values() for word in note.split() if "kerasviz." in word]
    assert len(named) >= 3
    assert all(pydoc.locate(word) is not None for word in named)


def test_notes_are_of_options() -> None:
    assert {(w.command, w.option.lstrip("-")) for w in WORDS} >= {
        (command, option) for command, option in NOTES if command != "*"
    }


def test_the_table_has_every_option() -> None:
    table = words_table()
    assert ("render", "--negative", "kerasviz.render(negative=)", "") in table
    assert [row[:2] for row in table] == [(word.command, word.option) for word in WORDS]
    assert all(python or note for _, _, python, note in table)
