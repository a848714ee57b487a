"""Pictures of gradients: what they show, and that they are made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from support import tiny

from kerasviz.errors import UsageError
from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.computed import label_computed
from kerasviz.figures.drawing.gradient_layouts import reduced
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import FigureLayout, GradientTile, TileRow
from kerasviz.io.images import decode
from kerasviz.network.network import Network
from kerasviz.optvis.gradients import (
    colour_share,
    gradients,
    grid_pattern,
    high_frequency_share,
)
from kerasviz.optvis.objectives.objective import logit
from kerasviz.optvis.objectives.structure import IMAGE
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.gradient_pictures import (
    TOO_SMALL,
    direction_image,
    grid_image,
    heat_image,
    map_image,
)
from kerasviz.rendering.photos import OWN_PHOTOS, find_photos, read_photo
from kerasviz.rendering.verify import verify_pictures

FAST = recipe("fast").replace(steps=8, size=(33, 48))
SLUGS = [
    "fv-vs-attribution",
    "gradient-artifacts",
    "regularization-spectrum",
    "color-decorrelation",
    "steepest-descent",
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos of different sizes and formats, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[0:90, 0:140]
    for k, name in enumerate(("one.png", "two.JPG")):
        wave = 127 + 90 * np.sin(x[..., None] / (9 + k) + y[..., None] / 14 + np.arange(3))
        Image.fromarray(wave.astype(np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no photo")
    return folder


def times(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*.*")}


def picture(folder: Path, name: str) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(decode((folder / "pictures" / f"{name}.png").read_bytes())[0], np.float64)


def test_directions_are_grey_where_nothing_changes_and_clipped() -> None:
    direction = np.linspace(-1, 1, 3 * 1001).reshape(1, 1001, 3)
    shown = np.asarray(direction_image(direction), np.float64).reshape(-1)
    unit = np.percentile(np.abs(direction), 99.5)
    wanted = np.clip(0.5 + 0.5 * direction.reshape(-1) / unit, 0, 1) * 255
    assert np.abs(shown - wanted).max() <= 0.5 + 1e-9
    assert set(np.asarray(direction_image(np.zeros((2, 3, 3)))).reshape(-1)) == {128}


def test_a_single_position_is_seen_although_it_is_above_the_percentile() -> None:
    one = np.zeros((40, 40))
    one[3, 5] = 2.0
    assert np.asarray(map_image(one))[3, 5] == 255
    assert np.asarray(map_image(one)).sum() == 255


def test_heat_is_orange_where_positive_only() -> None:
    grey = np.full((20, 40, 3), 0.5)
    found = np.zeros((2, 4))
    found[0, 0], found[1, 3] = 1.0, -1.0
    shown = np.asarray(heat_image(grey, found), np.int64)
    orange = shown[..., 0] - shown[..., 2]
    assert orange[2, 2] > 80 and orange[17, 37] == 0 and orange[2, 37] == 0


def test_photos_are_cropped_at_the_centre(photos: Path) -> None:
    assert [p.name for p in find_photos(photos)] == ["one.png", "two.JPG"]
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = (255, 0, 0)
    Image.fromarray(wide).save(photos / "wide.png")
    square = read_photo(photos / "wide.png", (10, 10), 3)
    assert square.shape == (10, 10, 3)
    assert np.abs(square - (1, 0, 0)).max() == 0
    assert read_photo(photos / "wide.png", (7, 5), 1).shape == (7, 5, 1)
    assert read_photo(photos / "wide.png", (7, 5), 5).shape == (7, 5, 5)


def test_photos_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a folder or a PNG or JPEG file"):
        find_photos(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="expected PNG or JPEG files"):
        find_photos(tmp_path)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        read_photo(broken, (8, 8), 3)


def test_frequencies_of_the_directions(tmp_path: Path, photos: Path) -> None:
    """The article: L-infinity has more high frequencies, the decorrelated space has fewer."""
    make_figures(tiny.network(), ["steepest-descent"], FAST, tmp_path / "out", photos=photos)
    for k in range(2):
        shares = [
            float(
                high_frequency_share(picture(tmp_path / "out", f"steepest-descent-{m}-{k}")[None])[
                    0
                ]
            )
            for m in ("decorrelated", "l2", "linf")
        ]
        assert shares[0] < shares[1] < shares[2], shares


def test_pictures_are_the_gradients_of_the_photo(tmp_path: Path, photos: Path) -> None:
    net, out = tiny.network(), tmp_path / "out"
    make_figures(net, ["steepest-descent", "gradient-artifacts"], FAST, out, photos=photos)
    images = np.stack([read_photo(p, (33, 48), 3) for p in find_photos(photos)])
    assert np.abs(picture(out, "steepest-descent-photo-1") - images[1] * 255).max() <= 0.5
    _, slopes, _ = gradients(net, logit(0), images, ["relu1", "joined"])
    for k in range(2):
        shown = picture(out, f"steepest-descent-linf-{k}")
        assert np.array_equal(shown, np.rint(127.5 + 127.5 * np.sign(slopes[IMAGE][k])))
    for name, tap in (("00-input", IMAGE), ("01-relu1", "relu1"), ("02-joined", "joined")):
        sizes = np.linalg.norm(slopes[tap], axis=-1).mean(0)
        wanted = np.clip(sizes / np.percentile(sizes, 99.5), 0, 1) * 255
        assert np.abs(picture(out, f"gradient-artifacts-{name}") - wanted).max() <= 1


def test_a_second_run_computes_and_writes_nothing(
    tmp_path: Path, drawn: list[str], photos: Path
) -> None:
    out = tmp_path / "out"
    first = make_figures(tiny.network(), SLUGS, FAST, out, photos=photos)
    before = times(out)
    again = make_figures(tiny.network(), SLUGS, FAST, out, photos=photos)
    assert first.computed > 10 and again.computed == 0
    assert times(out) == before
    # One that is lost and one whose photo changed are computed again, and no others.
    (out / "pictures" / "steepest-descent-l2-1.png").unlink()
    assert make_figures(tiny.network(), SLUGS, FAST, out, photos=photos).computed == 1
    (photos / "two.JPG").write_bytes((photos / "one.png").read_bytes())
    changed = make_figures(tiny.network(), SLUGS, FAST, out, photos=photos).computed
    assert (
        changed == 4 + 3 + 3
    )  # the directions at that photo, and the maps and grids that are means


def test_links_lead_somewhere_and_the_page_has_a_picker(
    tmp_path: Path, drawn: list[str], photos: Path
) -> None:
    made = make_figures(tiny.network(), SLUGS, FAST, tmp_path / "out", photos=photos)
    for page in (p for p in made.paths if p.suffix == ".html"):
        text = page.read_text(encoding="utf-8")
        pieces = text.split('src="')[1:] + text.split('href="')[1:]
        links = [piece.split('"')[0] for piece in pieces]
        for link in links:
            file = unquote(link.partition("#")[0])
            if file and not link.startswith(("https://", "data:")):
                assert (page.parent / file).is_file(), (page, link)
        assert ('type="radio"' in text) == (page.stem == "steepest-descent")
    shown = (tmp_path / "out" / "fv-vs-attribution.html").read_text(encoding="utf-8")
    assert "gradient x activation" in shown and "What speaks for" in shown


def test_without_photos_those_of_the_package_are_taken(tmp_path: Path, drawn: list[str]) -> None:
    make_figures(tiny.network(), ["objectives", *SLUGS], FAST, tmp_path)
    assert len(drawn) == 5 + 1  # those of objectives, and one without decorrelated colours
    assert len(OWN_PHOTOS) == 5
    for k, photo in enumerate(OWN_PHOTOS):
        wanted = read_photo(photo, (33, 48), 3) * 255
        assert np.abs(picture(tmp_path, f"steepest-descent-photo-{k}") - wanted).max() <= 0.5
        # A copy is beside the pictures, which can be verified wherever the folder is.
        copy = tmp_path / "pictures" / f"photo-{photo.name}"
        assert copy.read_bytes() == photo.read_bytes()
    checks = verify_pictures(tmp_path / "pictures", tiny.network()).files
    computed = [c for c in checks if c.file.startswith(("photo-", *SLUGS))]
    assert len(computed) > 30 and all(check.result == "same" for check in computed)
    page = (tmp_path / "steepest-descent.html").read_text(encoding="utf-8")
    assert "from scikit-image" in page


def test_the_left_half_has_the_pictures_of_objectives(network_of: Callable[..., Network]) -> None:
    net = network_of({f"stage{i}": 64 for i in range(13)}, classes=1000)
    half = choose(CATALOGUE["fv-vs-attribution"], FigureOptions(net, FAST))
    objectives = choose(CATALOGUE["objectives"], FigureOptions(net, FAST))
    assert [c.request for c in half.optimized] == [c.request for c in objectives.optimized[:2]]
    assert set(half.requests) <= set(objectives.requests)


def test_colours_come_out_where_they_are_decorrelated(
    tmp_path: Path, drawn: list[str], photos: Path
) -> None:
    """The article's second picture is clearly more colourful than its first, as they are shown."""
    out = tmp_path / "out"
    make_figures(tiny.network(), ["color-decorrelation"], FAST, out, photos=photos)
    shown = [picture(out, f"color-decorrelation-{kind}-0") for kind in ("l2", "colours")]
    before, after = (colour_share(pixels[None] - 127.5)[0] for pixels in shown)
    assert after > 5 * before
    page = (out / "color-decorrelation.html").read_text(encoding="utf-8")
    assert "C^(-1/2) g" in page and "Energy of colour over that of brightness: " in page


