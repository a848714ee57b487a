from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import tiny, tokens

from kerasviz.errors import UsageError
from kerasviz.examples import activation_samples
from kerasviz.examples.activation_samples import SampledTap, sample_activations
from kerasviz.examples.datasets import open_source, read_example

NET = tiny.network()
SIZE = (19, 22)


def activations(photos: Path, tap: str) -> list[np.ndarray]:
    """[P, C] of every readable photo, one after the other."""
    files = [f for f in sorted(photos.glob("*.png")) if f.stem not in ("05", "17")]
    images = [read_example(f.read_bytes(), SIZE, 3).astype(np.float32) / 255 for f in files]
    found = NET.activations(np.stack(images), [tap])[tap].numpy()
    return list(found.reshape(len(files), -1, found.shape[-1]))


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_all_positions_of_all_photos_are_sampled(photos: Path, batch: int) -> None:
    source = open_source(str(photos))
    seen: list[int] = []
    found = sample_activations(SampledTap(NET, "joined", SIZE, batch), source, progress=seen.append)
    wanted = np.concatenate(activations(photos, "joined"))
    np.testing.assert_allclose(found.values, wanted, rtol=1e-5, atol=1e-5)
    assert (found.images, found.unreadable, found.odd) == (21, 2, 0)
    assert seen[-1] == 23 and seen == sorted(seen)


def test_means_over_positions_are_one_of_each_photo(photos: Path) -> None:
    source = open_source(str(photos))
    found = sample_activations(SampledTap(NET, "joined", SIZE), source, pooled=True)
    wanted = [of_image.mean(axis=0) for of_image in activations(photos, "joined")]
    np.testing.assert_allclose(found.values, wanted, rtol=1e-5, atol=1e-5)
    few = sample_activations(SampledTap(NET, "logits", SIZE, limit=4), source, pooled=True)
    assert few.values.shape == (4, 5)


def test_few_positions_are_drawn_for_each_photo_alone(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(str(photos))
    every = activations(photos, "joined")
    monkeypatch.setattr(activation_samples, "MOST_NUMBERS", 3 * 9 * 23)
    drawn = sample_activations(SampledTap(NET, "joined", SIZE), source).values
    assert drawn.shape == (3 * 21, 9)
    for number, of_image in enumerate(every):
        for row in drawn[3 * number : 3 * number + 3]:
            assert np.isclose(of_image, row, rtol=1e-5, atol=1e-5).all(axis=1).any()
    again = sample_activations(SampledTap(NET, "joined", SIZE), source).values
    np.testing.assert_array_equal(drawn, again)
    other = sample_activations(SampledTap(NET, "joined", SIZE, seed=1), source).values
    assert not np.array_equal(drawn, other)


def test_tokens_are_sampled(photos: Path) -> None:
    sampled = SampledTap(tokens.network(2), "block", (13, 22))
    found = sample_activations(sampled, open_source(str(photos)))
    assert found.values.shape == (21 * 17, 6)


def test_photos_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"none")
    with pytest.raises(UsageError, match="none of 1 photos can be used"):
        sample_activations(SampledTap(NET, "joined", SIZE), open_source(str(tmp_path)))
