from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.trust_fixtures import NET, OTHER

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import read_example
from kerasviz.examples.trust.folder import class_of, finished_pictures
from kerasviz.examples.trust.transfer import check_judge, guesses, judge_class, own_guesses
from kerasviz.network.network import Network
from kerasviz.rendering.store import Store


def labelled(*labels: str) -> Network:
    return replace(OTHER, labels=labels)


def test_classes_are_found_by_their_names() -> None:
    judge = labelled("a goldfish", "Castle, fort", "ostrich, panda", "Carassius auratus", "x")
    assert judge_class(NET, judge, 0) == 3  # goldfish, Carassius auratus
    assert judge_class(NET, judge, 2) == 1 and judge_class(NET, judge, 1) is None
    assert judge_class(NET, labelled("panda", "z", "z", "Panda", "z"), 3) == 3  # the same number
    assert judge_class(NET, labelled(), 2) == 2
    assert judge_class(replace(NET, labels=()), judge, 4) == 4


def test_a_judge_that_cannot_tell_is_one_line() -> None:
    for judge, classes, line in [
        (OTHER, [], "no picture of the folder shows a class"),
        (labelled("a", "b", "c", "d", "e"), [2], "has no class 2 castle, nor others"),
    ]:
        with pytest.raises(UsageError, match=line) as refused:
            check_judge(NET, judge, classes)
        assert "\n" not in str(refused.value)
    check_judge(NET, OTHER, [0])


def test_places_are_those_of_the_logits(pictures: Path) -> None:
    found = finished_pictures(Store(pictures, NET))
    shown = [p for p in found if class_of(p.request, NET) == 0]
    assert len(shown) == 2 and all(p.request.text == "logit:goldfish" for p in shown)
    seen = guesses(OTHER, shown, [4, 2], 2)
    images = np.stack([read_example(p.path.read_bytes(), (224, 224), 3) for p in shown])
    logits = OTHER.activations(images.astype(np.float32) / 255, ["logits"])["logits"].numpy()
    for guess, values, number in zip(seen, logits, (4, 2), strict=True):
        order = np.argsort(-values).tolist()
        assert guess.place == 1 + order.index(number) and guess.first == order[0]
        odds = np.exp(values - values.max())
        assert guess.probability == pytest.approx(odds[number] / odds.sum(), rel=1e-4)
    own = own_guesses(NET, shown, [0, 0], 1)
    images = np.stack([p.pixels(3) for p in shown])
    logits = NET.activations(images, ["logits"])["logits"].numpy()
    assert [g.place for g in own] == (1 + (logits > logits[:, :1]).sum(1)).tolist()
