"""Find out how a program treats a batch: how many images it takes, and which entries are whose.

A file may compute batches of one size only, by a Reshape with constant lengths or a constant with a
row for each image. It may also fold the images into another axis, or together with patches or
windows. The graph does not say so; computing it does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.network.program import Program
from kerasviz.network.size import USUAL
from kerasviz.types import Array, Tensor

#: The largest difference of a row in another batch, as a share of the variation between images.
#: Mixed rows differ by about all of it.
MIXED = 0.05
#: The largest difference that is rounding, as a share of the largest number.
ROUNDING = 1e-4
#: What a program raises where it cannot compute images of a batch or size.
FAILURES = (ValueError, ModelError, tf.errors.InvalidArgumentError)

Size = tuple[int | None, int | None]


@dataclass(frozen=True)
class ImageAxis:
    """Say where the images of a value are: on ``axis``, which may have several entries of each.

    ``together`` says that those of one image stand together (folded patches), else those of one
    place (time steps before images).
    """

    axis: int = 0
    together: bool = True

    def first(self, value: Tensor, count: int) -> Tensor:
        """Return a value of ``count`` images with one row for each.

        Further entries of an image become positions: [B * k, C] is returned as [B, k, C],
        [B * k, h, w, C] as [B, k * h, w, C].
        """
        lengths = value.shape.as_list()
        each = lengths[self.axis] // count
        split = [count, each] if self.together else [each, count]
        around = lengths[: self.axis], lengths[self.axis + 1 :]
        y = tf.reshape(value, [*around[0], *split, *around[1]])
        images = self.axis + (0 if self.together else 1)
        y = tf.transpose(y, [images, *(k for k in range(y.shape.rank) if k != images)])
        shape = y.shape.as_list()
        rank = len(shape)
        if each == 1:
            place = 1 + self.axis
            return tf.reshape(y, [*shape[:place], *shape[place + 1 :]])
        if rank > max(len(lengths), 3):
            return tf.reshape(y, [shape[0], shape[1] * shape[2], *shape[3:]])
        return y


class ImageRows:
    """Answer questions about the batches of a program by computing noise; answers are kept.

    ``feed`` turns images [B, H, W, C] in [0, 1] into the program's inputs; ``own`` is the number of
    images that the file names, ``None`` where it is free; ``size`` are the sides that it fixes. Of
    whole numbers ``highest`` is the largest and one more.
    """

    def __init__(
        self,
        program: Program,
        feed: Callable[[Tensor], Mapping[str, Tensor]],
        own: int | None,
        size: Size,
        channels: int,
        highest: int = 1,
    ):
        self._program, self._feed, self._highest = program, feed, highest
        self._own, self._size, self._channels = own, size, channels
        self._fixed: dict[tuple[frozenset[str], Size], int | None] = {}
        self._free: dict[Size, frozenset[str]] = {}
        self._axes: dict[str, ImageAxis | None] = {}

    def fixed_batch(self, names: Sequence[str], size: Size = (None, None)) -> int | None:
        """Return the only number of images of which values can be computed; ``None`` for any."""
        if self._own is None:
            return None
        outputs = [name for name in self._program.outputs if name in self._of_images]
        if outputs and self._known(outputs, size) is None:
            return None
        with tf.init_scope():
            free = self._free_values(size)
        return None if free.issuperset(names) else self._known(names, size)

    @cached_property
    def _of_images(self) -> frozenset[str]:
        """The values that no other input is needed for, such as the text beside an image."""
        fed = set(self._feed(tf.zeros([1, *self._sides((None, None)), self._channels])))
        others = {name for name in self._program.inputs if name not in fed}
        for name, value in self._program.values.items():
            if not others.isdisjoint(value.inputs):
                others.add(name)
        return frozenset(self._program.values) - others

    def _known(self, names: Sequence[str], size: Size) -> int | None:
        key = frozenset(names), size
        if key not in self._fixed:
            with tf.init_scope():  # eagerly, even inside a function's trace
                self._fixed[key] = self._probed(list(dict.fromkeys(names)), size)
        return self._fixed[key]

    def _probed(self, names: list[str], size: Size) -> int | None:
        """Try one image more than the file names; compute it where shapes leave a doubt."""
        assert self._own is not None
        own, more = self._own, self._own + 1
        try:
            lengths = self._traced(names, more, size)
        except FAILURES:
            return own if self._can_trace(names, own, size) else None  # the caller says why
        scaled = all(n is not None and n % more == 0 for n in lengths)
        if scaled and set(names) <= set(self._keep_rows()):
            return None
        return None if self._has_same_rows(names, size) else own

    def _traced(self, names: Sequence[str], count: int, size: Size) -> list[int | None]:
        """Return the first lengths of values of ``count`` images, without computing them."""
        lengths: list[int | None] = []

        def trace(images: Tensor) -> None:
            values = self._program.compute(self._feed(images), names, channels_last=True)
            shapes = [values[name].shape for name in names]
            lengths.extend(shape[0] if shape.rank else None for shape in shapes)

        spec = tf.TensorSpec([count, *self._sides(size), self._channels], tf.float32)
        tf.function(trace, autograph=False).get_concrete_function(spec)
        return lengths

    def _can_trace(self, names: Sequence[str], count: int, size: Size) -> bool:
        try:
            self._traced(names, count, size)
        except FAILURES:
            return False
        return True

    def _keep_rows(self) -> list[str]:
        """Return the values before the first one that may have rows of several images.

        Values are in the order of the graph. One that keeps rows has a free first length.
        """
        names = []
        for name, value in self._program.values.items():
            if name not in self._of_images:
                continue
            if value.shape is None or (len(value.shape) > 1 and value.shape[0] is not None):
                break
            names.append(name)
        return names

    def _free_values(self, size: Size) -> frozenset[str]:
        """Return values that are known to be computed of any number of images, by one trace."""
        if size not in self._free:
            assert self._own is not None
            names, more = self._keep_rows(), self._own + 1
            try:
                lengths = self._traced(names, more, size)
            except FAILURES:
                lengths = [None] * len(names)
            pairs = zip(names, lengths, strict=True)
            self._free[size] = frozenset(name for name, n in pairs if n and n % more == 0)
        return self._free[size]

    def _has_same_rows(self, names: Sequence[str], size: Size) -> bool:
        """Compute a batch of one image more than the file names, and batches of its own."""
        assert self._own is not None
        own, images = self._own, self._noise(self._own + 1, size)
        batches = (images[:own], images[-own:], images)
        try:
            computed = [self._arrays(batch, names) for batch in batches]
        except FAILURES:
            return False
        return all(_same_rows(a, b, c, own) for a, b, c in zip(*computed, strict=True))

    def by_image(self, name: str, value: Tensor, images: Tensor, fixed: int | None) -> Tensor:
        """Return the value of some images with one row for each, where it has other rows.

        ``fixed`` is the :meth:`fixed_batch` of the value. Values that no image changes, and those
        whose lengths only a run knows, are returned as they are.

        Raises:
            ModelError: If an entry of the value depends on several images.
        """
        shape = value.shape if tf.is_tensor(value) else tf.TensorShape(None)
        count, *sides = images.shape[:3]
        if count is None or shape.rank is None or shape.rank < 2 or shape[0] == count:
            return value
        if not shape.is_fully_defined() or 0 in shape:
            return value
        if name not in self._axes:
            with tf.init_scope():
                self._axes[name] = self._found_axis(name, fixed or 2, (sides[0], sides[1]))
        axis = self._axes[name]
        return value if axis is None else axis.first(value, count)

    def _found_axis(self, name: str, count: int, size: Size) -> ImageAxis | None:
        """Change the last of several images, and see which entries of a value change."""
        if count == 1:
            return ImageAxis()
        images = self._noise(count + 1, size)
        others = tf.concat([images[: count - 1], images[count:]], 0)
        (before,), (after,) = (self._arrays(x, [name]) for x in (images[:count], others))
        changed = before != after
        if not changed.any():
            return ImageAxis() if before.shape[0] > 1 and before.shape[0] % count == 0 else None
        for axis, length in enumerate(before.shape):
            if length % count:
                continue
            (places,) = np.nonzero(changed.any(tuple(k for k in range(before.ndim) if k != axis)))
            if (places >= length - length // count).all():
                return ImageAxis(axis)
            if (places % count == count - 1).all():
                return ImageAxis(axis, together=False)
        raise ModelError(f"{name} mixes the images of a batch; name another tap")

    def _noise(self, count: int, size: Size) -> Tensor:
        shape = [count, *self._sides(size), self._channels]
        noise = tf.random.stateless_uniform(shape, (0, 1))
        return noise if self._highest == 1 else tf.floor(noise * self._highest)

    def _sides(self, size: Size) -> list[int]:
        return [a or b or c for a, b, c in zip(self._size, size, USUAL, strict=True)]

    def _arrays(self, images: Tensor, names: Sequence[str]) -> list[Array]:
        values = self._program.compute(self._feed(images), names, channels_last=True)
        return [np.asarray(values[name]) for name in names]


def _same_rows(first: Array, last: Array, more: Array, count: int) -> bool:
    """Return whether a batch of ``count`` + 1 images has the rows of its first and last images."""
    if first.ndim != more.ndim:
        return False
    if first.shape == more.shape and np.array_equal(first, last):
        return True  # no image changes it
    if not first.ndim or first.shape[0] % count or first.shape[1:] != more.shape[1:]:
        return False
    rows = first.shape[0]
    if more.shape[0] != rows // count * (count + 1):
        return False
    if first.dtype.kind not in "fc":
        return bool(np.array_equal(first, more[:rows]) and np.array_equal(last, more[-rows:]))
    first, last, more = (np.nan_to_num(a.astype(np.float64)) for a in (first, last, more))
    gaps = np.abs(np.concatenate([first - more[:rows], last - more[-rows:]]))
    variation = np.ptp(more.reshape(count + 1, -1), axis=0)
    scale = MIXED * variation.max(initial=0.0) + ROUNDING * np.abs(more).max(initial=0.0)
    return bool(gaps.max(initial=0.0) <= scale)


def in_batches(
    compute: Callable[[Tensor], dict[str, Tensor]], images: Tensor, size: int
) -> dict[str, Tensor]:
    """Compute images [B, ...] in batches of exactly ``size``; the last one repeats its last image.

    ``compute`` returns tensors with one row for each image.
    """
    count = images.shape[0]
    if count == size:
        return compute(images)
    if count is not None:
        padded = tf.concat([images, *[images[-1:]] * (-count % size)], 0)
        parts = [compute(x) for x in tf.split(padded, padded.shape[0] // size)]
        return {n: tf.concat([part[n] for part in parts], 0)[:count] for n in parts[0]}
    number = tf.shape(images)[0]
    padded = tf.gather(images, tf.minimum(tf.range(-(-number // size) * size), number - 1))
    stacked = tf.reshape(padded, tf.concat([[-1, size], tf.shape(images)[1:]], 0))
    stacked = tf.ensure_shape(stacked, [None, size, *images.shape[1:]])
    specs: dict[str, Tensor] = {}

    def probe(x: Tensor) -> None:
        results = compute(x)
        specs.update({n: tf.TensorSpec(t.shape, t.dtype) for n, t in results.items()})

    tf.function(probe, autograph=False).get_concrete_function(
        tf.TensorSpec([size, *images.shape[1:]], images.dtype)
    )
    found = tf.map_fn(compute, stacked, fn_output_signature=specs, parallel_iterations=1)
    return {n: tf.reshape(t, [-1, *t.shape[2:]])[:number] for n, t in found.items()}
