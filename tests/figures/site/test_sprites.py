"""Sprites: where every picture lies, and that files are made once."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from kerasviz.figures.site.sprites import Strip, corner, scaled, sheet, sheet_file, sheet_size


def noise(seed: int, width: int, height: int) -> Image.Image:
    draw = np.random.default_rng(seed)
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), np.uint8))


def strip(seed: int, examples: int = 0) -> Strip:
    crops = [noise(seed + 100 + i, 73, 73) for i in range(2 * examples)]
    tiles = tuple(noise(seed + i, 147, 147) for i in range(7))
    return Strip(tiles, tuple(crops[:examples]), tuple(crops[examples:]))


def test_offsets_are_the_article_s() -> None:
    assert [corner(0, column)[0] for column in range(7)] == [0, 147, 294, 441, 588, 735, 882]
    assert [corner(0, i, "positive")[0] for i in range(10)] == list(range(1029, 1769, 74))
    assert corner(3, 9, "positive") == (1695, 441)
    assert corner(3, 9, "negative") == (1695, 441 + 74)
    assert sheet_size(10, examples=True)[0] == 1695 + 74


def test_pictures_lie_as_numpy_puts_them() -> None:
    strips = [strip(1000 * row, 10) for row in range(3)]
    wanted = np.full((3 * 147, 1769, 3), 128, np.uint8)
    for row, each in enumerate(strips):
        top = row * 147
        wanted[top : top + 147, :1029] = np.concatenate([np.asarray(t) for t in each.tiles], 1)
        for crops, down in ((each.positive, 0), (each.negative, 74)):
            for i, crop in enumerate(crops):
                left = 1029 + 74 * i
                wanted[top + down : top + down + 73, left : left + 73] = np.asarray(crop)
    assert np.array_equal(np.asarray(sheet(strips, examples=True)), wanted)


def test_a_unit_without_examples_leaves_their_place_grey() -> None:
    image = np.asarray(sheet([strip(0, 4), strip(1000)], examples=True))
    assert (image[147:, 1029:] == 128).all()
    assert (image[:147, 1029 + 4 * 74 :] == 128).all()
    assert not (image[:147, 1029 : 1029 + 4 * 74] == 128).all()


@pytest.mark.parametrize(("width", "height"), [(21, 14), (14, 21), (7, 3)])
def test_small_pictures_keep_their_pixels(width: int, height: int) -> None:
    tile = noise(5, width, height)
    zoom = 147 // max(width, height)
    wanted = np.asarray(tile).repeat(zoom, 0).repeat(zoom, 1)
    image = np.asarray(sheet([Strip((tile,) * 7)]))
    for column in range(7):
        part = image[: height * zoom, column * 147 : column * 147 + width * zoom]
        assert np.array_equal(part, wanted)


@pytest.mark.parametrize(("size", "shown"), [((160, 96), (147, 88)), ((97, 201), (71, 147))])
def test_others_are_scaled_to_the_tile(size: tuple[int, int], shown: tuple[int, int]) -> None:
    flat = Image.new("RGB", size, (200, 10, 60))
    image = np.asarray(sheet([Strip((flat,) * 7)]))
    assert (image[: shown[1], : shown[0]] == (200, 10, 60)).all()
    assert (image[shown[1] :, : shown[0]] == 128).all()
    assert (image[:, shown[0] : 147] == 128).all()


def test_a_file_is_made_when_its_pictures_change() -> None:
    strips = [strip(0), strip(1000)]
    first = sheet_file(b"", ["x", "y"], lambda: strips)

    def never() -> list[Strip]:
        raise AssertionError("made again")

    assert sheet_file(first, ["x", "y"], never) is first
    assert sheet_file(b"", ["x", "y"], lambda: strips) == first
    other = sheet_file(first, ["x", "z"], lambda: strips)
    assert other != first
    with_examples = sheet_file(other, ["x", "z"], lambda: strips, examples=True)
    with Image.open(io.BytesIO(with_examples)) as image:
        assert image.size == sheet_size(2, examples=True)


def test_a_damaged_file_is_made_again() -> None:
    whole = sheet_file(b"", ["x"], lambda: [strip(0)])
    for damaged in (b"no picture", whole[: len(whole) // 2]):
        assert sheet_file(damaged, ["x"], lambda: [strip(0)]) == whole


def test_the_file_shows_the_pictures() -> None:
    smooth = [
        Image.fromarray(np.linspace(a, b, 147 * 147 * 3).reshape(147, 147, 3).astype(np.uint8))
        for a, b in zip(range(0, 70, 10), range(250, 180, -10), strict=True)
    ]
    data = sheet_file(b"", ["x"], lambda: [Strip(tuple(smooth))])
    with Image.open(io.BytesIO(data)) as image:
        apart = np.abs(
            np.asarray(image, np.int16) - np.asarray(sheet([Strip(tuple(smooth))]), np.int16)
        )
    assert apart.mean() < 1.5


def test_transparent_pictures_lie_on_a_checkerboard() -> None:
    shown = np.asarray(scaled(Image.new("RGBA", (128, 64), (255, 0, 0, 0)), 128))
    assert shown.shape == (64, 128, 3)
    assert {tuple(colour) for colour in shown.reshape(-1, 3)} == {(204,) * 3, (255,) * 3}
    opaque = np.asarray(scaled(Image.new("RGBA", (128, 64), (255, 0, 0, 255)), 128))
    assert (opaque == (255, 0, 0)).all()
