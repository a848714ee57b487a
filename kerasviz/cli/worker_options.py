"""The options of commands that render on many workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from kerasviz.types import EngineName

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--engine",
        type=click.Choice(get_args(EngineName)),
        default="local",
        show_default=True,
        help="What the workers are: processes of this machine, or actors of a Ray cluster.",
    ),
    click.option(
        "--address",
        metavar="A",
        help="The Ray cluster, such as auto or ray://host:10001. [default: RAY_ADDRESS, or a Ray "
        "of this machine alone]",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many. [default: as many as there are cores or GPUs for, in the whole cluster]",
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        help="Cores of a worker. They decide the last bits of a picture. [default: 1, or those of "
        "the atlas that is there]",
    ),
)


def worker_options(command: Command) -> Command:
    """Add the options on the workers: ``engine``, ``address``, ``workers``, ``threads``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
