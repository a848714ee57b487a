"""The public function: what it makes of its arguments."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from support import tiny

from kerasviz.examples import Examples
from kerasviz.examples.find import find_examples


def test_files_have_no_places_that_stay_empty(photos: Path, tmp_path: Path) -> None:
    made = find_examples(
        tiny.network(), "joined", photos, size=(19, 22), limit=3, out=tmp_path / "few"
    )
    with Image.open(made.page.parent / "joined/00003.jpg") as image:
        assert image.size == (3 * 98, 4 * 98)
    assert len(Examples(tmp_path / "few").of("joined", 3, "top")) == 3
    both = find_examples(
        tiny.network(), "joined", photos, size=(19, 22), limit=3, positions=2, out=tmp_path / "two"
    )
    with Image.open(both.page.parent / "joined/00003.jpg") as image:
        assert image.size == (6 * 98, 4 * 98), "each of its positions fills one"
