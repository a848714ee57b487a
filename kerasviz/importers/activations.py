"""Find activation functions in a graph, also those that are written out in several operations.

Exporters write a GELU as products, divisions and an error function, in any order. A group of
elementwise operations is therefore recognized by its numbers: it is computed at some points and
compared with the known functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kerasviz.importers.activation_functions import ATOMIC, COMPUTE, POINTS, is_activation
from kerasviz.types import Array

#: Operations of the longest activation that is written out.
_LONGEST = 24
#: Operations that leave their first input as it is.
_COPIES = frozenset(("Cast", "Dropout", "Identity"))
#: What stands for the numbers of a constant with one number per channel, such as a slope.
_EXAMPLE = 0.3


@dataclass(frozen=True)
class Operation:
    """Hold an operation by its ONNX name; empty inputs are omitted.

    ``numbers`` are its attributes, such as ``alpha``.
    """

    output: str
    op: str
    inputs: tuple[str, ...]
    numbers: Mapping[str, float] = field(default_factory=dict)


def activation_inputs(
    operations: Sequence[Operation], constant: Callable[[str], Array | None]
) -> dict[str, str]:
    """Map the output of every activation function to its input.

    Args:
        operations: A graph, inputs before users.
        constant: The array of a name that is constant, ``None`` for the others.

    Returns:
        The names of tensors. Values inside of a function that is written out are left out.

    Example:
        >>> silu = [Operation("s", "Sigmoid", ("x",)), Operation("y", "Mul", ("x", "s"))]
        >>> activation_inputs(silu, lambda name: None)
        {'y': 'x'}
    """
    search = _Search(operations, constant)
    inner: set[str] = set()
    result: dict[str, str] = {}
    for operation in reversed(operations):
        if operation.output in inner or operation.op in _COPIES:
            continue
        if operation.op in ATOMIC and _variable(operation, constant)[:1] == operation.inputs[:1]:
            result[operation.output] = operation.inputs[0]
        elif operation.op in COMPUTE:
            source = search.input_of(operation, inner)
            if source is not None:
                result[operation.output] = source
    return dict(reversed(result.items()))


def _variable(operation: Operation, constant: Callable[[str], Array | None]) -> tuple[str, ...]:
    names = dict.fromkeys(name for name in operation.inputs if name)
    return tuple(name for name in names if constant(name) is None)


class _Search:
    """Search the operations before an output for the input of the function that they form."""

    def __init__(
        self, operations: Sequence[Operation], constant: Callable[[str], Array | None]
    ) -> None:
        self._constant = constant
        self._producers = {operation.output: operation for operation in operations}
        self._order = {operation.output: k for k, operation in enumerate(operations)}

    def input_of(self, last: Operation, inner: set[str]) -> str | None:
        """Return the nearest tensor of which ``last`` is an activation function, if any.

        The values between both are added to ``inner``.
        """
        cone = [last]
        border = set(_variable(last, self._constant))
        while border and len(cone) <= _LONGEST:
            if len(border) == 1:
                (source,) = border
                if is_activation(self._computed(cone, source), self._slope(cone)):
                    inner.update(operation.output for operation in cone[1:])
                    return source
            latest = max(border, key=lambda name: self._order.get(name, -1))
            operation = self._producers.get(latest)
            if operation is None or operation.op not in COMPUTE:
                return None
            cone.append(operation)
            border.remove(latest)
            border.update(_variable(operation, self._constant))
        return None

    def _slope(self, cone: Sequence[Operation]) -> float | None:
        """Return what stands for the slope of each channel, if there is one."""
        arrays = [self._constant(name) for operation in cone for name in operation.inputs if name]
        return _EXAMPLE if any(a is not None and a.size > 1 for a in arrays) else None

    def _computed(self, cone: Sequence[Operation], source: str) -> Array:
        """Compute the last of the operations at the points of its ``source``."""
        known: dict[str, Array] = {source: POINTS}

        def value(name: str) -> Array | None:
            if not name:
                return None
            array = None if name in known else self._constant(name)
            if array is None:
                return known[name]
            if array.size != 1 or array.dtype.kind in "OSU":
                return np.asarray(_EXAMPLE)
            return np.asarray(array.reshape(-1)[0], np.float64)

        with np.errstate(all="ignore"):
            for operation in sorted(cone, key=lambda entry: self._order[entry.output]):
                inputs = [value(name) for name in operation.inputs]
                known[operation.output] = COMPUTE[operation.op](operation.numbers, *inputs)
        return known[cone[0].output]
