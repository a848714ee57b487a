"""The index of a folder of examples: the statistics of all units, in one file.

``index.safetensors`` holds arrays by the name ``TAP/NAME``, where TAP is the number of the tap, and
JSON under the key ``about`` of its header. :class:`ExampleIndex` reads it; so does everything that
reads safetensors. Docs: "Find examples in your images".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kerasviz.errors import KerasvizError, UsageError, near
from kerasviz.examples.ranking import Ranking
from kerasviz.examples.receptive_field import ReceptiveField
from kerasviz.examples.statistics.classes import ClassStatistics
from kerasviz.examples.statistics.spectrum import Spectra, spectra
from kerasviz.examples.statistics.tap import TapStatistics
from kerasviz.io.files import write_atomically
from kerasviz.types import Array

#: The name of the file in a folder of examples.
INDEX = "index.safetensors"
#: The name and the number of the format, in the header of the file.
FORMAT = "kerasviz examples index"
VERSION = 1
#: Units that are listed as those that fire together with a unit, and as those that do so least.
NEAR = 8
FAR = 4


@dataclass(frozen=True)
class Response:
    """An activation of a unit: its value, the name of the image and (y, x) in the tap.

    The position is (-1, number) for a token off the map.
    """

    value: float
    image: str
    position: tuple[int, int]


@dataclass(frozen=True)
class SpectrumBin:
    """A bin of a spectrum: values from ``low`` to ``high``, of which there are ``count``.

    ``contribution`` is x p(x), ``crops`` are examples, the largest first, ``classes`` the most
    frequent classes with their shares.
    """

    low: float
    high: float
    count: int
    contribution: float
    crops: tuple[Response, ...]
    classes: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class ClassResponse:
    """How a unit responds to a class.

    ``images`` is the number of its images, ``mean`` the mean of the largest activation in each,
    ``auroc`` the probability that it is larger than in an image of another class.
    """

    name: str
    images: int
    mean: float
    auroc: float


@dataclass(frozen=True)
class UnitStatistics:
    """The statistics of a unit of a tap.

    Args:
        mean: The mean of the values: activations, before a ReLU, at random positions.
        deviation: Their standard deviation.
        positive: The share of values above 0.
        quantiles: Values below which .01, 25, 50, 75 and 99.99 percent lie.
        maximum: The natural maximum: the largest activation at any position of any image, ``None``
            without images.
        minimum: The smallest one.
        bins: The activation spectrum.
        neighbours: Units that fire together with this one, with their correlations.
        opposites: Units with the smallest correlations.
        selectivity: The class selectivity index of Morcos et al. 2018, in 0 .. 1, or ``None``.
        preferred: The class with the largest mean response, or ``None``.
        classes: The responses to all classes, the largest mean first.
    """

    mean: float
    deviation: float
    positive: float
    quantiles: tuple[float, ...]
    maximum: Response | None
    minimum: Response | None
    bins: tuple[SpectrumBin, ...]
    neighbours: tuple[tuple[int, float], ...]
    opposites: tuple[tuple[int, float], ...]
    selectivity: float | None
    preferred: ClassResponse | None
    classes: tuple[ClassResponse, ...]


def index_arrays(
    statistics: TapStatistics, ranking: Ranking, classes: ClassStatistics | None, names: list[str]
) -> dict[str, Array]:
    """Return the arrays of a tap; images have the numbers of the source.

    ``names`` are the classes in the order of their numbers in the statistics.
    """
    found = spectra(statistics, ranking, len(names))
    arrays = {field.name: getattr(found, field.name) for field in fields(Spectra)}
    if classes is not None:
        number = np.array([*(classes.names.index(name) for name in names), -1], np.int32)
        arrays["bin_class"] = number[arrays["bin_class"]]
        arrays |= {
            "class_mean": classes.mean.astype(np.float32),
            "class_auroc": classes.auroc.astype(np.float32),
            "selectivity": classes.selectivity.astype(np.float32),
            "preferred": classes.preferred.astype(np.int32),
        }
    for name, bucket in (("maximum", "top"), ("minimum", "bottom")):
        ends = ranking.examples(bucket)
        arrays[name] = ends.value[:, 0]
        arrays[f"{name}_image"], arrays[f"{name}_place"] = ends.image[:, 0], ends.place[:, 0]
    moments = statistics.moments
    moments.finish()
    arrays["mean"], arrays["deviation"] = moments.mean, moments.deviation
    arrays["positive"] = statistics.histogram.positive / max(1, moments.count)
    together = moments.neighbours(NEAR, FAR)
    if together is not None:
        arrays |= {
            "neighbours": together.near,
            "neighbour_correlation": together.near_correlation,
            "opposites": together.far,
            "opposite_correlation": together.far_correlation,
        }
    return arrays


def write_index(
    path: Path, taps: Mapping[str, Mapping[str, Array]], about: Mapping[str, Any], numbers: Array
) -> bytes:
    """Write the arrays of taps, with images by their places in ``numbers``; return the bytes."""
    tensors = {}
    for i, arrays in enumerate(taps.values()):
        for name, array in arrays.items():
            if name.endswith("_image"):
                array = np.where(array >= 0, np.searchsorted(numbers, array), -1).astype(np.int32)
            tensors[f"{i}/{name}"] = np.ascontiguousarray(array)
    text = json.dumps({"format": FORMAT, "version": VERSION, **about}, ensure_ascii=False)
    data = save(tensors, {"about": text})
    write_atomically(path, data)
    return data


class ExampleIndex:
    """Read the index of a folder of examples.

    Args:
        folder: The folder that ``kerasviz examples`` wrote, or the index in it.

    Raises:
        UsageError: For a folder without an index.
        KerasvizError: For a damaged one.

    Example:
        >>> index = ExampleIndex("out/tiny-examples")                    # doctest: +SKIP
        >>> index.array("block3b", "maximum").argsort()[::-1][:3]        # doctest: +SKIP
        array([ 7, 31, 12])
        >>> index.unit("block3b", 7).neighbours[0]                       # doctest: +SKIP
        (31, 0.84)
    """

    def __init__(self, folder: str | Path):
        path = Path(folder)
        self.path = path / INDEX if path.is_dir() else path
        if not self.path.is_file():
            raise UsageError(
                f"{str(self.path)!r} is no file; name a folder that kerasviz examples made"
            )
        try:
            with safe_open(self.path, "numpy") as file:
                self.about: dict[str, Any] = json.loads(file.metadata()["about"])
                self._names = set(file.keys())
            found = self.about["format"], self.about["version"]
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            raise KerasvizError(f"{str(self.path)!r} is damaged: {error}") from error
        if found != (FORMAT, VERSION):
            raise UsageError(f"{str(self.path)!r} has the format {found}; this version reads 1")

    @property
    def taps(self) -> tuple[str, ...]:
        """The names of the taps."""
        return tuple(tap["tap"] for tap in self.about["taps"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of arrays by class."""
        return tuple(self.about["classes"])

    def units(self, tap: str) -> int:
        """Return the number of units of a tap."""
        return int(self._about(tap)[1]["units"])

    def names(self, tap: str) -> tuple[str, ...]:
        """Return the names of the arrays of a tap."""
        prefix = f"{self._about(tap)[0]}/"
        return tuple(sorted(n.removeprefix(prefix) for n in self._names if n.startswith(prefix)))

    def array(self, tap: str, name: str) -> Array:
        """Return an array of all units of a tap, such as ``maximum`` or ``selectivity``.

        Raises :class:`UsageError` for one that the index does not have.
        """
        key = f"{self._about(tap)[0]}/{name}"
        if key not in self._names:
            raise UsageError(
                f"{str(self.path)!r} has no {name!r} of {tap}; near: {near(name, self.names(tap))}"
            )
        if key not in self._read:
            with safe_open(self.path, "numpy") as file:
                self._read[key] = file.get_tensor(key)
        return self._read[key]

    def unit(self, tap: str, unit: int) -> UnitStatistics:
        """Return the statistics of a unit.

        Raises :class:`UsageError` for an unknown tap or unit.
        """
        if not 0 <= unit < self.units(tap):
            raise UsageError(f"{tap}:{unit}: the index has units 0 to {self.units(tap) - 1}")
        one = {name: self.array(tap, name)[unit] for name in self.names(tap)}
        place = self._field(tap).place

        def response(value: float, image: int, number: int) -> Response | None:
            return (
                Response(float(value), self.about["names"][image], place(int(number)))
                if image >= 0
                else None
            )

        def crops(b: int) -> tuple[Response, ...]:
            rows = zip(*(one[f"crop_{n}"][b] for n in ("value", "image", "place")), strict=True)
            return tuple(found for found in (response(*row) for row in rows) if found)

        def pairs(units: str, correlation: str) -> tuple[tuple[int, float], ...]:
            rows = zip(one.get(units, ()), one.get(correlation, ()), strict=True)
            return tuple((int(u), float(r)) for u, r in rows if u >= 0)

        classes = self._classes(one)
        by_name = {each.name: each for each in classes}
        selectivity = float(one.get("selectivity", math.nan))
        chosen = int(one.get("preferred", -1))
        return UnitStatistics(
            mean=float(one["mean"]),
            deviation=float(one["deviation"]),
            positive=float(one["positive"]),
            quantiles=tuple(map(float, one["quantiles"])),
            maximum=response(one["maximum"], one["maximum_image"], one["maximum_place"]),
            minimum=response(one["minimum"], one["minimum_image"], one["minimum_place"]),
            bins=tuple(
                SpectrumBin(
                    float(one["edges"][b]),
                    float(one["edges"][b + 1]),
                    int(count),
                    float(one["contribution"][b]),
                    crops(b),
                    tuple(
                        (self.classes[k], float(share))
                        for k, share in zip(one["bin_class"][b], one["bin_share"][b], strict=True)
                        if k >= 0
                    ),
                )
                for b, count in enumerate(one["counts"])
            ),
            neighbours=pairs("neighbours", "neighbour_correlation"),
            opposites=pairs("opposites", "opposite_correlation"),
            selectivity=None if math.isnan(selectivity) else selectivity,
            preferred=by_name[self.classes[chosen]] if chosen >= 0 else None,
            classes=classes,
        )

    def _classes(self, one: Mapping[str, Array]) -> tuple[ClassResponse, ...]:
        if "class_mean" not in one:
            return ()
        order = np.argsort(-one["class_mean"], kind="stable")
        return tuple(
            ClassResponse(
                self.classes[k],
                int(self.about["class_images"][k]),
                float(one["class_mean"][k]),
                float(one["class_auroc"][k]),
            )
            for k in order
        )

    def _about(self, tap: str) -> tuple[int, dict[str, Any]]:
        for i, about in enumerate(self.about["taps"]):
            if tap in (about["tap"], about["values_of"]):
                return i, about
        raise UsageError(f"{str(self.path)!r} has no tap {tap!r}; it has {', '.join(self.taps)}")

    def _field(self, tap: str) -> ReceptiveField:
        return ReceptiveField.from_json(self._about(tap)[1]["field"])

    @cached_property
    def _read(self) -> dict[str, Array]:
        return {}
