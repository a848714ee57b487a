from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kerasviz.errors import UsageError
from kerasviz.network.front_ends.card import FrontEndCard, card_named, card_names

NAMES = [name for name in card_names() if isinstance(card_named(name), FrontEndCard)]
CARD = {"rate": 16000, "window": 400, "hop": 160, "fft": 512, "bands": 40}


def test_packaged_cards_say_what_their_networks_take():
    assert NAMES == ["yamnet", "vggish", "whisper", "ast", "musicnn", "crepe"]
    lengths = {name: card_named(name).samples_of(card_named(name).frames) for name in NAMES}
    assert lengths == {
        "yamnet": 15600,
        "vggish": 15600,
        "whisper": 480000,
        "ast": 164080,
        "musicnn": 47616,
        "crepe": 1024,
    }
    assert [card_named(name).width for name in NAMES] == [64, 64, 80, 128, 96, 1024]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("frames", [1, 2, 7, 96])
def test_the_fewest_samples_have_the_frames(name, frames):
    card = card_named(name)
    samples = card.samples_of(frames)
    assert card.frames_of(samples) == frames and card.frames_of(samples - 1) == frames - 1
    assert card.frames_of(samples + card.hop - 1) == frames


def test_a_card_of_a_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**CARD, "log": "ln", "offset": 0.01, "layout": "batch,band,frame"}))
    card = card_named(path)
    assert card.axes == ("batch", "band", "frame") and card.highest == 8000
    assert FrontEndCard.from_json(json.loads(json.dumps(card.to_json()))) == card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hops": 3}, "hops"),
        ({"rate": "16k"}, "rate '16k'; expected a number"),
        ({"rate": True}, "rate True; expected a number"),
        ({"hop": 0}, "hop 0; expected a whole number"),
        ({"bands": 2.5}, "bands 2.5; expected a whole number"),
        ({"fft": 256}, "fft 256 is shorter than the window, 400; give 512"),
        ({"mel": "bark"}, "choose from htk, kaldi, slaney, torchaudio"),
        ({"log": "ln"}, "needs an offset or a floor"),
        ({"high": 9000}, "half of the rate, 8000 Hz"),
        ({"sd": 0}, "sd other than 0"),
        ({"power": 3}, "expected 1 or 2"),
        ({"layout": "time,band"}, "expected an order of frame and band"),
        ({"centred": 1}, "expected true or false"),
    ],
)
def test_impossible_cards_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        FrontEndCard.from_json({**CARD, **changes})


def test_missing_names_and_files_are_refused(tmp_path):
    with pytest.raises(UsageError, match="hop is missing"):
        FrontEndCard.from_json({"rate": 8000, "window": 256})
    with pytest.raises(UsageError, match="expected settings"):
        FrontEndCard.from_json([1])
    with pytest.raises(
        UsageError, match=r"no front end 'yamnett'; choose from yamnet.* or a .json"
    ):
        card_named("yamnett")
    with pytest.raises(UsageError, match="no front end can be read"):
        card_named(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UsageError, match="no front end can be read"):
        card_named(tmp_path / "bad.json")
    assert replace(card_named("ast"), frames=0).frames == 0