def test_bars_say_what_makes_the_maps_smaller() -> None:
    net = tiny.network()
    maps, grids = choose(CATALOGUE["gradient-artifacts"], FigureOptions(net, FAST)).blocks
    first, second, third = maps.tiles
    assert isinstance(first, GradientTile) and [t.name for t in maps.tiles] == [
        "input",
        "relu1",
        "joined",
    ]
    assert [t.kind for t in grids.tiles if isinstance(t, GradientTile)] == ["grid"] * 3
    assert not any(t.pool for t in (first, second, third) if isinstance(t, GradientTile))
    pool = replace(first, pool=True)
    large, small = Image.new("L", (8, 8)), Image.new("L", (4, 4))
    for tile, kind in ((pool, "pool"), (first, "stride")):
        row = replace(maps, places=(tile, second))
        assert reduced([row], {tile: large, second: small}) == {tile: kind}
        assert not reduced([row], {tile: large, second: large})


def test_the_grid_of_a_stride_is_found_whatever_the_photo_shows() -> None:
    y, x = np.mgrid[0:40, 0:48]
    scene = 2 + np.sin(x / 15) * np.cos(y / 11)
    grid = np.tile(np.where(np.add.outer(np.arange(2), np.arange(2)) % 2, 0.8, 1.2), (20, 24))
    pattern = grid_pattern(np.stack([scene * grid, scene[::-1] * grid]))
    assert pattern.shape == (4, 4)
    assert np.abs(pattern - grid[:4, :4]).max() < 0.02
    assert np.abs(grid_pattern(scene[None]) - 1).max() < 0.02
    shown = np.asarray(grid_image(pattern), np.float64)
    assert shown.shape == (16, 16)
    assert np.abs(shown - np.rint(255 * (0.5 + 2 * (np.tile(pattern, (4, 4)) - 1)))).max() <= 1
    assert grid_pattern(np.ones((1, 9, 13))).tolist() == [[1.0]]


