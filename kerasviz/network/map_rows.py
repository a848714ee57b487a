"""Write the map of a network as rows: a tree of modules, equal siblings folded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from kerasviz.network.map import Map, Module
from kerasviz.network.network import Network
from kerasviz.network.positions import positions_of

#: Rows that fit a screen, with the header and the summary.
MOST_ROWS = 56
#: The levels inside main layers that are shown where there is room.
_DEEPEST = 4
_INDENT = "  "


@dataclass(frozen=True)
class _Branch:
    """Hold what is shown of one module, or of several equal ones."""

    labels: tuple[str, ...]
    module: Module
    shape: str
    inside: tuple[_Branch, ...]

    @property
    def signature(self) -> tuple[object, ...]:
        """What equal siblings have in common, besides the name up to the number."""
        return (
            _stem(self.labels[0]),
            self.module.kind,
            self.module.main,
            self.shape,
            *((b.labels, b.signature) for b in self.inside),
        )

    def label(self) -> str:
        """Write the names, several as ``layer.0-11``."""
        first, last = self.labels[0], self.labels[-1]
        return first if first == last else f"{first}-{last.removeprefix(_stem(last))}"


@dataclass(frozen=True)
class _Folding:
    """Prune and fold the modules of a map; ``shape_of`` writes the shape of a tap."""

    map: Map
    shape_of: Callable[[str], str]

    def branches(self, depth: int) -> list[_Branch]:
        """Return the main layers with ``depth`` levels inside them, equal siblings folded."""
        return _folded(self._pruned(self.map.root, depth))

    def _pruned(self, module: Module, depth: int) -> Iterator[_Branch]:
        """Yield the modules inside a module that are main, hold main ones or lie inside of one."""
        for child in module.modules:
            if child.main:
                yield self._branch(child, self._inside(child, depth))
            else:
                branches = tuple(self._pruned(child, depth))
                if branches:
                    yield self._branch(child, branches)

    def _inside(self, module: Module, depth: int) -> Iterator[_Branch]:
        for child in module.modules if depth else ():
            if child.tap is not None and self._has_channels(child.tap):
                yield self._branch(child, self._inside(child, depth - 1))

    def _has_channels(self, tap: str) -> bool:
        value = self.map.flow.values.get(tap)
        return value is None or bool(value.shape and value.shape[-1] is not None)

    def _branch(self, module: Module, inside: Iterable[_Branch]) -> _Branch:
        shape = "" if module.tap is None else self.shape_of(module.tap)
        return _Branch((module.label,), module, shape, tuple(_folded(inside)))


def map_rows(net: Network) -> list[tuple[str, ...]]:
    """Return rows of label, class and shape: the main layers, and as much inside them as fits."""
    return folded_rows(net.map, lambda tap: shape_text(net, tap))


def folded_rows(network_map: Map, shape_of: Callable[[str], str]) -> list[tuple[str, ...]]:
    """Return the rows of a map as :func:`map_rows` does; ``shape_of`` writes shapes of taps."""
    folding = _Folding(network_map, shape_of)
    rows = _rows(folding.branches(0))
    for depth in range(1, _DEEPEST + 1):
        deeper = _rows(folding.branches(depth))
        if len(deeper) > MOST_ROWS:
            break
        rows = deeper
    if len(rows) > MOST_ROWS:
        half = (MOST_ROWS - 1) // 2
        left_out = (f"... {len(rows) - 2 * half} more", "", "")
        rows = [*rows[:half], left_out, *rows[-half:]]
    return rows


def _folded(branches: Iterable[_Branch]) -> list[_Branch]:
    """Fold equal siblings with consecutive numbers, and lists into the modules around them."""
    folded: list[_Branch] = []
    for branch in branches:
        before = folded[-1] if folded else None
        if before is not None and _follows(before, branch):
            labels = (*before.labels, *branch.labels)
            folded[-1] = _Branch(labels, before.module, before.shape, before.inside)
        else:
            folded.append(branch)
    return folded


def _follows(before: _Branch, branch: _Branch) -> bool:
    if before.signature != branch.signature or len(branch.labels) > 1:
        return False
    last, number = (_number(label) for label in (before.labels[-1], branch.labels[0]))
    return last is not None and number == last + 1


def _number(label: str) -> int | None:
    digits = label.removeprefix(_stem(label))
    return int(digits) if digits else None


def _stem(label: str) -> str:
    """Return a label without the number at its end.

    >>> _stem("layer.11"), _stem("0")
    ('layer.', '')
    """
    return re.sub(r"\d+$", "", label)


def _rows(branches: Iterable[_Branch], indent: str = "", around: str = "") -> list[tuple[str, ...]]:
    """Return the rows of branches; a module with a single row inside and no tap joins it."""
    rows: list[tuple[str, ...]] = []
    for branch in branches:
        label = f"{around}{branch.label()}"
        wrapper = not branch.module.main and len(branch.labels) == 1
        if wrapper and len(branch.inside) == 1:
            separator = "/" if "/" in branch.inside[0].module.name else "."
            rows += _rows(branch.inside, indent, f"{label}{separator}")
            continue
        rows.append((indent + label, branch.module.kind, branch.shape))
        rows += _rows(branch.inside, indent + _INDENT)
    return rows


def shape_text(net: Network, tap: str) -> str:
    """Write the shape of a tap as positions x channels, such as ``16x16 + 1 x 384``.

    Tokens are written as the map that they were made from, and the special tokens beside it.
    """
    shape = net.taps[tap].shape
    if shape is None or len(shape) < 2:
        return ""
    positions = positions_of(net, tap)
    extent = positions.grid or positions.extent
    text = "x".join("?" if n is None else str(n) for n in extent)
    channels = "?" if shape[-1] is None else str(shape[-1])
    special = f" + {positions.special}" if positions.special else ""
    return f"{text}{special} x {channels}" if extent else channels
