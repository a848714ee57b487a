"""Pictures from photos, from the file to the folder and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.tiny import network

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.rendering.commands import is_parsed
from kerasviz.rendering.manifest import mask_file, read_manifest
from kerasviz.rendering.python_calls import python_call
from kerasviz.rendering.request import Request, early_tap
from kerasviz.rendering.verify import verify_pictures

SHORT: dict[str, Any] = {"steps": 4, "size": (15, 20), "precision": "float32", "progress": False}


@pytest.fixture(scope="module")
def net() -> Network:
    return network()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos of different sizes and kinds."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for name, shape in (("cat.png", (31, 40, 3)), ("dog.jpg", (60, 33, 3))):
        Image.fromarray(draw.integers(0, 256, shape).astype(np.uint8)).save(folder / name)
    return folder


def test_every_photo_is_shown_with_every_target(net: Network, photos: Path, tmp_path: Path) -> None:
    made = kerasviz.render(net, ["joined:1", "logit:2"], from_=photos, out=tmp_path, **SHORT)
    texts = ["joined:1, from cat.png", "logit:2, from cat.png"]
    assert [p.target for p in made.pictures][:2] == texts and len(made.pictures) == 4
    names = {"joined-1-from-cat.png", "joined-1-from-cat.mask.png", "logit-2-from-dog.png"}
    names |= {"joined-1-from-dog.step00000.png", "joined-1-from-dog.step00003.png"}
    assert names <= {path.name for path in tmp_path.iterdir()}
    for picture in made.pictures:
        photo = picture.request.photo
        assert photo is not None and list(picture.snapshots) == [0, 1, 2, 3]
        assert np.abs(picture.snapshots[0] - photo.numbers / 255).max() < 1.01 / 255
        assert picture.mask is not None and picture.mask.shape == (15, 20)
        assert picture.request.recipe.name == "accentuation"
        likeness = picture.request.objective.terms[-1]
        assert (likeness.kind, likeness.tap, likeness.weight) == ("likeness", "relu1", -0.5)
    again = kerasviz.render(net, ["joined:1"], from_=photos / "cat.png", **SHORT)
    np.testing.assert_allclose(again.images[0], made.images[0], atol=0.51 / 255)
    (picture,) = again.pictures
    assert picture.mask is not None and picture.request.photo is not None
    half, most = np.array(picture.masked(0.5)), picture.mask >= 0.5
    np.testing.assert_array_equal(half[most], np.array(picture.to_pil())[most])
    np.testing.assert_array_equal(half[~most], picture.request.photo.numbers[~most])
    assert is_parsed(picture.request, net)
    call = python_call(net, [picture.request])
    assert '"joined:1"' in call and 'from_="cat.png"' in call and 'recipe="accentuation"' in call
    with pytest.raises(UsageError, match="it has no mask"):
        kerasviz.render(net, "joined:1", **SHORT).pictures[0].masked()


def test_the_folder_alone_makes_them_again(net: Network, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "first"
    targets = ["joined:1", "caricature:joined#cosine=2", "inversion:relu1"]
    copy = tmp_path / "cat.png"
    copy.write_bytes((photos / "cat.png").read_bytes())
    made = kerasviz.render(net, targets, from_=copy, out=folder, **SHORT)
    copy.unlink()
    assert [p.mask is None for p in made.pictures] == [False, True, True]
    found = verify_pictures(folder, net)
    assert found.same and "joined-1-from-cat.mask.png" in [file.file for file in found.files]
    file = folder / "joined-1-from-cat.png"
    kerasviz.render_again(file, net, out=tmp_path / "again")
    for name in (file.name, mask_file(file.name)):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    mask = folder / mask_file(file.name)
    pixels = np.array(Image.open(mask))
    Image.fromarray(255 - pixels).save(mask)
    assert not verify_pictures(folder, net).same
    next(iter(folder.glob("array-*.npy"))).unlink()
    with pytest.raises(UsageError, match=r"cat\.png: the numbers .* not there any more"):
        verify_pictures(folder, net)


def test_a_lost_mask_is_made_again(net: Network, photos: Path, tmp_path: Path) -> None:
    def fill() -> None:
        kerasviz.render(net, "joined:1", from_=photos / "cat.png", out=tmp_path, **SHORT)

    fill()
    mask = tmp_path / "joined-1-from-cat.mask.png"
    before = mask.read_bytes()
    mask.unlink()
    fill()
    assert mask.read_bytes() == before


def test_the_name_of_a_photo_is_no_part_of_the_key(net: Network, photos: Path) -> None:
    pixels = np.array(Image.open(photos / "cat.png"))
    by_file, by_array, by_other = (
        kerasviz.render(net, "joined:1", from_=source, **SHORT).pictures[0].request
        for source in (photos / "cat.png", pixels, pixels[::-1])
    )
    assert by_file.key(net) == by_array.key(net) != by_other.key(net)
    assert by_array.text == "joined:1, from photo 0" and by_array.written == "joined:1"
    assert Request.from_json(by_file.text, by_file.to_json()) == by_file


def test_photos_are_upright_on_white_and_cropped_at_the_centre(
    net: Network, tmp_path: Path
) -> None:
    upright = np.zeros((30, 20, 3), np.uint8)
    upright[:15] = (200, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    turned = Image.fromarray(np.rot90(upright).copy())
    turned.save(tmp_path / "turned.png", exif=exif)
    clear = Image.new("RGBA", (40, 20), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    sizes = {**SHORT, "size": 10, "steps": 1}
    made = kerasviz.render(net, "joined:1", from_=tmp_path, **sizes)
    white, red = (p.request.photo.numbers for p in made.pictures if p.request.photo is not None)
    assert white.dtype == np.uint8 and (white == 255).all()
    assert (red[:4, :, 0] > 150).all() and (red[6:, :, 0] < 50).all()


def test_an_own_recipe_starts_from_the_photo_too(net: Network, photos: Path) -> None:
    recipe = kerasviz.RECIPES["article"]
    made = kerasviz.render(net, "joined:1", from_=photos / "cat.png", recipe=recipe, **SHORT)
    (picture,) = made.pictures
    assert picture.mask is None and picture.snapshots == {}
    assert [t.kind for t in picture.request.objective.terms] == ["channel"]
    photo = picture.request.photo
    assert photo is not None and np.abs(picture.image - photo.numbers / 255).mean() < 0.2


def test_the_layer_of_the_likeness_is_early(net: Network) -> None:
    assert early_tap(net, (64, 64)) == net.main_taps[len(net.main_taps) // 3]
    zoo = kerasviz.load("efficientnet-lite0")
    assert (early_tap(zoo, (224, 224)), early_tap(zoo, (64, 128))) == ("block3a", "block3a")


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no file": (lambda folder: folder / "none.png", "no photos at"),
    "an empty folder": (lambda folder: folder / "empty", "no photos in"),
    "no picture": (lambda folder: folder / "text.png", "text.png' cannot be read as a picture"),
    "a number": (lambda folder: 3, "from int: expected a photo"),
    "an array of one axis": (lambda folder: np.zeros(3), "photo of 3 numbers"),
    "numbers above 1": (lambda folder: np.full((4, 4, 3), 2.0), r"expected numbers in \[0, 1\]"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_photo_is_one_line(net: Network, tmp_path: Path, case: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    make, message = BAD[case]
    with pytest.raises(UsageError, match=message) as caught:
        kerasviz.render(net, "joined:1", from_=make(tmp_path), **SHORT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"balance": True}, "nothing to balance|balance: pictures from a photo"),
        ({"param": "low-resolution"}, "cannot hold a photo to start from"),
        ({"recipe": "maco"}, "maco: it cannot hold a photo to start from"),
    ],
)
def test_what_cannot_start_from_a_photo_is_one_line(
    net: Network, photos: Path, more: dict[str, Any], message: str
) -> None:
    targets = "joined:1 + joined:2"
    with pytest.raises(UsageError, match=message):
        kerasviz.render(net, targets, from_=photos / "cat.png", **{**SHORT, **more})


def test_a_comparison_without_a_photo_is_one_line(net: Network, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="caricature compares a layer with that of a photo; give"):
        kerasviz.render(net, "caricature:joined", **SHORT)
    with pytest.raises(UsageError, match="recipe accentuation: its pictures start from a photo"):
        kerasviz.render(net, "joined:1", recipe="accentuation", **SHORT)
    with pytest.raises(UsageError, match="nothing"):
        kerasviz.render(net, "caricature:nothing", **SHORT)


def test_the_page_has_sliders_for_what_has_a_mask(
    net: Network, photos: Path, tmp_path: Path
) -> None:
    targets = ["joined:1", "inversion:joined"]
    kerasviz.render(net, targets, from_=photos / "cat.png", out=tmp_path, **SHORT)
    page = (tmp_path / "index.html").read_text()
    assert page.count('<form class="accent') == 1 and "SVG" in page
    assert 'data-mask="joined-1-from-cat.mask.png"' in page and 'data-steps="0 1 2 3 4"' in page
    masks = [entry["file"] for entry in read_manifest(tmp_path)["copied"]]
    assert masks == ["joined-1-from-cat.mask.png"]
