"""Class profiles, the selectivity index and AUROC against numpy, and scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score
from support import tiny

from kerasviz.examples.datasets import open_source
from kerasviz.examples.statistics.classes import (
    CELLS,
    ClassTally,
    auroc,
    class_of,
    class_selectivity,
    expected_classes,
)

NAMES = ("tench", "cup", "castle")


def sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(6)
    labels = draw.integers(0, 3, 400)
    high = draw.normal(0, 1, (400, 4)) + np.eye(3, 4)[labels] * [3, 1, 0, 0]
    return labels, high.astype(np.float32), np.maximum(high, 0).astype(np.float32)


def offered(batch: int) -> ClassTally:
    tally = ClassTally(4, CELLS[1])
    labels, high, rectified = sample()
    for start in range(0, 400, batch):
        part = slice(start, start + batch)
        tally.offer(labels[part], high[part], rectified[part])
    return tally


def test_profiles_and_areas_are_those_of_all_values_at_once() -> None:
    found = offered(37).finish(NAMES)
    labels, high, rectified = sample()
    assert found.names == ("castle", "cup", "tench")
    order = [NAMES.index(name) for name in found.names]
    assert found.counts.tolist() == [int((labels == k).sum()) for k in order]
    for place, k in enumerate(order):
        of_class = labels == k
        np.testing.assert_allclose(found.mean[:, place], high[of_class].mean(0), rtol=1e-5)
        for unit in range(4):
            exact = roc_auc_score(of_class, high[:, unit])
            assert found.auroc[unit, place] == pytest.approx(exact, abs=0.01)
    means = np.array([rectified[labels == k].mean(0) for k in order])
    largest = means.max(0)
    others = (means.sum(0) - largest) / 2
    np.testing.assert_allclose(
        found.selectivity, (largest - others) / (largest + others), rtol=1e-5
    )
    assert found.names[found.preferred[0]] == "tench"


def test_areas_of_whole_numbers_are_exactly_scikit_learns() -> None:
    draw = np.random.default_rng(1)
    labels, values = draw.integers(0, 2, 90), draw.integers(0, 9, 90)
    ranked = np.zeros((2, 1, 9), np.int64)
    np.add.at(ranked, (labels, 0, values), 1)
    assert auroc(ranked)[0, 1] == pytest.approx(roc_auc_score(labels, values), abs=1e-12)
    assert np.isnan(auroc(ranked[:1])).all()


def test_the_selectivity_index_at_its_ends() -> None:
    index, preferred = class_selectivity(np.array([[2.0, 0, 5, 0], [2, 7, 0, 0], [2, 0, 0, 0]]))
    np.testing.assert_array_equal(index, [0, 1, 1, np.nan])
    assert preferred.tolist() == [0, 1, 0, -1]
    assert np.isnan(class_selectivity(np.ones((1, 2)))[0]).all()


def test_a_stop_changes_nothing() -> None:
    labels, high, rectified = sample()
    again = ClassTally(4, CELLS[1])
    tally = ClassTally(4, CELLS[1])
    tally.offer(labels[:90], high[:90], rectified[:90])
    again.restore(tally.to_arrays())
    again.offer(labels[90:], high[90:], rectified[90:])
    np.testing.assert_array_equal(again.ranked.sum(0), offered(400).ranked.sum(0))
    np.testing.assert_array_equal(again.ranked[:3], offered(400).ranked[:3])


def test_classes_are_folders_and_labels_of_records(tmp_path: Path) -> None:
    for name in ("a/x/1.png", "b/2.png", "3.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    source = open_source(str(tmp_path / "photos"))
    named = {source.name(n): class_of(source, n) for n in range(3)}
    assert named == {"3.png": "", "a/x/1.png": "a", "b/2.png": "b"}
    net = tiny.network()
    assert expected_classes(net, source, "given") == 2
    assert expected_classes(net, source, "none") == 0
    assert expected_classes(net, source, "predicted") == 5
    file = tmp_path / "r.tfrecord"
    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"jpeg"]))
    labels = [
        {"image/class/text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"cup"]))},
        {"label": tf.train.Feature(int64_list=tf.train.Int64List(value=[7]))},
        {},
    ]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for label in labels:
            features = tf.train.Features(feature={"image/encoded": image, **label})
            writer.write(tf.train.Example(features=features).SerializeToString())
    records = open_source(str(file))
    assert [class_of(records, n) for n in range(3)] == ["cup", "7", ""]
