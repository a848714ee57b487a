"""Read the names of classes from text: lists, mappings and lines."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasviz.errors import UsageError

#: Keys under which files keep the names of their classes.
_KEYS = ("names", "labels", "classes", "label_names", "id2label", "categories")
#: Numbers without a name that a mapping may have for each that it names.
_GAPS = 10


def names_of(data: Any) -> tuple[str, ...]:
    """Return the names of classes in their order from plain data, () for other data.

    Names are a list, a mapping from numbers to names or from names to numbers, or under a key such
    as ``names`` or ``id2label``. A class without a name in a mapping is called ``class N``.

    >>> names_of({"0": "cat", "2": ["n02084071", "dog"]})
    ('cat', 'class 1', 'dog, n02084071')
    >>> names_of({"names": {"cat": 1, "dog": 0}})
    ('dog', 'cat')
    """
    if isinstance(data, list | tuple):
        names = [_name(entry) for entry in data]
        return () if None in names else tuple(name or f"class {k}" for k, name in enumerate(names))
    if not isinstance(data, Mapping):
        return ()
    for key in _KEYS:
        if isinstance(data.get(key), list | tuple | Mapping):
            return names_of(data[key])
    numbers = {_number(key): _name(value) for key, value in data.items()}
    if None in numbers:
        numbers = {_number(value): _name(key) for key, value in data.items()}
    return _in_order(numbers)


def _in_order(numbered: Mapping[int | None, str | None]) -> tuple[str, ...]:
    names = {k: name for k, name in numbered.items() if k is not None and name is not None}
    if not names or len(names) < len(numbered) or max(names) >= _GAPS * (len(names) + 1):
        return ()
    return tuple(names.get(k) or f"class {k}" for k in range(max(names) + 1))


def _name(value: Any) -> str | None:
    """Return a name of plain data: text, a list of texts with the readable one last, or a record.

    Numbers are names too, as of digits.
    """
    if isinstance(value, Mapping):
        value = value.get("name")
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
        return ", ".join(reversed(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else None


def names_in_text(text: str) -> tuple[str, ...]:
    """Return the names of classes in a text of metadata, () if it is no list of names.

    The text is JSON, a Python list or dictionary (as Ultralytics writes it), or names that are
    separated by lines or commas.

    >>> names_in_text("{0: 'cat', 1: \\"cat's toy\\"}"), names_in_text("cat, dog")
    (('cat', "cat's toy"), ('cat', 'dog'))
    """
    data = _parsed(text)
    if isinstance(data, list | tuple | Mapping):
        return names_of(data)
    parts = text.strip().splitlines()
    if len(parts) == 1:
        parts = text.split(",")
    return tuple(part.strip() for part in parts) if len(parts) > 1 and all(parts) else ()


def read_names(path: Path) -> tuple[str, ...]:
    """Read the names of classes from a file: one a line, or a JSON list or mapping.

    Raises :class:`UsageError` for a missing file and one without names.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"no file of labels {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{str(path)!r} is no text; labels are one a line, or JSON") from error
    data = _parsed(text)
    structured = isinstance(data, list | tuple | Mapping)
    if structured or path.suffix.lower() == ".json":
        names = names_of(data)
    else:
        names = tuple(line.strip() for line in text.rstrip().splitlines())
    if not any(names):
        raise UsageError(
            f"{str(path)!r} holds no labels; expected one a line, a JSON list of names, or a "
            'mapping such as {"0": "cat"}'
        )
    return names_of(names)


def _parsed(text: str) -> Any:
    """Return the data of a text of JSON or of Python's literals, ``None`` for other text."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None
