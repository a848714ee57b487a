"""The medium of tokens: a picture, files beside it, and ids that come back from them."""

from __future__ import annotations

import json

import numpy as np
from support.words import token_record

from kerasviz.io.tokenizers import ByteTokens, IdNumbers
from kerasviz.rendering.media.tokens import TokenMedium

IDS = np.array([0, 1], np.float32)[None, :, None]


def test_the_record_of_a_search_is_shown_for_its_ids() -> None:
    record = token_record(entropies=(5.0, 3.0))
    medium = TokenMedium(record.tokenizer, record)
    assert medium.suffixes == (".json", ".txt") == tuple(medium.companions(IDS))
    assert json.loads(medium.companions(IDS)[".json"])["value"] == 2.0
    assert medium.pil(IDS).height > TokenMedium(record.tokenizer).pil(IDS).height


def test_ids_come_back_from_the_files() -> None:
    medium = TokenMedium(IdNumbers(10))
    files = medium.companions(IDS)
    assert "value" not in json.loads(files[".json"])
    read = medium.read(medium.pil(IDS), files)
    assert read is not None and np.array_equal(read, IDS)
    assert medium.read(medium.pil(IDS), {}) is None


def test_bytes_have_a_file_of_their_own() -> None:
    assert TokenMedium(ByteTokens(257)).suffixes == (".json", ".txt", ".bin")
    assert TokenMedium(ByteTokens(257)).companions(IDS)[".bin"] == b"\x00\x01"
