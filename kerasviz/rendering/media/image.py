"""Images, which are their own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from kerasviz.io.images import image_array, to_image
from kerasviz.types import Array


@dataclass(frozen=True)
class ImageMedium:
    """Show images as they are, with nothing beside them."""

    suffixes: tuple[str, ...] = ()

    def pil(self, values: Array, opacity: Array | None = None) -> Image.Image:
        """Return an image [H, W, C] in [0, 1] with 8 bits."""
        return to_image(values, opacity)

    def companions(self, values: Array) -> dict[str, bytes]:
        """Return no files."""
        return {}

    def read(self, image: Image.Image, files: Mapping[str, bytes]) -> Array | None:
        """Return the numbers of the image itself."""
        return image_array(image)


IMAGES = ImageMedium()
