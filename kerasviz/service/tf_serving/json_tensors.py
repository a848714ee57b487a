"""TensorFlow Serving's JSON: requests to arrays, and arrays to answers.

Numbers, names and errors are those of TensorFlow Serving (``util/json_tensor.cc``).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson

from kerasviz.errors import UsageError, first_line
from kerasviz.types import Array

#: Levels of nested lists at most.
DEEPEST = 32
#: A text (group 1), or a number that is not finite (group 2).
_TEXT_OR_NUMBER = re.compile(rb'("(?:[^"\\]|\\.)*")|\b(NaN|Inf|Infinity)\b')
#: What Python's reader does not know.
_SPELLED = {b"Inf": b"Infinity"}
#: Characters of a request that an error repeats at most.
SHOWN = 120


class BadRequestError(UsageError):
    """A request that is malformed or asks for something unknown."""


@dataclass(frozen=True)
class PredictRequest:
    """The parts of a request: signature, whether it came row by row, and the plain value."""

    signature: str
    rows: bool
    value: Any

    def inputs(self, specs: Mapping[str, Any]) -> dict[str, Array]:
        """Return the arrays of all inputs; ``specs`` have their shapes and dtypes by name.

        Raises :class:`BadRequestError` where values do not match the specs.
        """
        arrays = self._by_row(specs) if self.rows else self._by_column(specs)
        for name, spec in specs.items():
            if not spec.shape.is_compatible_with(arrays[name].shape):
                raise BadRequestError(
                    f"input {name!r}: expected the shape {_shape(spec.shape)}, given "
                    f"{_shape(arrays[name].shape)}"
                )
        return arrays

    def _by_column(self, specs: Mapping[str, Any]) -> dict[str, Array]:
        named = isinstance(self.value, dict) and not _is_base64(self.value)
        if not named and len(specs) > 1:
            raise BadRequestError(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        arrays = {}
        for name, spec in specs.items():
            if named and name not in self.value:
                raise BadRequestError(f"Missing named input: {name} in 'inputs' object.")
            value = self.value[name] if named else self.value
            arrays[name] = _tensor(value, spec)
        return arrays

    def _by_row(self, specs: Mapping[str, Any]) -> dict[str, Array]:
        rows = self.value
        if not isinstance(rows[0], dict) or _is_base64(rows[0]):
            if len(specs) > 1:
                raise BadRequestError(
                    "instances is a plain list, but expecting list of objects as multiple input "
                    "tensors required as per tensorinfo_map"
                )
            ((name, spec),) = specs.items()
            return {name: _tensor(rows, spec)}
        for k, row in enumerate(rows):
            if not isinstance(row, dict):
                raise BadRequestError(f"Expecting object but got list at item {k} of input list")
            if set(row) != set(specs):
                raise BadRequestError(
                    f"Failed to process element: {k} of 'instances' list. JSON object: "
                    f"{_shown(row)} keys must be equal to: {','.join(sorted(specs))}"
                )
        return {name: _tensor([row[name] for row in rows], s) for name, s in specs.items()}


def read(body: bytes) -> PredictRequest:
    """Read a request without knowing the inputs of its signature.

    Raises :class:`BadRequestError` for a body that is no request.
    """
    if not body:
        raise BadRequestError("JSON Parse error: The document is empty")
    try:
        data = _loaded(body)
    except ValueError as error:  # of orjson or json
        raise BadRequestError(f"JSON Parse error: {first_line(error)}") from error
    request = _request(data)
    if request.rows and not request.value:
        raise BadRequestError(f"JSON Value: {_shown(data)} No values in 'instances' array")
    return request


def _loaded(body: bytes) -> Any:
    """Read JSON; NaN, Inf and Infinity are numbers, as for TensorFlow Serving."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"NaN" not in body and b"Inf" not in body:
            raise
    # Python's reader takes such numbers, but also texts that are no Unicode, and any depth.
    orjson.loads(_TEXT_OR_NUMBER.sub(lambda part: part[1] or b"0", body))
    spelled = _TEXT_OR_NUMBER.sub(lambda part: part[1] or _SPELLED.get(part[2], part[2]), body)
    return json.loads(spelled)


def _request(data: Any) -> PredictRequest:
    if not isinstance(data, dict):
        raise BadRequestError(f"JSON Value: {_shown(data)} Is not object")
    signature = data.get("signature_name", "")
    if not isinstance(signature, str):
        raise BadRequestError(
            f"JSON Value: {_shown(data)} not formatted correctly. 'signature_name' key must be a "
            "string value."
        )
    rows, columns = "instances" in data, "inputs" in data
    if rows and columns:
        raise BadRequestError(
            f"JSON Value: {_shown(data)} Not formatted correctly expecting only one of 'inputs' or "
            "'instances' keys to exist "
        )
    if not rows and not columns:
        raise BadRequestError("Missing 'inputs' or 'instances' key")
    if rows and not isinstance(data["instances"], list):
        raise BadRequestError(
            f"JSON Value: {_shown(data)} Excepting 'instances' to be an list/array"
        )
    return PredictRequest(signature, rows, data["instances"] if rows else data["inputs"])


# -- values to arrays ------------------------------------------------------------------------


