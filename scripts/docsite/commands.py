"""Run the commands of pages in this process, in full or shortened."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from kerasviz.cli import commands
from kerasviz.errors import KerasvizError
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import RECIPES
from kerasviz.zoo.model_source import ModelSource

#: The most steps of the pictures of an atlas, of which there are many.
ATLAS_STEPS = 4


@dataclass(frozen=True)
class Size:
    """The most steps and pixels of pictures, for a build that only has to succeed."""

    steps: int = 4
    pixels: int = 48

    def shorten_command(self, words: list[str]) -> list[str]:
        """Return a command's words with numbers of steps and pixels no larger than these."""
        known = ("render", "figures", "atlas", "activation-atlas", "export")
        if not words or words[0] not in known:
            return words
        most = {"--steps": self.steps, "--steps-max": self.steps, "--size": self.pixels}
        most["--tile"] = self.pixels // 2
        short = list(words)
        if words[0] != "export" and "--precision" not in words and "--again" not in words:
            # Measuring which is faster takes longer than 4 steps.
            short += ["--precision", "float32"]
        if words[0] == "atlas" and "--steps" not in words:
            short += ["--steps", str(min(self.steps, ATLAS_STEPS))]
        for k, word in enumerate(words[:-1]):
            if word in most:
                short[k + 1] = re.sub(
                    r"\d+", lambda m, most=most[word]: str(min(int(m[0]), most)), words[k + 1]
                )
            elif word == "--snapshots":
                marks = [min(int(n), self.steps) for n in words[k + 1].split(",")]
                short[k + 1] = ",".join(map(str, sorted(set(marks))))
        return short

    def shorten_python(self, text: str) -> str:
        """Return Python text whose ``steps=512`` is no larger than this."""
        return re.sub(r"\bsteps=(\d+)", lambda m: f"steps={min(int(m[1]), self.steps)}", text)

    @contextlib.contextmanager
    def short_recipes(self) -> Iterator[None]:
        """Give every preset no more steps than these, for a while."""
        full = dict(RECIPES)
        for name, recipe in full.items():
            RECIPES[name] = recipe.replace(steps=min(recipe.steps, self.steps))
        try:
            yield
        finally:
            RECIPES.update(full)


def run(command: str, folder: Path, size: Size | None = None, extra: tuple[str, ...] = ()) -> str:
    """Run a ``kerasviz`` command in a folder and return what it prints.

    Raises:
        RuntimeError: If it fails, with its message.
    """
    program, *words = shlex.split(command)
    if program != "kerasviz":
        raise RuntimeError(f"{command}: only kerasviz commands are run")
    if size:
        words = size.shorten_command(words)
    printed = io.StringIO()
    context = size.short_recipes() if size else contextlib.nullcontext()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed), context:
        os.environ["COLUMNS"] = "96"
        try:
            code = commands.main([*words, *extra], "kerasviz", standalone_mode=False)
        except (click.ClickException, KerasvizError) as error:
            raise RuntimeError(f"{command}: {error}") from error
    if code:
        raise RuntimeError(f"{command}: exit status {code}\n{printed.getvalue()}")
    return printed.getvalue()


def share_networks() -> None:
    """Let the commands of this process share networks of the zoo, with all that is compiled."""
    load = ModelSource.load
    known = functools.cache(load)

    def load_once(source: ModelSource) -> Network:
        return load(source) if "." in source.path else known(source)

    ModelSource.load = load_once  # type: ignore[method-assign]
