"""Activations of files: read in place, and refused in one line where they do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from kerasviz.atlas.activations.samples import open_samples, read_samples, save_samples
from kerasviz.errors import KerasvizError, UsageError

DRAW = np.random.default_rng(0)


def saved(path, array):
    np.save(path, array)
    return path


def test_files_are_not_read_whole(tmp_path):
    values = DRAW.normal(size=(30, 4)).astype(np.float32)
    shares = DRAW.normal(size=(30, 7)).astype(np.float16)
    samples = read_samples(
        saved(tmp_path / "a.npy", values), saved(tmp_path / "b.npy", shares), 4, "conv"
    )
    assert isinstance(samples.values, np.memmap)
    np.testing.assert_array_equal(samples.attributions, shares)
    assert samples.photos.tolist() == list(range(30))
    some = samples.of(np.array([3, 5]))
    np.testing.assert_array_equal(some.values, values[[3, 5]])
    np.testing.assert_array_equal(some.attributions, shares[[3, 5]])


@pytest.mark.parametrize(
    ("values", "shares", "words"),
    [
        (DRAW.normal(size=(9, 5)), None, "rows of 5 numbers; conv has 4 channels"),
        (DRAW.normal(size=9), None, "9 numbers; expected a row of numbers for each activation"),
        (np.zeros((0, 4)), None, "0 x 4 numbers"),
        (np.where(np.eye(4) > 0, np.nan, 1)[1:], None, "row 0 has numbers that are not finite"),
        (DRAW.normal(size=(9, 4)), DRAW.normal(size=(8, 3)), "8 rows for 9 activations"),
    ],
)
def test_files_that_do_not_fit(values, shares, words, tmp_path):
    first = saved(tmp_path / "a.npy", values)
    second = None if shares is None else saved(tmp_path / "b.npy", shares)
    with pytest.raises(UsageError, match=words) as caught:
        read_samples(first, second, 4, "conv")
    assert "\n" not in str(caught.value)


def test_samples_are_complete_or_not_there(tmp_path):
    assert open_samples(tmp_path) is None
    samples = read_samples(saved(tmp_path / "a.npy", DRAW.normal(size=(9, 4))), None, 4, "conv")
    save_samples(tmp_path, samples, {"photos": 9})
    again = open_samples(tmp_path)
    assert again.identity == samples.identity
    np.testing.assert_array_equal(again.values, samples.values)
    (tmp_path / "activations.npy").unlink()
    with pytest.raises(KerasvizError, match=r"samples\.json' is damaged"):
        open_samples(tmp_path)
