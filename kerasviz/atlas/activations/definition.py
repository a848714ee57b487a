"""The definition of an activation atlas: all that decides its icons, recorded for all runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kerasviz.atlas.activations.points import AtlasClasses
from kerasviz.atlas.definition import Atlas, setting_differences
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.storage import Storage

#: The file of the definition in the storage.
FILE = "activation-atlas.json"
VERSION = 1
#: The usual grids: cells along each side (Carter et al. 2019, and one coarser).
GRIDS = (10, 20, 40, 80)
#: That of a comparison of two classes.
COMPARISON_GRIDS = (10,)
#: Cells with as many points or fewer are left out: of all points, and of those of a class.
LEAST = 5
CLASS_LEAST = 4
#: The power of the cosine in the score of an icon.
COSINE = 2.0
#: Crops of photos for each cell.
EXAMPLES = 4


@dataclass(frozen=True)
class ActivationAtlas:
    """Hold the settings of an activation atlas.

    ``work`` names the network, the recipe of the icons, the seed and the threads of workers.
    ``samples`` and ``layout`` are digests or names of what the cells are cut from.
    """

    work: Atlas
    tap: str
    samples: str
    layout: str
    classes: AtlasClasses
    grids: tuple[int, ...] = GRIDS
    least: int = LEAST
    cosine: float = COSINE
    whiten: bool = True
    examples: int = EXAMPLES

    def to_json(self) -> dict[str, Any]:
        """Return the definition as plain data."""
        return {
            "maker": "kerasviz activation-atlas",
            "format": VERSION,
            "work": self.work.to_json(),
            **self.settings(),
        }

    def settings(self) -> dict[str, Any]:
        """Return what decides its icons beside the network and the recipe."""
        return {
            "tap": self.tap,
            "activations": self.samples,
            "layout": self.layout,
            "classes": list(self.classes.numbers),
            "grids": list(self.grids),
            "least": self.least,
            "cosine": self.cosine,
            "whiten": self.whiten,
            "examples": self.examples,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ActivationAtlas:
        """Make a definition from plain data."""
        return cls(
            Atlas.from_json(data["work"]),
            data["tap"],
            data["activations"],
            data["layout"],
            AtlasClasses(*data["classes"]),
            tuple(data["grids"]),
            data["least"],
            data["cosine"],
            data["whiten"],
            data["examples"],
        )


def recorded_definition(storage: Storage) -> ActivationAtlas | None:
    """Read the definition in a storage; ``None`` if it has none.

    Raises :class:`KerasvizError` for a damaged one.
    """
    data = storage.read(FILE)
    if data is None:
        return None
    try:
        return ActivationAtlas.from_json(json.loads(data))
    except (ValueError, KeyError, TypeError) as error:
        raise KerasvizError(f"{storage.address(FILE)!r} is damaged: {error!r}") from error


def agree_on(storage: Storage, asked: ActivationAtlas) -> ActivationAtlas:
    """Record a definition in a storage, or return the recorded one if it makes the same icons.

    Raises :class:`UsageError` that says which settings differ.
    """
    data = (json.dumps(asked.to_json(), indent=1, ensure_ascii=False) + "\n").encode()
    storage.write_new(FILE, data)
    agreed = recorded_definition(storage)
    if agreed is None:
        raise KerasvizError(f"{storage.address(FILE)!r} was written and is not there")
    pairs = (
        ("model", agreed.work.network["sha256"], asked.work.network["sha256"]),
        ("seed", agreed.work.seed, asked.work.seed),
        ("threads", agreed.work.threads, asked.work.threads),
    )
    before, now = ({name: pair[k] for name, *pair in pairs} for k in (0, 1))
    before |= {**agreed.settings(), **agreed.work.recipe.identity()}
    now |= {**asked.settings(), **asked.work.recipe.identity()}
    different = list(setting_differences(before, now))
    if different:
        raise UsageError(
            f"{storage.url!r} holds an activation atlas with other settings: "
            f"{'; '.join(different)}; give those settings or another --out"
        )
    return agreed
