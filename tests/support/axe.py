"""What axe-core finds on a page: contrast, names, roles, structure."""

from __future__ import annotations

from typing import Any


def violations(page: Any) -> list[str]:
    """Return what axe-core finds, a line for each element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found for node in one["nodes"]]
