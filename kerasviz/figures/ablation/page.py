"""Write the page that shows what edits of a network change on photos."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from kerasviz.examples.datasets import Source, read_example
from kerasviz.io.images import encode
from kerasviz.rendering.pages import render_page, update

#: Photos that are shown, those whose answer changed most.
SHOWN = 24
#: Their side in pixels.
THUMBNAIL = 112


def write_page(folder: Path, record: Mapping[str, Any], source: Source) -> Path:
    """Write the page of an ablation from its data; return its path."""
    names = {source.name(k): k for k in range(len(source))}
    answers = sorted(record["answers"], key=lambda a: (a["before"] == a["after"], a["change"]))
    shown = [
        {**answer, "thumbnail": _thumbnail(source, names[answer["image"]])}
        for answer in answers[:SHOWN]
    ]
    page = render_page(
        "ablation.html",
        record=record,
        network=record["network"],
        shown=shown,
        falling=_bars(record["falling"]),
        rising=_bars(record["rising"]),
    )
    path = folder / "index.html"
    update(path, page.encode())
    return path


def _bars(changes: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """Return labels, changes, and their shares of the largest one in percent."""
    largest = max((abs(change["change"]) for change in changes), default=1.0)
    return [(c["label"], c["change"], round(100 * abs(c["change"]) / largest, 1)) for c in changes]


def _thumbnail(source: Source, number: int) -> str:
    """Return an image as a data URL."""
    pixels = read_example(source.read(number), (THUMBNAIL, THUMBNAIL), 3)
    data = base64.b64encode(encode(Image.fromarray(pixels), "jpg")).decode()
    return f"data:image/jpeg;base64,{data}"
