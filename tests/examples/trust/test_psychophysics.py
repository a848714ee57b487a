"""Which pictures choose between which photos, and what their embeddings are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.trust_fixtures import NET, OTHER, stripes

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.examples.datasets import open_source, read_example
from kerasviz.examples.finished_pictures import finished_pictures
from kerasviz.examples.measured import measured
from kerasviz.examples.trust.choices import choose
from kerasviz.examples.trust.natural import natural_values
from kerasviz.examples.trust.numbers import NaturalValues
from kerasviz.examples.trust.psychophysics import Embedding, choosers, photo_choices
from kerasviz.rendering.store import Store

SIZE = (33, 36)


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two units and of their opposites, and one of a unit without."""
    out = tmp_path_factory.mktemp("made") / "pictures"
    words = {"size": SIZE, "steps": 2, "out": out, "progress": False}
    for seed in (0, 1):
        kerasviz.render(NET, ["joined:2", "relu1:3"], seed=seed, **words)
    kerasviz.render(NET, ["joined:2", "relu1:3"], negative=True, **words)
    kerasviz.render(NET, "joined:5", **words)
    return out


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(10):
        stripes(k, k % 2 == 0).save(folder / f"{k}.png")
    return folder


def test_pictures_are_set_against_those_of_the_opposite(both_ways: Path) -> None:
    found = finished_pictures(Store(both_ways, NET))
    texts = [
        [{found[n].request.text for n in part} for part in (side.excited, side.opposite)]
        for side in choosers(found)
    ]
    assert [{"joined:2"}, {"-joined:2"}] in texts and [{"-relu1:3"}, {"relu1:3"}] in texts
    assert len(texts) == 4 and sorted(len(side.excited) for side in choosers(found)) == [1, 1, 2, 2]


def test_choices_are_by_the_photos_at_both_ends(both_ways: Path, photos: Path) -> None:
    found, source = finished_pictures(Store(both_ways, NET)), open_source(str(photos))
    groups = measured(NET, found, SIZE, SIZE)
    passed = natural_values(groups, source, 4, 10, lambda seen: None)
    natural = {
        number: (values, row)
        for group, values in zip(groups, passed.values, strict=True)
        for row, number in enumerate(group.rows)
    }
    embedding = Embedding.of(OTHER, "pooled")
    sides = choosers(found)
    choices = photo_choices(embedding, found, sides, natural, source)
    # Unit 3 of relu1 never fires: it is constant, and so is its opposite.
    shown = {found[number].request.text for number in choices}
    assert shown == {"joined:2", "-joined:2"}
    number = next(n for n in choices if found[n].request.text == "joined:2")
    side = next(side for side in sides if number in side.excited)

    def embedded(data: bytes) -> np.ndarray:
        image = read_example(data, (224, 224), 3).astype(np.float32)[None] / 255
        return OTHER.activations(image, ["pooled"])["pooled"].numpy()[0]

    images = np.stack([read_example(source.read(n), SIZE, 3) for n in range(10)]) / np.float32(255)
    before = NET.activations(images, ["left"])["left"].numpy()
    order = np.argsort(before[..., 2].max((1, 2)))
    vectors = np.stack([embedded(source.read(int(n))) for n in order])
    plus, minus = (
        np.stack([embedded(found[n].path.read_bytes()) for n in part])
        for part in (side.excited, side.opposite)
    )
    # Of ten photos the most extreme is an example on each side, and the next four are chosen from.
    wanted = choose(vectors[-2:-6:-1], vectors[1:5], plus, minus)
    got = choices[number]
    assert got.by_pictures.probability == pytest.approx(wanted.probability, rel=1e-4)
    assert (got.pictures, got.photos, got.by_pictures.pairs) == ((2, 1), 1, 4)
    by_photos = choose(vectors[-2:-6:-1], vectors[1:5], vectors[-1:], vectors[:1])
    assert got.by_photos.probability == pytest.approx(by_photos.probability, rel=1e-4)
    # The other pictures do not matter.
    some = [n for n, picture in enumerate(found) if "joined:2" in picture.request.text]
    few = [found[n] for n in some]
    alone = photo_choices(
        embedding, few, choosers(few), {k: natural[n] for k, n in enumerate(some)}, source
    )
    assert alone[some.index(number)] == pytest.approx(got) or (
        alone[some.index(number)].by_pictures.probability
        == pytest.approx(got.by_pictures.probability, rel=1e-5)
    )


def test_photos_at_both_ends_are_remembered() -> None:
    values = np.random.default_rng(3).normal(size=(31, 2))
    natural = NaturalValues(np.zeros(2), 5)
    for first in range(0, 31, 7):
        numbers = np.arange(first, min(31, first + 7))
        natural.add(numbers, values[numbers])
    for row in range(2):
        order = np.argsort(values[:, row], kind="stable")
        assert natural.weakest[row].tolist() == order[:5].tolist()
        assert natural.worst[row].tolist() == sorted(values[:, row])[:5]
        assert natural.numbers[row].tolist() == order[::-1][:5].tolist()


def test_a_judge_without_such_a_layer_is_one_line() -> None:
    with pytest.raises(UsageError, match="near: pooled") as refused:
        Embedding.of(OTHER, "poold")
    assert "\n" not in str(refused.value)
    assert Embedding.of(OTHER, None).tap == "joined"
