"""Name the tensors of a network: by name, alias and pre-activation name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from kerasviz.errors import UsageError, near
from kerasviz.network.program import Value
from kerasviz.types import NotebookView, PreActivation

PRE_RELU = "_pre_relu"
PRE_ACTIVATION = "_pre_activation"


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
        pre_activation: The tap before the activation function, if this is the output of one.
        rectified: Whether that function is a ReLU, so that inactive units have no gradient.
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
    rectified: bool = False
    parts: tuple[str, ...] = ()

    @property
    def pre_relu(self) -> str | None:
        """The tap before the ReLU, if this is the output of one."""
        return self.pre_activation if self.rectified else None

    def before(self, pre_activation: PreActivation) -> str | None:
        """Return the tap before the activation function: of a ReLU, or of "any" function."""
        if pre_activation == "any":
            return self.pre_activation
        return self.pre_relu if pre_activation else None

    @property
    def channels(self) -> int | None:
        """The number of channels (units), ``None`` if only a run can tell."""
        return self.shape[-1] if self.shape else None


class TapTable(NotebookView, Mapping[str, Tap]):
    """Map tap names to taps in the order of the graph.

    Aliases, lengths and scalars are found, but not listed; short names are no aliases of a tap.
    ``left_out`` are values that cannot be computed, with the reasons.

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
        left_out: Mapping[str, str] | None = None,
    ):
        self._left_out = left_out or {}
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
        self._add_pre_activations(values, lambda v: v.relu_input, PRE_RELU)
        self._add_pre_activations(
            values, lambda v: v.relu_input or v.activation_input, PRE_ACTIVATION
        )
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

    def _add_pre_activations(
        self, values: Mapping[str, Value], input_of: Callable[[Value], str | None], suffix: str
    ) -> None:
        """Name the tensors before activation functions, also those before joined ones."""
        spellings: dict[str, list[str]] = {}
        for name, target in self._names.items():
            spellings.setdefault(target, []).append(name)
        for name, parts in _parts_before(values, input_of).items():
            target = self._tap_of_parts(values[name], parts, name + suffix)
            for spelling in spellings[name]:
                self._names.setdefault(spelling + suffix, target)
            if self._taps[name].pre_activation is None:
                self._taps[name] = replace(
                    self._taps[name], pre_activation=target, rectified=suffix == PRE_RELU
                )

    def _tap_of_parts(self, value: Value, parts: tuple[str, ...], plain: str) -> str:
        """Return the tap of joined values before an activation, a new one if there is none."""
        known = self._taps[value.name].pre_activation
        if len(parts) == 1:
            return parts[0]
        if known is not None and self._taps[known].parts == parts:
            return known  # before the ReLUs
        target = self._names.get(plain, plain)
        if target not in self._taps:
            self._taps[target] = Tap(target, "Concat", value.shape, parts=parts)
        return target

    def __getitem__(self, name: str) -> Tap:
        if name not in self._names and name in self._left_out:
            raise UnknownTapError(f"{name!r} cannot be computed: {self._left_out[name]}")
        if name not in self._names:
            raise UnknownTapError(f"unknown tap {name!r}; near: {near(name, self._names)}")
        return self._taps[self._names[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._taps if name not in self._auxiliary)

    def __repr__(self) -> str:
        names = list(self)
        ends = names if len(names) < 4 else [*names[:2], "...", names[-1]]
        return f"<TapTable of {len(names)} taps: {', '.join(ends)}>"

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _parts_before(
    values: Mapping[str, Value], input_of: Callable[[Value], str | None]
) -> dict[str, tuple[str, ...]]:
    """Return the values before each value that is an activation, or joins some.

    A joined branch that does not end in an activation is its own pre-activation.
    """
    before: dict[str, tuple[str, ...]] = {}

    def parts_of(name: str) -> tuple[str, ...]:
        value = values.get(name)
        if value is None:
            return ()
        if name not in before:
            source = input_of(value)
            inputs = [parts_of(part) for part in value.parts]
            joined = [f or (p,) for f, p in zip(inputs, value.parts, strict=True)]
            if source in values:
                before[name] = (str(source),)
            else:
                before[name] = tuple(p for j in joined for p in j) if any(inputs) else ()
        return before[name]

    return {name: parts for name in values if (parts := parts_of(name))}
