"""Name families of units, and say where they lie and what they weigh."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.errors import UsageError, near
from kerasviz.network.network import Network
from kerasviz.types import Array

#: The keys of a family in a file.
KEYS = ("tap", "name", "units", "comment")


@dataclass(frozen=True)
class Family:
    """Hold units of one layer that belong together, such as curves of all orientations.

    Args:
        tap: The name of their layer.
        name: What they are called.
        units: Their numbers, in the order in which they are shown.
        comment: What is worth saying of them.
    """

    tap: str
    name: str
    units: tuple[int, ...]
    comment: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the family as plain data."""
        return {**vars(self), "units": list(self.units)}


def read_families(path: str | os.PathLike[str], net: Network | None = None) -> list[Family]:
    """Read families from a JSON file: a list of ``{"tap", "name", "units", "comment"}``.

    Args:
        path: The file. The comment may be left out.
        net: A network whose taps and units they have to be.

    Raises:
        UsageError: For a file that is not such a list, and units that the network does not have.

    Example:
        >>> text = '[{"tap": "stem", "name": "red", "units": [3, 5]}]'
        >>> _ = Path("families.json").write_text(text)
        >>> read_families("families.json")
        [Family(tap='stem', name='red', units=(3, 5), comment='')]
    """
    text = str(os.fspath(path))
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{text!r} cannot be read as families: {error}") from error
    if not isinstance(entries, list):
        raise UsageError(f"{text!r}: expected a list of families, each with {', '.join(KEYS)}")
    families = [_family(entry, f"{text!r}, family {k}") for k, entry in enumerate(entries)]
    if net is not None:
        for family in families:
            _check(family, net, text)
    return families


def _family(entry: Any, where: str) -> Family:
    """Return a family of plain data, or raise :class:`UsageError`."""
    if not isinstance(entry, Mapping) or not {"tap", "name", "units"} <= set(entry):
        raise UsageError(f"{where}: expected {', '.join(KEYS)}")
    strange = [key for key in entry if key not in KEYS]
    if strange:
        raise UsageError(f"{where}: unknown key {strange[0]!r}; near: {near(strange[0], KEYS)}")
    units = entry["units"]
    if not isinstance(units, list) or not all(type(n) is int and n >= 0 for n in units):
        raise UsageError(f"{where}: units are a list of numbers from 0, given {units!r}")
    if not units or len(set(units)) < len(units):
        raise UsageError(f"{where}: expected at least one unit, and each once")
    return Family(
        str(entry["tap"]), str(entry["name"]), tuple(units), str(entry.get("comment", ""))
    )


def _check(family: Family, net: Network, text: str) -> None:
    channels = net.taps[family.tap].channels or 0
    wrong = [unit for unit in family.units if unit >= channels]
    if wrong:
        raise UsageError(
            f"{text!r}: {family.tap} has the units 0 to {channels - 1}, given {wrong[0]} in "
            f"{family.name!r}"
        )


def families_text(families: Sequence[Family]) -> str:
    """Return families as the text of a file."""
    return json.dumps([f.to_json() for f in families], indent=1, ensure_ascii=False) + "\n"


def family_shares(sizes: Array, tap: str, families: Sequence[Family]) -> list[tuple[str, float]]:
    """Return the shares of families in the weights from a layer, and of its other units.

    Args:
        sizes: [channels] The sums of absolute weights from each unit of the layer.
        tap: The name of the layer.
        families: Families of any layers. A unit in several counts for the first.

    Example:
        >>> family_shares(np.array([1.0, 2.0, 1.0]), "a", [Family("a", "red", (1,))])
        [('red', 0.5), ('others', 0.5)]
    """
    left = sizes.astype(np.float64)
    total = float(left.sum()) or 1.0
    shares = []
    for family in families:
        if family.tap == tap:
            units = list(family.units)
            shares.append((family.name, float(left[units].sum() / total)))
            left = left.copy()
            left[units] = 0
    return [*shares, ("others", float(left.sum() / total))]


@dataclass(frozen=True)
class LayerBranch:
    """Hold the units of a joined layer that one of its inputs gives.

    Args:
        name: The name of the input.
        start: The number of its first unit in the joined layer.
        end: One more than that of the last.
    """

    name: str
    start: int
    end: int


def branches_of(net: Network, tap: str) -> tuple[LayerBranch, ...]:
    """Return the branches whose concatenation is a tap; () for any other tap.

    >>> branches_of(net, "block3b")
    ()
    """
    values = net.program.values
    value = values.get(net.taps[tap].name)
    while value is not None and not value.parts:
        value = values.get(value.activation_input or value.relu_input or "")
    if value is None:
        return ()
    branches, start = [], 0
    for part in value.parts:
        shape = values[part].shape if part in values else None
        if not shape or shape[-1] is None:
            return ()
        branches.append(LayerBranch(part, start, start + shape[-1]))
        start += shape[-1]
    return tuple(branches)


@dataclass(frozen=True)
class BranchCount:
    """Hold how many units of a family a branch has.

    Args:
        branch: The branch.
        count: The number of units.
        expected: The mean number, were the units drawn at random from the layer.
        p: The probability of as many or more in that case.
    """

    branch: LayerBranch
    count: int
    expected: float
    p: float


def branch_counts(family: Family, branches: Sequence[LayerBranch]) -> list[BranchCount]:
    """Count the units of a family in the branches of its layer, with hypergeometric p values.

    Args:
        family: The family.
        branches: The branches of its layer, see :func:`branches_of`.

    Example:
        >>> branches = [LayerBranch("left", 0, 4), LayerBranch("right", 4, 8)]
        >>> [(found.count, round(found.p, 3)) for found in branch_counts(
        ...     Family("a", "red", (0, 1, 2)), branches)]
        [(3, 0.071), (0, 1.0)]
    """
    hypergeom = importlib.import_module("scipy.stats").hypergeom
    whole, drawn = branches[-1].end if branches else 0, len(family.units)
    counts = []
    for branch in branches:
        own = branch.end - branch.start
        count = sum(branch.start <= unit < branch.end for unit in family.units)
        p = float(hypergeom.sf(count - 1, whole, own, drawn))
        counts.append(BranchCount(branch, count, drawn * own / whole, p))
    return counts
