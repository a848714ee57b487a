"""One photograph under every preset, for networks whose numbers are not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from support import tiny

from kerasviz.errors import UsageError
from kerasviz.network.input_spec import PRESETS
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Value
from kerasviz.rendering.sizes import usual_size
from kerasviz.service.activations import read_body
from kerasviz.service.input_trials import PHOTO, in_words, try_presets


def test_guesses_are_those_of_the_network_fed_by_hand() -> None:
    net = tiny.network(input_spec=None)
    image = read_body(PHOTO.read_bytes(), usual_size(net), 3)
    assert image.std() > 0.1  # a photograph, not a blank
    trials = try_presets(net)
    assert [trial.preset for trial in trials] == list(PRESETS)
    for trial in trials:
        spec = PRESETS[trial.preset]
        fed = image[..., ::-1] if spec.channel_order == "bgr" else image
        numbers = (fed * spec.scale - np.array(spec.mean)) / np.array(spec.std)
        logits = net.run({"image": numbers[None].astype(np.float32)}, ["logits"])["logits"][0]
        shares = np.exp(logits.astype(np.float64) - logits.max())
        shares /= shares.sum()
        best = np.argsort(-shares, kind="stable")[:3]
        assert [guess.unit for guess in trial.guesses] == best.tolist()
        assert [guess.label for guess in trial.guesses] == [net.labels[k] for k in best]
        found = [guess.share for guess in trial.guesses]
        np.testing.assert_allclose(found, shares[best], rtol=1e-3, atol=1e-6)
        assert trial.error is None and trial.response is None


class Headless(tiny.TinyProgram):
    """The tiny network up to its last maps."""

    @property
    def outputs(self) -> Sequence[str]:
        return ["joined"]

    @property
    def values(self) -> Mapping[str, Value]:
        return {n: v for n, v in super().values.items() if n not in ("pooled", "logits", "prob")}


def test_a_network_without_classes_shows_where_it_responds() -> None:
    net = Network(Headless(), Identity("bare", "bare", "zoo", "0" * 64), input_spec=None)
    assert net.classes.logits is None
    tap = net.main_taps[-1]
    image = read_body(PHOTO.read_bytes(), usual_size(net), 3)
    for trial in try_presets(net):
        last = net.with_input_spec(PRESETS[trial.preset]).activations(image[None], [tap])
        lengths = np.linalg.norm(np.asarray(last[tap])[0], axis=-1)
        assert trial.response is not None and not trial.guesses
        np.testing.assert_allclose(trial.response, lengths / lengths.max(), atol=1e-5)
        assert len(trial.to_json()["response"]) == lengths.shape[0]


def test_a_preset_that_does_not_fit_says_so_and_the_others_are_tried() -> None:
    trials = {
        trial.preset: trial for trial in try_presets(tiny.network(channels=1, input_spec=None))
    }
    assert "give 1 or 1" in (trials["torchvision"].error or "")
    assert trials["unit"].error is None and trials["unit"].guesses


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="no PNG or JPEG"):
        try_presets(tiny.network(input_spec=None), b"no picture")


def test_numbers_are_said_in_words() -> None:
    words = {name: in_words(spec) for name, spec in PRESETS.items()}
    assert words == {
        "torchvision": "-2.12 to 2.64",
        "inception": "-1 to 1",
        "caffe": "-124 to 151, blue first",
        "unit": "0 to 1",
        "byte": "0 to 255",
    }
