"""What was given once for a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from kerasviz.network.input_spec import preset
from kerasviz.zoo.remembered import Remembered, forget, remember, remembered

SHA = "ab" * 32


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_facts_are_kept_changed_and_forgotten(cache: Path) -> None:
    assert remembered(SHA) == Remembered()
    unit = Remembered(preset("unit"), "--preprocess unit")
    assert remember(SHA, unit) == ["--preprocess unit"]
    assert remember(SHA, unit) == []  # not said again
    named = Remembered(labels=("a", "b"), labels_option="--labels l.txt", signature="serve")
    assert remember(SHA, named) == ["--labels l.txt", "--signature serve"]
    known = remembered(SHA)
    assert (known.input_spec, known.labels) == (preset("unit"), ("a", "b"))
    assert known.signature == "serve"
    remember(SHA, Remembered(preset("byte"), "--preprocess byte"))
    assert remembered(SHA).input_spec == preset("byte")
    assert remembered("cd" * 32) == Remembered()
    assert forget(SHA) == ["--preprocess byte", "--labels l.txt", "--signature serve"]
    assert forget(SHA) == []
    assert remembered(SHA) == Remembered()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"input_spec": 3}', '{"unknown": 1}'])
def test_a_damaged_memory_is_none(cache: Path, text: str) -> None:
    remember(SHA, Remembered(preset("unit"), "--preprocess unit"))
    (cache / "remembered" / f"{SHA}.json").write_text(text)
    assert remembered(SHA) == Remembered()


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in the way").write_text("")
    monkeypatch.setenv("KERASVIZ_CACHE", str(tmp_path / "in the way"))
    assert remember(SHA, Remembered(preset("unit"), "--preprocess unit")) == []
    assert remembered(SHA) == Remembered()
