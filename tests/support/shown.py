"""What a browser shows of an image."""

from __future__ import annotations

from typing import Any


def shown_width(image: Any) -> int:
    """The width in pixels of the file that an image element shows, once the browser has read it."""
    width = image.evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert isinstance(width, int)
    return width
