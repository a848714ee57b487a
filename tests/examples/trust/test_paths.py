from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.trust_fixtures import NET

from kerasviz.examples.datasets import open_source
from kerasviz.examples.trust.paths import LayerPaths, PhotoSets, layer_vectors, path_layers

SIZE = (33, 36)


def sets(class_photos: Path) -> PhotoSets:
    source = open_source(str(class_photos))
    return PhotoSets(NET, source, tuple(range(len(source))))


def names(chosen: PhotoSets, numbers: list[int]) -> set[str]:
    return {chosen.source.name(number).split("/")[0] for number in numbers}


def test_photos_of_a_class_are_those_of_its_folder(class_photos: Path) -> None:
    chosen = sets(class_photos)
    kind, same, others = chosen.of(0, ())
    assert kind == "of the class" and len(same) == 6
    assert names(chosen, same) == {"goldfish"} and names(chosen, others) == {"castle"}
    kind, same, others = chosen.of(None, [3, 1, 2, 0, -1])
    assert kind == "that excite it most" and same == [3, 1, 2, 0]
    assert not set(same) & set(others)
    assert chosen.of(1, [5])[1:] == ([], [])  # no folder of espressos, and too few strong photos


def test_a_photo_goes_the_way_of_its_class(class_photos: Path) -> None:
    chosen = sets(class_photos)
    layers = path_layers(NET, SIZE)
    assert layers == ["relu1", "joined"]
    paths = LayerPaths(NET, layers, chosen.source, SIZE)
    _, same, others = chosen.of(0, ())
    inside, outside = [], []
    for number in same:
        rest = [n for n in same if n != number]
        image = paths.pixels(number)
        assert image is not None
        inside.append(paths.compare(image, rest, others)["joined"].value)
    for number in [n for n in others if paths.photo(n) is not None]:
        image = paths.pixels(number)
        assert image is not None
        outside.append(
            paths.compare(image, same, [n for n in others if n != number])["joined"].value
        )
    assert np.mean(inside) == pytest.approx(1, abs=0.05)
    assert np.mean(outside) == pytest.approx(0, abs=0.05)


def test_ranks_are_those_of_all_entries_of_a_small_layer(class_photos: Path) -> None:
    chosen = sets(class_photos)
    paths = LayerPaths(NET, ["joined"], chosen.source, SIZE)
    one, two = (n for n in range(2))
    images = [paths.pixels(n) for n in (one, two)]
    flat = [NET.activations(i[None], ["joined"])["joined"].numpy().ravel() for i in images]
    first, second = paths.photo(one), paths.photo(two)
    assert first is not None and second is not None
    wanted = stats.spearmanr(*flat).statistic
    assert float(first["joined"] @ second["joined"]) == pytest.approx(wanted, abs=1e-6)


def test_a_damaged_photo_is_left_out(class_photos: Path) -> None:
    chosen = sets(class_photos)
    paths = LayerPaths(NET, ["joined"], chosen.source, SIZE)
    (broken,) = (n for n in chosen.usable if "none" in chosen.source.name(n))
    assert paths.photo(broken) is None and paths.pixels(broken) is None
    assert paths.slopes([broken]) == []
    image = np.full((*SIZE, 3), 0.5, np.float32)
    assert paths.compare(image, [broken], [0, 1]) == {}


def test_vectors_of_a_layer_are_means_over_positions() -> None:
    images = np.random.default_rng(0).uniform(size=(3, *SIZE, 3)).astype(np.float32)
    batches = [([0, 2], images[[0, 2]]), ([1], images[[1, 1]])]
    found = layer_vectors(NET, "joined", lambda: batches)
    wanted = NET.activations(images, ["joined"])["joined"].numpy().mean((1, 2))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
