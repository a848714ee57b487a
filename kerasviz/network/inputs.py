"""Say which inputs of a program are images, how images are fed, and what the others are held at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar
from zipfile import BadZipFile

import numpy as np
import tensorflow as tf

from kerasviz.errors import UsageError, near
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.program import Port, Program
from kerasviz.types import Array, Size, Tensor

#: The first length of an image [C, H, W] without a batch axis; others count images.
COLOURS = 3
#: The last length of an image [H, W, C] without a batch axis.
_CHANNELS = (1, 3, 4)
#: The shortest side in pixels of an image without channels; shorter rows are signals.
_SHORTEST = 8
#: The largest ratio of the sides of an image without channels.
_LONGEST = 16
#: The lowest and the highest number of an image in a type of whole numbers. Those of 16 bits hold
#: 8, 10, 12 or 16 bits; only a file or a person can tell.
_RANGES = {
    tf.uint8: (0.0, 255.0),
    tf.int8: (-128.0, 127.0),
    tf.int32: (0.0, 255.0),
    tf.int64: (0.0, 255.0),
}


class OptimizedInput(Protocol):
    """Describe an input whose numbers are optimized, as images [B, H, W, C] whatever it takes.

    ``medium`` says what it takes, and ``noun`` calls it so in messages.
    """

    @property
    def port(self) -> Port: ...

    @property
    def medium(self) -> str: ...

    @property
    def noun(self) -> str: ...

    @property
    def axes(self) -> Sequence[str]:
        """The roles of its axes in the model's layout: words, or letters for images."""

    @property
    def lengths(self) -> tuple[int | None, ...]:
        """The lengths of the axes of positions, ``None`` where one is free."""

    @property
    def size(self) -> tuple[int | None, int | None]: ...

    @property
    def channels(self) -> int: ...

    @property
    def batch(self) -> int | None: ...

    @property
    def rows(self) -> int | None: ...

    @property
    def default_spec(self) -> InputSpec | None: ...

    def lengths_in(self, size: Size) -> tuple[int, ...]:
        """Return the lengths of the axes of positions in images of a (height, width)."""

    def feed(self, images: Tensor) -> Tensor: ...

    def own_layout(self, images: Tensor) -> Tensor: ...

    def own_shape(self, size: Size, count: int = 1) -> tuple[int, ...]: ...


Needed = TypeVar("Needed", bound=OptimizedInput)


