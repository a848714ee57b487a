"""Load an ONNX file: check its bytes, read external weights, inline functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx import inliner
from onnx.checker import ValidationError
from onnx.version_converter import ConvertError

from kerasviz.errors import ModelError, first_line
from kerasviz.importers.onnx.blocked_weights import without_blocks
from kerasviz.importers.onnx.constant_branches import graphs_in, inline_constant_ifs
from kerasviz.importers.onnx.registry import supported

#: Bytes of the largest external tensor that is read before shapes are inferred from it.
_SMALL = 4096
#: Passes over a model that inline operators, each of which may introduce others.
_ROUNDS = 16


def load_model(path: Path) -> Any:
    """Read ``path`` and return a ``ModelProto`` without functions and external tensors.

    Three kinds of nodes are inlined: model-local functions, operators without a converter that ONNX
    defines by others, and the branches of an If whose condition is known. Raises
    :class:`ModelError` for a missing, truncated or foreign file, and for external data that is
    missing or outside of the model's folder.
    """
    return _prepared(parsed(path), path)


def copied_model(model: Any, path: Path) -> Any:
    """Return a copy of a ``ModelProto``, prepared as :func:`load_model` prepares that of a file.

    External data that were not loaded are read from the folder of ``path``, whose name begins the
    lines of errors.
    """
    check_parts(model, path)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    check_external(copy, path)
    return _prepared(copy, path)


def _prepared(model: Any, path: Path) -> Any:
    _read_external(
        model, path, limit=_SMALL
    )  # with all its data a model may be too large to inline
    if model.functions:
        model = _without_functions(model, path)
    model = inline_constant_ifs(_with_definitions(model))
    _read_external(model, path, limit=None)
    try:
        return without_blocks(model)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def parsed(path: Path) -> Any:
    """Return the ``ModelProto`` of a file, without external data."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelError(
            f"{path} is not an ONNX model (its {len(data)} bytes cannot be decoded: truncated, "
            "or another format)"
        ) from error
    check_parts(model, path)
    return model


def check_parts(model: Any, path: Path) -> None:
    """Raise :class:`ModelError` for a model without a graph, outputs or an opset."""
    if not model.ir_version or not model.HasField("graph") or not model.graph.output:
        raise ModelError(f"{path} is not an ONNX model (no graph with outputs inside)")
    if not model.opset_import:  # it follows the graph, so a truncated file may lack only this
        raise ModelError(f"{path} is not an ONNX model (it names no opset; truncated?)")


