"""Show a result where the user is: in a notebook, or in the viewer of the system."""

from __future__ import annotations

import importlib
from typing import Protocol

from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.io.terminal import in_notebook


class Showable(Protocol):
    """What a notebook draws by itself, and Pillow as an image."""

    def to_pil(self) -> Image.Image:
        """Return the image."""


def show(result: Showable) -> None:
    """Show a result: below the cell of a notebook, else as Pillow does, in the system's viewer.

    Raises:
        UsageError: If the system has no viewer.
    """
    if in_notebook():
        importlib.import_module("IPython.display").display(result)
        return
    from PIL import ImageShow  # which imports IPython where it is installed

    if not ImageShow.show(result.to_pil()):
        raise UsageError(
            'no viewer for images here; r.save("pictures") writes a page, '
            'r.to_pil().save("sheet.png") an image'
        )