@dataclass(frozen=True)
class ImageInput:
    """Describe an input that takes images.

    ``axes`` are the roles of its axes in the model's layout: N images, C channels, H and W sides.
    Without N it takes one image, without C the images have one channel.
    """

    port: Port
    axes: str
    medium: ClassVar[str] = "image"
    noun: ClassVar[str] = "image"

    @classmethod
    def of(cls, port: Port) -> ImageInput | None:
        """Return the image input that a port is, ``None`` for other inputs."""
        if port.shape is None or port.dtype is None or port.dtype in (tf.bool, tf.string):
            return None
        if len(port.shape) == 4:
            return cls(port, "NCHW" if port.channels_first else "NHWC")
        if len(port.shape) != 3 or port.channels_first:
            return None
        first, _, last = port.shape
        sides = {"NHW": port.shape[1:], "CHW": port.shape[1:], "HWC": port.shape[:2]}
        axes = "HWC" if last in _CHANNELS else "CHW" if first == COLOURS else "NHW"
        return cls(port, axes) if _are_sides(*sides[axes]) else None

    def _length(self, axis: str) -> int | None:
        assert self.port.shape is not None
        return self.port.shape[self.axes.index(axis)]

    @property
    def size(self) -> tuple[int | None, int | None]:
        """The only (height, width) that it takes, ``None`` for any."""
        return self._length("H"), self._length("W")

    @property
    def lengths(self) -> tuple[int | None, int | None]:
        """The lengths of the axes of positions, which are those of its size."""
        return self.size

    def lengths_in(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the lengths of the axes of positions in images of a size."""
        return size

    @property
    def channels(self) -> int:
        """The number of channels: 3 where it is free."""
        count = self._length("C") if "C" in self.axes else 1
        return 3 if count is None else count

    @property
    def batch(self) -> int | None:
        """The number of images that the file names, ``None`` for any."""
        return self.port.batch if self.axes[0] == "N" else 1

    @property
    def rows(self) -> int | None:
        """The length of the axis of the images, ``None`` where it is free; 1 without one."""
        return self._length("N") if self.axes[0] == "N" else 1

    @property
    def default_spec(self) -> InputSpec | None:
        """The description that follows from a type of whole numbers, where it is likely."""
        ends = _RANGES.get(self.port.dtype)
        if ends is None:
            return None
        scale = ends[1] - ends[0]
        return InputSpec(scale, (-ends[0],), source=f"its type {self.port.dtype.name}")

    def feed(self, images: Tensor) -> Tensor:
        """Return images [B, H, W, C], in the network's numbers, as the program takes them.

        Raises ``ValueError`` for several images where the input takes one.
        """
        dtype = tf.float32 if self.port.as_floats else self.port.dtype
        images = tf.cast(images, dtype)
        if self.axes == "NHW":
            return tf.squeeze(images, -1)
        if self.axes[0] == "N":
            return images
        if images.shape[0] != 1:
            raise ValueError(f"input {self.port.name!r} takes one image without a batch axis")
        return tf.transpose(images[0], [2, 0, 1]) if self.axes == "CHW" else images[0]

    def own_layout(self, images: Tensor) -> Tensor:
        """Return images [B, H, W, C] in the model's own layout and numbers."""
        fed = self.feed(images)
        return tf.transpose(fed, [0, 3, 1, 2]) if self.axes == "NCHW" else fed

    def own_shape(self, size: tuple[int, int], count: int = 1) -> tuple[int, ...]:
        """Return the shape of images of a (height, width) in the model's own layout."""
        lengths = {"N": count, "H": size[0], "W": size[1], "C": self.channels}
        assert self.port.shape is not None
        pairs = zip(self.port.shape, self.axes, strict=True)
        return tuple(lengths[axis] if n is None else n for n, axis in pairs)


def _are_sides(height: int | None, width: int | None) -> bool:
    """Return whether two lengths may be those of an image: both free, or both long and alike."""
    if height is None or width is None:
        return height is width
    short, long = sorted((height, width))
    return short >= _SHORTEST and long <= _LONGEST * short


def image_inputs(program: Program) -> list[ImageInput]:
    """Return the inputs of a program that take images, those of rank 4 before others."""
    images = [image for port in program.inputs.values() if (image := ImageInput.of(port))]
    images = [image for image in images if len(image.axes) == 4] or images
    floats = [i for i in images if i.port.dtype.is_floating or i.port.as_floats] or images
    # Exporters keep constants of fixed size as inputs.
    return [image for image in floats if None in (image.port.shape or ())] or floats


def needed_inputs(program: Program, names: Iterable[str]) -> list[str]:
    """Return the inputs of a program that values depend on, in its order.

    A value that does not record what it is computed from depends on all of them.
    """
    reached: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in reached:
            continue
        reached.add(name)
        value = program.values.get(name)
        if value is not None:
            todo += value.inputs or program.inputs
    return [name for name in program.inputs if name in reached]


def image_needed(
    program: Program,
    names: Iterable[str],
    images: Sequence[Needed],
    held: Iterable[str],
    begin: str,
) -> Needed | None:
    """Return which of the images values depend on; ``None`` for none.

    Raises:
        UsageError: Beginning with ``begin``, if they depend on several images, or on inputs that
            are neither images nor held.
    """
    noun = images[0].noun if images else "image"
    needed = [name for name in needed_inputs(program, names) if name not in set(held)]
    found = [image for image in images if image.port.name in needed]
    others = [n for n in needed if n not in {image.port.name for image in found}]
    if others:
        raise UsageError(
            f"{begin} needs more than {'an' if noun[0] in 'aeiou' else 'a'} {noun}; give "
            f"{shown(program.inputs[n] for n in others)} with --data FILE.npz "
            "(in Python: net.with_data)"
        )
    if len(found) > 1:
        raise UsageError(
            f"{begin} depends on the {noun}s {shown(image.port for image in found)}; give all but "
            "the one that is optimized with --data FILE.npz (in Python: net.with_data)"
        )
    return found[0] if found else None


# -- inputs that are held ------------------------------------------------------------------------


def held_arrays(
    program: Program, arrays: Mapping[str, Any], owner: str, batch: int | None
) -> dict[str, Array]:
    """Return arrays for inputs of a program in their types, checked.

    ``batch`` is the number of images that the file names. An array has one row for all images; its
    first axis may be left out.

    Raises:
        UsageError: For unknown names, other shapes and several rows.
    """
    held = {}
    for name, given in arrays.items():
        if name not in program.inputs:
            known = near(name, program.inputs)
            raise UsageError(
                f"{owner} has no input {name!r}, for which data was given; near: {known}"
            )
        port, array = program.inputs[name], _array(given, program.inputs[name], owner)
        if port.shape is not None and array.ndim == len(port.shape) - 1:
            array = array[None]
        rows = port.shape[:1] if port.shape and _has_rows(port, batch) else ()
        one_row = array.shape[:1] == (1,) and rows not in ((), (None,))
        port.check_shape((*rows, *array.shape[1:]) if one_row else array.shape, owner)
        if port.shape is not None and port.shape[:1] == (None,) and len(array) != 1:
            raise UsageError(
                f"{owner}: input {name!r} is held at one row for all pictures, given {len(array)}"
            )
        held[name] = array
    return held


def _array(given: Any, port: Port, owner: str) -> Array:
    """Return what an input is held at as an array of its type."""
    if port.dtype is None:
        raise UsageError(f"{owner}: input {port.name!r} is no tensor, so no data can be given")
    try:
        array: Array = np.asarray(given)
        return array if port.dtype == tf.string else array.astype(port.dtype.as_numpy_dtype)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{owner}: input {port.name!r} takes numbers of type {port.dtype.name}, given others"
        ) from error


