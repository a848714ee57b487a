"""Arrays that a picture depends on beside its network, known by their checksums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from kerasviz.errors import UsageError
from kerasviz.types import Array

#: The keys of a held array in plain data.
_KEYS = {"held", "name"}


@dataclass(frozen=True)
class HeldArray:
    """Hold an array that a picture depends on: a photo, a spectrum, the weights of a probe.

    Two are equal if their ``checksum`` is, so that recipes, parameterizations, terms and requests
    can have one in a field and remain hashable. Plain data have the checksum and the ``name`` of
    its source, for people; the numbers lie beside the pictures. ``array`` is ``None`` for one of
    plain data until its numbers are found.

    >>> a, b = HeldArray.of(np.zeros(3, np.float32), "a.npy"), HeldArray.of(np.zeros(3, np.float32))
    >>> a == b, a == HeldArray.from_json(a.to_json()), sorted(a.to_json())
    (True, True, ['held', 'name'])
    """

    checksum: str
    name: str = field(default="", compare=False)
    array: Array | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, array: Any, name: str = "") -> HeldArray:
        """Hold a copy of an array, in its own type; ``name`` is that of its source."""
        from kerasviz.network.inputs import checksums  # which imports TensorFlow, in seconds

        own = np.array(array, order="C")
        own.flags.writeable = False
        return cls(checksums({"": own})[""], name, own)

    @property
    def numbers(self) -> Array:
        """The array, which nobody can change.

        Raises :class:`UsageError` where only its checksum is known.
        """
        if self.array is None:
            raise UsageError(
                f"{self.name or 'an array'}: only its checksum {self.checksum[:12]}… is "
                "known here, not its numbers; give the file again"
            )
        return self.array

    def to_json(self) -> dict[str, str]:
        """Return the checksum and the name as plain data, for :meth:`from_json`."""
        return {"held": self.checksum, "name": self.name}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HeldArray:
        """Return a held array without its numbers."""
        return cls(str(data["held"]), str(data["name"]))


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with held arrays as plain data, for :func:`revived`."""
    return {k: v.to_json() if isinstance(v, HeldArray) else v for k, v in settings.items()}


def revived(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of plain data with their held arrays, which lack their numbers."""
    return {k: HeldArray.from_json(v) if _is_held(v) else v for k, v in settings.items()}


def nameless(data: Any) -> Any:
    """Return plain data without the names of held arrays: what decides a picture.

    >>> nameless({"photo": {"held": "1f", "name": "cat.jpg"}, "steps": 2})
    {'photo': {'held': '1f'}, 'steps': 2}
    """
    if _is_held(data):
        return {"held": data["held"]}
    if isinstance(data, dict):
        return {key: nameless(value) for key, value in data.items()}
    if _has_parts(data):
        return [nameless(value) for value in data]
    return data


def held_arrays(value: Any) -> Iterator[HeldArray]:
    """Yield the held arrays in the fields of dataclasses, and in those of these, in order."""
    if isinstance(value, HeldArray):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from held_arrays(getattr(value, each.name))
    elif _has_parts(value):
        for part in value:
            yield from held_arrays(part)


def with_numbers(value: Any, find: Callable[[HeldArray], HeldArray]) -> Any:
    """Return a dataclass with the held arrays in its fields replaced by what ``find`` returns.

    ``find`` is called for those that lack their numbers. Parts without any remain the same object.
    """
    if isinstance(value, HeldArray):
        return find(value) if value.array is None else value
    if is_dataclass(value) and not isinstance(value, type):
        before = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
        after = {name: with_numbers(part, find) for name, part in before.items()}
        changes = {name: part for name, part in after.items() if part is not before[name]}
        return replace(value, **changes) if changes else value
    if _has_parts(value):
        parts = [with_numbers(part, find) for part in value]
        changed = any(new is not old for new, old in zip(parts, value, strict=True))
        return type(value)(parts) if changed else value
    return value


def _is_held(data: Any) -> bool:
    return isinstance(data, Mapping) and set(data) == _KEYS and isinstance(data["held"], str)


def _has_parts(value: Any) -> bool:
    """Return whether a value is a list that is not one of numbers, which may be long."""
    return isinstance(value, tuple | list) and bool(value) and not isinstance(value[0], int | float)
