"""The entry point: what it imports, exit codes, one line for every expected end."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from kerasviz import __version__, cli
from kerasviz.errors import KerasvizError

Run = Callable[..., Any]

#: Runs the command line and then writes how much it imported to the standard error.
SPY = """
import sys
from kerasviz.cli import main
try:
    main()
finally:
    heavy = [name for name in ("tensorflow", "keras", "onnx") if name in sys.modules]
    print(heavy, file=sys.stderr)
"""


def spied(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SPY, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("render", "--help"),
        ("figures", "--help"),
        ("models", "list"),
        ("render", "some.onnx", "a:1", "--size", "big"),
        ("rendr",),
    ],
    ids=" ".join,
)
def test_tensorflow_is_not_imported_where_nothing_needs_it(arguments: tuple[str, ...]) -> None:
    assert spied(*arguments).stderr.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [(), *((name,) for name in cli.commands.commands)])
def test_help_of_every_command_has_examples(run_cli: Run, command: tuple[str, ...]) -> None:
    ended = run_cli(*command, "--help")
    assert ended.code == 0
    assert ended.err == ""
    assert "Examples:" in ended.out
    assert " ".join(["  kerasviz", *command]) in ended.out


def test_examples_of_the_help_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example line parses: its options exist and their values are allowed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/model-examples").mkdir(parents=True)
    (tmp_path / "out/model-examples/examples.json").touch()  # one of them names this folder
    examples = 0
    for name, command in cli.commands.commands.items():
        for line in (command.epilog or "").splitlines():
            if not line.strip().startswith(f"kerasviz {name} "):
                continue
            words = shlex.split(line)[2:]
            context = command.make_context(name, words, resilient_parsing=False)
            assert not context.args or isinstance(command, click.Group)
            examples += 1
    assert examples >= 15


def test_version(run_cli: Run) -> None:
    assert run_cli("--version").out == f"kerasviz {__version__}\n"


def test_no_arguments_show_the_help(run_cli: Run) -> None:
    ended = run_cli()
    assert ended.code == 0
    assert "Usage: kerasviz" in ended.out


def test_group_without_a_command_shows_its_help(run_cli: Run) -> None:
    ended = run_cli("models")
    assert ended.code == 0
    assert "Usage: kerasviz models" in ended.out


def test_completion_is_offered() -> None:
    environment = {**os.environ, "_KERASVIZ_COMPLETE": "bash_source"}
    command = [sys.executable, "-c", "from kerasviz.cli import main; main()"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "_KERASVIZ_COMPLETE=bash_complete" in ended.stdout


class Failing:
    """A stand-in for the commands that ends as it is told."""

    def __init__(self, error: BaseException):
        self.error = error

    def main(self, **_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KerasvizError("it broke\n  here"), 1, "kerasviz: error: it broke here\n"),
        (KeyboardInterrupt(), 130, "kerasviz: stopped\n"),
        (MemoryError(), 1, "kerasviz: error: out of memory; give a smaller --batch or --size\n"),
        (click.Abort(), 130, "kerasviz: stopped\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "kerasviz: error: /x: Permission den"),
    ],
)
def test_ends(
    run_cli: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, line: str
) -> None:
    monkeypatch.setattr(cli, "commands", Failing(error))
    ended = run_cli("anything")
    assert ended.code == code
    assert ended.err.startswith(line)
    assert len(ended.err.splitlines()) == 1


def test_memory_of_a_device(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    monkeypatch.setattr(cli, "commands", Failing(error))
    ended = run_cli("anything")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert "--batch" in ended.err


def test_defects_keep_their_traceback(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "commands", Failing(ZeroDivisionError("a defect")))
    with pytest.raises(ZeroDivisionError):
        run_cli("anything")


def test_closed_pipe_is_quiet() -> None:
    code = "from kerasviz.cli import main; main()"
    command = f"{sys.executable} -c '{code}' render --help | true"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert ended.stderr == ""


@pytest.mark.slow
def test_real_interrupt_keeps_what_is_finished(model_file: Path, tmp_path: Path) -> None:
    """SIGINT from outside: exit code 130, one line, a manifest with whole pictures only."""
    out = tmp_path / "pictures"
    # Where the tests run in the background of a shell, the signal would be ignored.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [sys.executable, "-c", program + "from kerasviz.cli import main; main()", "render"]
    command += [str(model_file), "conv2:*", "--preprocess", "unit", "--out", str(out)]
    command += ["--batch", "1", "--size", "32", "--steps", "400"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (out / "manifest.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert err.splitlines()[-1].startswith("kerasviz: stopped; ")
    assert "Traceback" not in err
    recorded = json.loads((out / "manifest.json").read_text())["pictures"]
    assert 1 <= len(recorded) < 5
    for picture in recorded:
        data = (out / picture["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == picture["sha256"]
    assert f"{len(recorded)} finished" in err
