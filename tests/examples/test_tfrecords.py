"""TFRecord files against TensorFlow's own writer."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from kerasviz.errors import UsageError
from kerasviz.examples import tfrecords as module
from kerasviz.examples.tfrecords import records_of


def written(path: Path, images: list[bytes], key: str = "image/encoded") -> Path:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for data in images:
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
            features = tf.train.Features(feature={key: feature})
            writer.write(tf.train.Example(features=features).SerializeToString())
    return path


IMAGES = [bytes([i]) * (100 * i + 1) for i in range(5)]


def test_records_are_those_that_tensorflow_wrote(tmp_path: Path) -> None:
    path = written(tmp_path / "few", IMAGES)
    source = records_of("few", [path])
    assert [source.read(i) for i in (3, 0, 4, 1, 2)] == [IMAGES[i] for i in (3, 0, 4, 1, 2)]
    assert source.name(3) == "few#3"
    data = [
        path.read_bytes()[s : s + n] for s, n in zip(source.starts, source.lengths, strict=True)
    ]
    assert data == [each.numpy() for each in tf.data.TFRecordDataset(str(path))]


def test_several_files_are_counted_on(tmp_path: Path) -> None:
    paths = [written(tmp_path / "a", IMAGES[:2]), written(tmp_path / "b", IMAGES[2:])]
    source = records_of("both", paths)
    assert [source.read(i) for i in range(5)] == IMAGES
    assert [source.name(i) for i in range(5)] == ["a#0", "a#1", "b#0", "b#1", "b#2"]


def test_a_cut_file_gives_its_whole_records(tmp_path: Path) -> None:
    path = written(tmp_path / "cut", IMAGES)
    path.write_bytes(path.read_bytes()[:-9])
    assert len(records_of("cut", [path])) == 4


def test_a_record_that_is_no_example_is_unreadable(tmp_path: Path) -> None:
    path = written(tmp_path / "odd", IMAGES[:2])
    with tf.io.TFRecordWriter(str(tmp_path / "text")) as writer:
        writer.write(b"\xff\xff no example")
    source = records_of("both", [path, tmp_path / "text"])
    with pytest.raises(ValueError, match=r"no tf\.train\.Example"):
        source.read(2)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not records at all, but longer than a header")
    with pytest.raises(UsageError, match="holds no TFRecords"):
        records_of("text", [tmp_path / "text"])
    other = written(tmp_path / "other", IMAGES, key="picture")
    with pytest.raises(UsageError, match=r"with image/encoded: no image/encoded; there are pict"):
        records_of("other", [other])


def test_the_checksum_is_tensorflows(tmp_path: Path) -> None:
    data = written(tmp_path / "one", IMAGES[1:2]).read_bytes()
    assert module._masked_crc(data[:8]) == int.from_bytes(data[8:12], "little")
