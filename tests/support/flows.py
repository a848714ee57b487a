"""Programs as lines of text, for tests of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from kerasviz.network.dataflow import Dataflow
from kerasviz.network.module_tree import module_tree
from kerasviz.network.program import Port, Value
from kerasviz.types import Tensor

__all__ = ["Written", "written"]


class Written:
    """A program that computes nothing."""

    inputs: Mapping[str, Port] = MappingProxyType({"image": Port("image", None, (None, 8, 8, 3))})

    def __init__(
        self,
        values: Mapping[str, Value],
        outputs: Sequence[str],
        kinds: Mapping[str, str] | None = None,
    ):
        self.values, self.outputs, self.module_kinds = values, outputs, kinds or {}

    def compute(self, *_: object, **__: object) -> dict[str, Tensor]:
        raise NotImplementedError

    def flow(self) -> Dataflow:
        return Dataflow(self.values, self.outputs)

    def tree(self):  # type: ignore[no-untyped-def]
        return module_tree(self.flow())


def written(text: str, kinds: Mapping[str, str] | None = None) -> Written:
    """Read lines ``name = Op(inputs) HxWxC in a, a.b``; the last value is the output.

    A value without a shape has that of its first input; one without modules is in none.
    """
    values: dict[str, Value] = {}
    shapes: dict[str, tuple[int | None, ...]] = {"image": (None, 8, 8, 3)}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        head, _, around = line.partition(" in ")
        name, _, call = head.partition(" = ")
        op, _, rest = call.partition("(")
        arguments, _, size = rest.partition(")")
        inputs = tuple(filter(None, (a.strip() for a in arguments.split(","))))
        lengths = tuple(int(n) for n in size.split("x")) if size.strip() else None
        shapes[name] = (None, *lengths) if lengths else shapes[inputs[0]]
        modules = tuple(filter(None, (m.strip() for m in around.split(","))))
        values[name] = Value(name, op, shapes[name], inputs=inputs, modules=modules)
    return Written(values, [name], kinds)
