"""Recordings and texts are cut into passages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.examples.passages.sources import Recordings, Texts
from kerasviz.io.sounds import wav_bytes
from kerasviz.io.tokenizers import ByteTokens, IdNumbers, Vocabulary


def test_recordings_are_resampled_and_cut(tmp_path: Path) -> None:
    wave = np.sin(np.arange(2 * 2050) / 20).astype(np.float32) * 0.5
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.wav").write_bytes(wav_bytes(wave, 8000)[0])
    (tmp_path / "notes.txt").write_text("no recording")
    source = Recordings(tmp_path, 4000, 1000, 2)
    (path,) = source.files
    first, second = source.passages(path)  # 50 samples are too few for a third one
    assert (source.name(path), first.start, second.start) == ("deep/a.wav", 0, 1000)
    assert first.values.shape == (1, 1000, 2) and (first.count, first.known) == (1000, 0)
    expected = (wave[:2000:2] + 1) / 2
    assert np.abs(first.values[0, 20:, 1] - expected[20:]).max() < 0.01


def test_silence_follows_a_short_recording(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(np.full(300, 0.5), 4000)[0])
    source = Recordings(tmp_path, 4000, 1000, 1)
    (only,) = source.passages(source.files[0])
    assert only.count == 300 and np.all(only.values[0, 300:] == 0.5)


@pytest.mark.parametrize("padding", [None, 7])
def test_the_last_passage_of_a_text_ends_with_it(tmp_path: Path, padding: int | None) -> None:
    (tmp_path / "long.txt").write_text(" ".join(map(str, range(20, 31))))
    (tmp_path / "short.md").write_text("1 2")
    source = Texts(tmp_path, IdNumbers(), 4, padding)
    long, short = source.files
    found = source.passages(long)
    ids = [passage.values[0, :, 0].astype(int).tolist() for passage in found]
    assert ids == [[20, 21, 22, 23], [24, 25, 26, 27], [27, 28, 29, 30]]
    assert [(p.start, p.count, p.known) for p in found] == [(0, 4, 0), (4, 4, 0), (7, 4, 1)]
    (only,) = source.passages(short)
    assert only.values[0, :, 0].tolist() == ([1, 2] if padding is None else [1, 2, 7, 7])
    assert only.count == 2


def test_a_network_of_bytes_reads_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes([0, 200, 255]))
    source = Texts(tmp_path, ByteTokens(257), 8, 256)
    (only,) = source.passages(source.files[0])
    assert only.values[0, :, 0].tolist() == [0, 200, 255, *[256] * 5]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder; name one of recordings"):
        Recordings(tmp_path / "none", 4000, 10, 1)
    with pytest.raises(UsageError, match=r"has no texts \(\.txt, \.md, \.text\)"):
        Texts(tmp_path, IdNumbers(), 4, None)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "b.txt").write_text("")
    source = Texts(tmp_path, IdNumbers(), 4, None)
    for path, words in zip(source.files, ("decode", "an empty text"), strict=True):
        with pytest.raises(UsageError, match=words):
            source.passages(path)
    (tmp_path / "b.txt").write_text("word")
    with pytest.raises(UsageError, match=r"give --tokenizer tokenizer.json"):
        Texts(tmp_path, Vocabulary(("word",)), 4, None).passages(tmp_path / "b.txt")
