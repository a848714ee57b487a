from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.trust_fixtures import NET

from kerasviz.examples.datasets import open_source, read_example
from kerasviz.examples.finished_pictures import FinishedPicture, finished_pictures
from kerasviz.examples.measured import measured
from kerasviz.examples.trust.natural import natural_values
from kerasviz.rendering.store import Store

SIZE = (25, 31)


def numpy_value(picture: FinishedPicture, images: np.ndarray) -> np.ndarray:
    """What a target is measured by, [N], from the network's activations."""
    names = ["conv1", "left", "right", "joined", "logits"]
    a = {n: np.asarray(v, np.float64) for n, v in NET.activations(images, names).items()}
    flat = {n: v.reshape(len(images), -1, v.shape[-1]) for n, v in a.items()}
    before = np.concatenate([flat["left"], flat["right"]], -1)
    values: dict[str, Any] = {
        "joined:2": before[..., 2].max(1),
        # Channels of the first layer are optimized behind its ReLU.
        "-relu1:1": (-np.maximum(flat["conv1"], 0)[..., 1]).max(1),
        "left:1 + right:0": flat["left"][..., 1].mean(1) + flat["right"][..., 0].mean(1),
        "logit:goldfish": flat["logits"][..., 0].max(1),
    }
    return np.asarray(values[picture.request.text])


def test_photos_and_pictures_are_measured_alike(pictures: Path, class_photos: Path) -> None:
    found = finished_pictures(Store(pictures, NET))
    assert len(found) == 8 and len({p.subject for p in found}) == 4
    groups = measured(NET, found, SIZE, (224, 224))
    assert sorted(n for group in groups for n in group.rows) == [*range(8)]
    source = open_source(str(class_photos))
    passed = natural_values(groups, source, 4, len(source), lambda seen: None)
    assert (passed.images, passed.unreadable, passed.odd) == (12, 1, 0)
    numbers = [n for n in range(len(source)) if "none" not in source.name(n)]
    for group, natural in zip(groups, passed.values, strict=True):
        # A sum over two layers is scored: the photos have the pictures' size.
        several = "+" in group.pictures[0].request.text
        assert group.at_positions is not several
        assert group.size == ((33, 36) if several else SIZE)
        photos = np.stack([read_example(source.read(n), group.size, 3) for n in numbers])
        photos = photos.astype(np.float32) / 255
        for row, picture in enumerate(group.pictures):
            values = numpy_value(picture, photos)
            own = numpy_value(picture, picture.pixels(3)[None])[0]
            assert natural.values[row] == pytest.approx(own, rel=1e-4, abs=1e-5)
            assert natural.best[row, 0] == pytest.approx(values.max(), rel=1e-4, abs=1e-5)
            assert natural.numbers[row, 0] == numbers[int(np.argmax(values))]
            assert natural.count == 12


def test_other_pictures_do_not_change_a_number(pictures: Path, class_photos: Path) -> None:
    found = finished_pictures(Store(pictures, NET))
    source = open_source(str(class_photos))
    alone = found[2:3]
    for few, many in ((alone, found), (found[:1], found)):
        groups = measured(NET, few, SIZE, SIZE), measured(NET, many, SIZE, SIZE)
        both = [natural_values(g, source, 4, len(source), lambda seen: None) for g in groups]
        picked = next(k for k, g in enumerate(groups[1]) if few[0] in g.pictures)
        row = groups[1][picked].pictures.index(few[0])
        one, other = both[0].values[0], both[1].values[picked]
        assert one.values[0] == pytest.approx(other.values[row], rel=1e-5)
        assert one.best[0] == pytest.approx(other.best[row], rel=1e-5)
        assert one.percentile(0) == other.percentile(row)
