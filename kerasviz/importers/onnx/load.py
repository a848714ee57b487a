"""Loading an ONNX file: sound bytes, external weights, functions written out as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import inliner

from kerasviz.errors import ModelError
from kerasviz.importers.onnx.registry import supported

__all__ = ["load_model"]


def load_model(path: Path) -> Any:
    """Read ``path`` and return a ``ModelProto`` without functions and external tensors.

    Model-local functions are inlined; so are operators of ONNX itself that have no converter here
    but are defined by ONNX in terms of others. Raises :class:`ModelError` for a missing, truncated
    or foreign file and for missing external data.
    """
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
    if not model.ir_version or not model.HasField("graph") or not model.graph.output:
        raise ModelError(f"{path} is not an ONNX model (no graph with outputs inside)")
    if not model.opset_import:  # it stands behind the graph: a cut file may have lost only it
        raise ModelError(f"{path} is not an ONNX model (it names no opset; truncated?)")
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{path}: its weights in separate files cannot be read ({reason}); keep them next to "
            "the model, or save it as one file"
        ) from error
    if model.functions:
        model = inliner.inline_local_functions(model)
    return _with_definitions(model)


def _with_definitions(model: Any) -> Any:
    """Write out operators that ONNX itself defines by others and that have no converter."""
    version = next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), 1)
    unknown = sorted(
        {
            node.op_type
            for node in model.graph.node
            if node.domain in ("", "ai.onnx")
            and node.op_type != "Constant"
            and not supported(node.op_type, "", version)
            and _has_definition(node.op_type, version)
        }
    )
    if not unknown:
        return model
    chosen = [("", op) for op in unknown]
    try:
        typed = onnx.shape_inference.infer_shapes(_written_out(model, unknown, version))
        return inliner.inline_selected_functions(typed, chosen, inline_schema_functions=True)
    except (RuntimeError, onnx.shape_inference.InferenceError):
        return model  # its types are not known: the operators will be listed as not supported


def _written_out(model: Any, ops: list[str], version: int) -> Any:
    """The model with all that the inliner does not know by itself.

    It looks up the types of initializers among the values, and takes an attribute that a node
    leaves out for absent, where the standard gives it a default.
    """
    typed = onnx.ModelProto()
    typed.CopyFrom(model)
    for node in typed.graph.node:
        if node.op_type in ops and node.domain in ("", "ai.onnx"):
            given = {attribute.name for attribute in node.attribute}
            schema: Any = onnx.defs.get_schema(node.op_type, version)
            node.attribute.extend(
                described.default_value
                for name, described in schema.attributes.items()
                if name not in given and described.default_value.name
            )
    known = {i.name for i in [*typed.graph.input, *typed.graph.value_info]}
    typed.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
        for t in typed.graph.initializer
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
