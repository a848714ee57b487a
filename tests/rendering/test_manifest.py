"""The manifest and its journal: what is saved is read, whatever was cut off or merged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.rendering import manifest as module
from kerasviz.rendering.manifest import (
    JOURNAL,
    MANIFEST,
    Entry,
    GradientEntry,
    Manifest,
    read_manifest,
)


def entry(number: int, sha256: str = "0" * 64) -> Entry:
    curve = ((0, 0.5), (7, 1.25))
    return Entry(
        f"a-{number}.png", sha256, f"key{number}", f"a:{number}", 8, 0, 4, 1.5, "r", "e", curve
    )


def computed(name: str) -> GradientEntry:
    photos = ({"name": "b", "sha256": "1" * 64, "file": "b.png"},)
    return GradientEntry(f"{name}.png", "2" * 64, "k", name, "", {"kind": "l2"}, photos, "e")


def begun(folder: Path, *numbers: int) -> Manifest:
    """A manifest of some pictures, written whole."""
    made = Manifest(folder)
    made.network = {"name": "n", "sha256": "3" * 64}
    made.add_request("r", {"seed": 0})
    made.add_environment("e", {"python": "3"})
    for number in numbers:
        made.add(entry(number))
    made.merge()
    return made


def files(folder: Path) -> list[str]:
    return sorted(read["file"] for read in read_manifest(folder)["pictures"])


def test_what_is_saved_is_appended_and_read_as_if_it_were_in_the_manifest(tmp_path: Path) -> None:
    made = begun(tmp_path, 1)
    whole = (tmp_path / MANIFEST).read_bytes()
    made.add(entry(2))
    made.add(computed("c"))
    made.add_request("s", {"seed": 1})
    assert files(tmp_path) == ["a-1.png"]  # not saved yet
    made.save()
    made.remove(["a-1.png"])
    made.save()
    assert (tmp_path / MANIFEST).read_bytes() == whole
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 5  # the first names the manifest
    again = Manifest(tmp_path)
    assert (again.entries, again.computed) == (made.entries, made.computed)
    assert list(again.entries) == ["a-2.png"] and again.files["key1"] == set()
    assert again.requests == {"r": {"seed": 0}, "s": {"seed": 1}}
    read = read_manifest(tmp_path)
    made.merge()
    assert not (tmp_path / JOURNAL).exists() and read_manifest(tmp_path) == read
    # The same bytes as without a journal.
    (tmp_path / "other").mkdir()
    straight = begun(tmp_path / "other")
    straight.add(entry(2))
    straight.add(computed("c"))
    straight.add_request("s", {"seed": 1})
    straight.merge()
    assert (tmp_path / "other" / MANIFEST).read_bytes() == (tmp_path / MANIFEST).read_bytes()


def test_a_journal_that_is_cut_off_anywhere_loses_only_its_last_lines(tmp_path: Path) -> None:
    made = begun(tmp_path, 1)
    for number in (2, 3):
        made.add(entry(number))
        made.save()
    whole = (tmp_path / JOURNAL).read_bytes()
    ends = [k + 1 for k, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole) + 1):
        (tmp_path / JOURNAL).write_bytes(whole[:length])
        there = ["a-1.png", "a-2.png", "a-3.png"][: max(1, sum(end <= length for end in ends))]
        assert files(tmp_path) == there
        if length % 29 == 0 or length in ends:  # and one can go on from there
            other = Manifest(tmp_path)
            other.add(entry(9))
            other.save()
            assert files(tmp_path) == [*there, "a-9.png"]


def test_a_journal_of_an_earlier_manifest_counts_for_nothing(tmp_path: Path) -> None:
    """As after a process was killed that had written the manifest and not removed the journal."""
    made = begun(tmp_path, 1, 2)
    made.remove(["a-1.png"])
    made.add(entry(2, "4" * 64))
    made.save()
    left = (tmp_path / JOURNAL).read_bytes()
    made.add(entry(1, "5" * 64))
    made.merge()
    (tmp_path / JOURNAL).write_bytes(left)
    read = {e["file"]: e["sha256"] for e in read_manifest(tmp_path)["pictures"]}
    assert read == {"a-1.png": "5" * 64, "a-2.png": "4" * 64}
    other = Manifest(tmp_path)
    other.add(entry(3))
    other.save()
    assert files(tmp_path) == ["a-1.png", "a-2.png", "a-3.png"]
    before = (tmp_path / MANIFEST).stat().st_mtime_ns
    (tmp_path / JOURNAL).write_bytes(left)
    Manifest(tmp_path).merge()  # nothing to merge
    assert (tmp_path / MANIFEST).stat().st_mtime_ns == before
    assert not (tmp_path / JOURNAL).exists()


def test_two_that_write_in_turn_see_each_others_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = begun(tmp_path), Manifest(tmp_path)
    for number in range(0, 6, 2):
        for manifest, k in ((one, number), (two, number + 1)):
            manifest.refresh()
            assert list(manifest.entries) == [f"a-{i}.png" for i in range(k)]
            manifest.add(entry(k))
            manifest.save()
        if number == 2:
            one.merge()
    two.add(entry(6))  # not saved yet when the other one writes the manifest
    one.add(entry(7))
    one.merge()
    two.save()
    one.refresh()
    assert files(tmp_path) == sorted(one.entries) == [f"a-{k}.png" for k in range(8)]
    reads: list[Any] = []
    monkeypatch.setattr(module, "_bytes", lambda *a: reads.append(a) or b"")
    monkeypatch.setattr(module, "read_manifest_file", lambda *a: reads.append(a))
    one.refresh()
    assert not reads  # what did not change is not read


def test_a_long_journal_is_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = begun(tmp_path, 1)
    monkeypatch.setattr(module, "LONG", 1000)
    merges = 0
    for number in range(2, 60):
        made.add(entry(number))
        made.save()
        merges += not (tmp_path / JOURNAL).exists()
    assert len(files(tmp_path)) == 59
    assert 2 < merges < 15  # less and less often, as the manifest grows


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"holds no manifest\.json; name a folder made by kerasviz"
    ):
        read_manifest(tmp_path)
    begun(tmp_path, 1)
    data = json.loads((tmp_path / MANIFEST).read_text())
    del data["pictures"][0]["sha256"]
    (tmp_path / MANIFEST).write_text(json.dumps(data))
    with pytest.raises(KerasvizError, match="is damaged"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps({**data, "format": 2}))
    with pytest.raises(UsageError, match="has the format 2; this version reads 1"):
        read_manifest(tmp_path)
