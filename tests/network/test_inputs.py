"""Which inputs take images, and what the others are held at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tensorflow as tf
from support.tiny import TinyProgram, network

from kerasviz.errors import ModelError, UsageError
from kerasviz.network.inputs import ImageInput, checksums, image_inputs, needed_inputs, read_arrays
from kerasviz.network.main_layers import of_one_image
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value


def port(*shape: int | None, dtype: Any = tf.float32, first: bool = False) -> Port:
    return Port("x", dtype, shape, channels_first=first)


@pytest.mark.parametrize(
    ("given", "axes", "size", "channels", "batch"),
    [
        (port(None, 3, 20, 24, first=True), "NCHW", (20, 24), 3, None),
        (port(2, None, None, 1), "NHWC", (None, None), 1, 2),
        (port(None, 28, 20), "NHW", (28, 20), 1, None),
        (port(1, 28, 20), "NHW", (28, 20), 1, 1),
        (port(None, None, None), "NHW", (None, None), 1, None),
        (port(3, None, None), "CHW", (None, None), 3, 1),
        (port(3, 20, 24), "CHW", (20, 24), 3, 1),
        (port(20, 24, 4), "HWC", (20, 24), 4, 1),
    ],
)
def test_images_of_rank_4_and_3(
    given: Port, axes: str, size: tuple[int | None, int | None], channels: int, batch: int | None
) -> None:
    image = ImageInput.of(given)
    assert image is not None and image.axes == axes
    assert (image.size, image.channels, image.batch) == (size, channels, batch)
    images = np.random.default_rng(0).random((1, 20, 24, channels), np.float32)
    wanted = {"NHW": images[..., 0], "CHW": images[0].transpose(2, 0, 1), "HWC": images[0]}
    np.testing.assert_array_equal(image.feed(tf.constant(images)), wanted.get(axes, images))
    assert image.own_shape((20, 24))[axes.index("H")] == (size[0] or 20)


@pytest.mark.parametrize(
    "given",
    [
        port(None, 7),
        port(None, 16000, 1),  # sound
        port(None, None, 768),  # tokens
        port(None, 100, 3),  # points
        port(None, 64, 64, first=True),  # a convolution over one axis
        port(None, 28, 28, 1, dtype=tf.bool),
        Port("x", tf.float32, None),
        Port("x", None, None),
    ],
)
def test_other_inputs_are_no_images(given: Port) -> None:
    assert ImageInput.of(given) is None


def test_a_single_image_is_not_fed_as_several() -> None:
    image = ImageInput.of(port(3, None, None))
    assert image is not None
    with pytest.raises(ValueError, match="one image without a batch axis"):
        image.feed(tf.zeros([2, 20, 20, 3]))


@pytest.mark.parametrize(
    ("dtype", "ends"),
    [(tf.uint8, (0, 255)), (tf.int32, (0, 255)), (tf.int8, (-128, 127)), (tf.uint16, None)],
)
def test_the_range_follows_from_a_type_where_it_is_likely(dtype: Any, ends: Any) -> None:
    class Whole(TinyProgram):
        inputs: ClassVar = {"image": Port("image", dtype, (None, None, None, 3), as_floats=True)}

    net = Network(Whole(), Identity("whole", "whole", "onnx", ""))
    assert ends == (None if net.input_spec is None else net.input_spec.range)
    given = network().input_spec
    assert Network(Whole(), net.identity, input_spec=given).input_spec == given


class Two(TinyProgram):
    """left -> a, right -> b, (a, b, meta) -> both."""

    inputs: ClassVar = {
        "left": Port("left", tf.float32, (None, 8, 10, 1)),
        "right": Port("right", tf.float32, (None, 1, 12, 9), channels_first=True),
        "meta": Port("meta", tf.float32, (None, 2)),
    }
    outputs: ClassVar = ["both"]
    values: ClassVar = {
        "a": Value("a", "Mean", (None, 1), inputs=("left",)),
        "b": Value("b", "Mean", (None, 1), inputs=("right",)),
        "both": Value("both", "Add", (None, 2), inputs=("a", "b", "meta")),
    }

    def compute(self, feeds: Any, names: Any, **_: Any) -> dict[str, Any]:
        made = {}
        for name, source in (("a", "left"), ("b", "right")):
            if source in feeds:
                made[name] = tf.reduce_mean(feeds[source], [1, 2])
        if {"a", "b"} <= set(made) and "meta" in feeds:
            made["both"] = made["a"] * feeds["meta"] + made["b"]
        return {name: made[name] for name in names}


def two() -> Network:
    return Network(Two(), Identity("two", "two", "onnx", "0"), input_spec=network().input_spec)


def test_the_image_that_a_tap_depends_on_is_taken() -> None:
    net = two()
    assert needed_inputs(net.program, ["both"]) == ["left", "right", "meta"]
    assert [i.port.name for i in image_inputs(net.program)] == ["left", "right"]
    assert net.focused(["a"]) is net and net.fixed_size == (8, 10)
    other = net.focused(["b"])
    assert other is net.focused(["b"]) and other.fixed_size == (12, 9)
    images = np.random.default_rng(0).random((3, 12, 9, 1), np.float32)
    found = net.activations(images, ["b"])["b"]
    np.testing.assert_allclose(found, (images * 2 - 1).mean((1, 2)), atol=1e-6)
    with pytest.raises(UsageError, match="takes images of 8x10 only"):
        net.activations(images, ["a"])


def test_layers_of_one_image_are_shown_together() -> None:
    net = two()
    assert of_one_image(net, ["both", "a", "b"]) == ("a",)
    held = net.with_data({"left": np.zeros((8, 10, 1)), "meta": [0, 0]})
    assert of_one_image(held, ["both", "b"]) == ("both", "b")


def test_held_data_has_one_row_for_all_images() -> None:
    net, draw = two(), np.random.default_rng(1)
    with pytest.raises(UsageError, match=r"give meta \[any, 2\] with --data FILE.npz"):
        net.focused(["both"])
    with pytest.raises(UsageError, match=r"images left \[any, 8, 10, 1\], right .*--data FILE.npz"):
        net.with_data({"meta": [1, 2]}).focused(["both"])
    left, meta = draw.random((1, 8, 10, 1)), np.array([[2.0, -3.0]])
    held = net.with_data({"left": left, "meta": meta[0]})
    assert held.image_port.name == "right" and not net.data
    images = draw.random((3, 12, 9, 1)).astype(np.float32)
    found = held.activations(images, ["both"])["both"]
    wanted = left.mean() * meta + (images * 2 - 1).mean((1, 2))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    for free in (tf.TensorSpec([None, 12, 9, 1]), tf.TensorSpec([3, 12, 9, 1])):
        traced = tf.function(lambda x: held.activations(x, ["both"])["both"])
        np.testing.assert_allclose(
            traced.get_concrete_function(free)(tf.constant(images)), wanted, atol=1e-6
        )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"metas": [0, 0]}, "no input 'metas', for which data was given; near: meta"),
        ({"meta": np.zeros((1, 3))}, r"takes \['any', 2\], given \[1, 3\]"),
        ({"meta": np.zeros((4, 2))}, "held at one row for all pictures, given 4"),
        ({"meta": "text"}, "takes numbers of type float32"),
        ({"left": np.zeros((8, 10, 1)), "right": np.zeros((1, 12, 9))}, "leave out the one that"),
    ],
)
def test_wrong_data_is_refused_in_one_line(data: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        two().with_data(data)
    assert "\n" not in str(caught.value)


def test_data_for_the_only_image_is_left_out() -> None:
    net = network().with_data({"image": np.zeros((1, 8, 8, 3))})
    assert not net.data and net.image_port.name == "image"


def test_checksums_tell_types_and_shapes_apart() -> None:
    arrays = [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3), np.float32)]
    assert len({checksums({"x": a})["x"] for a in arrays}) == 3
    assert checksums({"x": arrays[0]}) == checksums({"x": np.zeros((2, 3))})


def test_arrays_without_names_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")["x"], [0, 1, 2])
    np.save(tmp_path / "b.npy", np.arange(3))
    (tmp_path / "c.npz").write_bytes(b"PK")
    for name in ("b.npy", "c.npz", "gone.npz"):
        with pytest.raises(UsageError, match=r"is not an \.npz file"):
            read_arrays(tmp_path / name)


def test_no_image_at_all() -> None:
    class Signal(TinyProgram):
        inputs: ClassVar = {"sound": Port("sound", tf.float32, (None, 2, 2, 2, 2, 2))}

    net = Network(Signal(), Identity("signal", "signal", "onnx", ""))
    with pytest.raises(ModelError, match="expected one input of images"):
        _ = net.channels
    assert replace(net).data == {}
