"""Tokenizers: ids as text and back, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kerasviz.errors import UsageError
from kerasviz.io.tokenizers import (
    BYTES,
    ByteTokens,
    IdNumbers,
    Vocabulary,
    beside,
    default_tokenizer,
    read_tokenizer,
    tokenizer_of,
    unusable,
)

WORDS = ("[PAD]", "[CLS]", "play", "##ing", "the")


def test_bytes_are_shown_and_come_back() -> None:
    tokens = tokenizer_of(BYTES.encode(), BYTES, 257)
    ids = [0x89, 80, 78, 71, 13, 10]
    assert isinstance(tokens, ByteTokens) and tokens.data([*ids, 256]) == b"\x89PNG\r\n"
    assert tokens.ids(tokens.text(ids)) == ids
    assert [tokens.token(k) for k in (*ids, 32, 127, 256)] == [
        *("89", "P", "N", "G", "\u240d", "\u240a", "\u2423", "\u2421", "pad")
    ]


def test_a_list_of_tokens_is_a_vocabulary() -> None:
    for text in (
        "\n".join(WORDS),
        json.dumps(WORDS),
        json.dumps(dict(zip(WORDS, range(5), strict=1))),
    ):
        tokens = tokenizer_of(text.encode(), "vocab", 5)
        assert tokens == Vocabulary(WORDS) and tokens.special == {0, 1}
        assert tokens.text([4, 2, 3, 2]) == "the playing play" and tokens.ids("the") is None


def test_the_library_reads_a_tokenizer(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="pip install 'kerasviz[words]'")
    model = tokenizers.models.WordLevel({"hello": 0, "world": 1, "[UNK]": 2}, unk_token="[UNK]")
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.add_special_tokens(["[UNK]"])
    made.save(str(tmp_path / "tokenizer.json"))
    tokens = tokenizer_of(read_tokenizer(tmp_path / "tokenizer.json"), "tokenizer.json", 3)
    assert tokens.ids("world hello") == [1, 0] and tokens.text([1, 0]) == "world hello"
    assert (tokens.size, tokens.special, tokens.token(1)) == (3, {2}, "world")


def test_without_a_file_ids_are_numbers_or_bytes() -> None:
    assert default_tokenizer(50257) == IdNumbers(50257) and default_tokenizer(257) == ByteTokens(
        257
    )
    assert IdNumbers(9).text([3, 8]) == "3 8" and IdNumbers(9).ids("3 8") == [3, 8]


def test_the_file_beside_a_model_is_taken_if_it_fits(tmp_path: Path) -> None:
    assert beside(tmp_path, 5) is None
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    assert beside(tmp_path, 5) == tmp_path / "vocab.txt" and beside(tmp_path, 4) is None


def test_kinds_of_tokens_that_are_left_out() -> None:
    tokens = Vocabulary(("[PAD]", "the", "##ing", "d'", "né", " a", "7"))
    assert unusable(tokens, 9, []) == {0, 7, 8}
    assert unusable(tokens, 7, ["non-ascii"]) == {0, 4}
    assert unusable(tokens, 7, ["non-letters"]) == {0, 3, 4, 6}
    assert 10 in unusable(ByteTokens(257), 257, ["non-ascii"])


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\n".join(b"w%d" % k for k in range(9)), "tokenizer x: it has 9 tokens, the network 5"),
        (b"\xff\xfe", "tokenizer x: it is no text"),
        (b'{"a": 3, "b": 7}', "tokenizer x: expected tokenizer.json, or ids from 0 on by token"),
        (b'{"model": {}}', "x"),
    ],
)
def test_other_files_are_refused_in_one_line(data: bytes, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        tokenizer_of(data, "x", 5)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none.json: it cannot be read .*; give tokenizer.json"):
        read_tokenizer(tmp_path / "none.json")
