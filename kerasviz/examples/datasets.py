"""Stream data sets of images by tf.data: folders, TFRecord files and tensorflow_datasets."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from kerasviz.errors import UsageError, first_line
from kerasviz.examples.tfrecords import Records, records_of
from kerasviz.io.files import digest
from kerasviz.io.images import UNREADABLE, read_image
from kerasviz.types import Array, Size

#: The endings of image files in lower case.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
#: The prefix of a data set of tensorflow_datasets.
TFDS = "tfds:"


class Source(Protocol):
    """Images by number: their count, names and bytes."""

    @property
    def label(self) -> str:
        """The text that names the source."""
        ...

    @property
    def identity(self) -> str:
        """A digest of the images."""
        ...

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """Return the unique name of an image."""
        ...

    def read(self, number: int) -> bytes:
        """Return the encoded image; raise one of ``UNREADABLE`` without one."""
        ...


@dataclass(frozen=True)
class ImageFiles:
    """The image files below a folder, by name."""

    label: str
    folder: Path
    names: tuple[str, ...]

    @property
    def identity(self) -> str:
        sizes = [(self.folder / name).stat().st_size for name in self.names]
        return digest([*zip(self.names, sizes, strict=True)])

    def __len__(self) -> int:
        return len(self.names)

    def name(self, number: int) -> str:
        return self.names[number]

    def read(self, number: int) -> bytes:
        return (self.folder / self.names[number]).read_bytes()


def open_source(text: str) -> Source:
    """Find the images that ``text`` names: a folder, a TFRecord file, or ``tfds:NAME[@SPLIT]``.

    A folder is searched with its subfolders for image files, or if it has none for files with
    ``.tfrecord`` in their names. Raises :class:`UsageError` for a source without images.
    """
    if text.startswith(TFDS):
        return _tfds(text)
    path = Path(text)
    if path.is_file():
        return records_of(text, (path,))
    if not path.is_dir():
        raise UsageError(f"no images at {text!r}: expected a folder, a TFRecord file or tfds:NAME")
    files = sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file())
    visible = [p for p in files if not any(part.startswith(".") for part in p.parts)]
    names = tuple(p.as_posix() for p in visible if p.suffix.lower() in SUFFIXES)
    if names:
        return ImageFiles(text, path, tuple(sorted(names)))
    records = tuple(path / p for p in visible if ".tfrecord" in p.name)
    if records:
        return records_of(text, records)
    endings = " ".join(SUFFIXES)
    raise UsageError(f"no images in {text!r}: expected files that end in {endings}, or TFRecords")


def _tfds(text: str) -> Records:
    """Open a data set that ``tensorflow_datasets`` has prepared on this machine."""
    try:
        tfds = importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        raise UsageError(
            f'{text}: needs tensorflow_datasets: pip install "kerasviz[datasets]"'
        ) from error
    name, _, split = text[len(TFDS) :].partition("@")
    try:
        builder = tfds.builder(name)
    except (ValueError, ImportError, tfds.core.DatasetNotFoundError) as error:
        raise UsageError(
            f"{text}: tensorflow_datasets has no such data set: {first_line(error)}"
        ) from error
    splits = builder.info.splits
    if not splits:
        raise UsageError(
            f"{text}: not prepared in {builder.data_dir}, and nothing is downloaded here; run "
            f"`tfds build {name}`, or name its folder in TFDS_DATA_DIR"
        )
    split = split or ("train" if "train" in splits else next(iter(splits)))
    if split not in splits:
        raise UsageError(f"{text}: no split {split!r}; there are {', '.join(splits)}")
    images = [k for k, v in builder.info.features.items() if isinstance(v, tfds.features.Image)]
    if not images:
        raise UsageError(f"{text}: its examples have no image")
    return records_of(text, [Path(p) for p in splits[split].filepaths], images[0])


def tie_of(name: str) -> int:
    """Hash a name to a pseudorandom whole number below 2**53.

    >>> tie_of("a.png") == tie_of("a.png") < 2**53
    True
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 11


# -- images as a network takes them ----------------------------------------------------------


def read_example(data: bytes, size: Size, channels: int) -> Array:
    """Read a picture file as :func:`read_image` does, with transparent parts in white.

    Raises :class:`ImageFileError`.
    """
    return read_image(data, size, channels, draft=2, convert=_coloured)


def _coloured(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGB."""
    if image.mode.startswith("I"):  # 16 bits of grey
        grey = np.clip(np.asarray(image, np.int64) >> 8, 0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layers = image.convert("RGBA")
        white = Image.new("RGBA", layers.size, "white")
        return Image.alpha_composite(white, layers).convert("RGB")
    return image.convert("RGB")


@dataclass(frozen=True)
class ImageBatch:
    """Images in order: numbers [B], pictures [B, H, W, C] in 0 .. 255, whether each was read [B].

    A last batch is padded with black, unreadable images of number -1.
    """

    numbers: Array
    images: Array
    readable: Array


def stream(
    source: Source, numbers: Array, batch: int, shape: tuple[int, int, int]
) -> Iterator[ImageBatch]:
    """Yield images by number in batches of one size, read and decoded in parallel and ahead.

    ``shape`` is (height, width, channels).
    """
    import tensorflow as tf

    def load(number: Any) -> tuple[Array, Any]:
        try:
            data = source.read(int(number))
            return read_example(data, shape[:2], shape[2]), np.bool_(True)
        except UNREADABLE:
            return np.zeros(shape, np.uint8), np.bool_(False)

    def loaded(number: Any) -> tuple[Any, Any, Any]:
        image, readable = tf.numpy_function(load, [number], [tf.uint8, tf.bool])
        return number, tf.ensure_shape(image, shape), tf.ensure_shape(readable, ())

    if not len(numbers):
        return
    data = tf.data.Dataset.from_tensor_slices(numbers.astype(np.int64))
    data = data.map(loaded, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    for taken, images, readable in data.batch(batch).prefetch(2).as_numpy_iterator():
        missing = batch - len(taken)
        yield ImageBatch(
            np.pad(taken, (0, missing), constant_values=-1),
            np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0))),
            np.pad(readable, (0, missing)),
        )
