"""All statistics of the units of a tap, gathered in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from kerasviz.examples.statistics.classes import ClassTally
from kerasviz.examples.statistics.comoments import Comoments
from kerasviz.examples.statistics.histogram import Histogram
from kerasviz.examples.statistics.reservoir import Reservoir, mixed
from kerasviz.types import Array

#: Images that are gathered before they are counted: each counting has a fixed cost.
TOGETHER = 256


@dataclass(frozen=True)
class UnitValues:
    """What the units of a tap make of a batch of images.

    Args:
        images: [N], the numbers of the images.
        ties: [N], pseudorandom numbers of the images, see :func:`tie_of`.
        labels: [N], the numbers of their classes, -1 for none.
        values: [N, P, units], activations at P positions.
        places: [N, P], the numbers of these positions.
        high: [N, units], the largest activations over all positions.
        rectified: [N, units], means over all positions of the activation above 0.
    """

    images: Array
    ties: Array
    labels: Array
    values: Array
    places: Array
    high: Array
    rectified: Array


class TapStatistics:
    """The statistics of the units of a tap; ``class_cells`` is 0 without classes."""

    def __init__(self, units: int, class_cells: int):
        self.units = units
        self.histogram = Histogram(units)
        self.reservoir = Reservoir(units)
        self.moments = Comoments(units)
        self.classes = ClassTally(units, class_cells) if class_cells else None
        self.waiting: list[UnitValues] = []

    def offer(self, batch: UnitValues) -> None:
        """Add a batch of images."""
        if len(batch.images):
            self.waiting.append(batch)
        if sum(len(each.images) for each in self.waiting) >= TOGETHER:
            self.finish()

    def finish(self) -> None:
        """Count the images that wait."""
        if self.waiting:
            self._count(UnitValues(**self._joined()))
            self.waiting = []

    def _joined(self) -> dict[str, Array]:
        names = [field.name for field in fields(UnitValues)]
        return {n: np.concatenate([getattr(each, n) for each in self.waiting]) for n in names}

    def _count(self, batch: UnitValues) -> None:
        count, positions, units = batch.values.shape
        values = batch.values.reshape(-1, units)
        self.histogram.offer(values)
        self.moments.offer(values)
        each = np.repeat(np.arange(count), positions)
        places = batch.places.reshape(-1)
        self.reservoir.offer(
            {
                "tie": mixed(batch.ties[each] + places)[:, None],
                "value": values,
                "image": batch.images[each][:, None],
                "place": places[:, None],
                "label": batch.labels[each][:, None],
            }
        )
        if self.classes is not None:
            known = batch.labels >= 0
            self.classes.offer(batch.labels[known], batch.high[known], batch.rectified[known])

    def drop_classes(self) -> None:
        """Forget the classes, because there are too many."""
        self.classes = None

    def to_arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        waiting = self._joined() if self.waiting else {}
        return {f"waiting/{name}": array for name, array in waiting.items()} | {
            f"{name}/{key}": array
            for name, part in self._parts().items()
            for key, array in part.to_arrays().items()
        }

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Restore the state of :meth:`to_arrays`; raise ``KeyError`` for missing arrays."""
        for name, part in self._parts().items():
            prefix = f"{name}/"
            part.restore(
                {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
            )
        names = [field.name for field in fields(UnitValues)]
        if "waiting/images" in arrays:
            self.waiting = [UnitValues(**{name: arrays[f"waiting/{name}"] for name in names})]

    def _parts(self) -> dict[str, Histogram | Reservoir | Comoments | ClassTally]:
        parts: dict[str, Histogram | Reservoir | Comoments | ClassTally] = {
            "histogram": self.histogram,
            "reservoir": self.reservoir,
            "moments": self.moments,
        }
        return parts if self.classes is None else {**parts, "classes": self.classes}
