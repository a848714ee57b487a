"""Fill a copy of the pages with what their commands, cells and the code give."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before anything imports TensorFlow

from docsite.commands import Size, share_networks
from docsite.notebooks import Notebooks
from docsite.pages import Block, blocks, replace_blocks, sources
from docsite.reference import command_reference, http_reference
from docsite.results import Results

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: Pictures in the repository; pages name them by their way from there.
PICTURES = ROOT / "models" / "pictures"
#: What is written from the code, where the marker stands in a page.
WRITTEN = {"<!-- commands -->": command_reference, "<!-- http -->": http_reference}


@dataclass(frozen=True)
class PageFiller:
    """Fills pages in a process of its own; ``out`` has the copy of the pages and all results."""

    out: Path
    code: str
    size: Size | None = None

    @property
    def pages(self) -> Path:
        """The folder of the pages."""
        return self.out / "pages"

    def fill(self, name: str) -> int:
        """Fill a page in place, and return how many of its commands and notebooks were run."""
        path = self.pages / name
        if path.parent.name == "tutorials":
            notebooks = Notebooks(self.out / "notebooks", path.parent, self.code, self.size)
            path.write_text(notebooks.page(path.read_text(), path.stem))
            return notebooks.made
        results = Results(self.out / "results", self.pages, self.code, self.size)
        path.write_text(fill_page(path.read_text(), name, results))
        return results.made


def fill(out: Path, size: Size | None, only: list[str] | None = None, workers: int = 2) -> int:
    """Copy the pages to a folder and fill them, in processes; return how many things were run.

    ``only`` names the pages whose commands are run.
    """
    filler = PageFiller(out, checksum(), size)
    shutil.rmtree(filler.pages, ignore_errors=True)
    shutil.copytree(DOCS / "pages", filler.pages)
    shutil.copytree(PICTURES, filler.pages / "pictures", dirs_exist_ok=True)
    shutil.copyfile(DOCS / "zensical.toml", out / "zensical.toml")
    names = [str(path.relative_to(filler.pages)) for path in sources(filler.pages)]
    wanted = [name for name in names if not only or name in only]
    # Tutorials first: each is one long task. Then the pages with most to do.
    wanted.sort(key=lambda name: ("tutorials/" not in name, -_commands(filler.pages / name)))
    spawn = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start) as pool:
        return sum(pool.map(filler.fill, wanted))


def _start() -> None:
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # retracing, of many networks
    share_networks()


def _commands(page: Path) -> int:
    """Return how many commands of a page are run for it."""
    found = blocks(page.read_text())
    return sum(len(b.commands) for b in found if {"pictures", "output"} & set(b.words))


def fill_page(text: str, name: str, results: Results) -> str:
    """Return a page with the results of its blocks, and with what is written from the code."""
    files = {
        word: block.text
        for block in blocks(text)
        for word in block.words
        if block.language == "json" and word.endswith(".json")
    }
    up = "../" * name.count("/")
    text = re.sub(r"\((\.\./)+models/pictures/", f"({up}pictures/", text)

    def filled(block: Block) -> str:
        title = f' title="{block.words[0]}"' if block.language == "json" and block.words else ""
        shown = [f"```{block.language}{title}\n{block.text}```"]
        if "output" in block.words:
            shown.append(f"```text\n{results.output(block, files).rstrip()}\n```")
        if "pictures" in block.words:
            shown.append(results.figures(block, files, up))
        return "\n\n".join(shown)

    text = replace_blocks(text, filled)
    for marker, write in WRITTEN.items():
        if marker in text:
            text = text.replace(marker, write())
    return text


def checksum() -> str:
    """Return a checksum of the code that decides what commands give."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "kerasviz").rglob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()
