from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.examples.activation_samples import SampledTap, sample_activations
from kerasviz.examples.datasets import open_source
from kerasviz.examples.decomposition import decompose

NET = tiny.network()
WORDS: dict[str, Any] = {"size": (19, 22), "progress": False}


def find(photos: Path, **words: Any) -> Any:
    return kerasviz.find_directions(NET, "joined", photos, **{**WORDS, **words})


def test_a_file_of_directions_is_rendered(photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "parts.npz"
    found = find(photos, count=3, out=file)
    values = sample_activations(SampledTap(NET, "joined", (19, 22)), open_source(str(photos)))
    wanted, _ = decompose("nmf", values.values, 3, 0)
    np.testing.assert_array_equal(found.vectors, wanted.astype(np.float32))
    assert (found.images, found.unreadable, found.odd) == (21, 2, 0)
    assert found.targets == [f"joined@{file}:nmf[{k}]" for k in range(3)]
    made = kerasviz.render(NET, f"joined@{file}", size=16, steps=3, progress=False)
    assert [p.target for p in made.pictures] == [f"joined@{file}[{k}]" for k in range(3)]
    again = kerasviz.render(NET, found.objectives(), size=16, steps=3, progress=False)
    np.testing.assert_array_equal(made.images, again.images)


def test_a_file_says_how_it_was_made_and_has_the_same_bytes_each_time(
    photos: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for file in files:
        find(photos, method="kmeans", count=2, out=file, seed=5)
    assert files[0].read_bytes() == files[1].read_bytes()
    with np.load(files[0], allow_pickle=False) as stored:
        about = json.loads(str(stored["about"]))
        assert stored["kmeans"].dtype == np.float32
    assert about["network"]["sha256"] == NET.identity.sha256
    assert (about["method"], about["tap"], about["seed"]) == ("kmeans", "joined", 5)
    assert about["photos"][0]["images"] == 21 and str(photos) not in json.dumps(about)
    assert sorted(tmp_path.iterdir()) == files


def test_a_concept_is_told_from_other_photos(photos: Path, tmp_path: Path) -> None:
    from PIL import Image

    for k in range(8):
        level = 200 + 5 * k
        Image.new("RGB", (25, 25), (level, 30, 30)).save(tmp_path / f"{k}.png")
    found = find(tmp_path, method="cav", against=photos)
    assert found.vectors.shape == (1, 9) and found.report["accuracy"] > 0.9
    assert found.images == 29 and found.targets == [] and found.file is None
    means = [
        sample_activations(SampledTap(NET, "joined", (19, 22)), open_source(str(f)), pooled=True)
        for f in (tmp_path, photos)
    ]
    inside, outside = (m.values @ found.vectors[0] for m in means)
    assert inside.mean() > outside.mean()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"method": "ica"}, "unknown method"),
        ({"method": "cav"}, "needs against="),
        ({"against": "photos"}, "takes no against"),
        ({"method": "cav", "against": "x", "count": 3}, "cav finds one direction"),
        ({"count": 0}, "count"),
        ({"out": "parts.npy"}, "ends in .npz"),
        ({"cuont": 1}, "near: count"),
    ],
)
def test_bad_use_is_one_line(photos: Path, words: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        find(photos, **words)
    assert "\n" not in str(refused.value)


def test_unknown_taps_and_folders_are_one_line(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="near: joined"):
        kerasviz.find_directions(NET, "joind", photos, **WORDS)
    with pytest.raises(UsageError, match="no images in"):
        find(tmp_path)
    with pytest.raises(UsageError, match="nmf needs activations of at least 0"):
        kerasviz.find_directions(NET, "conv1", photos, **WORDS)