def read_arrays(path: Path) -> dict[str, Array]:
    """Read the arrays of an ``.npz`` file by name; :class:`UsageError` for other files."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (OSError, ValueError, EOFError, TypeError, AttributeError, BadZipFile) as error:
        # A .npy holds one array without a name.
        raise UsageError(f"{path} is not an .npz file of arrays that can be read") from error


def _has_rows(port: Port, batch: int | None) -> bool:
    """Return whether the first axis of an input is that of the images."""
    return port.shape is not None and port.shape[:1] in ((None,), (batch,))


def held_feed(port: Port, array: Array, images: Tensor, batch: int | None) -> Tensor:
    """Return what an input is held at beside some images, as the program takes it."""
    tensor = tf.constant(array)
    if port.channels_first and tensor.shape.rank > 2:
        tensor = tf.transpose(tensor, [0, *range(2, tensor.shape.rank), 1])
    free = port.shape is None and tensor.shape.rank > 1
    if array.shape[:1] != (1,) or not (free or _has_rows(port, batch)):
        return tensor
    count = tf.shape(images)[0] if images.shape[0] is None else images.shape[0]
    return tf.repeat(tensor, count, axis=0)


def checksums(arrays: Mapping[str, Array]) -> dict[str, str]:
    """Return a checksum of each array, of its type, shape and numbers."""
    about = {n: f"{a.dtype.name} {a.shape} ".encode() for n, a in sorted(arrays.items())}
    return {n: hashlib.sha256(b + arrays[n].tobytes()).hexdigest() for n, b in about.items()}


def shown(ports: Iterable[Port]) -> str:
    """Return inputs as text, with their shapes."""

    def lengths(port: Port) -> str:
        if port.shape is None:
            return "of any shape"
        return f"[{', '.join('any' if n is None else str(n) for n in port.shape)}]"

    return ", ".join(f"{port.name} {lengths(port)}" for port in ports)
