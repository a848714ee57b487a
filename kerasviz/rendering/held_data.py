"""Keep the arrays that pictures depend on beside them: those of held inputs, photos, spectra."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.files import write_atomically
from kerasviz.network.inputs import checksums
from kerasviz.network.network import Network
from kerasviz.optvis.held_array import HeldArray, held_arrays, with_numbers
from kerasviz.types import Array

if TYPE_CHECKING:
    from kerasviz.rendering.request import Request

Described = TypeVar("Described")


def _input_file(checksum: str) -> str:
    return f"input-{checksum[:16]}.npy"


def array_file(held: HeldArray) -> str:
    """Return the name of the file of a held array beside pictures."""
    return f"array-{held.checksum[:16]}.npy"


def save_held(folder: Path, net: Network, request: Request) -> None:
    """Write the arrays that a request depends on, unless the folder has them."""
    for name, checksum in dict(request.data).items():
        _write(folder / _input_file(checksum), net.data[name])
    for held in held_arrays(request):
        _write(folder / array_file(held), held.numbers)


def _write(path: Path, array: Array) -> None:
    if not path.is_file():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        write_atomically(path, buffer.getvalue())


def with_held(net: Network, folder: Path, data: Mapping[str, str]) -> Network:
    """Return a network with inputs held at recorded arrays, from its own data or a folder's files.

    Raises:
        UsageError: If neither has an array with the recorded checksum.
    """
    known = net.data_checksums
    arrays = {}
    for name, checksum in data.items():
        if known.get(name) != checksum:
            path = folder / _input_file(checksum)
            array = _read(path, checksum)
            if array is None:
                raise UsageError(
                    f"input {name!r} was held at an array that is not there any more ({path}); "
                    "give it with --data FILE.npz (in Python: net.with_data)"
                )
            arrays[name] = array
    return net.with_data(arrays) if arrays else net


def with_arrays(described: Described, folder: Path) -> Described:
    """Return a request, or a part of one, with the numbers of its held arrays from a folder.

    Raises:
        UsageError: For an array whose file is gone or changed.
    """

    def find(held: HeldArray) -> HeldArray:
        path = folder / array_file(held)
        array = _read(path, held.checksum)
        if array is None:
            raise UsageError(
                f"{held.name or 'an array'}: the numbers that the picture was made from are not "
                f"there any more ({path}); put that file back, or render anew from the original"
            )
        return HeldArray(held.checksum, held.name, array)

    found: Described = with_numbers(described, find)
    return found


def check_arrays(described: object) -> None:
    """Raise :class:`UsageError` for a request with an array that is known by checksum only."""
    for held in held_arrays(described):
        _ = held.numbers


def _read(path: Path, checksum: str) -> Array | None:
    """Read an array; return ``None`` for a file without it."""
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    array.flags.writeable = False
    return array if checksums({"": array}) == {"": checksum} else None
