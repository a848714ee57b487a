"""The rooms of the package: imports between them go one way, also those inside of functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "kerasviz"
ROOMS = {path.stem for path in PACKAGE.iterdir()} - {"__init__", "__pycache__"}


def room(module: str) -> str:
    """The folder or file of the package in which a module is.

    >>> room("kerasviz.importers.onnx.graph"), room("kerasviz.rendering.store")
    ('importers', 'store')
    """
    return [*module.split("."), "kerasviz"][1]


def imported(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("kerasviz"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kerasviz"):
            names = [alias.name for alias in node.names]
            if node.module == "kerasviz":  # rooms, or names that __init__ offers
                yield from (f"kerasviz.{name}" for name in names if name in ROOMS)
            else:
                yield str(node.module)


def test_no_room_is_imported_by_one_that_it_imports() -> None:
    needs: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own != "__init__":
            needs.setdefault(own, set()).update(map(room, imported(path)))
    for name, own in needs.items():
        own.discard(name)
    assert needs["cli"] > {"service", "atlas", "figures"}
    order = list(TopologicalSorter(needs).static_order())  # raises CycleError, which names them
    assert order.index("network") < order.index("rendering") < order.index("store")
    assert order[-1] in ("cli", "kerasviz")
