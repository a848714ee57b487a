"""The order of the house: each name once, tests beside what they test, plain English."""

from __future__ import annotations

import ast
import configparser
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "kerasviz"
#: Folders of tests that mirror something else than one module each.
OTHERS = ("integration", "scripts")
#: Phrases that a stranger stumbles over, and what they hide.
BANNED = (
    "so many",
    "what is there",
    "there already",
    "goes on",
    "heed",
    "by chance",
    "the like",
    "whoever",
    "is made large",
)
#: Files whose English is checked, below the root.
PROSE = (
    *("kerasviz/**/*.py", "kerasviz/**/*.html", "kerasviz/**/*.js"),
    *("scripts/**/*.py", "*.md", "docs/**/*.md"),
)


def modules() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def test_a_class_name_is_used_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: files for name, files in places.items() if len(files) > 1}
    assert len(places) > 300 and not twice


def test_tests_mirror_the_package() -> None:
    tests = ROOT / "tests"
    strangers = []
    for path in sorted(tests.rglob("test_*.py")):
        relative = path.relative_to(tests)
        if relative.parts[0] in OTHERS or relative == Path("test_house.py"):
            continue
        module = PACKAGE / relative.with_name(relative.name.removeprefix("test_"))
        if not module.is_file():
            strangers.append(str(relative))
    assert not strangers, "move them beside their module, or into tests/integration"


def test_the_package_has_few_entries() -> None:
    entries = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 18, sorted(entries)


def test_every_room_is_installed() -> None:
    """The wheel has the packages that setup.cfg names; the checkout has all."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    named = set(settings["options"]["packages"].split())
    rooms = {path.parent.relative_to(ROOT) for path in PACKAGE.rglob("__init__.py")}
    assert {".".join(room.parts) for room in rooms} <= named


def test_the_english_is_plain() -> None:
    pattern = re.compile(rf"\b({'|'.join(BANNED)})\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for glob in PROSE
        for path in sorted(ROOT.glob(glob))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert not found, "say it plainly: see CONTRIBUTING.md"
