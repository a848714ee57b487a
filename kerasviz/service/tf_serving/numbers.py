"""Large arrays of numbers in JSON, read and written without an object for every list in them.

A batch of images is a million numbers in hundreds of thousands of lists: as Python objects they
take longer to make than most networks take to run. Here the brackets and commas are compared with
those that a regular array has, and then only the numbers are parsed; the processes of
:class:`kerasviz.service.tf_serving.scribes.Scribes` do their share of it, where there are any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import simdjson

from kerasviz.types import Array

if TYPE_CHECKING:
    from kerasviz.service.tf_serving.scribes import Scribes

__all__ = ["numbers_of", "read_numbers", "rows_of", "write_rows"]

_Parts = tuple[memoryview | bytes, memoryview | bytes]
#: All that numbers and the space between them are written with.
_NUMBERS = b"0123456789.eE+- \t\r\n"
_DEEPEST = 8
_PARSERS: list[Any] = []
#: What may stand beside the array.
_BESIDE = 1024
#: Bytes from which on work is shared: handing it over takes a while.
SHARED = 256 * 1024


def read_numbers(body: bytes, scribes: Scribes | None = None) -> tuple[Any, Array] | None:
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
    numbers = None
    if scribes is not None and len(array) >= SHARED:
        numbers = _shared(array, scribes)
    if numbers is None:
        numbers = numbers_of(array)
    return None if numbers is None else (rest, numbers)


def numbers_of(array: bytes) -> Array | None:
    """The numbers of a regular array in JSON as float64; ``None`` for everything else."""
    shape = _shape(array.translate(None, _NUMBERS))
    if shape is None:
        return None
    try:
        numbers = _numbers(array)
    except (ValueError, TypeError, RuntimeError):
        return None
    if numbers.size != math.prod(shape):  # [] and [1] have the same brackets
        return None
    return numbers.reshape(shape)


def _shared(array: bytes, scribes: Scribes) -> Array | None:
    """The same, the rows being read by several processes; ``None`` where that is not possible."""
    with scribes.free() as scribe:
        halves = _halves(array) if scribe is not None else None
        if scribe is None or halves is None:
            return None
        scribe.order("read", halves[1])
        mine = numbers_of(b"".join(halves[0]))
        theirs = scribe.numbers()
        if mine is None or theirs is None or mine.shape[1:] != theirs.shape[1:]:
            return None
        made = np.empty((len(mine) + len(theirs), *mine.shape[1:]))
        made[: len(mine)], made[len(mine) :] = mine, theirs
        return made


def _halves(array: bytes) -> tuple[_Parts, _Parts] | None:
    """An array as two of about the same length, cut between rows; each in parts, not copied.

    >>> [b"".join(half) for half in _halves(b"[[1, 2], [3, 4], [5, 6]]")]
    [b'[[1, 2], [3, 4]]', b'[ [5, 6]]']
    """
    depth = len(array[: _DEEPEST + 1]) - len(array[: _DEEPEST + 1].lstrip(b"["))
    end = b"]" * (depth - 1)
    found = array.find(end, len(array) // 2) if depth > 1 else -1
    if found < 0:
        return None
    cut = found + len(end)
    comma = array.find(b",", cut)
    if comma < 0 or array[cut:comma].strip():
        return None
    view = memoryview(array)
    return (view[:cut], b"]"), (b"[", view[comma + 1 :])


def _numbers(array: bytes) -> Array:
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


# -- writing ---------------------------------------------------------------------------------


def write_rows(values: Mapping[str, Array], scribes: Scribes | None = None) -> bytes:
    """The :func:`rows_of` finite arrays as JSON: a list."""
    rows = len(next(iter(values.values())))
    if scribes is None or rows < 2 or sum(a.nbytes for a in values.values()) < SHARED:
        return rows_of(values)
    half = rows // 2
    with scribes.free() as scribe:
        if scribe is None:
            return rows_of(values)
        kinds = [(name, a.dtype.str, a[half:].shape) for name, a in values.items()]
        scribe.order("write", [a[half:].reshape(-1).view(np.uint8) for a in values.values()], kinds)
        mine = rows_of({name: a[:half] for name, a in values.items()})
        theirs = scribe.text()
        if theirs is not None:
            return b"".join((mine[:-1], b",", theirs[1:]))
    return rows_of(values)


def rows_of(values: Mapping[str, Array]) -> bytes:
    """Arrays row by row as JSON: of one array its rows, of several an object of each row.

    >>> rows_of({"a": np.arange(4).reshape(2, 2)})
    b'[[0,1],[2,3]]'
    >>> rows_of({"a": np.arange(4).reshape(2, 2), "b": np.arange(2)})
    b'[{"a":[0,1],"b":0},{"a":[2,3],"b":1}]'
    """
    rows: Any
    if len(values) == 1:
        rows = next(iter(values.values()))
    else:
        count = len(next(iter(values.values())))
        rows = [{name: array[k] for name, array in values.items()} for k in range(count)]
    return orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)
