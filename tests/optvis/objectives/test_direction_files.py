from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.direction_files import (
    MOST_ROWS,
    FileWords,
    file_words,
    read_directions,
    row_numbers,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v.npy", FileWords("v.npy")),
        ("v.npy[3]", FileWords("v.npy", rows="3")),
        ("a b/v.NPZ:nmf[3,7-9]", FileWords("a b/v.NPZ", "nmf", "3,7-9")),
        (r"C:\my data\v.npz:nmf", FileWords(r"C:\my data\v.npz", "nmf")),
        (r"\\host\share\v.npz:a:b[1]", FileWords(r"\\host\share\v.npz", "a:b", "1")),
        ("../v,1.safetensors:W_dec[12,40]", FileWords("../v,1.safetensors", "W_dec", "12,40")),
        ("'a - b.npz':k[0]#cosine=2", FileWords("a - b.npz", "k", "0", "cosine", "2")),
        ("x.npz/y.npy", FileWords("x.npz/y.npy")),
        ("v.npz:encoder.weight[1]", FileWords("v.npz", "encoder.weight", "1")),
        ("me@home/v.npy", FileWords("me@home/v.npy")),
        ("s.safetensors#latent=1,2", FileWords("s.safetensors", option="latent", value="1,2")),
    ],
)
def test_words_are_split_and_join_again(text: str, words: FileWords) -> None:
    assert file_words(text) == words
    row = int(words.rows.partition(",")[0]) if words.rows else None
    again = file_words(words.named(row))
    assert again is not None and (again.path, again.key) == (words.path, words.key)


@pytest.mark.parametrize("text", ["center", "1,2", "v.txt", "npy", "v.npyx", "v.npy[3", "v.npy]"])
def test_other_texts_are_no_files(text: str) -> None:
    assert file_words(text) is None


def test_rows_are_listed_and_bounded() -> None:
    assert row_numbers("5,0-2,1", "v") == [5, 0, 1, 2]
    for wrong in ("", "a", "-1", "3-1", "1,,2", "1.5"):
        with pytest.raises(UsageError, match="no numbers such as"):
            row_numbers(wrong, "v")
    with pytest.raises(UsageError, match=f"at most {MOST_ROWS}"):
        row_numbers("0-99999999999", "v")


def read(path: Path, array: object, words: str = "") -> list[np.ndarray]:
    np.save(path, np.asarray(array))
    found = file_words(f"{path}{words}")
    assert found is not None
    return [direction.vector for direction in read_directions(found)]


def test_axes_say_what_is_a_vector(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    numbers = np.random.default_rng(0).normal(size=(2, 3, 5, 7))
    for array, words, wanted in [
        (numbers[0, 0, 0], "", [numbers[0, 0, 0]]),
        (numbers[0, 0], "", list(numbers[0, 0])),
        (numbers[0, 0], "[4,1]", [numbers[0, 0, 4], numbers[0, 0, 1]]),
        (numbers[0], "", [numbers[0]]),
        (numbers, "[1]", [numbers[1]]),
    ]:
        found = read(path, array, words)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other.astype(np.float32))


@pytest.mark.parametrize(
    ("array", "words", "line"),
    [
        (np.ones((3, 4)), "[3]", r"v.npy\[3\]: it has the rows 0 to 2"),
        (np.ones(4), "[0]", r"4 numbers are one vector; leave out \[0\]"),
        (np.ones((2, 3, 4)), "[0]", "2x3x4 numbers are one vector"),
        (np.ones((MOST_ROWS + 1, 2)), "", "has 257 rows; name some"),
        (np.ones((0, 4)), "", "0x4 numbers; expected"),
        (np.ones((1,) * 5), "", "1x1x1x1x1 numbers; expected"),
        ([[1, 2], [3, np.nan]], "", r"v.npy\[1\]: number 1 is nan"),
        ([1, 1e300], "", "number 1 is inf"),
        (np.zeros(3), "", "all numbers are 0"),
        (["a", "b"], "", "no numbers"),
    ],
)
def test_what_is_no_direction_is_one_line(
    tmp_path: Path, array: object, words: str, line: str
) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        read(tmp_path / "v.npy", array, words)
    assert "\n" not in str(refused.value)
