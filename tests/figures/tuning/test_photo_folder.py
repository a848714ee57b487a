"""Photos that are read when they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.figures.tuning.photo_folder import PhotoFolder


def test_photos_are_read_in_the_size_of_the_network(tmp_path):
    for k in range(3):
        Image.new("RGB", (40, 20), (50 * k, 0, 0)).save(tmp_path / f"{k}.png")
    photos = PhotoFolder(tuple(sorted(tmp_path.iterdir())), (8, 9), 3)
    assert len(photos) == 3 and photos[2].shape == (8, 9, 3)
    np.testing.assert_allclose(photos[2][..., 0], 100 / 255)
    assert [photo[0, 0, 0] for photo in photos[1:]] == [photos[1][0, 0, 0], photos[2][0, 0, 0]]
    assert PhotoFolder(photos.paths, (8, 9), 1)[0].shape == (8, 9, 1)
    (tmp_path / "0.png").write_text("none")
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        photos[0]
