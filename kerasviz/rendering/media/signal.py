"""Signals: plots of what a network takes, and its numbers as .npy and .csv files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from kerasviz.network.axes import FEATURE
from kerasviz.network.input_spec import InputSpec
from kerasviz.network.signal_input import SignalInput
from kerasviz.rendering.media.bars import bars
from kerasviz.rendering.media.lines import stacked_lines
from kerasviz.rendering.media.maps import heat_maps
from kerasviz.rendering.media.scales import PlotAxis
from kerasviz.rendering.media.slices import film, film_gif, slices
from kerasviz.types import Array

#: Decimals of numbers in a .csv file: those of float32.
DIGITS = "%.9g"
#: Axes that run through moments rather than space.
MOMENTS = ("time", "frame")


@dataclass(frozen=True)
class SignalMedium:
    """Show signals as lines, maps, slices, films or bars, by their axes.

    ``spec`` says which numbers the network gets for values in [0, 1].
    """

    input: SignalInput
    spec: InputSpec

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of the files beside a picture."""
        films = (".gif",) if self._is_film else ()
        return (".npy", *((".csv",) if len(self.input.positions) < 2 else ()), *films)

    @property
    def _is_film(self) -> bool:
        return len(self.input.positions) == 3 and self.input.positions[0] in MOMENTS

    # -- numbers ---------------------------------------------------------------------------------

    def numbers(self, values: Array) -> Array:
        """Return values [H, W, C] in [0, 1] as the numbers of the network, float32."""
        mean, std = (np.array(n, np.float64) for n in (self.spec.mean, self.spec.std))
        return ((self.spec.scale * values.astype(np.float64) - mean) / std).astype(np.float32)

    def values_of(self, array: Array) -> Array:
        """Return the values [H, W, C] of numbers in the network's layout, without a batch axis."""
        return self._values(self.input.embedded(array)[0])

    def _values(self, numbers: Array) -> Array:
        mean, std = (np.array(n, np.float64) for n in (self.spec.mean, self.spec.std))
        return ((numbers.astype(np.float64) * std + mean) / self.spec.scale).astype(np.float32)

    def _unfolded(self, values: Array) -> Array:
        """Return the numbers of values [H, W, C] as [*lengths, C]."""
        lengths = self.input.lengths_in((values.shape[0], values.shape[1]))
        return self.numbers(values).reshape(*lengths, values.shape[-1])

    def _limits(self) -> tuple[Array, Array]:
        """Return the lowest and the highest number of each channel [C]."""
        ends = np.stack([np.zeros(self.input.channels), np.ones(self.input.channels)])
        low, high = self.numbers(ends[:, None, :].astype(np.float32))[:, 0]
        return np.minimum(low, high), np.maximum(low, high)

    # -- the picture -----------------------------------------------------------------------------

    def pil(self, values: Array, opacity: Array | None = None) -> Image.Image:
        """Return the plot of values [H, W, C]."""
        numbers, (low, high) = self._unfolded(values), self._limits()
        axes = [PlotAxis(axis, self.input.rate) for axis in self.input.positions]
        if FEATURE in self.input.axes:
            return bars(numbers.reshape(-1), low, high, self.spec.quantiles)
        if len(axes) == 1:
            return stacked_lines(numbers, low, high, axes[0])
        if len(axes) == 2:
            return heat_maps(numbers, axes)
        if self._is_film:
            return film(numbers, low, high, axes)
        return slices(numbers, axes)

    # -- files -----------------------------------------------------------------------------------

    def companions(self, values: Array) -> dict[str, bytes]:
        """Return the numbers as ``.npy``, in the network's layout, and ``.csv``; films as GIF."""
        buffer = io.BytesIO()
        np.save(buffer, self.input.own_array(self.numbers(values)), allow_pickle=False)
        files = {".npy": buffer.getvalue()}
        if ".csv" in self.suffixes:
            files[".csv"] = self._csv(values)
        if self._is_film:
            files[".gif"] = film_gif(self._unfolded(values), *self._limits())
        return files

    def _csv(self, values: Array) -> bytes:
        """Return a row for each moment and a column for each channel, or the row of a table."""
        numbers, buffer = self._unfolded(values), io.StringIO()
        table = numbers.reshape(-1, numbers.shape[-1])
        names = [str(k) for k in range(table.shape[1])]
        if self.input.rate is not None and self.input.positions:
            times = np.arange(len(table)) / self.input.rate
            table, names = np.column_stack([times, table]), ["seconds", *names]
        np.savetxt(buffer, table, DIGITS, delimiter=",", header=",".join(names), comments="")
        return buffer.getvalue().encode()

    def read(self, image: Image.Image, files: Mapping[str, bytes]) -> Array | None:
        """Return the values of a ``.npy`` file; ``None`` without one."""
        if not files.get(".npy"):
            return None
        return self.values_of(np.load(io.BytesIO(files[".npy"]), allow_pickle=False))
