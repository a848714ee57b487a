"""Read TFRecord files: the offsets of their records, and the encoded images in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.files import digest
from kerasviz.types import Array

#: The key of the encoded image in a record, as in TensorFlow's ImageNet files.
ENCODED = "image/encoded"
#: The keys under which a record may have its class, the first one that it has.
LABELS = ("image/class/text", "image/class/label", "label")


@dataclass(frozen=True)
class Records:
    """The records of TFRecord files: ``tf.train.Example`` with an encoded image under ``key``.

    ``starts`` and ``lengths`` are the offset and length, in bytes, of the data of each record in
    ``paths[files[number]]``.
    """

    label: str
    paths: tuple[Path, ...]
    key: str
    files: Array
    starts: Array
    lengths: Array

    @property
    def identity(self) -> str:
        return digest([[path.name, path.stat().st_size] for path in self.paths])

    def __len__(self) -> int:
        return len(self.starts)

    def name(self, number: int) -> str:
        file = self.files[number]
        return f"{self.paths[file].name}#{number - int(np.searchsorted(self.files, file))}"

    def read(self, number: int) -> bytes:
        features = self._features(number)
        if self.key not in features or not features[self.key].bytes_list.value:
            names = ", ".join(sorted(features)[:8])
            raise ValueError(f"no {self.key}; there are {names or 'no features'}")
        return bytes(features[self.key].bytes_list.value[0])

    def label_of(self, number: int) -> str:
        """Return the class of a record, "" without one."""
        try:
            features = self._features(number)
        except ValueError:
            return ""
        for key in (key for key in LABELS if key in features):
            texts, numbers = features[key].bytes_list.value, features[key].int64_list.value
            if texts:
                return bytes(texts[0]).decode("utf-8", "replace")
            if numbers:
                return str(numbers[0])
        return ""

    def _features(self, number: int) -> Any:
        import tensorflow as tf
        from google.protobuf.message import DecodeError

        with self.paths[self.files[number]].open("rb") as file:
            file.seek(int(self.starts[number]))
            data = file.read(int(self.lengths[number]))
        try:
            return tf.train.Example.FromString(data).features.feature
        except DecodeError as error:
            raise ValueError(f"no tf.train.Example: {error}") from error


def records_of(label: str, paths: Sequence[Path], key: str = ENCODED) -> Records:
    """Index the records of files, with an image under ``key``.

    Raises :class:`UsageError` for files without records, or whose first record has no image.
    """
    entries = [entry for i, path in enumerate(paths) for entry in _entries(path, i)]
    if not entries:
        raise UsageError(
            f"{label!r} holds no TFRecords: expected a folder of images or a TFRecord file of "
            f"tf.train.Example with {key}"
        )
    files, starts, lengths = np.array(entries, np.int64).T
    source = Records(label, tuple(paths), key, files, starts, lengths)
    try:
        source.read(0)
    except ValueError as error:
        raise UsageError(f"{label!r}: expected tf.train.Example with {key}: {error}") from error
    return source


def _entries(path: Path, number: int) -> Iterator[tuple[int, int, int]]:
    """Yield file number, start and length of every complete record of a file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while position + 16 <= size:
            file.seek(position)
            header = file.read(12)
            (length,) = struct.unpack("<Q", header[:8])
            if position == 0 and _masked_crc(header[:8]) != struct.unpack("<I", header[8:])[0]:
                return  # no TFRecord file
            if position + 16 + length > size:
                return
            yield number, position + 12, length
            position += 16 + length


def _masked_crc(data: bytes) -> int:
    """Compute the checksum of TFRecord files: CRC-32C, rotated by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
