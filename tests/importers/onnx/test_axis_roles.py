"""What becomes of the roles of axes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kerasviz.importers.onnx.axis_roles import AxisRole, joined, reshaped

ROLES = {"n": "images", "c": "channels", "p": "positions", "?": ""}
Lengths = Sequence[int | None]


def axes(roles: str, lengths: Lengths) -> tuple[AxisRole, ...]:
    return tuple(AxisRole(ROLES[r], n) for r, n in zip(roles, lengths, strict=True))


def letters(result: Sequence[AxisRole]) -> str:
    names = {role: letter for letter, role in ROLES.items()}
    return "".join(names[axis.role] for axis in result)


@pytest.mark.parametrize(
    ("roles", "source", "target", "expected"),
    [
        ("ncpp", (None, 9, None, None), (None, 9, None), "ncp"),
        ("ncpp", (None, 9, 4, 4), (None, 9, 16), "ncp"),
        ("ncpp", (None, 8, None, None), (None, 2, 4, None), "nccp"),
        ("ncpp", (None, 14, None, None), (None, 2, 7, None, None), "nccpp"),
        ("nccpp", (None, 3, 2, None, None), (None, 6, None, None), "ncpp"),
        ("ncppc", (None, 2, None, None, 7), (None, None, 7), "n?c"),
        ("nppc", (None, None, None, 18), (None, None, 6), "n?c"),
        ("nppc", (None, None, None, 18), (None, None, 9, 2), "npcc"),
        ("npc", (None, None, 12), (None, None, 3, 4), "npcc"),
        ("ncpp", (None, 64, None, None), (None, 32, None), "nc?"),  # group normalization
        ("nppc", (None, None, None, 8), (None, None, 4, None, 4, 8), "nppppc"),  # windows
        ("ncpp", (None, 9, 1, 1), (None, 9), "nc"),
        ("nc", (None, 9), (None, 9, 1, 1), "nccc"),
        ("ncpp", (2, 6, 4, 5), (2, 6, 20), "ncp"),
        ("ncpp", (2, 6, 4, 5), (2, 5, 24), "n??"),  # mixes channels and positions
        ("ncpp", (None, 9, None, None), (None, None), "n?"),
        ("n?p", (None, 6, None), (None, 2, 3, None), "n??p"),
    ],
)
def test_reshaped_axes(roles: str, source: Lengths, target: Lengths, expected: str) -> None:
    result = reshaped(axes(roles, source), target)
    assert letters(result) == expected
    assert [axis.length for axis in result] == list(target)


def test_joined_axes() -> None:
    image, gate = axes("ncpp", (None, 6, None, None)), axes("nc??", (None, 6, 1, 1))
    assert letters(joined([image, gate], (None, 6, None, None))) == "ncpp"
    assert letters(joined([gate[1:], image], (None, 6, None, None))) == "ncpp"
    tokens = axes("npc", (None, 5, 5))
    assert letters(joined([tokens, axes("ncp", (None, 5, 5))], (None, 5, 5))) == "n??"