def test_grids_of_maps_that_are_too_small_are_left_out() -> None:
    words = {"a.png": "1.20 to 1", "b.png": TOO_SMALL, "c.png": TOO_SMALL}
    store: Any = SimpleNamespace(
        computed={file: SimpleNamespace(words=text) for file, text in words.items()}
    )
    a, b, c = (GradientTile(name, name, "grid", (), (9, 9)) for name in "abc")
    rows = (TileRow("maps", (), (a, b)), TileRow("small", (), (c,)))
    layout = FigureLayout(CATALOGUE["gradient-artifacts"], "net", (9, 9), rows, ("First.",))
    shown = label_computed(store, layout)
    assert [(row.title, [tile.label for tile in row.tiles]) for row in shown.blocks] == [
        ("maps", ["1.20 to 1"])
    ]
    assert shown.notes == ("First.", "Grids of 2 maps are left out: they are too small to tell.")


def test_layers_may_be_aliases(network_of: Callable[..., Network]) -> None:
    layers = {f"stage{i}": 8 for i in range(3)}
    net = network_of(layers, aliases={"last": "stage2"}, main_taps=["stage0", "last"])
    block, _ = choose(CATALOGUE["gradient-artifacts"], FigureOptions(net, FAST)).blocks
    assert [tile.name for tile in block.tiles] == ["input", "stage0", "last"]


def test_the_table_of_regularization_is_the_article_s() -> None:
    works = CATALOGUE["regularization-spectrum"].works
    assert [w.marks for w in works] == [
        (0,), (0, 4), (1,), (1,), (2, 3), (1, 2), (1, 2), (1, 2), (3,), (3,),
    ]  # fmt: skip
    assert [w.name.split()[0].strip(",") for w in works[5:8]] == ["Øygard", "Tyka", "Mordvintsev"]
