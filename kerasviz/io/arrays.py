"""Read arrays of numbers from .npy, .npz and .safetensors files, none of which can run code."""

from __future__ import annotations

import hashlib
import importlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError, first_line, near
from kerasviz.types import Array

#: The endings of files that are read.
ENDINGS = (".npy", ".npz", ".safetensors")
#: The endings of pickles, which can run any code when they are read.
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib")
#: What a file raises that is damaged or has objects of Python.
_DAMAGED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)

#: The numbers of a .safetensors file that NumPy and ml_dtypes have.
_NUMBERS = ("F16", "BF16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64")


@dataclass(frozen=True)
class StoredArray:
    """An array in an open file: its shape, and a function that reads slices along an axis."""

    shape: tuple[int, ...]
    take: Callable[[int, int], Array]
    whole: Callable[[], Array]

    def read(self, numbers: Sequence[int] | None = None, axis: int = 0) -> Array:
        """Return the whole array, or the slices of these numbers, which come first."""
        if numbers is None:
            return self.whole()
        return np.stack([self.take(number, axis) for number in numbers])


@contextmanager
def opened_arrays(path: Path) -> Iterator[dict[str, StoredArray]]:
    """Open a file of arrays, by name, with ``""`` for that of an ``.npy`` file.

    Arrays that are no numbers are left out.

    Raises:
        UsageError: For a file that does not exist or is damaged, of another format, and a pickle.
    """
    check_format(path)
    _check_exists(path)
    try:
        if path.suffix.lower() == ".safetensors":
            with _safetensors(path) as arrays:
                yield arrays
        elif path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as file:
                found = {name: _member(path, file, name) for name in file.files}
                yield {name: array for name, array in found.items() if array is not None}
        else:
            array = np.load(path, allow_pickle=False, mmap_mode="r")
            if not _numeric(array):
                raise UsageError(f"{path}: its {array.dtype} are no numbers")
            yield {"": _of(array)}
    except _DAMAGED as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise UsageError(_pickled(path, path.suffix)) from error
        raise UsageError(f"{path}: no readable {path.suffix} file: {first_line(error)}") from error


def array_name(path: Path, names: Sequence[str], key: str) -> str:
    """Return the name of the array that ``key`` stands for; "" for the only one of a file.

    Raises:
        UsageError: For an unknown name, and none where there are several.
    """
    if key in names:
        return key
    if "" in names:
        raise UsageError(f"{path}: an .npy file has one array without a name; leave out :{key}")
    if not names:
        raise UsageError(f"{path}: there are no arrays of numbers in it")
    if not key and len(names) == 1:
        return names[0]
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    if not key:
        raise UsageError(f"{path}: which array? give {path}:KEY with one of {listed}")
    close = near(key, names)
    raise UsageError(f"{path}: no array {key!r}; " + (f"near: {close}" if close else listed))


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file, which is read again only when it has changed."""
    about = path.stat()
    return _checksum(path.resolve(), about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=256)
def _checksum(path: Path, _: int, __: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_format(path: Path) -> None:
    """Raise :class:`UsageError` for the name of a pickle, or of a file that is not read here."""
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise UsageError(_pickled(path, ending))
    if ending not in ENDINGS:
        raise UsageError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}")


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")


def _pickled(path: Path, ending: str) -> str:
    """Say why a pickle is refused, and how it is converted."""
    safe = path.with_suffix(".npy").name
    if ending in (".npy", ".npz"):
        return (
            f"{path}: has Python objects, a pickle that can run any code when it is read; save "
            "numbers where it was made: numpy.save(FILE, array.astype('float32'))"
        )
    if ending in (".pkl", ".pickle", ".joblib"):
        how = f"where you trust it, load it in Python and numpy.save({safe!r}, array)"
    else:
        how = (
            "convert it: python -c \"import torch, numpy; numpy.save('"
            f"{safe}', torch.load('{path.name}', weights_only=True).float().numpy())\", with [KEY] "
            "after the load of a dict"
        )
    return f"{path}: a pickle can run any code when it is read, so it is not; {how}"


def _numeric(array: Array) -> bool:
    return array.dtype.kind in "fiu" and array.ndim > 0


def _of(array: Array) -> StoredArray:
    return StoredArray(array.shape, lambda number, axis: array.take(number, axis), lambda: array)


def _member(path: Path, file: Any, name: str) -> StoredArray | None:
    """Return an array of an .npz file, which is read when it is wanted."""
    with file.zip.open(name if name in file.zip.namelist() else f"{name}.npy") as member:
        if np.lib.format.read_magic(member) == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    if dtype.hasobject:
        raise UsageError(_pickled(path, ".npz"))
    if dtype.kind not in "fiu" or not shape:
        return None

    def take(number: int, axis: int) -> Array:
        taken: Array = read().take(number, axis)
        return taken

    @cache
    def read() -> Array:
        array: Array = file[name]
        return array

    return StoredArray(shape, take, read)


@contextmanager
def _safetensors(path: Path) -> Iterator[dict[str, StoredArray]]:
    """Open a .safetensors file, of which only the wanted slices are read."""
    import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it

    library = importlib.import_module("safetensors")
    try:
        with library.safe_open(str(path), framework="numpy") as file:
            found = {name: _tensor(file, name) for name in sorted(file.keys())}
            yield {name: tensor for name, tensor in found.items() if tensor is not None}
    except library.SafetensorError as error:
        raise UsageError(f"{path}: no readable .safetensors file: {first_line(error)}") from error


def _tensor(file: Any, name: str) -> StoredArray | None:
    part = file.get_slice(name)
    shape = tuple(part.get_shape())
    if part.get_dtype() not in _NUMBERS or not shape:
        return None

    def take(number: int, axis: int) -> Array:
        index = (*[slice(None)] * axis, slice(number, number + 1))
        taken: Array = np.asarray(part[index]).take(0, axis)
        return taken

    return StoredArray(shape, take, lambda: np.asarray(file.get_tensor(name)))
