from __future__ import annotations

import json

import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations import Fourier, Pixel, from_json


@pytest.mark.parametrize(
    "chosen", [Fourier(), Pixel(), Fourier(0.1, 0.5, False), Pixel(sd=1.0, decorrelate=False)]
)
def test_json_round_trips(chosen):
    again = from_json(json.loads(json.dumps(chosen.to_json())))
    assert again == chosen and hash(again) == hash(chosen)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "wavelet"}, "'wavelet'; choose from fourier, pixel"),
        ({}, "'None'; choose from fourier, pixel"),
        ({"kind": "fourier", "decay": 1}, "unknown setting 'decay'; near: decay_power"),
        ({"kind": "pixel", "sd": -1}, "sd -1; expected 0 or more"),
        ({"kind": "fourier", "sd": float("nan")}, "sd nan; expected 0 or more"),
    ],
)
def test_impossible_settings_are_explained(data, message):
    with pytest.raises(UsageError, match=message):
        from_json(data)
