"""Let notebooks show objects of rooms that know nothing of notebooks."""

from __future__ import annotations

import importlib
import sys
from typing import Any


class NotebookView:
    """Show an object as HTML in notebooks; ``kerasviz.notebook`` draws it.

    The room is imported by name when a notebook asks. So the classes of lower rooms need not import
    a higher one, nothing has to be registered before the first cell, and a terminal pays nothing.
    """

    def _repr_html_(self) -> str:
        html: str = notebook_room().to_html(self)
        return html


def notebook_room() -> Any:
    """Return the package ``kerasviz.notebook``, which stands above the rooms that use it."""
    return importlib.import_module("kerasviz.notebook")


def in_notebook() -> bool:
    """Return whether the code runs in the kernel of a notebook.

    IPython is not imported: where it is not, there is no kernel. At IPython's terminal the shell
    has no kernel.
    """
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
