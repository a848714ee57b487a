"""Build the site of the documentation: ``scripts/docs``, or ``python -m docsite.build``.

Every page of ``docs/pages`` is copied with what its blocks give: ``sh pictures`` the pictures of
the commands, ``sh output`` what they print, and for tutorials what each cell gives. Results are
kept in ``build/docs``, and a second build makes only what has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before anything imports TensorFlow

from docsite.commands import Size, shared_networks
from docsite.notebooks import Notebooks
from docsite.pages import Block, blocks, replace_blocks, sources
from docsite.reference import command_reference, http_reference
from docsite.results import Results

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OUT = ROOT / "build" / "docs"
#: Pictures in the repository; pages name them by their way from there.
PICTURES = ROOT / "models" / "pictures"
#: Pages that are written from the code, where the marker stands in them.
WRITTEN = {"<!-- commands -->": command_reference, "<!-- http -->": http_reference}


def main() -> None:
    """Build the site and say where it is."""
    parser = argparse.ArgumentParser(description="Build the site of the documentation.")
    parser.add_argument("--quick", action="store_true", help="few steps and small pictures, for CI")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the site and its cache")
    parser.add_argument("--page", action="append", help="only the commands of this page are run")
    arguments = parser.parse_args()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # many networks in one process
    began = time.monotonic()
    made = fill(arguments.out, Size() if arguments.quick else None, arguments.page)
    filled = time.monotonic()
    page = write_site(arguments.out)
    print(
        f"{page}: {made} of its commands and notebooks were run in {filled - began:.0f} s, "
        f"the pages written in {time.monotonic() - filled:.0f} s"
    )


def fill(out: Path, size: Size | None, only: list[str] | None = None) -> int:
    """Copy the pages to a folder with the results of their commands; return how many were run."""
    pages = out / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(DOCS / "pages", pages)
    shutil.copytree(PICTURES, pages / "pictures", dirs_exist_ok=True)
    shutil.copyfile(DOCS / "zensical.toml", out / "zensical.toml")
    code = checksum()
    results = Results(out / "results", pages, code, size)
    notebooks = Notebooks(out / "notebooks", pages / "tutorials", code, size)
    notebooks.folder.mkdir(parents=True, exist_ok=True)
    tutorials = [] if only else [p for p in sources(pages / "tutorials") if p.stem != "index"]
    # Notebooks are processes of their own.
    with ThreadPoolExecutor(1) as beside, shared_networks():
        texts = [
            (path, beside.submit(notebooks.page, path.read_text(), path.stem)) for path in tutorials
        ]
        for path in sources(pages):
            name = str(path.relative_to(pages))
            if path not in tutorials and (not only or name in only):
                path.write_text(fill_page(path.read_text(), name, results))
        for path, text in texts:
            path.write_text(text.result())
    return results.made + notebooks.made


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


def write_site(out: Path) -> Path:
    """Write the site from the filled pages; warnings, such as broken links, are errors."""
    site = out / "site"
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        sys.exit(f"the site cannot be built:\n{lines.partition('Traceback')[0]}")
    return site / "index.html"


def checksum() -> str:
    """Return a checksum of the code that decides what commands give."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "kerasviz").rglob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
