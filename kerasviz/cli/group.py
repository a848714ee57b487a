"""A group of commands that helps with a missing or wrong command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kerasviz.cli.stopping import stoppable
from kerasviz.errors import near

#: The key of actions that wait for the end of a command, in its context.
_PUT_OFF = "kerasviz.at_success"


class Commands(click.Group):
    """Suggest the nearest command for a wrong one, and allow none."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **{"invoke_without_command": True, **kwargs})

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            names = self.list_commands(ctx)
            raise click.UsageError(
                f"no command {args[0]!r}; near: {near(args[0], names, len(names))}", ctx
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C ends it, and one that keeps something says so itself.

        What was put off by :func:`at_success` is done unless the command fails.
        """
        with stoppable():
            try:
                result = super().invoke(ctx)
            except click.exceptions.Exit as end:
                if end.exit_code == 0:
                    _succeeded(ctx)
                raise
            _succeeded(ctx)
            return result


def at_success(action: Callable[[], None]) -> None:
    """Put off an action to the end of the running command; it is left out if that fails."""
    click.get_current_context().meta.setdefault(_PUT_OFF, []).append(action)


def _succeeded(ctx: click.Context) -> None:
    for action in ctx.meta.pop(_PUT_OFF, []):
        action()


def help_if_alone(ctx: click.Context) -> None:
    """Show the help of a group that was called without a command."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
