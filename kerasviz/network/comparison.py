"""Compare a network with another execution of the same file, tap by tap.

The other execution is a :class:`Reference`: onnxruntime for ONNX files, Keras' own layers for Keras
files. Both get the same numbers, in the network's own layout.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import InputsError, KerasvizError, ModelError, UsageError, first_line
from kerasviz.network.inputs import read_arrays
from kerasviz.network.network import Network
from kerasviz.network.program import Port
from kerasviz.network.rounding import Exact, eps, is_rounding, is_short, same_numbers
from kerasviz.types import Array

#: Height and width of images, in pixels, for networks that take any size.
SIZE = (128, 128)
#: Length of other free dimensions, such as tokens.
LENGTH = 8


@dataclass(frozen=True)
class Reference:
    """Execute the same file otherwise: ``values`` computes values by name from feeds by name.

    ``values`` may leave out names that the execution does not have. ``exact`` computes one value in
    float64 from the inputs of its node, which a function gives by name; ``None`` where it cannot.
    """

    name: str
    values: Callable[[Mapping[str, Array], Sequence[str]], Mapping[str, Array]]
    exact: Callable[[str, Callable[[str], Array | None]], Exact | None] | None = None


@dataclass(frozen=True)
class Difference:
    """Hold the error of one tap: the largest difference over the largest entry.

    The error is infinite if shapes or places of infinite numbers differ; ``note`` says so.
    ``agrees`` says that the difference is rounding.
    """

    tap: str
    op: str
    shape: tuple[int, ...]
    error: float
    note: str = ""
    agrees: bool = True


@dataclass(frozen=True)
class Comparison:
    """Hold the errors of all common taps in the order of the graph; ``skipped`` are the others.

    ``inputs`` are the shapes of the inputs by name.
    """

    against: str
    tolerance: float
    taps: tuple[Difference, ...]
    skipped: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def first_off(self) -> Difference | None:
        """The first tap that differs by more than rounding: the place to look for the reason."""
        return next((d for d in self.taps if not d.agrees), None)

    @property
    def largest(self) -> Difference:
        """The tap with the largest error."""
        return max(self.taps, key=lambda d: d.error)


def compare(
    net: Network, reference: Reference, feeds: Mapping[str, Array], *, tolerance: float = 1e-4
) -> Comparison:
    """Run a network and a reference on the same numbers and compare every tap.

    Where the two differ by more than the rounding of a tap's type, the tap is computed in float64
    from this network's inputs of its node, as far as the reference can: that decides. Raises
    :class:`ModelError` if the two have no common tap or cannot run.
    """
    ops = {value.name: value.op for value in net.program.values.values()}
    ops.update({name: "" for name in net.program.outputs if name not in net.taps})
    theirs = reference.values(feeds, list(ops))
    names = [name for name in ops if name in theirs]
    if not names:
        raise ModelError(f"{net.name}: {reference.name} has none of its taps")
    try:
        ours = net.program.compute(feeds, names, channels_last=False)
    except ValueError as error:
        raise InputsError(f"{net.name}: {first_line(error)}") from error
    judge = _Judge(net, reference, feeds, ours, theirs, tolerance)
    taps = []
    for name in names:
        difference = _difference(name, ops[name], ours[name], theirs[name])
        taps.append(judge.judged(difference, theirs[name]))
    skipped = tuple(name for name in ops if name not in theirs)
    shapes = {name: np.shape(array) for name, array in feeds.items()}
    return Comparison(reference.name, tolerance, tuple(taps), skipped, shapes)


@dataclass(frozen=True)
class _Judge:
    """Decide whether differences are rounding."""

    net: Network
    reference: Reference
    feeds: Mapping[str, Array]
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    tolerance: float
    #: Values that are off, and all that is computed from them.
    _behind: set[str] = field(default_factory=set)

    def judged(self, difference: Difference, theirs: Any) -> Difference:
        """Return a difference with the decision; taps come in the order of the graph."""
        value = self.net.program.values.get(difference.tap)
        inherits = value is not None and not self._behind.isdisjoint(value.inputs)
        judged = self._judged(difference, theirs, inherits=inherits)
        if inherits or not judged.agrees:
            self._behind.add(difference.tap)
        return judged

    def _judged(self, difference: Difference, theirs: Any, *, inherits: bool) -> Difference:
        ours = self.ours[difference.tap]
        if isinstance(ours, list | tuple) or ours is None or np.shape(ours) != np.shape(theirs):
            return replace(difference, agrees=difference.error <= self.tolerance)
        array = np.asarray(ours)
        if self._is_same(array, np.asarray(theirs), difference.error):
            return difference
        if inherits:  # from inputs that are wrong, even a right operation gives wrong numbers
            return replace(difference, agrees=False)
        exact = self._exact(difference.tap)
        if exact is None:
            return self._by_their_inputs(difference, np.asarray(theirs))
        if is_rounding(array, exact, self.tolerance):
            return replace(difference, note="float64 agrees with kerasviz")
        return replace(difference, agrees=False)

    def _by_their_inputs(self, difference: Difference, theirs: Array) -> Difference:
        """Compare what both compute from the reference's inputs of a node."""
        short = 4 * (eps(theirs.dtype) or 0.0) if is_short(theirs.dtype) else 0.0
        limit = max(self.tolerance, short)
        if difference.error <= limit:
            return difference
        recompute = getattr(self.net.program, "recompute", None)
        if recompute is None:
            return replace(difference, agrees=False)
        try:
            again = np.asarray(recompute(difference.tap, {**self.feeds, **self.theirs}))
        except (KerasvizError, ValueError, TypeError):
            return replace(difference, agrees=False)
        if again.shape != theirs.shape or relative_difference(again, theirs) > limit:
            return replace(difference, agrees=False)
        return replace(difference, note=f"agrees on the inputs of {self.reference.name}")

    def _is_same(self, ours: Array, theirs: Array, error: float) -> bool:
        if ours.dtype.kind in "iu" or is_short(theirs.dtype):
            return same_numbers(ours, theirs)
        return error <= self.tolerance

    def _exact(self, name: str) -> Exact | None:
        return None if self.reference.exact is None else self.reference.exact(name, self._value)

    def _value(self, name: str) -> Array | None:
        """Return any value of the network in its own layout: an input, a tap or a constant."""
        if name in self.feeds:
            return self.feeds[name]
        value = self.ours.get(name)
        if value is None:
            try:
                value = self.net.program.compute(self.feeds, [name], channels_last=False)[name]
            except (KerasvizError, ValueError):
                return None
        return None if value is None or isinstance(value, list | tuple) else np.asarray(value)


