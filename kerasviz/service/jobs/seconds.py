"""Record how long pictures took, in a file beside them that grows by a line for each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kerasviz.io.digits import rounded

#: The record in a folder of pictures: a line of JSON for each picture.
SECONDS = "seconds.jsonl"


def note_seconds(folder: Path, checksums: Iterable[str], seconds: float) -> None:
    """Record that each picture with one of these checksums took some seconds.

    A disk that is full or read-only is no error: the pictures are there.
    """
    share = rounded(seconds, 3)
    lines = [json.dumps({"sha256": sha256, "seconds": share}) + "\n" for sha256 in checksums]
    with suppress(OSError), (folder / SECONDS).open("a", encoding="utf-8") as file:
        file.write("".join(lines))


def read_seconds(folder: Path) -> dict[str, float]:
    """Return the seconds of pictures by their checksums; damaged lines are left out."""
    found: dict[str, float] = {}
    try:
        lines = (folder / SECONDS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        with suppress(ValueError, KeyError, TypeError):
            row = json.loads(line)
            found[str(row["sha256"])] = float(row["seconds"])
    return found
