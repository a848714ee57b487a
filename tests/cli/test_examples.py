"""``kerasviz examples``, on the photos that come with scikit-image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import data

Run = Callable[..., Any]
SMALL = ("--preprocess", "inception", "--size", "33x40", "--batch", 4)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos in colour and in grey, one with transparency, and two files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    names = ("astronaut", "camera", "chelsea", "coffee", "coins", "grass", "logo", "rocket")
    for name in names:
        image = Image.fromarray(getattr(data, name)())
        image.thumbnail((160, 160))
        image.save(folder / f"{name}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and nothing more")
    (folder / "empty.png").write_bytes(b"")
    return folder


@pytest.fixture
def made(run_cli: Run, model_file: Path, photos: Path) -> Any:
    return run_cli("examples", model_file, "conv2", "--images", photos, "--out", "e", *SMALL)


def test_examples_verify_and_once_more(
    run_cli: Run, made: Any, model_file: Path, photos: Path
) -> None:
    lines = [
        "found examples of 5 units in 10 images",
        "2 of them could not be read: broken.jpg, empty.png",
        "open e/index.html",
    ]
    assert (made.code, made.out.splitlines(), made.notes) == (0, lines, "")
    ended = run_cli("verify", "e")
    assert (ended.code, ended.out, ended.err) == (0, "11 files: 11 same\n", "")
    again = run_cli("examples", model_file, "conv2", "--images", photos, "--out", "e", *SMALL)
    assert again.out.startswith("nothing to do: examples of 5 units from 10 images are complete")
    Path("e/conv2/00003.jpg").write_bytes(b"")
    ended = run_cli("verify", "e", "--json")
    assert ended.code == 1
    assert not json.loads(ended.out)["same"]


def test_ctrl_c_keeps_what_was_found(
    run_cli: Run, model_file: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, made: Any
) -> None:
    from kerasviz.examples import search

    real, calls = search._add, []

    def add(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(search, "INTERVAL", 0.0)
    monkeypatch.setattr(search, "PATIENCE", 0)
    monkeypatch.setattr(search, "_add", add)
    asked = ("examples", model_file, "conv2", "--images", photos, "--out", "f", *SMALL)
    ended = run_cli(*asked)
    assert ended.code == 130
    assert ended.err == (
        "kerasviz: stopped; what was found in 4 of 10 images is kept in f, the same command "
        "continues from there\n"
    )
    assert run_cli(*asked).code == 0
    assert len(calls) == 2 + 2
    for path in (p for p in Path("e").rglob("*") if p.is_file()):
        assert path.read_bytes() == (Path("f") / path.relative_to("e")).read_bytes(), path


def test_records_give_the_same_as_files(
    run_cli: Run, made: Any, model_file: Path, photos: Path
) -> None:
    with tf.io.TFRecordWriter("photos.tfrecord") as writer:
        for path in sorted(photos.iterdir()):
            value = tf.train.BytesList(value=[path.read_bytes()])
            features = {"image/encoded": tf.train.Feature(bytes_list=value)}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    options = ("--images", "photos.tfrecord", "--out", "r", *SMALL)
    ended = run_cli("examples", model_file, "conv2", "--json", *options)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert (told["images"], told["unreadable"], told["folder"]) == (10, 2, "r")
    names = [path.name for path in sorted(photos.iterdir())]
    files, records = (json.loads(Path(f, "examples.json").read_text()) for f in ("e", "r"))
    assert [names[int(n.partition("#")[2])] for n in records["names"]] == files["names"]
    for a, b in zip(files["taps"][0]["units"], records["taps"][0]["units"], strict=True):
        assert a["top"] == b["top"]
        assert a["bottom"] == b["bottom"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("conv9", "--images", "."), "unknown tap 'conv9'"),
        (("conv2", "--images", "nowhere"), "no images at 'nowhere'"),
        (("conv2", "--images", "."), "no images in '.'"),
        (("conv2",), "Missing option '--images'"),
        (("--images", "."), "Missing argument 'TAP...'"),
        (("conv2", "--images", ".", "--per-bucket", 0), "0 is not in the range"),
        (("conv2", "--images", ".", "--positions", 0), "0 is not in the range"),
        (("conv2", "--images", ".", "--classes", "mine"), "'mine' is not one of 'given'"),
    ],
)
def test_errors_are_one_line(
    run_cli: Run, model_file: Path, photos: Path, arguments: tuple[Any, ...], words: str
) -> None:
    if "conv9" in arguments:
        arguments = ("conv9", "--images", photos)
    ended = run_cli("examples", model_file, *arguments, "--preprocess", "unit")
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1


def test_classes_are_told(run_cli: Run, model_file: Path, photos: Path) -> None:
    for number, photo in enumerate(sorted(photos.glob("c*.png"))):
        path = Path("classed") / ("people", "animals")[number % 2] / photo.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo.read_bytes())
    ended = run_cli("examples", model_file, "conv2", "--images", "classed", "--out", "g", *SMALL)
    assert ended.out.startswith("found examples of 5 units in 4 images of 2 classes\n")
    assert "Classes by mean response" in Path("g/index.html").read_text()
    asked = ("examples", model_file, "conv2", "--images", "classed", "--out", "g", *SMALL)
    ended = run_cli(*asked, "--classes", "none")
    assert ended.code == 2
    assert "examples with other classes; name another folder" in ended.err


def test_pictures_that_cannot_be_read_are_one_line(run_cli: Run, model_file: Path) -> None:
    Path("bad").mkdir()
    Path("bad/a.png").write_bytes(b"no picture")
    ended = run_cli("examples", model_file, "conv2", "--images", "bad", "--out", "h", *SMALL)
    assert ended.code == 2
    assert "none of 1 images can be used" in ended.err
    assert ended.err.count("\n") == 1


def test_missing_preprocessing_is_asked_for(run_cli: Run, model_file: Path, photos: Path) -> None:
    ended = run_cli("examples", model_file, "conv2", "--images", photos, "--size", 33)
    assert ended.code == 2
    assert "--preprocess" in ended.err


def test_the_embedded_network_knows_its_photos(run_cli: Run, photos: Path) -> None:
    """The class units of EfficientNet-Lite0 pick the cat and the cup of coffee."""
    asked = ("efficientnet-lite0", "logits", "block3b", "--images", photos, "--per-bucket", 2)
    ended = run_cli("examples", *asked, "--size", 160, "--batch", 4)
    assert ended.code == 0, ended.err
    from kerasviz.examples import Examples

    examples = Examples(Path("out/efficientnet-lite0-examples"))
    assert examples.of("logits", 285, "top")[0].image == "chelsea.png"  # Egyptian cat
    assert examples.of("logits", 967, "top")[0].image == "coffee.png"  # espresso
    assert examples.of("block3b", 7, "top")[0].position is not None
    shown = np.asarray(examples.crops("logits", 285, "top")[0], int)
    with Image.open(photos / "chelsea.png") as image:
        cat = np.asarray(image.crop((27, 0, 133, 106)).resize((98, 98)), int)
    assert np.abs(shown - cat).mean() < 15
