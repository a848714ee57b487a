"""Keep the arrays that inputs are held at beside pictures, by their checksums."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.files import write_atomically
from kerasviz.network.inputs import checksums
from kerasviz.network.network import Network
from kerasviz.types import Array


def _file(checksum: str) -> str:
    return f"input-{checksum[:16]}.npy"


def save_held(folder: Path, net: Network, data: Mapping[str, str]) -> None:
    """Write the arrays of held inputs, given by name and checksum, unless the folder has them."""
    for name, checksum in data.items():
        path = folder / _file(checksum)
        if not path.is_file():
            buffer = io.BytesIO()
            np.save(buffer, net.data[name], allow_pickle=False)
            write_atomically(path, buffer.getvalue())


def with_held(net: Network, folder: Path, data: Mapping[str, str]) -> Network:
    """Return a network with inputs held at recorded arrays, from its own data or a folder's files.

    Raises:
        UsageError: If neither has an array with the recorded checksum.
    """
    known = net.data_checksums
    missing = {name: c for name, c in data.items() if known.get(name) != c}
    arrays = {name: _read(folder / _file(c), name, c) for name, c in missing.items()}
    return net.with_data(arrays) if arrays else net


def _read(path: Path, name: str, checksum: str) -> Array:
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        array = np.empty(0)
    if checksums({name: array}) != {name: checksum}:
        raise UsageError(
            f"input {name!r} was held at an array that is not there any more ({path}); give it "
            "with --data FILE.npz (in Python: net.with_data)"
        )
    return array
