"""Follow the data between the values of a program: sources, users, joins."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from kerasviz.network.program import Value, has_positions

#: Operators and layers with learned weights that mix channels.
_LEARNED = re.compile(r"conv|matmul|gemm|dense|einsum|linear|lstm|gru|rnn|attention", re.IGNORECASE)
POOL = re.compile("pool", re.IGNORECASE)
#: Operators that change what a position is: no normalization or activation.
_RESHAPING = re.compile("concat|reshape|transpose|slice|gather|pad|resize|expand", re.IGNORECASE)


class Dataflow:
    """Relate the values of a program, without lengths, masks and scalars.

    The root of a value is the last learned or joined value that it is computed from: the root of a
    normalized, activated or reshaped convolution is that convolution. A join has several roots.
    """

    def __init__(self, values: Mapping[str, Value], outputs: Collection[str] = ()):
        self.values = {name: v for name, v in values.items() if not v.auxiliary}
        self.order = {name: k for k, name in enumerate(self.values)}
        spellings = {alias: name for name, v in values.items() for alias in v.aliases}
        self.outputs = {spellings.get(name, name) for name in outputs}
        self.inputs = {
            name: [n for n in value.inputs if n in self.values or n not in values]
            for name, value in self.values.items()
        }
        self.users: dict[str, list[str]] = {name: [] for name in self.values}
        self.roots: dict[str, str] = {}
        self.joins: set[str] = set()
        self.learned: set[str] = set()
        self._of_root: dict[str, list[str]] = {}
        # The value of a layer with an activation comes after it, that of its weights before it.
        layers = {v.relu_input or v.activation_input: v.op for v in self.values.values()}
        for name, value in self.values.items():
            for source in self.inputs[name]:
                self.users.setdefault(source, []).append(name)
            roots = {self.roots.get(source, source) for source in self.inputs[name]}
            if len(roots) > 1:
                self.joins.add(name)
            elif _LEARNED.search(layers.get(name, "")) or (
                _LEARNED.search(value.op) and not self._activates(name)
            ):
                self.learned.add(name)
            passes_on = len(roots) == 1 and name not in self.learned
            self.roots[name] = roots.pop() if passes_on else name
            self._of_root.setdefault(self.roots[name], []).append(name)

    def activated(self, name: str) -> str:
        """Return the output of the activation function that follows a value.

        It is the only way from the value to the rest of the network, past normalizations. Without
        an activation function it is the last normalization, or the value itself.
        """
        root, shape, last = self.roots[name], self.values[name].shape, name
        region = self._of_root[root]
        if any(self._activates(n) for n in region if self.order[n] <= self.order[name]):
            return name
        reached = {name}
        for candidate in region:
            if self.order[candidate] <= self.order[name] or reached.isdisjoint(
                self.inputs[candidate]
            ):
                continue
            op = self.values[candidate].op
            if POOL.search(op) or _RESHAPING.search(op):
                return last
            reached.add(candidate)
            before = reached - {candidate}
            if self.values[candidate].shape == shape and not self._leaves(before, reached):
                last = candidate
                if self._activates(candidate):
                    return candidate
        return last

    def _activates(self, name: str) -> bool:
        value = self.values[name]
        return (value.activation_input or value.relu_input) is not None

    def nearest(self, names: Collection[str]) -> dict[str, list[str]]:
        """Return for each of some values those of the others that it is computed from next."""
        chosen = set(names)
        reached: dict[str, dict[str, None]] = {}
        for name in self.values:
            sources: dict[str, None] = {}
            for source in self.inputs[name]:
                sources |= {source: None} if source in chosen else reached.get(source, {})
            reached[name] = sources
        return {n: sorted(reached.get(n, ()), key=self.order.__getitem__) for n in names}

    def _leaves(self, names: set[str], within: set[str]) -> bool:
        return not self.outputs.isdisjoint(names) or any(
            not within.issuperset(self.users[name]) for name in names
        )

    def has_positions(self, name: str) -> bool:
        """Return whether a value has several positions and a known number of channels."""
        return has_positions(self.values[name].shape)
