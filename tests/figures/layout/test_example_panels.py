"""Panels of dataset examples, where a folder has them and where it does not."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from support import signals, sounds, tiny

from kerasviz.errors import UsageError
from kerasviz.examples import Examples, Question, make_examples
from kerasviz.examples.datasets import open_source
from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.example_panels import (
    NO_DATASET,
    leave_out_empty,
    montage,
    open_examples,
    without_examples,
)
from kerasviz.figures.layout.tiles import (
    EmptyTile,
    ExamplesTile,
    FigureLayout,
    OptimizedTile,
    TileRow,
)
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering import verify as verification

FAST = recipe("fast").replace(steps=16, size=(24, 40))
FIGURES = ["dataset-vs-optimization", "activation-spectrum", "random-directions", "diversity-4a97"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples for the layer ``relu1`` of the tiny network, of 14 pictures."""
    base = tmp_path_factory.mktemp("examples")
    (base / "photos").mkdir()
    for i in range(14):
        draw = np.random.default_rng(i)
        small = draw.integers(0, 256, (5, 4, 3), np.uint8) // (1 + i % 5)
        image = Image.fromarray(small).resize((30, 30), Image.Resampling.BICUBIC)
        image.save(base / "photos" / f"{i}.png")
    source = open_source(str(base / "photos"))
    make_examples(Question(tiny.network(), ("first",), source, (24, 24), batch=4), base / "found")
    return base / "found"


def chosen(slug: str, folder: Path | None) -> FigureLayout:
    net = tiny.network()
    examples = None if folder is None else open_examples(folder, net)
    return choose(CATALOGUE[slug], FigureOptions(net, FAST, examples=examples))


def test_without_a_folder_they_are_left_out_with_the_command_that_finds_some() -> None:
    for slug in FIGURES:
        choice = chosen(slug, None)
        if choice.figure.seeds:
            continue
        places = [place for block in choice.blocks for place in block.places]
        assert places and all(isinstance(place, OptimizedTile) for place in places), slug
        assert all(len(b.places) == len(choice.column_titles) for b in choice.blocks), slug
        assert choice.lacks_examples, slug
        (line,) = [note for note in choice.notes if note.startswith("Without dataset examples")]
        assert "kerasviz examples" in line and " relu1" in line and "--images" in line, slug
    spectrum = chosen("activation-spectrum", None)
    assert spectrum.column_titles == ("Negative optimized", "Positive optimized")
    assert "dataset" not in spectrum.caption
    assert not chosen("hero", None).lacks_examples


def test_networks_of_other_media_are_told_where_their_examples_are() -> None:
    tile = chosen("hero", None).tiles[0]
    rows = [TileRow("a", (), (tile, NO_DATASET))]
    (line,) = without_examples(sounds.listener(), rows)
    assert line.startswith("Without dataset examples, which have a page of their own")
    assert line.endswith("--images RECORDINGS --out examples")
    (line,) = without_examples(signals.table(4), rows)
    assert line.endswith("found in photos, recordings and texts only.")


def test_rows_and_columns_of_words_only_are_left_out() -> None:
    tile = chosen("hero", None).tiles[0]
    rows = (
        TileRow("a", (), (EmptyTile("", ""), tile, NO_DATASET)),
        TileRow("b", (), (tile, tile, NO_DATASET)),
        TileRow("c", (), (NO_DATASET,) * 3),
    )
    left, titles = leave_out_empty(rows, ("x", "y", "z"))
    assert [row.title for row in left] == ["a", "b"] and titles == ("x", "y")
    assert left[0].places == (EmptyTile("", ""), tile)  # the column has a picture
    assert leave_out_empty(left, titles) == (left, titles)


def test_taps_are_found_by_their_aliases(folder: Path) -> None:
    net = tiny.network()
    tap = net.taps["relu1"]
    own, found = Examples(folder), Examples(folder, {"early": "relu1", "other": "elsewhere"})
    assert (found.units("early"), found.units("other")) == (own.units("relu1"), 0)
    assert found.of("early", 2, "top") == own.of("relu1", 2, "top")
    assert found.taps == own.taps
    opened = open_examples(folder, net)
    assert all(opened.units(alias) == own.units("relu1") for alias in tap.aliases)


def test_the_spectrum_goes_from_the_minimum_to_the_maximum(folder: Path) -> None:
    choice = chosen("activation-spectrum", folder)
    examples = Examples(folder)
    with_examples = [b for b in choice.blocks if b.layers == ("relu1",)]
    assert len(with_examples) >= 2
    for block in with_examples:
        first, *between, last = block.places
        assert isinstance(first, OptimizedTile)
        assert isinstance(last, OptimizedTile)
        assert last.unit is not None
        for place, bucket in zip(between, ("bottom", "negative", "positive", "top"), strict=True):
            found = examples.of("relu1", last.unit, bucket)
            assert isinstance(place, ExamplesTile) == bool(found)
            if isinstance(place, ExamplesTile):
                assert (place.unit, place.bucket) == (last.unit, bucket)
                assert f"{found[0].value:.3g}" in place.words
    for block in (b for b in choice.blocks if b.layers != ("relu1",)):
        panels = [p for p in block.places if isinstance(p, EmptyTile)]
        assert [p.why for p in panels] == [f"no examples for {block.title} in found"] * 4
    assert any("from 14 images of photos" in note for note in choice.notes)


