"""Folders, TFRecords and tensorflow_datasets as sources; files of all kinds as images."""

from __future__ import annotations

import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasviz.errors import UsageError
from kerasviz.examples.datasets import open_source, read_example, stream, tie_of


def png(array: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", **options)
    return buffer.getvalue()


def noise(seed: int, height: int = 12, width: int = 17) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def records(path: Path, images: list[bytes], key: str = "image/encoded") -> Path:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for data in images:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
            other = tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))
            features = tf.train.Features(feature={key: feature, "image/class/label": other})
            writer.write(tf.train.Example(features=features).SerializeToString())
    return path


# -- sources ---------------------------------------------------------------------------------


def test_a_folder_is_its_image_files_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.JPG", "a/a.jpeg", ".hidden/x.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    source = open_source(str(tmp_path))
    assert [source.name(i) for i in range(len(source))] == ["a/a.jpeg", "a/c.JPG", "b.png"]
    assert source.read(1) == b"a/c.JPG"
    before = source.identity
    (tmp_path / "b.png").write_bytes(b"longer than it was")
    assert open_source(str(tmp_path)).identity != before


def test_a_folder_of_record_files_is_one_source(tmp_path: Path) -> None:
    images = [png(noise(i)) for i in range(5)]
    records(tmp_path / "x.tfrecord-00001-of-00002", images[3:])
    records(tmp_path / "x.tfrecord-00000-of-00002", images[:3])
    source = open_source(str(tmp_path))
    assert [source.read(i) for i in range(5)] == images
    assert source.name(4) == "x.tfrecord-00001-of-00002#1"


def test_errors_say_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no images at .*nowhere.*expected a folder, a TFRecord"):
        open_source(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"no images in .*\.jpg .*TFRecords"):
        open_source(str(tmp_path))
    text = tmp_path / "notes.txt"
    text.write_text("not records at all, but longer than a header")
    with pytest.raises(UsageError, match="holds no TFRecords"):
        open_source(str(text))
    other = records(tmp_path / "other.tfrecord", [png(noise(0))], key="picture")
    with pytest.raises(UsageError, match=r"image/encoded.*there are .*picture"):
        open_source(str(other))


# -- tensorflow_datasets, of which a stand-in is enough ------------------------------------------


class _Image:
    """A feature of a stand-in for tensorflow_datasets."""


def _stand_in(path: Path, splits: dict[str, object]) -> types.ModuleType:
    module = types.ModuleType("tensorflow_datasets")

    class NotFound(ValueError):
        pass

    def builder(name: str) -> object:
        if name != "few":
            raise NotFound(f"Dataset {name} not found.\nand more lines")
        info = types.SimpleNamespace(splits=splits, features={"picture": _Image(), "label": 0})
        return types.SimpleNamespace(info=info, data_dir=str(path))

    module.builder = builder  # type: ignore[attr-defined]
    module.core = types.SimpleNamespace(DatasetNotFoundError=NotFound)  # type: ignore[attr-defined]
    module.features = types.SimpleNamespace(Image=_Image)  # type: ignore[attr-defined]
    return module


def test_prepared_data_sets_are_read_from_their_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [png(noise(i)) for i in range(3)]
    path = records(tmp_path / "few-train.tfrecord", images, key="picture")
    split = types.SimpleNamespace(filepaths=[path])
    stand_in = _stand_in(tmp_path, {"test": split, "train": split})
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", stand_in)
    assert [open_source("tfds:few").read(i) for i in range(3)] == images
    assert len(open_source("tfds:few@test")) == 3
    with pytest.raises(UsageError, match="no split 'x'; there are test, train"):
        open_source("tfds:few@x")
    with pytest.raises(UsageError, match=r"no such data set: Dataset nosuch not found\.$"):
        open_source("tfds:nosuch")
    stand_in = _stand_in(tmp_path, {})
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", stand_in)
    with pytest.raises(UsageError, match=r"not prepared in .*TFDS_DATA_DIR"):
        open_source("tfds:few")


def test_the_package_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UsageError, match=r'pip install "kerasviz\[datasets\]"'):
        open_source("tfds:mnist")


# -- images ------------------------------------------------------------------------------------


def test_the_middle_is_kept_and_the_shorter_side_fits() -> None:
    array = np.zeros((20, 50, 3), np.uint8)
    array[:, 15:35] = 200
    assert read_example(png(array), (10, 10), 3).min() > 180  # the black sides are cut off
    array = noise(0, 8, 8)
    np.testing.assert_array_equal(read_example(png(array), (8, 8), 3), array)
    assert read_example(png(noise(0)), (5, 9), 3).shape == (5, 9, 3)


def test_kinds_of_pictures() -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    expected = np.repeat(grey[..., None], 3, -1)
    np.testing.assert_array_equal(read_example(png(grey), (8, 8), 3), expected)
    np.testing.assert_array_equal(read_example(png(grey), (8, 8), 1), grey[..., None])
    deep = grey.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_example(png(deep), (8, 8), 3), expected)
    alpha = np.zeros((8, 8, 4), np.uint8)
    alpha[:4, :, 3] = 255
    seen = read_example(png(alpha), (8, 8), 3)
    assert (seen[:4] == 0).all()
    assert (seen[4:] == 255).all()
    assert read_example(png(noise(1, 8, 8)), (8, 8), 5).shape == (8, 8, 5)


def test_pictures_are_turned_upright() -> None:
    array = noise(2, 8, 8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned = read_example(png(array, exif=exif), (8, 8), 3)
    np.testing.assert_array_equal(turned, np.rot90(array, -1))


def test_ties_depend_on_names_only() -> None:
    ties = [tie_of(f"{i}.png") for i in range(1000)]
    assert ties == [tie_of(f"{i}.png") for i in range(1000)]
    assert len(set(ties)) == 1000
    assert min(ties) >= 0
    assert max(ties) < 2**53
    assert abs(np.mean(ties) / 2**53 - 0.5) < 0.05


# -- streams -----------------------------------------------------------------------------------


def test_a_stream_keeps_the_order_and_leaves_out_what_is_damaged(tmp_path: Path) -> None:
    arrays = [noise(i, 8, 8) for i in range(7)]
    for i, array in enumerate(arrays):
        (tmp_path / f"{i}.png").write_bytes(png(array))
    (tmp_path / "2.png").write_bytes(png(arrays[2])[:60])
    (tmp_path / "4.png").write_bytes(b"")
    (tmp_path / "5.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    source = open_source(str(tmp_path))
    (tmp_path / "6.png").unlink()  # gone since
    batches = list(stream(source, np.arange(1, 7), 4, (8, 8, 3)))
    assert [b.numbers.tolist() for b in batches] == [[1, 2, 3, 4], [5, 6, -1, -1]]
    assert [b.readable.tolist() for b in batches] == [
        [True, False, True, False],
        [False, False, False, False],
    ]
    assert {b.images.shape for b in batches} == {(4, 8, 8, 3)}
    np.testing.assert_array_equal(batches[0].images[2], arrays[3])
    assert list(stream(source, np.arange(0), 4, (8, 8, 3))) == []
