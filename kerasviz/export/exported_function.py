"""Trace a program's inputs and wanted outputs as one function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.network.network import Network
from kerasviz.network.program import Port, Program
from kerasviz.network.taps import TapTable
from kerasviz.types import Tensor


@dataclass(frozen=True)
class Export:
    """Describe a program as a function from ``ports`` to ``outputs``.

    ``outputs`` maps names to values of the program, which are concatenated along the channels. With
    ``channels_last`` inputs and outputs are [N, ..., C], else in the model's layout.
    """

    program: Program
    ports: Mapping[str, Port]
    outputs: Mapping[str, tuple[str, ...]]
    channels_last: bool

    def shape(self, name: str) -> tuple[int | None, ...] | None:
        """Return the shape of an input in the layout of the export."""
        port = self.ports[name]
        return port.last_shape if self.channels_last else port.shape

    @property
    def specs(self) -> dict[str, Any]:
        """Return the inputs as TensorFlow describes them, without names."""
        return {n: tf.TensorSpec(self.shape(n), p.dtype) for n, p in self.ports.items()}

    def compute(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the outputs by name."""
        wanted = dict.fromkeys(part for parts in self.outputs.values() for part in parts)
        values = self.program.compute(feeds, list(wanted), channels_last=self.channels_last)
        for name, value in values.items():
            if value is None or isinstance(value, list):
                raise ModelError(f"output {name!r} is no tensor; it cannot be exported")
        first = any(port.channels_first for port in self.ports.values())

        def joined(parts: tuple[str, ...]) -> Tensor:
            tensors = [values[part] for part in parts]
            is_first = first and not self.channels_last and len(tensors[0].shape) > 2
            return tensors[0] if len(tensors) == 1 else tf.concat(tensors, 1 if is_first else -1)

        return {name: joined(parts) for name, parts in self.outputs.items()}

    def traced(self) -> Any:
        """Trace the export as a concrete function, whose first inputs are the ports in order."""

        def run(*tensors: Tensor) -> list[Tensor]:
            outputs = self.compute(dict(zip(self.ports, tensors, strict=True)))
            return [tf.identity(tensor) for tensor in outputs.values()]

        return tf.function(run, autograph=False).get_concrete_function(*self.specs.values())


def export_of(net: Network, taps: Iterable[str] = (), *, channels_last: bool) -> Export:
    """Return the export of a network: its outputs, and the taps under the given names.

    The number of images is free where the network allows it, even if its file says 1.
    """
    table: TapTable = net.taps
    outputs: dict[str, tuple[str, ...]] = {}
    for name in net.program.outputs:
        outputs[name] = table[name].parts if name in table else (name,)
    outputs.update({name: table[name].parts for name in taps})
    ports = dict(net.program.inputs)
    for name, port in ports.items():
        if port.dtype is None:
            raise ModelError(f"input {name!r} is a sequence or an optional; it cannot be exported")
    export = _without_idle_inputs(Export(net.program, ports, outputs, channels_last))
    return _with_free_batch(export) or export


def _without_idle_inputs(export: Export) -> Export:
    """Return the export without inputs that no output depends on, which exporters leave behind."""
    traced = export.traced()
    seen: set[str] = set()
    todo = [tensor.op for tensor in traced.outputs]
    while todo:
        operation = todo.pop()
        if operation.name not in seen:
            seen.add(operation.name)
            todo += [tensor.op for tensor in operation.inputs]
    used = {
        name: port
        for (name, port), tensor in zip(export.ports.items(), traced.inputs, strict=False)
        if tensor.op.name in seen
    }
    return replace(export, ports=used or export.ports)


def _with_free_batch(export: Export) -> Export | None:
    """Return the export for any number of images; ``None`` if it is free already or cannot be."""
    single = len(export.ports) == 1
    for_one = [
        name
        for name, port in export.ports.items()
        if port.shape and port.shape[0] == 1 and (single or len(port.shape) > 2)
    ]
    if not for_one:
        return None
    ports = {
        name: replace(port, shape=(None, *port.shape[1:]))
        if name in for_one and port.shape is not None
        else port
        for name, port in export.ports.items()
    }
    free = replace(export, ports=ports)
    try:
        outputs = free.traced().outputs
    except (ModelError, ValueError):
        return None
    # An output whose first length stays 1 would mix images or drop all but one.
    fixed = any(t.shape.rank and t.shape[0] is not None for t in outputs)
    return None if fixed else free


def shown_shape(shape: Iterable[int | None] | None) -> str:
    """Return a shape as text.

    >>> shown_shape((None, 3, 224, 224))
    '[any, 3, 224, 224]'
    """
    if shape is None:
        return "[...]"
    return f"[{', '.join('any' if n is None else str(n) for n in shape)}]"