def check_external(model: Any, path: Path) -> None:
    """Raise :class:`ModelError` if external data of a model in memory are not beside ``path``."""
    for tensor in tensors_of(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            location = entries.get("location", "")
            if not (path.parent / location).is_file():
                raise ModelError(
                    f"{path.name}: its weights were not loaded, and {location!r} is not in "
                    f"{str(path.parent.resolve())!r}; load it with onnx.load(path), or give folder="
                )


# -- external data -------------------------------------------------------------------------------


def _read_external(model: Any, path: Path, limit: int | None) -> None:
    """Read tensors from separate files; with a ``limit`` only those of at most ``limit`` bytes."""
    for tensor in list(tensors_of(model)):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        length = entries.get("length", "")
        if limit is not None and not (length.isdecimal() and int(length) <= limit):
            continue
        _check_inside(entries.get("location", ""), tensor.name, path)
        try:
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
        except (OSError, ValueError, ValidationError) as error:
            raise ModelError(
                f"{path}: its weights in separate files cannot be read ({first_line(error)}); "
                "keep them next to the model, or save it as one file"
            ) from error


def external_files(path: Path) -> list[str]:
    """Return the names of the files beside an ONNX file that hold its weights."""
    entries = (
        {entry.key: entry.value for entry in tensor.external_data}
        for tensor in tensors_of(parsed(path))
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    )
    return sorted({entry["location"] for entry in entries if entry.get("location")})


def _check_inside(location: str, name: str, path: Path) -> None:
    """Refuse weights outside of the model's folder, since a file may come from anyone."""
    folder = path.parent.resolve()
    target = folder / location
    inside = bool(location) and target.resolve().is_relative_to(folder)
    parts = [target, *target.parents]
    links = any(part.is_symlink() for part in parts if part.is_relative_to(folder))
    if not inside or links or ".." in Path(location).parts or Path(location).is_absolute():
        raise ModelError(
            f"{path}: tensor {name!r} is stored in {location!r}, which leads out of the model's "
            "folder (or is a link); keep its files next to the model, or save it as one file"
        )


def tensors_of(model: Any) -> Iterator[Any]:
    """Yield all tensors of a model, also those in the bodies of nodes and in functions."""
    nodes = [node for function in model.functions for node in function.node]
    for graph in graphs_of(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        nodes.extend(graph.node)
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            yield from attribute.tensors


def graphs_of(model: Any) -> Iterator[Any]:
    """Yield the graph of a model and the bodies of its nodes, also of those in functions."""
    yield from graphs_in(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _bodies(node)


def _bodies(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield from graphs_in(attribute.g)


# -- functions -----------------------------------------------------------------------------------


def _without_functions(model: Any, path: Path) -> Any:
    """Return the model with its local functions inlined, in bodies too."""
    called = {(f.domain, f.name) for f in model.functions}
    for convert in (False, True):  # a function may be written for another opset than the model
        try:
            flat = inliner.inline_local_functions(model, convert_version=convert)
        except (RuntimeError, ValueError, ValidationError, ConvertError) as error:
            raise ModelError(
                f"{path}: its functions cannot be written out ({first_line(error)})"
            ) from error
        left = {(n.domain, n.op_type) for g in graphs_in(flat.graph) for n in g.node} & called
        if not left:
            break
    known = {entry.domain for entry in flat.opset_import}
    for function in model.functions:  # inlined nodes need the opsets of their functions
        for entry in function.opset_import:
            if entry.domain not in known:
                flat.opset_import.append(entry)
                known.add(entry.domain)
    return flat


def _with_definitions(model: Any) -> Any:
    """Inline operators without a converter that ONNX defines by other operators.

    Those may be such operators again.
    """
    version = next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), 1)
    stuck: set[str] = set()
    for _ in range(_ROUNDS):
        unknown = sorted(_unknown(model, version) - stuck)
        if not unknown:
            break
        inlined = _inlined(model, unknown, version)
        if inlined is None and len(unknown) > 1:  # perhaps only one of them cannot be inlined
            inlined = next((m for op in unknown if (m := _inlined(model, [op], version))), None)
        if inlined is None:  # types are unknown: the operators are listed as unsupported
            break
        stuck.update(_unknown(inlined, version).intersection(unknown))
        model = inlined
    return model


def _unknown(model: Any, version: int) -> set[str]:
    return {
        node.op_type
        for graph in graphs_in(model.graph)
        for node in graph.node
        if node.domain in ("", "ai.onnx")
        and node.op_type != "Constant"
        and not supported(node.op_type, "", version)
        and _has_definition(node.op_type, version)
    }


def _inlined(model: Any, ops: list[str], version: int) -> Any:
    chosen = [("", op) for op in ops]
    try:
        typed = onnx.shape_inference.infer_shapes(_written_out(model, ops, version))
        return inliner.inline_selected_functions(typed, chosen, inline_schema_functions=True)
    except (RuntimeError, ValueError, EncodeError, onnx.shape_inference.InferenceError):
        return None


def _written_out(model: Any, ops: list[str], version: int) -> Any:
    """Return the model with the facts that the inliner does not find by itself.

    The inliner looks for the types of initializers among the values, and ignores the default that
    the standard gives to an omitted attribute.
    """
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    for graph in graphs_in(typed.graph):
        for node in graph.node:
            if node.op_type in ops and node.domain in ("", "ai.onnx"):
                present = {attribute.name for attribute in node.attribute}
                schema: Any = onnx.defs.get_schema(node.op_type, version)
                node.attribute.extend(
                    described.default_value
                    for name, described in schema.attributes.items()
                    if name not in present and described.default_value.name
                )
        known = {i.name for i in [*graph.input, *graph.value_info]}
        graph.value_info.extend(
            onnx.helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
            for t in graph.initializer
            if t.name not in known
        )
    return typed


def _has_definition(op: str, version: int) -> bool:
    if not onnx.defs.has(op):
        return False
    try:
        schema: Any = onnx.defs.get_schema(op, version)
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)
