"""The names and stars of units."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.service.notes import LONGEST, Note, Notes


def test_notes_are_kept_and_removed(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    assert notes.of("net") == []
    kept = notes.take("net", Note("relu", 3, "  dog   heads ", star=True))
    assert kept == Note("relu", 3, "dog heads", star=True)
    notes.take("net", Note("relu", 1, star=True))
    notes.take("other", Note("relu", 1, "else"))
    again = Notes(tmp_path / "notes")
    assert again.of("net") == [Note("relu", 1, star=True), Note("relu", 3, "dog heads", star=True)]
    notes.take("net", Note("relu", 3))
    assert again.of("net") == [Note("relu", 1, star=True)]
    assert json.loads((tmp_path / "notes" / "net.json").read_text())[0]["unit"] == 1


def test_long_names_and_damaged_files_are_refused(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    with pytest.raises(UsageError, match=f"at most {LONGEST}"):
        notes.take("net", Note("relu", 1, "x" * (LONGEST + 1)))
    assert not list(tmp_path.iterdir())
    (tmp_path / "net.json").write_text("{")
    with pytest.raises(KerasvizError, match="damaged"):
        notes.of("net")


def test_they_are_given_over_http(served: Callable[..., TestClient]) -> None:
    client = served()
    given = {"layer": "relu", "unit": 2, "name": "edges", "star": False}
    assert client.put("/api/networks/small/notes", json=given).json() == given
    assert client.get("/api/networks/small/notes").json() == [given]
    for changed, status, line in (
        ({"layer": "nothing"}, 404, "no layer 'nothing'"),
        ({"unit": 6}, 404, "has the units 0 to 5"),
        ({"name": "x" * 200}, 422, "at most"),
    ):
        answer = client.put("/api/networks/small/notes", json={**given, **changed})
        assert answer.status_code == status and line in answer.json()["error"]
    assert client.get("/api/networks/other/notes").status_code == 404
