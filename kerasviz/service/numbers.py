"""A large array of numbers in JSON, read without an object for every list in it.

A batch of images is a million numbers in hundreds of thousands of lists: as Python objects they
take longer to make than most networks take to run. Here the brackets and commas are compared with
those that a regular array has, and then only the numbers are parsed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import simdjson

__all__ = ["read_numbers"]

#: All that numbers and the space between them are written with.
_NUMBERS = b"0123456789.eE+- \t\r\n"
_DEEPEST = 8
_PARSERS: list[Any] = []
#: What may stand beside the array.
_BESIDE = 1024


def read_numbers(body: bytes) -> tuple[Any, np.ndarray[Any, Any]] | None:
    """A document with one regular array of numbers: the rest of it, and the array as float64.

    In the rest an empty list stands in the place of the array. ``None`` for all other documents,
    which may be right or wrong.

    >>> read_numbers(b'{"a": "b", "c": [[1, 2.5], [-3, 4e0]]}')
    ({'a': 'b', 'c': []}, array([[ 1. ,  2.5],
           [-3. ,  4. ]]))
    >>> read_numbers(b'{"c": [[1, 2], [3]]}') is None
    True
    """
    first, last = body.find(b"["), body.rfind(b"]") + 1
    if first < 0 or last <= first or first + len(body) - last > _BESIDE:
        return None
    try:
        rest = orjson.loads(body[:first] + b"[]" + body[last:])
    except orjson.JSONDecodeError:
        return None
    array = body[first:last]
    shape = _shape(array.translate(None, _NUMBERS))
    if shape is None:
        return None
    try:
        numbers = _numbers(array)
    except (ValueError, TypeError, RuntimeError):
        return None
    if numbers.size != np.prod(shape, dtype=np.int64):  # [] and [1] have the same brackets
        return None
    return rest, numbers.reshape(shape)


def _numbers(array: bytes) -> np.ndarray[Any, Any]:
    """The numbers in lists of lists, one after the other.

    A parser is used again, because its memory is: as many are kept as threads read at once.
    """
    try:
        parser = _PARSERS.pop()
    except IndexError:
        parser = simdjson.Parser()
    parsed: Any = parser.parse(array)
    found = np.frombuffer(parsed.as_buffer(of_type="d"), np.float64)
    del parsed  # or the parser could not be used again
    _PARSERS.append(parser)
    return found


def _shape(signs: bytes) -> list[int] | None:
    """The shape of the regular array that has these brackets and commas, if there is one.

    >>> _shape(b"[[,],[,],[,]]"), _shape(b"[[,],[]]")
    ([3, 2], None)
    """
    depth = len(signs[: _DEEPEST + 1]) - len(signs[: _DEEPEST + 1].lstrip(b"["))
    if depth > _DEEPEST:
        return None
    shape: list[int] = []
    part = b""
    for level in range(1, depth + 1):
        end = signs.find(b"]" * level)
        if end < 0:
            return None
        length = end - (depth - level) - 1  # of what is between the brackets of this level
        if level > 1:
            length += level - 1
        count = (length + 1) // (len(part) + 1)
        if count < 1:
            return None
        part = b"[" + b",".join([part] * count) + b"]"
        if len(part) > len(signs):
            return None
        shape.insert(0, count)
    return shape if part == signs else None
