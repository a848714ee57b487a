"""Read the tensors of a legacy PyTorch checkpoint without PyTorch and without running code.

The format (``torch.save`` before version 1.6) begins with pickles: magic number, protocol version,
machine description, the object, the list of storage keys. For every key in that order an element
count and the raw elements follow. A pickle may name any function; the unpickler here admits the few
names that a dictionary of tensors needs and refuses all others.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from kerasviz.errors import ModelError
from kerasviz.types import Array

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True)
class _StorageType:
    """Stand for a class such as ``torch.FloatStorage``."""

    dtype: str


@dataclass(frozen=True)
class _Storage:
    """Describe a block of elements, whose contents come after all pickles."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _View:
    """Describe a tensor as a strided view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_checkpoint(path: Path) -> dict[str, Array]:
    """Return the tensors of a legacy PyTorch checkpoint as ``{name: array}``, in file order.

    The checkpoint has to be a flat dictionary of tensors (a ``state_dict``) written on a
    little-endian machine. Raises :class:`ModelError` for any other content, for a truncated file
    and for a pickle that asks for anything but tensors.
    """
    try:
        with path.open("rb") as file:
            if _RestrictedUnpickler(file).load() != MAGIC:
                raise ModelError(f"{path} is not a legacy PyTorch checkpoint")
            if _RestrictedUnpickler(file).load() != PROTOCOL:
                raise ModelError(f"{path}: unknown version of the PyTorch checkpoint format")
            machine = _RestrictedUnpickler(file).load()
            if not isinstance(machine, dict) or machine.get("little_endian") is not True:
                raise ModelError(f"{path}: the checkpoint is not little-endian")
            unpickler = _RestrictedUnpickler(file)
            views = unpickler.load()
            keys = _RestrictedUnpickler(file).load()
            blocks = _read_storages(file, keys, unpickler.storages)
        if not isinstance(views, dict):
            raise ModelError(f"{path}: the checkpoint is not a dictionary of tensors")
        return {_name(name): _array(view, blocks) for name, view in views.items()}
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (
        pickle.UnpicklingError,
        EOFError,
        struct.error,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        raise ModelError(f"{path} is no readable PyTorch checkpoint: {error}") from error


class _RestrictedUnpickler(pickle.Unpickler):
    """Unpickle tensors and plain containers only, so that no code can run."""

    def __init__(self, file: IO[bytes]):
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _view,
            ("torch._utils", "_rebuild_parameter"): _parameter,
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch" and name in _STORAGES:
            return _StorageType(_STORAGES[name])
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused")

    def persistent_load(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise pickle.UnpicklingError(f"unknown reference {pid!r}")
        kind, key, _, count = pid[1:5]
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("views of storages are not supported")
        if not isinstance(kind, _StorageType):
            raise pickle.UnpicklingError(f"unknown storage {kind!r}")
        return self.storages.setdefault(str(key), _Storage(str(key), kind.dtype, int(count)))


def _view(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _View:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without storage")
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _parameter(data: _View, *_: Any) -> _View:
    return data


def _read_storages(file: IO[bytes], keys: Any, known: dict[str, _Storage]) -> dict[str, Array]:
    blocks: dict[str, Array] = {}
    for key in keys:
        storage = known[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count:
            raise ValueError(f"storage {key} has {count} elements, {storage.count} announced")
        data = file.read(count * np.dtype(storage.dtype).itemsize)  # fewer bytes if truncated
        blocks[key] = np.frombuffer(data, storage.dtype, count)
    return blocks


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is not the name of a tensor")
    return name


def _array(view: Any, blocks: dict[str, Array]) -> Array:
    if not isinstance(view, _View):
        raise ValueError("the dictionary holds something that is not a tensor")
    block = blocks[view.storage.key]
    steps = list(zip(view.shape, view.strides, strict=True))
    if any(n < 0 or s < 0 for n, s in steps) or view.offset < 0:
        raise ValueError("a tensor has a negative size, stride or offset")
    last = view.offset + sum((n - 1) * s for n, s in steps)
    if all(view.shape) and last >= block.size:
        raise ValueError("a tensor reaches beyond its storage")
    start = block[view.offset :]
    strides = tuple(s * block.itemsize for s in view.strides)
    return np.lib.stride_tricks.as_strided(start, view.shape, strides, writeable=False).copy()
