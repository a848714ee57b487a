"""Folders of examples in recordings and texts, by the public function."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import sounds, tiny, words

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.examples.passages.make import PLACES, shades, spaced
from kerasviz.io.sounds import read_sound, wav_bytes
from kerasviz.io.tokenizers import Vocabulary


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Recordings of two tones, one after the other, and one that is none."""
    folder = tmp_path / "tones"
    folder.mkdir()
    moments = np.arange(4000) / sounds.RATE
    for name, pair in {"up": (300, 750), "down": (750, 1500)}.items():
        wave = np.concatenate([np.sin(2 * np.pi * hz * moments) for hz in pair]) * 0.8
        (folder / f"{name}.wav").write_bytes(wav_bytes(wave, sounds.RATE)[0])
    (folder / "bad.wav").write_bytes(b"RIFF")
    return folder


def test_each_unit_of_a_listener_hears_its_tone(tones: Path, tmp_path: Path) -> None:
    net, out = sounds.listener(), tmp_path / "out"
    asked = {"per_bucket": 2, "out": out, "progress": False}
    made = kerasviz.find_examples(net, "tones", tones, **asked)
    assert (made.images, made.units, made.unreadable, made.names) == (2, 2, 1, ("bad.wav",))
    data = json.loads((out / "passages.json").read_text())
    low, high = data["taps"][0]["units"]
    page = made.page.read_text()
    assert low[0][0] > 3 * low[1][0], "300 Hz are in one recording only"
    assert len(high) == 2 and high[0][0] == pytest.approx(high[1][0], rel=0.02)
    curve = low[0][3]
    assert len(curve) == PLACES and set(curve[5:50]) == {"9"} and set(curve[70:110]) == {"0"}
    heard = read_sound(out / f"passages/{low[0][1]}.wav")
    assert (heard.rate, len(heard.samples)) == (sounds.RATE, 8000)
    assert '"wav": "passages/0.wav"' in page and "before the ReLU (linear)" in page
    again = kerasviz.find_examples(net, "tones", tones, **asked)
    assert not again.made and again.page == made.page
    with pytest.raises(UsageError, match="examples with other per unit; name another"):
        kerasviz.find_examples(net, "tones", tones, **{**asked, "per_bucket": 3})


def test_texts_have_their_tokens_on_the_page(tmp_path: Path) -> None:
    path = words.bag(tmp_path)
    names = ["[PAD]", *(f"word{k}" for k in range(1, words.VOCABULARY))]
    model = {
        "type": "WordLevel",
        "vocab": {n: k for k, n in enumerate(names)},
        "unk_token": "[PAD]",
    }
    data = {"model": model, "pre_tokenizer": {"type": "Whitespace"}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("word3 word9 word4")
    out = tmp_path / "out"
    made = kerasviz.find_examples(path, "units", folder, out=out, progress=False)
    assert (made.images, made.units) == (1, words.UNITS)
    page = made.page.read_text()
    assert '"tokens": ["word3", " word9", " word4"]' in page
    (unit, *_) = json.loads((out / "passages.json").read_text())["taps"][0]["units"]
    values = words.bag_units(np.array([3, 9, 4]))[:, 0]
    assert unit[0][0] == pytest.approx(values.max(), rel=1e-4)
    assert unit[0][2] == values.argmax() and unit[0][3] == shades(values, values.max())


def test_shades_are_parts_of_the_largest() -> None:
    assert shades(np.array([-1.0, 0.0, 1.0, 3.0]), 3.0) == "0039"
    assert shades(np.array([-1.0, -2.0]), -1.0) == "00"
    many = np.zeros(3 * PLACES)
    many[-1] = 1
    assert shades(many, 1.0) == "0" * (PLACES - 1) + "9"


def test_tokens_stand_apart_as_in_the_text() -> None:
    assert spaced(Vocabulary(("we", "ask", "##ed")), [0, 1, 2]) == ["we", " ask", "##ed"]


def test_other_networks_and_options_are_refused(tones: Path, tmp_path: Path) -> None:
    net, tokens = sounds.listener(), kerasviz.load(words.bag(tmp_path))
    for words_, given in {
        "size: listener takes sounds": {"size": 32},
        "classes: listener takes sounds": {"classes": "none"},
        "tokenizer: listener takes sounds": {"tokenizer": "bytes"},
    }.items():
        with pytest.raises(UsageError, match=words_):
            kerasviz.find_examples(net, "tones", tones, **given)
    with pytest.raises(UsageError, match="nothing says how text is split into its 50 tokens"):
        kerasviz.find_examples(tokens, "units", tones)
    with pytest.raises(UsageError, match="tokenizer: tiny takes images, no tokens; leave it out"):
        kerasviz.find_examples(tiny.network(), "joined", tones, tokenizer="bytes")
    with pytest.raises(UsageError, match="no recording can be read"):
        (tmp_path / "silent").mkdir()
        (tmp_path / "silent" / "a.wav").write_bytes(wav_bytes(np.zeros(4000), 4000)[0])
        kerasviz.find_examples(net, "tones", tmp_path / "silent")
