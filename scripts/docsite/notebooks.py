"""Tutorials: Markdown pages that are executed as notebooks and shown with what they print."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

from docsite.commands import Size

#: Seconds that a cell may take.
LONGEST = 300
#: A first cell, not shown, for a build that only has to succeed.
SHORTER = """\
from kerasviz.optvis.recipes import RECIPES
for _name, _recipe in list(RECIPES.items()):
    RECIPES[_name] = _recipe.replace(steps=min(_recipe.steps, {steps}))
del _name, _recipe"""


@dataclass
class Notebooks:
    """Executes notebooks once and keeps them in a folder; see :class:`docsite.results.Results`."""

    folder: Path
    site: Path
    code: str
    size: Size | None = None
    made: int = field(default=0, init=False)

    def executed(self, source: str, name: str) -> nbformat.NotebookNode:
        """Return the notebook of a Markdown page with the outputs of its cells."""
        key = json.dumps([source, self.code, vars(self.size) if self.size else None])
        path = self.folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.ipynb"
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            notebook = execute(source, self.folder / "work" / name, self.size)
            nbformat.write(notebook, path)
            self.made += 1
        return nbformat.read(path, as_version=4)

    def page(self, source: str, name: str) -> str:
        """Return the page with what each cell gave beneath it, and a link to the notebook."""
        notebook = self.executed(source, name)
        nbformat.write(notebook, self.site / f"{name}.ipynb")
        parts = []
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                parts.append(cell.source)
                continue
            parts.append(f"```python\n{cell.source}\n```")
            parts += [text for output in cell.outputs if (text := show(output))]
        title, _, rest = "\n\n".join(parts).partition("\n")
        link = f"*This page is [a notebook]({name}.ipynb), executed when the site was built.*"
        return f"{title}\n\n{link}\n{rest}\n"


def execute(source: str, folder: Path, size: Size | None = None) -> nbformat.NotebookNode:
    """Execute the cells of a Markdown page in a folder and return the notebook.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails.
    """
    notebook = jupytext.reads(source, fmt="md")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    shown = [cell.source for cell in notebook.cells]
    if size:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.source = size.shorten_python(cell.source)
        text = SHORTER.format(steps=size.steps)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(text))
    folder.mkdir(parents=True, exist_ok=True)
    NotebookClient(
        notebook, timeout=LONGEST, resources={"metadata": {"path": str(folder)}}
    ).execute()
    if size:
        del notebook.cells[0]
        for cell, text in zip(notebook.cells, shown, strict=True):
            cell.source = text
    return notebook


def show(output: Any) -> str:
    """Return one output of a cell as Markdown: HTML, a picture, or text."""
    if output.output_type == "stream":
        return f"```text output\n{_plain(output.text).rstrip()}\n```"
    data = output.get("data", {})
    if "text/html" in data:
        return _isolated(data["text/html"])
    for kind in ("image/png", "image/jpeg", "image/webp"):
        if kind in data:
            content = "".join(data[kind].split())
            return f'<img class="output" src="data:{kind};base64,{content}" alt="Cell output">'
    text = _plain(data.get("text/plain", ""))
    return f"```text output\n{text.rstrip()}\n```" if text.strip() else ""


def _isolated(fragment: str) -> str:
    """Return HTML in a shadow tree, where the site's styles do not reach it."""
    lines = "\n".join(line for line in fragment.splitlines() if line.strip())
    template = f'<template shadowrootmode="open">{lines}</template>'
    return f'<div class="output">{template}</div>'


def _plain(text: str) -> str:
    """Return text without the codes of terminals, and only the last state of a line."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return "\n".join(line.rpartition("\r")[2] for line in text.split("\n"))
