from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.optvis.parameterizations.spectrum import measured_spectrum
from kerasviz.rendering.photo_spectra import spectrum_of


def save(file: Path, height: int, width: int, seed: int = 0) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    return pixels / np.float32(255)


def test_it_is_the_spectrum_of_the_photos_that_are_large_enough(tmp_path: Path) -> None:
    photos = [save(tmp_path / f"{n}.png", 12, 12, n) for n in range(2)]
    save(tmp_path / "small.png", 11, 40)
    (tmp_path / "notes.txt").write_text("no photo")
    found = spectrum_of(tmp_path, 12)
    np.testing.assert_allclose(found.numbers, measured_spectrum(photos), rtol=1e-5)
    assert found.name == f"{tmp_path.name} (2 photos)"
    # A wide photo is cropped at its centre, and a large one made smaller.
    wide = save(tmp_path / "0.png", 12, 20, 5)
    (tmp_path / "1.png").unlink()
    np.testing.assert_allclose(
        spectrum_of(str(tmp_path), 12).numbers, measured_spectrum([wide[:, 4:16]]), rtol=1e-4
    )
    assert spectrum_of(tmp_path, 8).numbers.shape == (3, 8, 5)


def test_what_is_wrong_with_a_folder_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photos in"):
        spectrum_of(tmp_path, 8)
    save(tmp_path / "a.png", 7, 9)
    with pytest.raises(UsageError, match="all photos have less than 8 pixels a side"):
        spectrum_of(tmp_path, 8)
    (tmp_path / "b.jpg").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"b\.jpg' cannot be read as a picture"):
        spectrum_of(tmp_path, 7)
