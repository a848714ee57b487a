"""The options of searches for tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from kerasviz.types import SearchName

Command = TypeVar("Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--tokens",
        type=click.IntRange(min=1),
        metavar="N",
        help="Tokens of a sequence, for networks of token ids. [default: 12, or those that the "
        "network takes]",
    ),
    click.option(
        "--tokenizer",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Their tokenizer: tokenizer.json, vocab.txt or vocab.json. [default: one beside the "
        "model; else ids are numbers, and bytes where there are 256 to 260]",
    ),
    click.option(
        "--forbid",
        metavar="WORD|IDS,...",
        help="Tokens that are never chosen: non-ascii, non-letters, and ids such as 0-3,17.",
    ),
    click.option(
        "--search",
        type=click.Choice(get_args(SearchName)),
        help="How tokens are searched for. [default: epo]",
    ),
)


def word_options(function: Command) -> Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
