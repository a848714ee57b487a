"""The command line, ``kerasviz COMMAND``: options in, library calls, texts out."""

from __future__ import annotations

import os
import sys

import click

from kerasviz import __version__
from kerasviz.cli import (
    ablate,
    activation_atlas,
    atlas,
    check,
    circuits,
    convert,
    directions,
    doctor,
    examples,
    explain,
    export,
    families,
    figures,
    listen,
    models,
    positions,
    render,
    serve,
    taps,
    trust,
    tune,
    verify,
)
from kerasviz.cli import (
    open as open_,
)
from kerasviz.cli.group import Commands, help_if_alone
from kerasviz.cli.stopping import line_of
from kerasviz.errors import KerasvizError

__all__ = ["commands", "main"]


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  kerasviz taps efficientnet-lite0
  kerasviz render efficientnet-lite0 block3b:7 logit:goldfish
  kerasviz verify out/efficientnet-lite0
  kerasviz COMMAND --help

\b
Completion of commands, options, models, taps, recipes and figures in the shell:
  eval "$(_KERASVIZ_COMPLETE=bash_source kerasviz)"    (or zsh_source, fish_source)
""",
)
@click.version_option(__version__, prog_name="kerasviz", message="%(prog)s %(version)s")
@click.pass_context
def commands(ctx: click.Context) -> None:
    """See what a neuron, a channel, a layer or a class of a network looks for.

    A network is a Keras (.keras, .h5), SavedModel, ONNX or frozen TensorFlow file, or the name of
    one of `kerasviz models list`.
    """
    help_if_alone(ctx)


for _module in (
    taps,
    render,
    examples,
    directions,
    positions,
    circuits,
    ablate,
    families,
    explain,
    tune,
    figures,
    atlas,
    activation_atlas,
    verify,
    trust,
    listen,
    convert,
    export,
    open_,
    serve,
    check,
    models,
):
    commands.add_command(_module.command)
commands.add_command(doctor.command)


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 bad use, 130 stopped by Ctrl-C.

    Expected errors are one line on the standard error; anything else is a defect of this program
    and keeps its traceback.
    """
    # TensorFlow reads it while it is imported; its information lines say nothing to a user.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        code = commands.main(prog_name="kerasviz", standalone_mode=False)
    except click.ClickException as error:
        code = _fail(line_of(error), error.exit_code)
    except KerasvizError as error:
        code = _fail(line_of(error), error.exit_code)
    except PermissionError as error:
        code = _fail(line_of(error), 1)
    except _memory_errors():
        code = _fail("kerasviz: error: out of memory; give a smaller --batch or --size", 1)
    except (KeyboardInterrupt, click.Abort):  # before or after a command
        code = _fail("kerasviz: stopped", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _memory_errors() -> tuple[type[BaseException], ...]:
    """Return the errors of Python and TensorFlow (if imported) for exhausted memory."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return (MemoryError,)
    return MemoryError, tensorflow.errors.ResourceExhaustedError


def _fail(line: str, code: int) -> int:
    click.echo(line, err=True)
    return code
