from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

from kerasviz.network.axes import axes_of
from kerasviz.network.input_spec import range_spec
from kerasviz.network.program import Port
from kerasviz.network.signal_input import SignalInput
from kerasviz.rendering.media.signal import SignalMedium

CASES = [
    ((None, 400), "batch,time", None, (".npy", ".csv")),
    ((None, 1), "batch,time", 10, (".npy", ".csv")),
    ((None, 2, 300), "batch,channel,time", 100, (".npy", ".csv")),
    ((None, 900, 40), "batch,time,channel", 100, (".npy", ".csv")),
    ((None, 5), "batch,feature", None, (".npy", ".csv")),
    ((None, 90), "batch,feature", None, (".npy", ".csv")),
    ((None, 12, 30), "batch,frame,band", None, (".npy",)),
    ((None, 3, 12, 30), "batch,channel,height,width", None, (".npy",)),
    ((None, 5, 6, 7, 2), "batch,depth,height,width,channel", None, (".npy",)),
    ((None, 5, 6, 7, 3), "batch,time,height,width,channel", 5, (".npy", ".gif")),
]


def medium_of(shape, axes, rate):
    signal = SignalInput(Port("x", np.float32, shape), axes_of(axes), rate)
    low = -1.0 - np.arange(signal.channels)
    return SignalMedium(signal, range_spec(low, 2 * np.abs(low)))


def values_of(medium):
    height, width = medium.input.size
    shape = (height, width, medium.input.channels)
    return np.random.default_rng(0).uniform(0.1, 0.9, shape).astype(np.float32)


@pytest.mark.parametrize(("shape", "axes", "rate", "suffixes"), CASES)
def test_files_hold_the_numbers_of_the_network(monkeypatch, shape, axes, rate, suffixes):
    medium = medium_of(shape, axes, rate)
    monkeypatch.setattr(SignalInput, "own_layout", _own_layout)
    values = values_of(medium)
    picture, files = medium.pil(values), medium.companions(values)
    assert medium.suffixes == suffixes == tuple(files)
    assert picture.mode == "RGB" and picture.width == 640 and 100 < picture.height < 1500
    assert len(picture.getcolors(1 << 20)) > 5
    numbers = np.load(io.BytesIO(files[".npy"]))
    assert numbers.shape == shape[1:] and numbers.dtype == np.float32
    assert np.allclose(medium.read(picture, files), values, atol=1e-6)
    assert medium.read(picture, {}) is None
    if ".csv" in files:
        rows = list(csv.reader(io.StringIO(files[".csv"].decode())))
        table = np.array(rows[1:], float)
        assert rows[0] == [*(["seconds"] if rate else []), *map(str, range(medium.input.channels))]
        own = medium.numbers(values)[0]
        assert np.allclose(table[:, 1:] if rate else table, own, rtol=1e-6)
        if rate:
            assert np.allclose(table[:, 0], np.arange(len(table)) / rate)
    if ".gif" in files:
        film = Image.open(io.BytesIO(files[".gif"]))
        assert film.n_frames == shape[1]


def _own_layout(self, images):
    """The layout by numpy: the type of these ports is none of TensorFlow."""
    x = np.asarray(images)
    x = x.reshape(len(x), *self.lengths_in(x.shape[1:3]), x.shape[3])
    x = x if {"channel", "feature"} & {*self.axes} else x[..., 0]
    return _Array(x.transpose(self._order))


class _Array(np.ndarray):
    def __new__(cls, values):
        return np.asarray(values).view(cls)

    def numpy(self):
        return np.asarray(self)


def test_numbers_are_those_of_the_range():
    medium = medium_of((None, 9, 2), "batch,time,channel", None)
    ends = np.stack([np.zeros((9, 2)), np.ones((9, 2))]).astype(np.float32)
    assert np.allclose(medium.numbers(ends[:1]), [-1, -2])
    assert np.allclose(medium.numbers(ends[1:]), [2, 4])


def test_a_constant_signal_is_drawn():
    medium = medium_of((None, 400), "batch,time", 50)
    assert medium.pil(np.full((1, 400, 1), 0.5, np.float32)).size[0] == 640
