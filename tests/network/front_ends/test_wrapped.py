from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from support.sounds import band_network

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import card_named
from kerasviz.network.front_ends.spectrogram import spectrogram
from kerasviz.network.front_ends.wrapped import (
    as_recorded,
    reading_of,
    text_of_card,
    with_front_end,
)


def test_a_network_of_spectrograms_takes_sounds():
    net = with_front_end(band_network(64, 96), "yamnet")
    assert (net.medium, net.rate, net.fixed_size) == ("sound", 16000, (1, 15600))
    assert net.geometry["front_end"] == card_named("yamnet").to_json()
    sound = np.random.default_rng(0).normal(0, 0.1, (2, 15600)).astype(np.float32)
    values = net.activations((sound[:, None, :, None] + 1) / 2, ["bands", "spectrogram"])
    wanted = spectrogram(card_named("yamnet"), tf.constant(sound))
    np.testing.assert_allclose(values["bands"], wanted, atol=2e-3)
    np.testing.assert_array_equal(values["bands"], values["spectrogram"])


@pytest.mark.parametrize("name", ["yamnet", "whisper"])
def test_records_and_options_name_the_card(name):
    card = card_named(name)
    net = with_front_end(band_network(card.width), name)
    assert reading_of(net) == {"front_end": name} and text_of_card(card) == name
    again = as_recorded(band_network(card.width), json.loads(json.dumps(net.geometry)))
    assert again.front_end == card and as_recorded(net, net.geometry) is net
    mine = {**card.to_json(), "hop": 100}
    text = reading_of(with_front_end(band_network(card.width), mine))["front_end"]
    assert card_named(text).hop == 100
    plain = band_network(8)
    assert reading_of(plain) == {"axes": None, "rate": None}
    assert as_recorded(plain, {"axes": None}) is plain


def test_other_networks_are_refused():
    with pytest.raises(UsageError, match="96 frames of 64 numbers"):
        with_front_end(band_network(65), "yamnet")
    with pytest.raises(UsageError, match="no front end 'yam'"):
        with_front_end(band_network(64), "yam")
