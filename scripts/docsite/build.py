"""Build the site of the documentation: ``scripts/docs``, or ``python -m docsite.build``.

Every page of ``docs/pages`` is copied with what its blocks give: ``sh pictures`` the pictures of
the commands, ``sh output`` what they print, and for tutorials what each cell gives. Results are
kept in ``build/docs``, and a second build makes only what has changed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from docsite.commands import Size
from docsite.fill import ROOT, fill

OUT = ROOT / "build" / "docs"


def main() -> None:
    """Build the site and say where it is."""
    parser = argparse.ArgumentParser(description="Build the site of the documentation.")
    parser.add_argument("--quick", action="store_true", help="few steps and small pictures, for CI")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the site and its cache")
    parser.add_argument("--page", action="append", help="only the commands of this page are run")
    parser.add_argument("--workers", type=int, default=2, help="processes that run commands")
    arguments = parser.parse_args()
    began = time.monotonic()
    size = Size() if arguments.quick else None
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = fill(arguments.out, size, arguments.page, arguments.workers)
    filled = time.monotonic()
    page = write_site(arguments.out)
    print(
        f"{page}: {made} commands and notebooks were run in {filled - began:.0f} s, "
        f"the pages written in {time.monotonic() - filled:.0f} s"
    )


def write_site(out: Path) -> Path:
    """Write the site from the filled pages; warnings, such as broken links, are errors."""
    site = out / "site"
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT}"}
    done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        sys.exit(f"the site cannot be built:\n{lines.partition('Traceback')[0]}")
    return site / "index.html"


if __name__ == "__main__":
    main()
