"""Name the tensors of a network: by name, alias and pre-activation name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kerasviz.errors import UsageError, near
from kerasviz.network.program import Value

PRE_RELU = "_pre_relu"


class UnknownTapError(UsageError, KeyError):
    """Report that no tap has a name; the message lists similar names."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


@dataclass(frozen=True)
class Tap:
    """Describe a tensor of a network whose channels can be shown.

    Args:
        name: The name in the network.
        op: The operation that computes it.
        shape: [B, h, w, C], [B, tokens, C] or [B, C], with ``None`` for free dimensions.
        aliases: Further names.
        pre_activation: The tap before the ReLU, if this is the output of one.
        parts: The program's values whose concatenation along the channels is this tap; several
            only before a concatenation of ReLUs.

    Example:
        >>> Tap("conv", "Conv2D", (None, None, None, 64)).channels
        64
    """

    name: str
    op: str
    shape: tuple[int | None, ...] | None
    aliases: tuple[str, ...] = ()
    pre_activation: str | None = None
    parts: tuple[str, ...] = ()

    @property
    def channels(self) -> int | None:
        """The number of channels (units), ``None`` if only a run can tell."""
        return self.shape[-1] if self.shape else None


class TapTable(Mapping[str, Tap]):
    """Map tap names to taps in the order of the graph.

    Aliases, lengths and scalars are found, but not listed; short names are no aliases of a tap.

    >>> from kerasviz.network.program import Value
    >>> table = TapTable({"a": Value("a", "Conv", (None, 8)), "b": Value("b", "Relu", (None, 8),
    ...                   relu_input="a")}, aliases={"first": "b"})
    >>> table["first"].name, table["first_pre_relu"].name
    ('b', 'a')
    """

    def __init__(
        self,
        values: Mapping[str, Value],
        aliases: Mapping[str, str] | None = None,
        short_names: Mapping[str, str] | None = None,
    ):
        self._taps: dict[str, Tap] = {}
        self._auxiliary = {value.name for value in values.values() if value.auxiliary}
        for value in values.values():
            self._taps[value.name] = Tap(value.name, value.op, value.shape, parts=(value.name,))
        self._names: dict[str, str] = {name: name for name in self._taps}
        for value in values.values():
            for alias in value.aliases:
                self._names.setdefault(alias, value.name)
        for alias, target in (aliases or {}).items():
            if target in self._names:
                self._names.setdefault(alias, self._names[target])
        self._add_pre_activations(values)
        for alias, target in self._names.items():
            if alias != target:
                tap = self._taps[target]
                self._taps[target] = replace(tap, aliases=(*tap.aliases, alias))
        for name, target in (short_names or {}).items():
            self._names.setdefault(name, target)

    @property
    def names(self) -> Mapping[str, str]:
        """The name of the tap for every name."""
        return self._names

    def _add_pre_activations(self, values: Mapping[str, Value]) -> None:
        before: dict[str, tuple[str, ...]] = {}  # value -> parts of its pre-activation

        def parts_before(name: str) -> tuple[str, ...] | None:
            value = values.get(name)
            if value is None:
                return None
            if name not in before:
                if value.relu_input in values:
                    before[name] = (str(value.relu_input),)
                elif value.parts:
                    inputs = [parts_before(part) for part in value.parts]
                    # A branch that does not end in a ReLU is its own pre-activation.
                    joined = [f or (p,) for f, p in zip(inputs, value.parts, strict=True)]
                    before[name] = tuple(p for j in joined for p in j) if any(inputs) else ()
                else:
                    before[name] = ()
            return before[name] or None

        spellings: dict[str, list[str]] = {}
        for name, target in self._names.items():
            spellings.setdefault(target, []).append(name)
        for value in values.values():
            parts = parts_before(value.name)
            if parts is None:
                continue
            plain = value.name + PRE_RELU
            target = parts[0] if len(parts) == 1 else self._names.get(plain, plain)
            if target not in self._taps:
                self._taps[target] = Tap(target, "Concat", value.shape, parts=parts)
            for name in spellings[value.name]:
                self._names.setdefault(name + PRE_RELU, target)
            self._taps[value.name] = replace(self._taps[value.name], pre_activation=target)

    def __getitem__(self, name: str) -> Tap:
        if name not in self._names:
            raise UnknownTapError(f"unknown tap {name!r}; near: {near(name, self._names)}")
        return self._taps[self._names[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._taps if name not in self._auxiliary)

    def __len__(self) -> int:
        return sum(1 for _ in self)
