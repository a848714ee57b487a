"""Arrays that pictures depend on, known by checksum."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.held_array import (
    HeldArray,
    held_arrays,
    nameless,
    plain,
    revived,
    with_numbers,
)


@dataclass(frozen=True)
class Part:
    """A part with an array, numbers and nothing else."""

    array: HeldArray | None = None
    vector: tuple[float, ...] = (1.0, 2.0)


@dataclass(frozen=True)
class Whole:
    """A whole of parts."""

    parts: tuple[Part, ...]
    own: HeldArray


def test_it_is_known_by_type_shape_and_numbers_only() -> None:
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    held = HeldArray.of(numbers, "a.npy")
    assert held == HeldArray.of(numbers.copy(), "b.npy")
    assert hash(held) == hash(HeldArray.of(numbers))
    assert held == HeldArray.of(np.asfortranarray(numbers))
    others = (numbers + 1, numbers.ravel(), numbers.astype(np.float64))
    assert held not in [HeldArray.of(other) for other in others]


def test_nobody_can_change_it() -> None:
    numbers = np.zeros(3)
    held = HeldArray.of(numbers)
    numbers += 1
    np.testing.assert_array_equal(held.numbers, np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        held.numbers[0] = 1


def test_plain_data_have_no_numbers_and_say_so() -> None:
    held = HeldArray.of(np.zeros(3), "cat.jpg")
    data = json.loads(json.dumps(plain({"photo": held, "steps": 2})))
    again = revived(data)
    assert again == {"photo": held, "steps": 2} and again["photo"].array is None
    with pytest.raises(UsageError, match=r"cat\.jpg: only its checksum [0-9a-f]{12}… is known"):
        _ = again["photo"].numbers
    assert nameless([data, {"more": [data]}]) == nameless(
        [plain({"photo": replace(held, name="dog.jpg"), "steps": 2}), {"more": [data]}]
    )


def test_arrays_are_found_and_replaced_in_nested_dataclasses() -> None:
    first, second = HeldArray.of(np.zeros(2), "first"), HeldArray.of(np.ones(2), "second")
    bare = HeldArray.from_json(second.to_json())
    kept = Part(first)
    whole = Whole((kept, Part(), Part(bare)), bare)
    assert list(held_arrays(whole)) == [first, bare, bare]
    found = with_numbers(whole, lambda held: second if held == second else held)
    assert found == whole and all(held.array is not None for held in held_arrays(found))
    assert found.parts[0] is kept
    assert with_numbers(found, lambda held: pytest.fail("all have numbers")) is found