def test_directions_have_none(folder: Path) -> None:
    choice = chosen("random-directions", folder)
    (row,) = choice.blocks
    assert len(row.optimized) == len(row.places) and not choice.lacks_examples
    assert any("for units, not for directions" in note for note in choice.notes)


def test_a_montage_has_the_crops_in_rows_and_the_proportions_of_the_figure() -> None:
    crops = [Image.new("RGB", (98, 98), (20 * k, 100, 0)) for k in range(10)]
    for count, columns in ((1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 3)):
        picture = np.asarray(montage(crops[:count], (100, 100)))
        assert picture.shape == (294, 294, 3)
        side = 294 // columns
        for k in range(columns * columns):
            middle = picture[k // columns * side + side // 2, k % columns * side + side // 2]
            expected = (20 * k, 100, 0) if k < count else (244, 244, 246)
            assert tuple(middle) == expected, (count, k)
    wide = np.asarray(montage(crops, (24, 40)))
    assert wide.shape == (176, 294, 3)
    assert tuple(wide[20, 147]) == (20, 100, 0)
    assert tuple(wide[88, 10]) == (244, 244, 246)


def test_figures_show_the_crops_and_stand_alone(
    folder: Path, tmp_path: Path, drawn: list[str]
) -> None:
    made = make_figures(tiny.network(), FIGURES, FAST, tmp_path, quick=True, examples=folder)
    page = tmp_path / "dataset-vs-optimization.html"
    choice = chosen("dataset-vs-optimization", folder)
    samples = [tile for tile in choice.tiles if isinstance(tile, ExamplesTile)]
    assert samples
    text = page.read_text()
    assert not any(f'{kind}="{folder}' in text for kind in ("src", "href"))
    crops = Examples(folder).crops("relu1", samples[0].unit, "top")
    file = f"pictures/examples-relu1-{samples[0].unit}-top.jpg"
    assert unquote(file) in unquote(text)
    shown = np.asarray(Image.open(tmp_path / file), int)
    assert np.abs(shown - np.asarray(montage(crops, FAST.size), int)).mean() < 3  # JPEG
    # In the picture of the figure the panels are in colour and of the size of the others.
    figure = np.asarray(Image.open(tmp_path / "dataset-vs-optimization.png").convert("RGB"), int)
    small = np.asarray(montage(crops, FAST.size).resize((272, 163)), int)[::8, ::8]
    apart = [
        np.abs(figure[y : y + 163 : 8, x : x + 272 : 8] - small).mean()
        for y in range(40, 160)
        for x in range(40, 420)
    ]
    assert min(apart) < 12
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.*")}
    again = make_figures(tiny.network(), FIGURES, FAST, tmp_path, quick=True, examples=folder)
    assert (again.made, again.kept) == (0, made.made)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.*")} == before


def test_verify_compares_panels_and_sprites_with_their_checksums(
    folder: Path, tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_recorded_batches", lambda *_: [])  # nothing is made again
    slugs = ["dataset-vs-optimization", "appendix-layer"]

    def make() -> None:
        make_figures(tiny.network(), slugs, FAST, tmp_path, quick=True, examples=folder)

    def verified() -> dict[str, str]:
        results, _ = verification.verify_pictures(tmp_path / "pictures", tiny.network())
        return {each.file: each.result for each in results if each.result != "unchanged"}

    make()
    found = verified()
    panels, layers = (list((tmp_path / name).glob("*.jpg")) for name in ("pictures", "layers"))
    paths = [*panels, *layers]
    panel, sprites = panels[0].name, f"../layers/{layers[0].name}"
    assert set(found) == {*(p.name for p in panels), *(f"../layers/{p.name}" for p in layers)}
    assert set(found.values()) == {"same"}
    whole = {path: path.read_bytes() for path in paths}
    (tmp_path / "pictures" / panel).unlink()
    data = bytearray((tmp_path / "pictures" / sprites).read_bytes())
    data[len(data) // 2] ^= 1  # a JPEG file of the same pictures, by its own words
    (tmp_path / "pictures" / sprites).write_bytes(data)
    assert {f: r for f, r in verified().items() if r != "same"} == {
        panel: "missing",
        sprites: "changed",
    }
    make()  # both are written again
    assert {path: path.read_bytes() for path in paths} == whole
    assert set(verified().values()) == {"same"}


def test_examples_of_another_network_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"examples of another model, tiny .*run kerasviz examples"
    ):
        make_figures(tiny.network(seed=1), FIGURES, FAST, tmp_path, examples=folder)
    with pytest.raises(UsageError, match=r"holds no examples\.json"):
        make_figures(tiny.network(), FIGURES, FAST, tmp_path, examples=tmp_path)
