"""Inline the taken branch of every If whose condition is known.

Exports of PyTorch use an If to decide whether an axis has length 1 and can be squeezed. The shapes
of the model answer it before the run; the nodes of the branch then become nodes of the graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import EncodeError
from onnx import numpy_helper

#: An array of objects; an entry is ``None`` where it is not known before the run.
Known = Any

#: Entries of the largest constant that a condition may come from.
_LARGEST = 64


def graphs_in(graph: Any) -> Iterator[Any]:
    """Yield a ``GraphProto`` and the bodies inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs_in(attribute.g)


def inline_constant_ifs(model: Any) -> Any:
    """Return the model without the Ifs of its main graph whose condition follows from its shapes.

    The number of images (the first axis of the inputs) stays free.
    """
    while any(_is_if(node) for node in model.graph.node):
        facts = _facts(model)
        chosen = {
            k: bool(facts[node.input[0]].reshape(-1)[0])
            for k, node in enumerate(model.graph.node)
            if _is_if(node) and None not in facts.get(node.input[0], np.array(None)).reshape(-1)
        }
        if not chosen:
            break
        model = _without(model, chosen)
    return model


def _is_if(node: Any) -> bool:
    """Return whether a node is an If with both branches; damaged ones are refused elsewhere."""
    branches = {a.name for a in node.attribute if a.type == onnx.AttributeProto.GRAPH}
    named = node.op_type == "If" and node.domain in ("", "ai.onnx")
    return named and branches >= {"then_branch", "else_branch"}


# -- known small values --------------------------------------------------------------------------


def _facts(model: Any) -> dict[str, Known]:
    """Return the small values that follow from constants and shapes."""
    free = onnx.ModelProto()
    free.CopyFrom(model)
    initialized = {tensor.name for tensor in free.graph.initializer}
    for k, info in enumerate(free.graph.input):
        dims = info.type.tensor_type.shape.dim
        if dims and info.name not in initialized:
            dims[0].dim_param = dims[0].dim_param or f"images_{k}"
    del free.graph.value_info[:]  # the exporter may have inferred them for one image
    for info in free.graph.output:
        info.type.Clear()
    try:
        free = onnx.shape_inference.infer_shapes(free)
    except (RuntimeError, ValueError, EncodeError, onnx.shape_inference.InferenceError):
        free = model if not model.graph.value_info else free
    shapes = {
        info.name: [d.dim_value or None for d in info.type.tensor_type.shape.dim]
        for info in [*free.graph.input, *free.graph.value_info]
        if info.type.HasField("tensor_type") and info.type.tensor_type.HasField("shape")
    }
    facts: dict[str, Known] = {}
    for tensor in free.graph.initializer:
        _note(facts, tensor.name, tensor)
        shapes[tensor.name] = list(tensor.dims)
    for node in free.graph.node:
        found = _value(node, facts, shapes)
        if found is not None and len(node.output) == 1:
            facts[node.output[0]] = found
    return facts


def _note(facts: dict[str, Known], name: str, tensor: Any) -> None:
    if np.prod(tensor.dims, dtype=np.int64) > _LARGEST or tensor.data_type == 8:
        return
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        facts[name] = numpy_helper.to_array(tensor).astype(object)


_COMPARISONS = {
    "Equal": lambda a, b: a == b,
    "Greater": lambda a, b: a > b,
    "Less": lambda a, b: a < b,
    "GreaterOrEqual": lambda a, b: a >= b,
    "LessOrEqual": lambda a, b: a <= b,
    "And": lambda a, b: bool(a) and bool(b),
    "Or": lambda a, b: bool(a) or bool(b),
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
}


