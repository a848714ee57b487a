"""The classes of outputs with positions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tensorflow as tf

from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value


class Outputs:
    """A program that is described only."""

    def __init__(self, outputs: list[str], *values: Value):
        self.inputs = {"image": Port("image", tf.float32, (None, 64, 64, 3))}
        self.values = {value.name: value for value in values}
        self.outputs = outputs
        self.module_kinds: dict[str, str] = {}


def classes(outputs: list[str], *values: Value, labels: int = 20) -> tuple[str | None, int]:
    names = tuple(f"thing {k}" for k in range(labels))
    program = Outputs(outputs, *values)
    net = Network(program, Identity("x", "x", "onnx", ""), labels=names)  # type: ignore[arg-type]
    return net.classes.logits, net.classes.first


def value(name: str, *shape: int | None, op: str = "Any", **changes: tuple[str, ...]) -> Value:
    return Value(name, op, (None, *shape), **changes)  # type: ignore[arg-type]


def test_a_segmenter_has_its_classes_at_every_position() -> None:
    assert classes(["out"], value("out", 30, 40, 20)) == ("out", 0)
    sure = value("sure", 30, 40, 20, op="Sigmoid", inputs=("out",))
    assert classes(["sure"], value("out", 30, 40, 20), sure) == ("out", 0)


@pytest.mark.parametrize("before", [0, 4, 5])
def test_classes_of_a_detector_stand_behind_the_box(before: int) -> None:
    assert classes(["out"], value("out", 8400, 20 + before)) == ("out", before)


def test_sigmoids_that_are_concatenated_with_boxes_are_seen_through() -> None:
    scores = value("scores", 8400, 20)
    sure = value("sure", 8400, 20, op="Sigmoid", inputs=("scores",))
    boxes = value("boxes", 8400, 4)
    joined = value("joined", 8400, 24, op="Concat", parts=("boxes", "sure"))
    assert classes(["joined"], scores, boxes, sure, joined) == ("scores", 0)


def test_classes_between_boxes_and_masks_are_a_part_of_the_output() -> None:
    scores = value("scores", 8400, 20)
    sure = value("sure", 8400, 20, op="Sigmoid", inputs=("scores",))
    boxes, masks = value("boxes", 8400, 4), value("masks", 8400, 32)
    joined = value("joined", 8400, 24, op="Concat", parts=("boxes", "sure"))
    out = value("out", 8400, 56, op="Concat", parts=("joined", "masks"))
    assert classes(["out"], scores, boxes, masks, sure, joined, out) == ("scores", 0)
    other = value("out", 8400, 36, op="Concat", parts=("boxes", "masks"))
    assert classes(["out"], boxes, masks, other) == (None, 0)


def test_output_aliases_and_several_outputs() -> None:
    boxes, scores = value("b", 100, 4), value("s", 100, 20, aliases=("scores",))
    assert classes(["boxes", "scores"], boxes, scores) == ("s", 0)


def test_what_is_no_class_head() -> None:
    assert classes(["out"], value("out", 30, 40, 21)) == (None, 0)
    assert classes(["out"], value("out", 30, 40, 20), labels=0) == (None, 0)
    assert classes(["out"], value("out", 30, 40, None)) == (None, 0)


def test_flat_outputs_come_first() -> None:
    flat, spread = value("flat", 20), value("spread", 9, 20)
    assert classes(["spread", "flat"], spread, flat) == ("flat", 0)


def test_a_named_tap_keeps_the_channels_before_the_classes() -> None:
    names = tuple(f"thing {k}" for k in range(20))
    soft = value("soft", 30, 24, op="Softmax", softmax_input="raw")  # 24 classes, 20 of them named
    program = Outputs(["soft"], value("raw", 30, 24), soft)
    net = Network(program, Identity("x", "x", "onnx", ""), labels=names)  # type: ignore[arg-type]
    assert (net.classes.logits, net.classes.first, net.class_count) == ("raw", 0, 24)
    named = replace(net, logits="soft")
    assert (named.classes.logits, named.classes.first, named.class_count) == ("soft", 4, 20)