def _difference(name: str, op: str, ours: Any, theirs: Any) -> Difference:
    if isinstance(ours, list | tuple) or isinstance(theirs, list | tuple):
        return _of_sequence(name, op, ours, theirs)
    if ours is None or theirs is None:
        same = ours is None and theirs is None
        return Difference(name, op, (), 0.0 if same else np.inf, "no value")
    a, b = np.asarray(ours), np.asarray(theirs)
    if a.shape != b.shape:
        return Difference(
            name, op, a.shape, np.inf, f"shape {list(a.shape)} instead of {list(b.shape)}"
        )
    error = relative_difference(a, b)
    note = "other places of infinite or missing numbers" if np.isinf(error) else ""
    return Difference(name, op, a.shape, error, note)


def _of_sequence(name: str, op: str, ours: Any, theirs: Any) -> Difference:
    lists = isinstance(ours, list | tuple) and isinstance(theirs, list | tuple)
    if not lists or len(ours) != len(theirs):
        return Difference(name, op, (), np.inf, "another number of entries")
    differences = [_difference(name, op, a, b) for a, b in zip(ours, theirs, strict=True)]
    worst = max(differences, key=lambda d: d.error, default=None)
    error, note = (0.0, "") if worst is None else (worst.error, worst.note)
    return Difference(name, op, (len(ours),), error, note or "a sequence")


def relative_difference(ours: Array, theirs: Array) -> float:
    """Return the largest difference over the largest entry of ``theirs``.

    Infinite if NaNs or infinities differ; 1 if texts or flags differ.

    >>> relative_difference(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    1.0
    """
    if ours.size == 0:
        return 0.0
    if ours.dtype.kind in "bOSU" or theirs.dtype.kind in "bOSU":
        return float(np.any(_plain(ours) != _plain(theirs)))
    wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
    a, b = ours.astype(wide), theirs.astype(wide)
    finite = np.isfinite(b)
    if not np.array_equal(finite, np.isfinite(a)):
        return float("inf")
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    gap = np.abs(a[finite] - b[finite]).max(initial=0.0)
    return float(gap / max(np.abs(b[finite]).max(initial=0.0), 1e-12)) if gap else 0.0


