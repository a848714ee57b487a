"""Find the range of the numbers of signals in a file, or in an array, of some of them."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.io.arrays import array_name, opened_arrays
from kerasviz.io.digits import rounded
from kerasviz.network.axes import FEATURE, guessed_axes
from kerasviz.network.input_spec import InputSpec, limits_of, range_spec
from kerasviz.network.network import Network
from kerasviz.network.optimized_inputs import AMBIGUOUS
from kerasviz.network.signal_input import SignalInput
from kerasviz.types import Array

#: What the name of a file ends with whose range is its mean and three deviations.
BY_DEVIATION = ",sd"
#: The deviations on either side of the mean.
DEVIATIONS = 3
#: The width of the range of numbers that are all the same, as a share of their size.
NARROW = 1e-4
#: The quantiles of the columns of a table that are drawn behind pictures.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def with_range(net: Network, given: Any, source: str = "given") -> Network:
    """Return a network whose signals have the numbers of a range.

    Args:
        net: The network.
        given: ``"LOW,HIGH"``, two numbers, an array of signals in the network's layout, or the name
            of a file with one (``.npy``, ``.npz``, ``.csv``), whose lowest and highest numbers are
            taken, by channel where there are several. A name that ends in ``,sd`` takes the mean
            and three deviations instead.
        source: What the description names as its origin.

    Raises:
        UsageError: For numbers that are no range or not finite, and arrays that do not fit.
    """
    net = _of_signals(net)
    if isinstance(given, str | os.PathLike):
        text = os.fspath(given)
        limits = limits_of(text)
        if limits is None:
            name = text.removesuffix(BY_DEVIATION)
            values = signals_in(net, Path(name))
            spec = _spec_of(values, name, by_deviation=name != text)
            return net.with_input_spec(_named(_with_quantiles(spec, values, net), source))
    elif isinstance(given, tuple | list) and len(given) == 2 and np.ndim(given[0]) == 0:
        limits = (float(given[0]),), (float(given[1]),)
    else:
        values = _signal_input(net).embedded(np.asarray(given, np.float32))
        spec = _with_quantiles(_spec_of(values, "range"), values, net)
        return net.with_input_spec(_named(spec, source))
    if len(limits[0]) not in (1, net.channels):
        raise UsageError(f"range: {len(limits[0])} pairs for {net.channels} channels")
    return net.with_input_spec(range_spec(*limits, source=source))


def _of_signals(net: Network) -> Network:
    """Return a network that takes signals where its three axes may be those of grey images too."""
    port = net.image_input.port
    axes = (
        guessed_axes(port) if net.medium == "image" and len(port.shape or ()) == AMBIGUOUS else None
    )
    return net if axes is None else net.with_axes(",".join(axes), net.rate)


def signals_in(net: Network, path: Path) -> Array:
    """Read the signals of a file as images [B, H, W, C] in the network's numbers.

    A ``.csv`` has a row for each moment and a column for each channel, or a row for each row of a
    table; its first line may be names. An ``.npz`` has one array, or one of the input's name.

    Raises:
        UsageError: For a file that cannot be read, does not fit, or has numbers that are not
            finite.
    """
    signal = _signal_input(net)
    try:
        if path.suffix.lower() == ".csv":
            values = _of_columns(signal, read_csv(path))
        else:
            values = signal.embedded(_read(path, signal.port.name))
    except UsageError as error:
        line = str(error)
        raise UsageError(line if str(path) in line else f"{path}: {line}") from error
    check_finite(values, str(path))
    return values


def check_finite(values: Array, name: str) -> None:
    """Raise :class:`UsageError` for numbers that are not finite, such as those of a gap."""
    lost = int(np.size(values) - np.isfinite(values).sum())
    if lost:
        raise UsageError(
            f"{name}: {lost:,} of its {np.size(values):,} numbers are not finite; fill the gaps "
            "or leave those rows out"
        )


def read_csv(path: Path) -> Array:
    """Read the numbers of a ``.csv`` file [rows, columns]; a first line of names is left out.

    Raises :class:`UsageError` for a file without numbers, and rows of different lengths.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: no readable .csv file") from error
    if rows and not _are_numbers(rows[0]):
        rows = rows[1:]
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]) or not _are_numbers(row):
            raise UsageError(f"{path}: row {number + 1} is not {len(rows[0])} numbers")
    if not rows:
        raise UsageError(f"{path}: has no rows of numbers")
    return np.array([[float(cell) for cell in row] for row in rows], np.float32)


def _are_numbers(row: list[str]) -> bool:
    try:
        [float(cell) for cell in row]
    except ValueError:
        return False
    return True


def _of_columns(signal: SignalInput, rows: Array) -> Array:
    """Return the rows of a ``.csv`` file as images: those of a table, or moments of one signal."""
    if FEATURE in signal.axes:
        return signal.embedded(rows)
    if rows.shape[1] != signal.channels:
        raise UsageError(f"{rows.shape[1]} columns for {signal.channels} channels")
    if len(signal.positions) != 1:
        raise UsageError("a .csv has signals of one axis of positions; give an .npy")
    return rows[None, None]


def _read(path: Path, name: str) -> Array:
    with opened_arrays(path) as arrays:
        found = name if name in arrays else array_name(path, list(arrays), "")
        return np.asarray(arrays[found].read(), np.float32)


def _signal_input(net: Network) -> SignalInput:
    found = net.image_input
    if not isinstance(found, SignalInput):
        raise UsageError(
            f"range: {net.name} takes {found.noun}s, no signals; give --preprocess, or --axes"
        )
    return found


def _spec_of(values: Array, name: str, *, by_deviation: bool = False) -> InputSpec:
    """Return the range of signals [B, H, W, C] by channel."""
    check_finite(values, name)
    flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
    if not len(flat):
        raise UsageError(f"{name}: has no numbers")
    low, high = flat.min(0), flat.max(0)
    if by_deviation:
        mean, reach = flat.mean(0), DEVIATIONS * flat.std(0)
        low, high = mean - reach, mean + reach
    narrow = NARROW * np.maximum(1.0, np.abs(low))
    low, high = np.where(high - low < narrow, [low - narrow, high + narrow], [low, high])
    return range_spec([rounded(n) for n in low], [rounded(n) for n in high])


def _with_quantiles(spec: InputSpec, values: Array, net: Network) -> InputSpec:
    """Return the range of the columns of a table with the quantiles of its data."""
    if FEATURE not in net.image_input.axes:
        return spec
    columns = np.quantile(values.reshape(-1, values.shape[-1]), QUANTILES, axis=0).T
    quantiles = tuple(tuple(rounded(n) for n in column) for column in columns)
    return replace(spec, quantiles=quantiles)


def _named(spec: InputSpec, source: str) -> InputSpec:
    return replace(spec, source=source)
