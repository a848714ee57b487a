"""What is written beside a picture of tokens."""

from __future__ import annotations

import json

from support.words import token_record

from kerasviz.io.tokenizers import ByteTokens, Vocabulary
from kerasviz.rendering.media.token_record import hexadecimal


def test_the_numbers_are_all_there() -> None:
    record = token_record(entropies=(5.0, 3.0))
    files = record.companions()
    assert sorted(files) == [".json", ".txt"]
    data = json.loads(files[".json"])
    assert data["target"] == "units:2" and data["ids"] == [0, 1] and data["value"] == 2.0
    assert [each["cross_entropy"] for each in data["front"]] == [5.0, 3.0]
    assert data["replacements"][0]["tokens"] == ["7", "8", "9"] and data["evaluated"] == 99
    assert "text_has_these_ids" not in data
    lines = files[".txt"].decode().splitlines()
    assert lines[0] == "units:2: 2" and lines[2].split("\t") == ["2", "5", "0 1", "'0 1'"]


def test_bytes_are_a_file_and_a_hexadecimal_view() -> None:
    record = token_record(ids=(0x25, 0x50, 0x44, 0x46, 0x0A), tokenizer=ByteTokens(257))
    files = record.companions()
    assert files[".bin"] == b"%PDF\n"
    assert files[".txt"].decode().splitlines()[1] == hexadecimal(b"%PDF\n")[0]
    assert json.loads(files[".json"])["text_has_these_ids"] is True


def test_a_hexadecimal_view_has_sixteen_bytes_a_line() -> None:
    lines = hexadecimal(bytes(range(40)))
    assert [line[:8] for line in lines] == ["00000000", "00000010", "00000020"]
    assert lines[2] == "00000020  20 21 22 23 24 25 26 27" + " " * 26 + " !\"#$%&'"


def test_text_that_is_split_otherwise_is_marked() -> None:
    class Joining(Vocabulary):
        def ids(self, text: str) -> list[int] | None:
            return [2] if text == "a b" else None

    record = token_record(tokenizer=Joining(("a", "b", "a b")))
    assert record.comes_back(record.best) is False
    assert "(its text has other ids)" in record.as_text()
    assert json.loads(record.companions()[".json"])["text_has_these_ids"] is False
