"""Fields that are found once: what decides them, and a cache that is damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import tiny

from kerasviz.examples import kept_fields
from kerasviz.examples.kept_fields import kept_field
from kerasviz.examples.receptive_field import ReceptiveField, receptive_field
from kerasviz.network.network import Network


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, int]]]:
    """The fields that were found, not read."""
    asked: list[tuple[str, tuple[int, int]]] = []

    def find(net: Network, tap: str, size: tuple[int, int]) -> ReceptiveField:
        asked.append((tap, size))
        return receptive_field(net, tap, size)

    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_fields, "receptive_field", find)
    return asked


def test_fields_are_found_once(found: list[tuple[str, tuple[int, int]]]) -> None:
    net, size = tiny.network(), (12, 16)
    first = kept_field(net, "joined", size)
    assert kept_field(tiny.network().renamed("other"), "joined", size) == first
    assert found == [("joined", size)]
    assert first == receptive_field(net, "joined", size)
    assert kept_field(net, "relu1", size) != first
    assert kept_field(net, "joined", (16, 12)) != first
    kept_field(tiny.network(seed=1), "joined", size)  # another file
    assert [asked for asked, _ in found] == ["joined", "relu1", "joined", "joined"]


def test_a_damaged_cache_is_no_obstacle(
    found: list[tuple[str, tuple[int, int]]], tmp_path: Path
) -> None:
    net, size = tiny.network(), (12, 12)
    first = kept_field(net, "relu1", size)
    (path,) = (tmp_path / "cache" / "fields").iterdir()
    for data in (b"", b"[1]", b'{"size": [1'):
        path.write_bytes(data)
        assert kept_field(net, "relu1", size) == first
    assert len(found) == 4
    path.unlink()
    path.mkdir()  # cannot be written
    assert kept_field(net, "relu1", size) == first


def test_weights_that_may_change_are_not_kept(
    found: list[tuple[str, tuple[int, int]]],
) -> None:
    live: Any = SimpleNamespace(warn=lambda name: None)
    net = replace(tiny.network(), live=live)
    for _ in range(2):
        kept_field(net, "relu1", (9, 9))
    assert len(found) == 2