def _value(node: Any, facts: Mapping[str, Known], shapes: Mapping[str, list[Any]]) -> Known:
    """Return the value of a node as an array of objects, or ``None``."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Constant":
        constants: dict[str, Known] = {}
        if "value" in attributes:
            _note(constants, "", attributes["value"])
        elif "value_int" in attributes or "value_ints" in attributes:
            constants[""] = np.asarray(next(iter(attributes.values())), object)
        return constants.get("")
    if node.op_type == "Shape" and node.input[0] in shapes:
        lengths = shapes[node.input[0]][attributes.get("start", 0) : attributes.get("end")]
        return np.asarray(lengths, object)
    if any(name not in facts for name in node.input if name) or not node.input:
        return None
    inputs = [facts[name] if name else None for name in node.input]
    return _computed(node.op_type, inputs, attributes)


def _computed(op: str, inputs: list[Known], attributes: Mapping[str, Any]) -> Known:
    x = inputs[0]
    if op in ("Identity", "Cast"):
        return x
    if op in ("Squeeze", "Unsqueeze"):
        return np.reshape(x, () if op == "Squeeze" else (1,)) if x.size == 1 else None
    if op == "Not":
        return _each(lambda a: not a, x)
    if op == "Gather" and x.ndim == 1 and None not in np.reshape(inputs[1], -1).tolist():
        places = inputs[1].astype(np.int64)
        inside = (places < x.size).all() and (places >= -x.size).all()
        return np.asarray(x[places], object) if inside else None
    if op == "Concat" and all(g.ndim == 1 for g in inputs):
        return np.concatenate(inputs)
    if op in _COMPARISONS and len(inputs) == 2:
        return _each(_COMPARISONS[op], *inputs)
    return None


def _each(apply: Any, *arrays: Known) -> Known:
    def guarded(*values: Any) -> Any:
        return None if None in values else apply(*values)

    return np.asarray(np.frompyfunc(guarded, len(arrays), 1)(*arrays), object)


# -- the graph without the If --------------------------------------------------------------------


def _without(model: Any, chosen: Mapping[int, bool]) -> Any:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    nodes = list(model.graph.node)
    del copy.graph.node[:]
    taken = {i.name for i in [*model.graph.input, *model.graph.initializer]}
    taken.update(name for node in nodes for name in node.output)
    for k, node in enumerate(nodes):
        if k not in chosen:
            copy.graph.node.append(node)
            continue
        name = "then_branch" if chosen[k] else "else_branch"
        body = next(a.g for a in node.attribute if a.name == name)
        _append(copy.graph, body, node.output, taken)
    return copy


def _append(graph: Any, body: Any, outputs: Any, taken: set[str]) -> None:
    """Add the nodes of a branch to the graph, and give its outputs the names of the If's."""
    inner = [o for node in body.node for o in node.output if o]
    named: dict[str, str] = {}
    for source, target in zip(body.output, outputs, strict=False):
        if target and source.name in inner:
            named.setdefault(source.name, target)
    stored = [t.name for t in body.initializer]
    stored += [sparse.values.name for sparse in body.sparse_initializer]
    for name in [*inner, *stored]:
        if name not in named and name in taken:
            named[name] = _fresh(name, taken)
        taken.add(named.get(name, name))
    for tensor in body.initializer:
        graph.initializer.add().CopyFrom(tensor)
        graph.initializer[-1].name = named.get(tensor.name, tensor.name)
    for sparse in body.sparse_initializer:
        graph.sparse_initializer.add().CopyFrom(sparse)
        values = graph.sparse_initializer[-1].values
        values.name = named.get(values.name, values.name)
    for node in body.node:
        _rename(graph.node.add(), node, named)
    for source, target in zip(body.output, outputs, strict=False):
        if target and named.get(source.name) != target:
            name = named.get(source.name, source.name)
            graph.node.append(onnx.helper.make_node("Identity", [name], [target]))


def _fresh(name: str, taken: set[str]) -> str:
    k = 2
    while f"{name}_{k}" in taken:
        k += 1
    return f"{name}_{k}"


def _rename(copy: Any, node: Any, named: Mapping[str, str]) -> None:
    copy.CopyFrom(node)
    for names in (copy.input, copy.output):
        for k, name in enumerate(names):
            names[k] = named.get(name, name)
    for attribute in copy.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            _rename_free(attribute.g, named)


def _rename_free(graph: Any, named: Mapping[str, str]) -> None:
    """Rename the outer values that a body uses."""
    defined = {i.name for i in [*graph.input, *graph.initializer]}
    defined.update(o for node in graph.node for o in node.output)
    free = {name: new for name, new in named.items() if name not in defined}
    for node in graph.node:
        old = onnx.NodeProto()
        old.CopyFrom(node)
        _rename(node, old, free)
    for output in graph.output:
        output.name = free.get(output.name, output.name)