def _plain(array: Array) -> Array:
    """Return texts as bytes: the two executions differ in the type of texts."""
    if array.dtype.kind not in "OSU":
        return array
    encoded = [t.encode() if isinstance(t, str) else t for t in array.reshape(-1).tolist()]
    return np.asarray(encoded, object)


# -- inputs ----------------------------------------------------------------------------------


def feeds_for(
    net: Network, *, size: tuple[int, int] | None = None, batch: int = 1, seed: int = 0
) -> dict[str, Array]:
    """Return random numbers for all inputs of a network, the same for the same seed.

    The only input with four axes is the image, in the range of the input description.
    ``size`` and ``batch`` are for free dimensions only. Raises :class:`UsageError` if the network
    takes another size only.
    """
    ports = net.program.inputs
    images = [n for n, port in ports.items() if port.shape is not None and len(port.shape) == 4]
    images = images if len(images) == 1 else []
    if images and size is not None:
        net.check_size(*size)
    between = net.input_spec.range if net.input_spec is not None else (-1.0, 1.0)
    try:
        return random_inputs(ports, images, between, size=size or SIZE, batch=batch, seed=seed)
    except ValueError as error:
        raise UsageError(f"{net.name}: {error}; give --data FILE.npz") from error


def random_inputs(
    ports: Mapping[str, Port],
    images: Collection[str],
    between: tuple[float, float] = (-1.0, 1.0),
    *,
    size: tuple[int, int] = SIZE,
    batch: int = 1,
    seed: int = 0,
) -> dict[str, Array]:
    """Return random numbers for ports: images ``between`` two ends, others in [-1, 1].

    Whole numbers are 0 or 1, those of images 0 to 255. ``size`` (height, width) and ``batch``
    fill free dimensions. Raises ``ValueError`` for ports without a shape and for texts.
    """
    rng = np.random.default_rng(seed)
    feeds = {}
    for name, port in ports.items():
        if port.shape is None or port.dtype is None:
            raise ValueError(f"input {name!r} has no known shape")
        is_image = name in images
        shape = _shape(port, size, batch, is_image)
        dtype = np.dtype(port.dtype.as_numpy_dtype)
        if port.dtype.is_floating:
            feeds[name] = rng.uniform(*between if is_image else (-1.0, 1.0), shape).astype(dtype)
        elif dtype.kind in "biu":
            feeds[name] = rng.integers(0, 256 if is_image else 2, shape).astype(dtype)
        else:
            raise ValueError(f"input {name!r} takes {dtype}")
    return feeds


def _shape(port: Port, size: tuple[int, int], batch: int, is_image: bool) -> tuple[int, ...]:
    shape = list(port.shape or ())
    if shape and shape[0] is None:
        shape[0] = batch
    if is_image:
        pixels = (3, *size) if port.channels_first else (*size, 3)
        shape[1:] = [
            n if fixed is None else fixed for fixed, n in zip(shape[1:], pixels, strict=True)
        ]
    return tuple(LENGTH if n is None else n for n in shape)


def read_feeds(net: Network, path: Path) -> dict[str, Array]:
    """Read the arrays of an ``.npz`` file by the network's input names, in its own layout.

    Raises :class:`UsageError` if the file cannot be read or its names are not the inputs'.
    """
    return feeds_of(net, read_arrays(path), path)


def feeds_of(net: Network, data: Mapping[str, Any], owner: object = "data") -> dict[str, Array]:
    """Return arrays by the network's input names, of the types and in the layout that it takes.

    Raises :class:`UsageError`, which names the ``owner`` of the arrays, for other names and shapes.
    """
    arrays = {name: np.asarray(array) for name, array in data.items()}
    inputs = ", ".join(net.program.inputs)
    for name in net.program.inputs:
        if name not in arrays:
            raise UsageError(f"{owner} has no array for input {name!r}; inputs: {inputs}")
    for name in arrays:
        if name not in net.program.inputs:
            raise UsageError(f"{owner}: {net.name} has no input {name!r}; inputs: {inputs}")
    for name, port in net.program.inputs.items():
        port.check_shape(arrays[name].shape, owner)
        if port.dtype is not None:
            arrays[name] = arrays[name].astype(port.dtype.as_numpy_dtype)
    return arrays