def _tensor(value: Any, spec: Any) -> Array:
    """Convert plain data to an array of a dtype; lists of lists have to be regular."""
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        size = len(level[0])
        if any(not isinstance(v, list) or len(v) != size for v in level):
            raise BadRequestError(
                f"Encountered list at unexpected size at level: {len(shape)} expected size: {size}"
            )
        if len(shape) == DEEPEST:
            raise BadRequestError(f"Encountered list at unexpected level: {DEEPEST}")
        shape.append(size)
        level = list(chain.from_iterable(level))
    if any(isinstance(v, list) for v in level):
        raise BadRequestError(f"Encountered list at unexpected level: {len(shape)}")
    return _leaves(level, spec).reshape(shape)


def _leaves(values: list[Any], spec: Any) -> Array:
    dtype = spec.dtype
    if dtype.name == "string":
        strings = np.empty(len(values), object)
        strings[:] = [_string(v) for v in values]
        return strings
    kinds = set(map(type, values))
    allowed: set[type] = {int}
    if dtype.name == "bool":
        allowed = {bool}
    elif dtype.is_floating:
        allowed = {int, float}
    if kinds - allowed:
        wrong = next(v for v in values if type(v) not in allowed)
        raise BadRequestError(
            f"JSON Value: {_shown(wrong)} Type: {_json_type(wrong)} is not of expected type: "
            f"{dtype.name}"
        )
    if dtype.is_floating:
        try:
            return _float(np.array(values, np.float64), spec)
        except OverflowError:
            raise BadRequestError(
                f"Cannot convert JSON values to {dtype.name} without loss of precision."
            ) from None
    try:
        return np.array(values, dtype.as_numpy_dtype)
    except OverflowError:
        limits = (dtype.min, dtype.max)
        wrong = next(v for v in values if not limits[0] <= v <= limits[1])
        raise BadRequestError(
            f"JSON Value: {_shown(wrong)} Type: Number is not of expected type: {dtype.name}"
        ) from None


def _float(values: Array, spec: Any) -> Array:
    with np.errstate(over="ignore"):
        floats: Array = values.astype(spec.dtype.as_numpy_dtype)
    if (np.isinf(floats) & np.isfinite(values)).any():
        raise BadRequestError(
            f"Cannot convert JSON values to {spec.dtype.name} without loss of precision."
        )
    return floats


def _string(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if not isinstance(value, dict):
        raise BadRequestError(
            f"JSON Value: {_shown(value)} Type: {_json_type(value)} is not of expected type: string"
        )
    if not _is_base64(value):
        raise BadRequestError(
            f"JSON Value: {_shown(value)} not formatted correctly for base64 data"
        )
    text = value["b64"]
    try:
        # TensorFlow Serving takes both alphabets, with padding or without.
        plain = text.translate(str.maketrans("-_", "+/")).rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError("Unable to base64 decode") from error


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


# -- arrays to answers -----------------------------------------------------------------------


def answer(outputs: Mapping[str, Array], rows: bool) -> bytes:
    """Write the body of an answer; byte outputs whose name ends in ``_bytes`` are base64."""
    finite = all(a.dtype.kind not in "f" or np.isfinite(a).all() for a in outputs.values())
    values = {name: _plain(name, array) for name, array in outputs.items()}
    if not rows:
        columns = values if len(values) > 1 else next(iter(values.values()))
        return _dump({"outputs": columns}, finite)
    sizes = {name: len(array) if array.ndim else None for name, array in outputs.items()}
    count = next(iter(sizes.values()))
    for name, size in sizes.items():
        if size is None:
            raise BadRequestError(f"Tensor name: {name} has no shape information ")
        if size != count:
            raise BadRequestError(
                f"Tensor name: {name} has inconsistent batch size: {size} expecting: {count}"
            )
    if len(values) == 1:
        return _dump({"predictions": next(iter(values.values()))}, finite)
    predictions = [{name: value[k] for name, value in values.items()} for k in range(count or 0)]
    return _dump({"predictions": predictions}, finite)


def _plain(name: str, array: Array) -> Any:
    """Return an array as orjson takes it: strings as lists."""
    if array.dtype.kind not in "OSU":
        return np.ascontiguousarray(
            array.astype(np.float32)
            if array.dtype.itemsize < 4 and array.dtype.kind == "f"
            else array
        )
    if name.endswith("_bytes"):
        return _mapped(array, lambda s: {"b64": base64.b64encode(s).decode()})
    return _mapped(array, lambda s: s.decode("utf-8", "replace"))


def _mapped(array: Array, function: Any) -> Any:
    def of(value: Any) -> Any:
        return [of(v) for v in value] if isinstance(value, list) else function(value)

    return of(array.tolist())


def _dump(data: Any, finite: bool) -> bytes:
    if finite:
        return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)
    # TensorFlow Serving writes NaN and Infinity, which are no JSON.
    return json.dumps(data, default=lambda value: value.tolist()).encode()


# -- errors ----------------------------------------------------------------------------------


def _json_type(value: Any) -> str:
    names = {type(None): "Null", dict: "Object", list: "Array", str: "String"}
    if isinstance(value, bool):
        return str(value)
    return names.get(type(value), "Number")


def _shown(value: Any) -> str:
    try:
        text = orjson.dumps(value, default=str).decode("utf-8", "replace")
    except (TypeError, orjson.JSONEncodeError):
        text = "..."
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def _shape(shape: Any) -> str:
    sizes: Sequence[Any] = shape.as_list() if hasattr(shape, "as_list") else shape
    return "[" + ", ".join("any" if n is None else str(n) for n in sizes) + "]"
