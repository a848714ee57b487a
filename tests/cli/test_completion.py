"""What the shell offers for an unfinished word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from kerasviz.cli import commands
from kerasviz.cli.completion import RECIPE_NAMES
from kerasviz.figures.catalogue.article import CATALOGUE
from kerasviz.optvis.recipes import RECIPES
from kerasviz.zoo.model_card import cards


def offered(arguments: Sequence[str], text: str) -> list[str]:
    """The words that are offered, without the shell's own files."""
    completion = ShellComplete(commands, {}, "kerasviz", "_KERASVIZ_COMPLETE")
    items = completion.get_completions(list(arguments), text)
    return [item.value for item in items if item.type == "plain"]


def test_models_are_offered_beside_files() -> None:
    names = [name for name in cards() if name.startswith("eff")]
    for command in ("render", "taps", "atlas", "serve", "export"):
        assert offered([command], "eff") == names
    completion = ShellComplete(commands, {}, "kerasviz", "_KERASVIZ_COMPLETE")
    assert [item.type for item in completion.get_completions(["render"], "./m")] == ["file"]


def test_recipes_are_those_of_the_library() -> None:
    assert list(RECIPE_NAMES) == list(RECIPES)
    assert offered(["render", "m", "t", "--recipe"], "f") == ["fast"]


def test_figures_are_offered() -> None:
    names = [slug for slug in CATALOGUE if slug.startswith("div")]
    assert names
    assert offered(["figures"], "div") == names


def test_taps_are_offered_once_the_model_was_loaded(
    run_cli: Callable[..., Any],
    model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    model = str(model_file)
    assert offered(["render", model], "con") == []
    assert offered(["render", model], "lo") == ["logit:"]
    assert run_cli("taps", model).code == 0
    assert offered(["render", model], "conv2") == ["conv2", "conv2_pre_relu"]
    assert "conv2" in offered(["atlas", model, "conv1"], "conv")
    assert offered(["render", "no-such-file.onnx"], "conv") == []


def test_nothing_waits_for_tensorflow() -> None:
    code = (
        "import sys\n"
        "from click.shell_completion import ShellComplete\n"
        "from kerasviz.cli import commands\n"
        "complete = ShellComplete(commands, {}, 'kerasviz', '_KERASVIZ_COMPLETE').get_completions\n"
        "for words in (['render'], ['render', 'efficientnet-lite0'], ['figures']):\n"
        "    assert complete(words, '')\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
