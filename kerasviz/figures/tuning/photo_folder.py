"""Read photos one by one, as a sequence of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from kerasviz.rendering.photos import read_photo
from kerasviz.types import Array, Size


@dataclass(frozen=True)
class PhotoFolder(Sequence[Array]):
    """Hold photos as arrays [H, W, C] in [0, 1], each read when it is asked for.

    Raises :class:`UsageError` then for a file that is no picture.
    """

    paths: tuple[Path, ...]
    size: Size
    channels: int

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, number: int) -> Array: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Array]: ...

    def __getitem__(self, number: int | slice) -> Array | Sequence[Array]:
        if isinstance(number, slice):
            return PhotoFolder(self.paths[number], self.size, self.channels)
        return read_photo(self.paths[number], self.size, self.channels)
