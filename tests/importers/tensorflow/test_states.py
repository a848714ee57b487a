"""Variables and lookup tables that become constants, compared with TensorFlow's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.importers import read

lookup = tf.lookup


class Classifier(tf.Module):
    """Looks the names of classes up, in tables of several kinds."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        names = [f"class{k}" for k in range(8)]
        self.kernel = tf.Variable(rng.normal(size=(3, 3, 3, 8)).astype(np.float32))
        self.rows = tf.Variable(rng.normal(size=(8, 5)).astype(np.float32))
        by_number = lookup.KeyValueTensorInitializer(tf.range(7, dtype=tf.int64), names[:7])
        self.names = lookup.StaticHashTable(by_number, "?")
        by_name = lookup.KeyValueTensorInitializer(names, tf.range(8, dtype=tf.int64) * 3)
        self.numbers = lookup.StaticHashTable(by_name, -1)
        self.vectors = lookup.experimental.MutableHashTable(tf.int64, tf.float32, tf.zeros([2]))
        self.vectors.insert(tf.constant([5, 1, 3], tf.int64), rng.random((3, 2)).astype("f"))
        self.dense = lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, -5, -6)
        self.dense.insert(tf.constant([4, 2], tf.int64), tf.constant([7, 8], tf.int64))
        self.empty = lookup.experimental.MutableHashTable(tf.string, tf.int64, -9)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], name="images")])
    def serve(self, images: Any) -> dict[str, Any]:
        logits = tf.reduce_mean(tf.nn.conv2d(images, self.kernel, 1, "SAME", name="conv"), [1, 2])
        number = tf.argmax(logits, -1)
        name = self.names.lookup(number)
        return {
            "name": name,
            "number": self.numbers.lookup(name),
            "vector": self.vectors.lookup(tf.stack([number, number + 1], 1)),
            "dense": self.dense.lookup(number),
            "empty": self.empty.lookup(name),
            "size": self.numbers.size() + tf.reduce_sum(number) * 0,
            "row": tf.nn.embedding_lookup(self.rows, number),
            "row_nd": tf.gather_nd(self.rows, number[:, None]),
            "probs": tf.nn.softmax(logits),
        }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Path]:
    folder = tmp_path_factory.mktemp("tables") / "m"
    module = Classifier()
    tf.saved_model.save(module, str(folder), signatures=module.serve)
    return module, folder


def test_tables_are_no_inputs_and_have_their_contents(saved: tuple[Classifier, Path]) -> None:
    module, folder = saved
    program = read(folder).program
    assert list(program.inputs) == ["images"]
    images = np.random.default_rng(1).random((9, 6, 5, 3)).astype(np.float32)
    want = module.serve(images)
    assert set(np.asarray(want["number"])) - {-1}, "some names are known"
    got = program.compute({"images": images}, program.outputs)
    assert set(got) == set(want)
    for name, tensor in want.items():
        if tensor.dtype.is_floating:
            np.testing.assert_allclose(got[name], tensor, atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(got[name], tensor, err_msg=name)


def test_tables_of_tensorflow_1(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        initializer = lookup.KeyValueTensorInitializer(tf.range(4, dtype=tf.int64), list("abcd"))
        table = lookup.StaticHashTable(initializer, "?")
        weight = v1.get_variable("w", initializer=np.eye(4, dtype="f")[::-1], use_resource=False)
        scores = tf.matmul(x, weight)
        outputs = {"scores": scores, "label": table.lookup(tf.argmax(scores, -1))}
        start = v1.tables_initializer()
        session.run([v1.global_variables_initializer(), start])
        v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, outputs, start)
    program = read(tmp_path / "m").program
    got = program.compute({"x": np.eye(4, dtype="f")}, ["label", "scores"])
    assert got["label"].numpy().tolist() == [b"d", b"c", b"b", b"a"]
    np.testing.assert_array_equal(got["scores"], np.eye(4)[::-1])
