"""Names of classes in all the ways in which files keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kerasviz.errors import UsageError
from kerasviz.network.class_names import names_in_text, names_of, read_names

PETS = ("cat", "dog", "cat's toy")


@pytest.mark.parametrize(
    "data",
    [
        list(PETS),
        PETS,
        {"0": "cat", "1": "dog", "2": "cat's toy"},
        {2: "cat's toy", 0: "cat", 1: "dog"},
        {"cat": 0, "dog": 1, "cat's toy": 2},
        {"names": {"0": "cat", "1": "dog", "2": "cat's toy"}, "nc": 3},
        {"id2label": {"0": "cat", "1": "dog", "2": "cat's toy"}, "model_type": "vit"},
        {"categories": [{"id": 7, "name": "cat"}, {"name": "dog"}, {"name": "cat's toy"}]},
    ],
)
def test_every_form_gives_the_names_in_order(data: Any) -> None:
    assert names_of(data) == PETS
    assert names_in_text(repr(data)) == PETS  # as Python writes it
    if not isinstance(next(iter(data)), int):
        assert names_in_text(json.dumps(data)) == PETS


@pytest.mark.parametrize(
    "data",
    [None, 3, "cat", [], [1.5], [["a"], 2.5], {}, {"a": "b"}, {"1000000": "a"}, {"-1": "a"}],
)
def test_other_data_holds_no_names(data: Any) -> None:
    assert names_of(data) == ()


def test_gaps_and_identifiers_of_imagenet() -> None:
    assert names_of({"1": "b", "3": "d"}) == ("class 0", "b", "class 2", "d")
    assert names_of(["", "b"]) == names_of({"0": "", "1": "b"}) == ("class 0", "b")
    assert names_of({"0": ["n01440764", "tench"]}) == ("tench, n01440764",)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\ndog\ncat's toy\n", PETS),
        ("cat, dog,cat's toy", PETS),
        ("detector of pets", ()),
        ("", ()),
        ("(" * 5000, ()),
        ("{0: 'cat'", ()),
        ("5", ()),
    ],
)
def test_texts_of_metadata(text: str, names: tuple[str, ...]) -> None:
    assert names_in_text(text) == names


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "cat\ndog\ncat's toy\n\n"),
        ("a.txt", "\ufeffcat\r\n dog \r\ncat's toy"),
        ("a.json", '["cat", "dog", "cat\'s toy"]'),
        ("a.labels", '{"0": "cat", "1": "dog", "2": "cat\'s toy"}'),
    ],
)
def test_files_of_names(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_names(tmp_path / name) == PETS


def test_an_empty_line_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("cat\n\ndog\n")
    assert read_names(tmp_path / "a.txt") == ("cat", "class 1", "dog")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"", "holds no labels"),
        ("a.json", b'{"a": 1.5}', "holds no labels"),
        ("a.json", b"cat\ndog\n", "holds no labels"),
        ("a.txt", b"\xff\xfe\x00", "is no text"),
    ],
)
def test_files_without_names(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=said) as caught:
        read_names(tmp_path / name)
    assert "\n" not in str(caught.value)
    for missing in (tmp_path / "b.txt", tmp_path):
        with pytest.raises(UsageError, match="no file of labels"):
            read_names(missing)
