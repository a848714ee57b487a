"""The public surface: `help(kerasviz)` lists it, and importing it is cheap."""

from __future__ import annotations

import inspect
import re
import resource
import subprocess
import sys

import kerasviz


def listed() -> dict[str, str]:
    """Return the names of the docstring with their lines."""
    return dict(re.findall(r"^    (\w+) +(\S.*)$", kerasviz.__doc__ or "", re.MULTILINE))


def test_help_lists_the_public_names_with_one_line_each() -> None:
    assert sorted(listed()) == sorted([*kerasviz.__all__, "open"])
    assert all(len(line) <= 84 for line in listed().values())
    text = subprocess.run(
        [sys.executable, "-c", "help('kerasviz')"], capture_output=True, text=True, check=True
    ).stdout
    for name, line in listed().items():
        assert re.search(rf"^ +{name} +{re.escape(line)}$", text, re.MULTILINE), name


def test_every_public_name_exists_and_says_what_it_is() -> None:
    for name in kerasviz.__all__:
        found = getattr(kerasviz, name)
        if name != "RECIPES":
            assert inspect.getdoc(found), name
    assert {*kerasviz.__all__, "open", "__version__"} == set(dir(kerasviz))


def test_public_functions_have_all_sections() -> None:
    functions = [n for n in (*kerasviz.__all__, "open") if inspect.isfunction(getattr(kerasviz, n))]
    assert len(functions) >= 10
    for name in functions:
        text = inspect.getdoc(getattr(kerasviz, name)) or ""
        for section in ("Args:", "Returns:", "Raises:", "Example:"):
            assert f"\n{section}\n" in text, (name, section)
        for parameter in inspect.signature(getattr(kerasviz, name)).parameters:
            assert re.search(rf"^    {parameter}: ", text, re.MULTILINE), (name, parameter)


def test_a_star_import_leaves_the_own_open_of_python_alone() -> None:
    names: dict[str, object] = {}
    exec("from kerasviz import *", names)
    assert "render" in names and "open" not in names


def test_the_import_is_cheap() -> None:
    code = "import sys, kerasviz; print(*sys.modules)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "kerasviz" in loaded
    assert not {"tensorflow", "keras", "onnx", "PIL", "click"} & set(loaded)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3  # s of a CPU
