"""Folders of examples: crops, manifest and pages, and what reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import tiny, tokens

from kerasviz.errors import KerasvizError, UsageError
from kerasviz.examples import BUCKETS, Examples, Question, make_examples, verify_examples
from kerasviz.examples.crops import crop
from kerasviz.examples.datasets import open_source, read_example
from kerasviz.examples.folder import SPECTRUM_SIZE, TILE, ExampleSheet
from kerasviz.examples.receptive_field import ReceptiveField

SIZE = (19, 22)


def question(photos: Path, **changes: Any) -> Question:
    settings: dict[str, Any] = {"size": SIZE, "count": 12, "batch": 8} | changes
    net = settings.pop("net", tiny.network())
    return Question(net, ("joined", "logits"), open_source(str(photos)), **settings)


@pytest.fixture(scope="module")
def folder(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "examples"
    made = make_examples(question(photos), folder)
    assert (made.images, made.units, made.unreadable, made.made) == (23, 9 + 5, 2, True)
    assert made.page == folder / "index.html"
    return folder


def test_files_are_few_and_whole(folder: Path) -> None:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert files == [
        "examples.json",
        "index.html",
        "index.safetensors",
        *(f"joined/{unit:05d}{end}.jpg" for unit in range(9) for end in ("-spectrum", "")),
        "logits.html",
        *(f"logits/{unit:05d}{end}.jpg" for unit in range(5) for end in ("-spectrum", "")),
    ]
    with Image.open(folder / "joined/00003-spectrum.jpg") as image:
        assert image.size == SPECTRUM_SIZE == (1080, 360)
    with Image.open(folder / "joined/00003.jpg") as image:
        assert image.size == ExampleSheet(12).size == (980, 784)


def test_crops_are_what_the_unit_sees_of_the_image_it_names(folder: Path, photos: Path) -> None:
    examples = Examples(folder)
    assert examples.taps == ("joined", "logits")
    assert (examples.units("joined"), examples.units("logits")) == (9, 5)
    for tap, unit, bucket in (("joined", 3, "top"), ("joined", 7, "bottom"), ("logits", 1, "top")):
        found = examples.of(tap, unit, bucket)
        crops = examples.crops(tap, unit, bucket)
        assert len(found) == len(crops) == 12
        for each, shown in zip(found, crops, strict=True):
            pixels = read_example((photos / each.image).read_bytes(), SIZE, 3)
            top, left, bottom, right = each.window
            part = Image.fromarray(pixels[top:bottom, left:right])
            if tap == "joined":
                assert part.size == (7, 7)
                assert each.position is not None
            else:  # no positions: the whole image, in the middle of a square
                assert each.position is None
                assert each.box == each.window == (0, 0, *SIZE)
                part = Image.fromarray(np.pad(pixels, ((1, 2), (0, 0), (0, 0)), mode="edge"))
            expected = part.resize(shown.size, Image.Resampling.LANCZOS)
            apart = np.abs(np.asarray(expected, int) - np.asarray(shown, int))
            assert apart[10:-16].mean() < 6, each  # JPEG; beside the grey


def test_the_spectrum_shows_the_crops_that_the_index_names(folder: Path, photos: Path) -> None:
    examples = Examples(folder)
    assert examples.index is not None
    field = ReceptiveField.from_json(examples.data["taps"][0]["field"])
    for unit in (0, 5):
        with Image.open(folder / f"joined/{unit:05d}-spectrum.jpg") as image:
            sheet = np.asarray(image, int)
        for b, each in enumerate(examples.index.unit("joined", unit).bins):
            for k, shown in enumerate(each.crops):
                pixels = read_example((photos / shown.image).read_bytes(), SIZE, 3)
                top, left, bottom, right = field.window(*shown.position)
                part = Image.fromarray(pixels[top:bottom, left:right])
                expected = part.resize((60, 60), Image.Resampling.LANCZOS)
                tile = sheet[60 * k : 60 * k + 60, 60 * b : 60 * b + 60]
                assert np.abs(np.asarray(expected, int) - tile)[8:-8, 8:-8].mean() < 8


def test_buckets_are_in_order(folder: Path) -> None:
    examples = Examples(folder)
    for unit in range(9):
        values = {b: [e.value for e in examples.of("joined", unit, b)] for b in BUCKETS}
        assert values["top"] == sorted(values["top"], reverse=True)
        assert values["positive"] == sorted(values["positive"], reverse=True)
        assert values["negative"] == sorted(values["negative"])
        assert values["bottom"] == sorted(values["bottom"])
        assert all(0 < v < values["top"][0] / 2 for v in values["positive"])
        assert all(values["bottom"][0] / 2 < v < 0 for v in values["negative"])


def test_taps_are_also_found_by_what_stands_before_the_relu(folder: Path) -> None:
    examples = Examples(folder)
    assert examples.of("joined_pre_relu", 2, "top") == examples.of("joined", 2, "top") != []
    assert examples.of("left", 2, "top") == examples.crops("left", 2, "top") == []
    assert examples.of("joined", 9, "top") == []


def test_pages_name_what_is_shown(folder: Path) -> None:
    page = (folder / "index.html").read_text()
    best = Examples(folder).of("joined", 4, "top")[0]
    assert f"{best.image} at {best.position[0]},{best.position[1]}: " in page  # type: ignore[index]
    assert page.count('<section class="unit"') == 9
    assert 'href="logits.html"' in page
    assert "05.png, 17.png" in page
    assert "joined_pre_relu" in page


def test_a_second_run_does_nothing_and_other_settings_are_refused(
    folder: Path, photos: Path
) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert not make_examples(question(photos), folder).made
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    with pytest.raises(UsageError, match="examples with other per bucket, limit; name another"):
        make_examples(question(photos, count=3, limit=4), folder)
    with pytest.raises(UsageError, match="examples of another model, tiny, not of tiny"):
        make_examples(question(photos, net=tiny.network(seed=1)), folder)


def test_two_folders_are_the_same_and_what_is_missing_is_made(
    folder: Path, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy/joined/00002.jpg").unlink()
    (tmp_path / "copy/logits/00001-spectrum.jpg").unlink()
    assert make_examples(question(photos), tmp_path / "copy").made
    make_examples(question(photos), tmp_path / "new")
    for path in (p for p in folder.rglob("*") if p.is_file()):
        for other in ("copy", "new"):
            assert path.read_bytes() == (tmp_path / other / path.relative_to(folder)).read_bytes()


def test_verify_names_what_changed(folder: Path, tmp_path: Path) -> None:
    assert {v.result for v in verify_examples(folder)} == {"same"}
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.copy(copy / "joined/00001.jpg", copy / "joined/00002.jpg")
    (copy / "logits/00003.jpg").unlink()
    bad = {v.file: v.result for v in verify_examples(copy) if v.result != "same"}
    assert bad == {"joined/00002.jpg": "changed", "logits/00003.jpg": "missing"}
    (copy / "joined/00001.jpg").write_bytes(b"")
    with pytest.raises(KerasvizError, match=r"joined/00001\.jpg' cannot be read.*run the same"):
        Examples(copy).crops("joined", 1, "top")


def test_folders_that_hold_no_examples(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no examples.json; name a folder made by"):
        Examples(tmp_path)
    (tmp_path / "examples.json").write_text("{")
    with pytest.raises(KerasvizError, match="is damaged"):
        Examples(tmp_path)
    (tmp_path / "examples.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(UsageError, match="has the format 99; this version reads 1"):
        Examples(tmp_path)


def test_crops_of_grey_pictures_and_of_many_channels() -> None:
    field = ReceptiveField((9, 9), ((0, 9),), ((0, 9),))
    picture = np.arange(81, dtype=np.uint8).reshape(9, 9, 1)
    for channels in (1, 2, 5):
        shown = crop(np.repeat(picture, channels, -1), field, 0)
        assert shown.mode == "RGB"
        assert shown.size == (TILE, TILE)
        r, g, b = np.moveaxis(np.asarray(shown), -1, 0)
        assert (r == g).all()
        assert (g == b).all()


def test_examples_of_tokens_show_their_patches(photos: Path, tmp_path: Path) -> None:
    net = tokens.network(1)
    asked = Question(net, ("tokens", "block"), open_source(str(photos)), SIZE, count=4, batch=8)
    make_examples(asked, tmp_path)
    examples = Examples(tmp_path)
    for tap in ("tokens", "block"):
        for bucket in BUCKETS:
            for example in examples.of(tap, 2, bucket):
                picture = read_example((photos / example.image).read_bytes(), SIZE, 3)
                images = np.asarray(picture, np.float32)[None] / 255
                rows = np.asarray(net.activations(images, [tap])[tap])[0, :, 2]
                y, x = example.position
                number = x if y < 0 else 1 + y * (SIZE[1] // 4) + x
                assert np.isclose(rows[number], example.value, atol=1e-4)
                if bucket in ("top", "bottom"):
                    extreme = rows.max() if bucket == "top" else rows.min()
                    assert np.isclose(extreme, example.value, atol=1e-4)
                if y < 0 or tap == "block":
                    assert example.box[2] - example.box[0] >= 16
                else:
                    assert example.box == (4 * y, 4 * x, 4 * y + 4, 4 * x + 4)
    places = [e.position for unit in range(6) for e in examples.of("tokens", unit, "top")]
    assert any(y < 0 for y, _ in places) and any(y >= 0 for y, _ in places)
    page = (tmp_path / "index.html").read_text()
    assert "at token 0" in page
