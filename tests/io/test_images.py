import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.io.images import (
    DARK,
    LIGHT,
    ROWS,
    SQUARE,
    ImageFileError,
    contact_sheet,
    decode,
    encode,
    image_array,
    on_checkerboard,
    opacity_of,
    read_image,
    to_image,
)

IMAGE = np.random.default_rng(0).random((5, 7, 3))


def test_png_keeps_every_pixel_and_its_provenance():
    about = {"target": "mixed4a:1", "seed": 3, "nested": {"ä": [1, 2]}}
    image, found = decode(encode(to_image(IMAGE), "png", about))
    np.testing.assert_array_equal(np.asarray(image), np.rint(IMAGE * 255).astype(np.uint8))
    assert found == about


def test_tall_pictures_are_the_same_though_made_of_parts():
    tall = np.random.default_rng(2).uniform(-0.1, 1.1, (3 * ROWS + 5, 3, 3)).astype(np.float32)
    bytes_of = np.clip(np.rint(tall.astype(np.float64) * 255), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(to_image(tall)), bytes_of)


@pytest.mark.parametrize(("channels", "mode"), [(1, "LA"), (3, "RGBA"), (5, "RGBA")])
def test_opacity_is_kept_beside_all_colours(channels, mode):
    draw = np.random.default_rng(3)
    colours, opacity = draw.random((5, 7, channels)), draw.random((5, 7))
    opacity[0] = 0
    image, _ = decode(encode(to_image(colours, opacity), "png"))
    assert image.mode == mode
    np.testing.assert_array_equal(image_array(image), image_array(to_image(colours)))
    np.testing.assert_allclose(opacity_of(image), opacity, atol=0.5 / 255 + 1e-6)
    assert opacity_of(to_image(colours)) is None
    if channels == 3:  # colours under transparent pixels are lost by WebP unless it is told
        webp = image_array(decode(encode(to_image(colours * 0 + 0.8, opacity * 0), "webp"))[0])
        np.testing.assert_allclose(webp, 0.8, atol=0.02)


def test_transparent_pictures_lie_on_a_checkerboard_in_sheets_and_on_white_as_jpeg():
    colours, opacity = np.full((20, 24, 3), 0.25), np.full((20, 24), 0.5)
    opacity[:, 12:] = 0
    image = to_image(colours, opacity)
    rows, columns = np.mgrid[:20, :24] // SQUARE
    ground = np.where((rows + columns) % 2, DARK, LIGHT)[..., None]
    expected = opacity[..., None] * 255 * colours + (1 - opacity[..., None]) * ground
    assert np.abs(np.asarray(on_checkerboard(image), float) - expected).max() <= 1
    sheet = np.asarray(contact_sheet([image, image], columns=2))
    np.testing.assert_array_equal(sheet[:, 28:], np.asarray(on_checkerboard(image)))
    jpeg = np.asarray(decode(encode(image, "jpg"))[0], float)
    assert abs(jpeg[:, :8].mean() - (64 + 255) / 2) < 2 and jpeg[:, 16:].min() > 250


def test_equal_pictures_give_equal_bytes():
    assert encode(to_image(IMAGE), "png", {"a": 1, "b": 2}) == encode(
        to_image(IMAGE.copy()), "png", {"b": 2, "a": 1}
    )


@pytest.mark.parametrize("file_format", ["jpg", "webp"])
def test_other_formats_are_near(file_format):
    smooth = np.linspace(0, 1, 64 * 48).reshape(48, 64, 1).repeat(3, -1)
    image, about = decode(encode(to_image(smooth), file_format))
    assert about is None and image.size == (64, 48)
    assert np.abs(np.asarray(image, float) / 255 - smooth).max() < 0.03


def test_grey_stays_grey_and_many_channels_are_shown_by_thirds():
    assert to_image(IMAGE[..., :1]).mode == "L"
    many = np.random.default_rng(1).random((4, 3, 6))
    shown = np.asarray(to_image(many), float) / 255
    np.testing.assert_allclose(
        shown[..., 1], np.sqrt((many[..., 2:4] ** 2).mean(-1)), atol=0.5 / 255
    )
    assert to_image(many[..., :2]).mode == "RGB"


def test_unknown_format():
    with pytest.raises(UsageError, match="unknown format 'gif'; choose from png, jpg, webp"):
        encode(to_image(IMAGE), "gif")


def test_a_file_is_read_in_the_size_that_is_asked_for(tmp_path):
    data = encode(to_image(IMAGE), "png")
    (tmp_path / "a.png").write_bytes(data)
    pixels = np.rint(IMAGE * 255).astype(np.uint8)
    np.testing.assert_array_equal(read_image(data, (5, 7), 3), pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", (5, 5), 3), pixels[:, 1:-1])
    assert read_image(data, (3, 4), 1).shape == (3, 4, 1)
    for wrong in (data[:60], b"no picture"):
        with pytest.raises(ImageFileError):
            read_image(wrong, (5, 7), 3)
    with pytest.raises(ImageFileError, match="cannot identify"):
        read_image(data, (5, 7), 3, formats=("JPEG",))
