"""Arrays that all pictures of an atlas depend on, such as a spectrum of photos, in its storage."""

from __future__ import annotations

import io
from functools import cache
from typing import TypeVar

import numpy as np

from kerasviz.atlas.shards import PICTURES
from kerasviz.errors import KerasvizError
from kerasviz.io.storage import Storage
from kerasviz.network.inputs import checksums
from kerasviz.optvis.held_array import HeldArray, held_arrays, with_numbers
from kerasviz.rendering.held_data import array_file
from kerasviz.types import Array

Described = TypeVar("Described")


def array_path(held: HeldArray) -> str:
    """Return the path of an array, beside the pictures."""
    return f"{PICTURES}/{array_file(held)}"


def write_arrays(storage: Storage, described: object) -> None:
    """Write the arrays in a description into a storage, unless they are there."""
    for held in held_arrays(described):
        if not storage.exists(array_path(held)):
            buffer = io.BytesIO()
            np.save(buffer, held.numbers, allow_pickle=False)
            storage.write_new(array_path(held), buffer.getvalue())


def array_paths(described: object) -> list[str]:
    """Return the paths of the arrays in a description."""
    return [array_path(held) for held in held_arrays(described)]


def read_arrays(storage: Storage, described: Described) -> Described:
    """Return a description with the numbers of its arrays from a storage, each read once.

    Raises :class:`KerasvizError` for one that is missing or damaged.
    """

    @cache  # the requests of a batch share their spectrum and their facets
    def numbers_of(held: HeldArray) -> Array:
        data = storage.read(array_path(held)) or b""
        try:
            array: Array | None = np.load(io.BytesIO(data), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            array = None
        if array is None or checksums({"": array}) != {"": held.checksum}:
            address = storage.address(array_path(held))
            raise KerasvizError(
                f"{held.name or 'an array'}: {address!r} is missing or damaged; remove it, and "
                "give the photos again"
            )
        array.flags.writeable = False
        return array

    def find(held: HeldArray) -> HeldArray:
        return HeldArray(held.checksum, held.name, numbers_of(held))

    found: Described = with_numbers(described, find)
    return found
