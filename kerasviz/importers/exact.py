"""Compute single nodes of an ONNX file in float64, by the reference evaluator of ONNX itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.network.rounding import Exact, eps
from kerasviz.types import Array

#: Operators that add up products of their inputs: on absolute values they give the size of a sum.
_SUMS = frozenset(
    (
        *("Add", "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "CumSum", "Einsum"),
        *("Gemm", "GlobalAveragePool", "MatMul", "Mean", "ReduceMean", "ReduceSum", "Resize"),
        *("Sub", "Sum", "Upsample"),
    )
)
#: Entries of the matrix into which the evaluator unfolds a convolution, at most (8 bytes each).
_LARGEST = 2**26

#: Returns this network's value by its name, ``None`` if it has none.
ValueOf = Callable[[str], Array | None]


class ExactNodes:
    """Compute any value of a file in float64 from the inputs of its node."""

    def __init__(self, path: Path):
        self._path = path

    def __call__(self, name: str, value_of: ValueOf) -> Exact | None:
        """Return a value in float64; ``None`` where the evaluator cannot compute its node."""
        node = self._nodes.get(name)
        if node is None or any(a.HasField("g") for a in node.attribute):
            return None
        arrays: dict[str, Array] = {}
        for entry in filter(None, node.input):
            array = self._constant(entry)
            array = value_of(entry) if array is None else array
            if array is None:
                return None
            arrays[entry] = _wide(array)
        if _is_large(node, arrays):
            return None
        value = self._run(node, name, arrays)
        return None if value is None else Exact(value, self._size(node, name, arrays, value))

    @cached_property
    def _model(self) -> Any:
        import onnx

        return onnx.load(self._path)

    @cached_property
    def _nodes(self) -> Mapping[str, Any]:
        return {name: node for node in self._model.graph.node for name in node.output if name}

    @cached_property
    def _initializers(self) -> Mapping[str, Any]:
        return {tensor.name: tensor for tensor in self._model.graph.initializer}

    def _constant(self, name: str) -> Array | None:
        from onnx import numpy_helper

        tensor = self._initializers.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def _run(self, node: Any, name: str, arrays: Mapping[str, Array]) -> Array | None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        graph: Any = onnx.GraphProto(name="node", node=[node])
        graph.input.extend(onnx.ValueInfoProto(name=entry) for entry in arrays)
        graph.output.append(onnx.ValueInfoProto(name=name))
        model: Any = onnx.ModelProto(graph=graph, ir_version=self._model.ir_version)
        model.opset_import.extend(self._model.opset_import)
        try:
            with np.errstate(all="ignore"):
                results: Any = ReferenceEvaluator(model).run([name], dict(arrays))
        except Exception:  # noqa: BLE001 - the evaluator raises errors of many kinds
            return None
        result = results[0]
        return np.asarray(result) if isinstance(result, np.ndarray | np.generic) else None

    def _size(self, node: Any, name: str, arrays: Mapping[str, Array], value: Array) -> Array:
        """Return the sum of the absolute values that were added up for each entry."""
        if node.op_type not in _SUMS or node.domain not in ("", "ai.onnx"):
            return np.abs(value) if value.dtype.kind == "f" else np.zeros(())
        positive = type(node)()
        positive.CopyFrom(node)
        positive.op_type = "Add" if node.op_type == "Sub" else node.op_type
        sizes = {key: np.abs(a) if a.dtype.kind == "f" else a for key, a in arrays.items()}
        if node.op_type == "BatchNormalization":
            mean = str(node.input[3])
            sizes[mean] = -sizes[mean]  # it is subtracted
        size = self._run(positive, name, sizes)
        return np.abs(value) if size is None else np.abs(size)


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if eps(array.dtype) is not None else array


def _is_large(node: Any, arrays: Mapping[str, Array]) -> bool:
    if node.op_type not in ("Conv", "ConvTranspose") or len(node.input) < 2:
        return False
    x, kernel = (arrays[name] for name in node.input[:2])
    taps = np.prod(kernel.shape[2:], dtype=float)
    return bool(x.size * taps > _LARGEST)
