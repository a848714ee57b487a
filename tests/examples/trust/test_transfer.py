from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import tiny
from support.trust_fixtures import NET, OTHER

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import read_example
from kerasviz.examples.finished_pictures import class_of, finished_pictures
from kerasviz.examples.trust.transfer import (
    check_judge,
    guess_of,
    guesses,
    judge_class,
    seen_size,
    shown_to,
)
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
    seen = guesses(OTHER, shown_to(OTHER, shown, 2), [4, 2])
    # As they are, in their own size, which the judge takes.
    images = np.stack([p.pixels(3) for p in shown])
    assert images.shape[1:3] == (33, 36)
    logits = OTHER.activations(images, ["logits"])["logits"].numpy()
    for guess, values, number in zip(seen, logits, (4, 2), strict=True):
        order = np.argsort(-values).tolist()
        assert guess.place == 1 + order.index(number) and guess.first == order[0]
        odds = np.exp(values - values.max())
        assert guess.probability == pytest.approx(odds[number] / odds.sum(), rel=1e-4)
    alone = guesses(OTHER, shown_to(OTHER, shown[1:], 1), [2])
    assert alone[0].evidence == pytest.approx(seen[1].evidence, rel=1e-5)


def test_a_judge_of_one_size_sees_pictures_scaled(pictures: Path) -> None:
    model_of_size = tiny.network(size=(24, 20))
    shown = finished_pictures(Store(pictures, NET))[:3]
    assert seen_size(OTHER, (33, 36)) == (33, 36)
    assert seen_size(model_of_size, (33, 36)) == (24, 20)
    (_, images), (_, rest) = shown_to(model_of_size, shown, 2)
    wanted = [read_example(p.path.read_bytes(), (24, 20), 3) for p in shown]
    np.testing.assert_array_equal(images * 255, np.float32(wanted[:2]))
    np.testing.assert_array_equal(rest * 255, np.float32([wanted[2]] * 2))


def test_guesses_agree_with_loops() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (8, 11))
    for row, number in zip(logits, [3, 0, 10, 5, 5, 1, 2, 7], strict=True):
        guess = guess_of(row, number)
        assert guess.place == 1 + sorted(row, reverse=True).index(row[number])
        probability = np.exp(row[number]) / sum(np.exp(value) for value in row)
        assert guess.evidence == pytest.approx(np.log(probability))
    assert guess_of(np.array([0.0, 2000.0]), 0).evidence == -2000.0
