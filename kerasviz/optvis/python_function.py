"""Python functions in objectives and recipes, with what a key and a provenance need of them."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kerasviz.errors import UsageError
from kerasviz.io.files import digest
from kerasviz.optvis.captured import Captured, frozen, source_of


@dataclass(frozen=True, order=True, repr=False)
class PythonFunction:
    """Hold a Python function, or only the record of one, as it is read from JSON.

    Args:
        key: 16 hex digits of the name, the source, the code and the values that the function
            captures. Where a captured object has no such value, another key each time.
        live: Whether the function itself is here, and not only its record.
        record: The name, the source text and the captured values as plain data.
        call: The function.
    """

    key: str
    live: bool
    record: Mapping[str, Any] = field(compare=False)
    call: Callable[..., Any] | None = field(default=None, compare=False)

    @classmethod
    def of(cls, f: Callable[..., Any], name: str | None = None) -> PythonFunction:
        """Wrap a function, whose captured variables are kept as they are now.

        Raises :class:`UsageError` for what cannot be called.
        """
        if isinstance(f, PythonFunction):
            return f
        if not callable(f):
            raise UsageError(f"{f!r} is no function; give one that can be called")
        f = frozen(f)
        captured = Captured()
        described = captured.describe(f)
        record = {"name": name or _name(f), "source": source_of(f), **described}
        if not captured.lasting:
            record["object"] = uuid.uuid4().hex
        return cls(digest(record), True, record, f)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PythonFunction:
        """Return the record of a function; calling it raises :class:`UsageError`.

        Raises :class:`UsageError` for what is no record.
        """
        if not isinstance(data, Mapping) or not {"key", "name", "source"} <= set(data):
            raise UsageError(
                "function: expected the record that a provenance has, with key, name and source; "
                "a function itself is given in Python"
            )
        record = {name: value for name, value in data.items() if name != "key"}
        return cls(str(data["key"]), False, record)

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain data, for :meth:`from_json`."""
        return {**self.record, "key": self.key}

    def __repr__(self) -> str:
        return f"PythonFunction({self.name!r}, key={self.key!r})"

    @property
    def name(self) -> str:
        """The name for people."""
        return str(self.record["name"])

    @property
    def source(self) -> str:
        """The source text, or why there is none."""
        return str(self.record["source"])

    def __call__(self, *args: Any) -> Any:
        """Call the function.

        Raises :class:`UsageError` where only its record is here, and where a captured value has
        changed: its pictures would be kept under the wrong key.
        """
        if self.call is None:
            raise UsageError(
                f"function {self.name!r} is here as text only: its pictures are "
                f"{not_from_data([self.name])}"
            )
        now = Captured().describe(self.call)
        if any(self.record[name] != value for name, value in now.items()):
            raise UsageError(
                f"function {self.name!r}: a value that it captures ({_changed(self, now)}) has "
                "changed since the objective was made; make it again after the change"
            )
        return self.call(*args)


def names_of(functions: Iterable[PythonFunction]) -> list[str]:
    """Return the names of functions, each once, in order."""
    return list(dict.fromkeys(function.name for function in functions))


def not_from_data(names: Iterable[str]) -> str:
    """Say that pictures of these functions cannot be made again from data."""
    quoted = [repr(name) for name in names]
    what = "the Python function" if len(quoted) == 1 else "the Python functions"
    return f"made by {what} {', '.join(quoted)}, and cannot be made again from data alone"


def _name(f: Any) -> str:
    if isinstance(f, functools.partial):
        return _name(f.func)
    name = str(getattr(f, "__name__", type(f).__name__))
    return "lambda" if name == "<lambda>" else name


def _changed(function: PythonFunction, now: Mapping[str, Any]) -> str:
    """Name the values in which a description differs from the recorded one."""
    before, after = _values(function.record), _values(now)
    return ", ".join(name for name in after if before.get(name) != after[name])


def _values(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the captured values of a description by name."""
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name in ("captured", "attributes", "members"):
            values |= value
        elif isinstance(value, dict):
            values |= _values(value)
        elif name in ("arguments", "keywords"):
            values[name] = value
    return values
