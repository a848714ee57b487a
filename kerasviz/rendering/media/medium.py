"""Say what a medium is: numbers that are drawn as a picture, with files of their own beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from PIL import Image

from kerasviz.types import Array


class Medium(Protocol):
    """Draw what a network takes, and write it as files.

    All take values [H, W, C], as the optimization has them.
    """

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of the files beside a finished picture, such as ``.npy``."""

    def pil(self, values: Array, opacity: Array | None = None) -> Image.Image:
        """Return the picture that stands for the values."""

    def companions(self, values: Array) -> dict[str, bytes]:
        """Return the files beside a finished picture, by their endings."""

    def read(self, image: Image.Image, files: Mapping[str, bytes]) -> Array | None:
        """Return the values of a picture and the files beside it; ``None`` without those."""


#: The endings of all files that stand beside pictures of some medium.
COMPANIONS = (".npy", ".csv", ".wav", ".gif", ".txt", ".json", ".bin")


def companion_file(file: str, suffix: str) -> str:
    """Return the name of a file beside that of a picture.

    >>> companion_file("conv-7.png", ".csv")
    'conv-7.csv'
    """
    return file.rpartition(".")[0] + suffix
