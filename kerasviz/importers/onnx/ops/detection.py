"""Convert non-maximum suppression."""

from __future__ import annotations

import tensorflow as tf

from kerasviz.importers.onnx.layout import LayoutTensor
from kerasviz.importers.onnx.registry import Call, operator
from kerasviz.types import Tensor


@operator("NonMaxSuppression", since=10)
def non_max_suppression(call: Call) -> LayoutTensor:
    """Compute rows (image, class, box): the boxes that overlap no better box of their class.

    A box is dropped if its intersection over union with a better box is above a threshold.
    """
    boxes, scores = call.tensor(0), call.tensor(1)
    if call.attribute("center_point_box", 0):
        centre, half = boxes[..., :2], boxes[..., 2:] / 2
        boxes = tf.concat([centre - half, centre + half], -1)
    classes, count = tf.shape(scores)[1], tf.shape(scores)[2]
    most = tf.minimum(tf.cast(call.scalar(2, 0), tf.int64), tf.cast(count, tf.int64))
    most = tf.maximum(tf.cast(most, tf.int32), 0)
    overlap = tf.cast(call.scalar(3, 0.0), tf.float32)
    least = tf.cast(call.scalar(4, -float("inf")), tf.float32)

    def of_class(number: Tensor) -> tuple[Tensor, Tensor]:
        image, label = number // classes, number % classes
        places, valid = tf.raw_ops.NonMaxSuppressionV4(
            boxes=boxes[image],
            scores=scores[image, label],
            max_output_size=most,
            iou_threshold=overlap,
            score_threshold=least,
            pad_to_max_output_size=True,
        )
        kept = tf.range(most) < valid
        rows = [tf.fill(tf.shape(places), image), tf.fill(tf.shape(places), label), places]
        return tf.stack(rows, 1), kept

    rows, kept = tf.map_fn(
        of_class,
        tf.range(tf.shape(scores)[0] * classes),
        fn_output_signature=(tf.TensorSpec([None, 3], tf.int32), tf.TensorSpec([None], tf.bool)),
    )
    found = tf.boolean_mask(tf.reshape(rows, [-1, 3]), tf.reshape(kept, [-1]))
    return LayoutTensor(tf.cast(found, tf.int64))
