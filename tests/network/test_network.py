from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from onnx import helper
from support.tiny import INPUT, TinyProgram, network

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port
from kerasviz.optvis.optimization.relu_gradients import REDIRECTED

IMAGES = np.random.default_rng(1).random((2, 11, 14, 3)).astype(np.float32)


def test_activations_apply_the_input_description():
    net = network()
    own = net.run({"image": IMAGES * 2 - 1}, ["relu1", "prob"])
    found = net.activations(IMAGES, ["relu1", "prob"])
    for name in own:
        np.testing.assert_allclose(found[name], own[name], rtol=1e-5, atol=1e-5)


def test_pre_relu_of_a_concatenation_has_the_channels_in_order():
    net = network()
    found = net.activations(IMAGES, ["block_pre_relu", "left", "right", "block"])
    np.testing.assert_array_equal(
        found["block_pre_relu"], np.concatenate([found["left"], found["right"]], -1)
    )
    np.testing.assert_array_equal(np.maximum(found["block_pre_relu"], 0), found["block"])


def test_activations_are_differentiable_and_the_rectifier_is_used():
    net = network()
    images = tf.constant(IMAGES)

    def gradient(settings):
        with tf.GradientTape() as tape:
            tape.watch(images)
            score = tf.reduce_sum(net.activations(images, ["relu1"], **settings)["relu1"][..., 3])
        return tape.gradient(score, images)

    assert not np.any(gradient({}))  # unit 3 is dead
    assert np.any(gradient({"kernels": REDIRECTED}))


def test_run_defaults_to_the_outputs():
    assert list(network().run({"image": IMAGES})) == ["prob"]


def test_missing_input_description_names_the_choices():
    net = network(input_spec=None)
    with pytest.raises(UsageError, match=r"--preprocess torchvision\|inception"):
        net.activations(IMAGES, ["relu1"])


@pytest.mark.parametrize("shape", [(11, 14, 3), (2, 11, 14, 1), (2, 3, 11, 14, 3)])
def test_wrong_rank_or_channels(shape):
    with pytest.raises(UsageError, match=r"takes images \[batch, height, width, 3\]"):
        network().activations(np.zeros(shape, np.float32), ["relu1"])


def test_too_small_images_are_a_model_error():
    with pytest.raises(ModelError, match="too small"):
        network().activations(np.zeros((1, 2, 2, 3), np.float32), ["relu1"])


def test_a_size_is_blamed_only_if_another_one_helps():
    images = np.zeros((1, 2, 2, 3), np.float32)
    with pytest.raises(ModelError) as small:
        network().activations(images, ["relu1"])
    begin = "tiny: relu1 cannot be computed from images of 2x2 "
    assert str(small.value).startswith(f"{begin}(too small; give a larger --size, as 4x4): ")

    class Dense(TinyProgram):
        """Its logits are made for one size."""

        side = 224

        def compute(self, feeds, names, **settings):
            values = super().compute(feeds, [*names, "pooled"], **settings)
            if "logits" in names and feeds["image"].shape[1] != self.side:
                raise ValueError("the rows do not fit\nat all")
            return {name: values[name] for name in names}

    program = Dense()
    net = Network(program, Identity("dense", "dense", "onnx", ""), input_spec=INPUT)
    images = np.zeros((1, 32, 32, 3), np.float32)
    for side, hint in ((224, " (give --size 224x224)"), (48, " (give --size 48x320)"), (50, "")):
        program.side = side
        with pytest.raises(ModelError) as error:
            net.activations(images, ["logits"])
        assert str(error.value) == (
            f"dense: logits cannot be computed from images of 32x32{hint}: the rows do not fit"
        )
    assert net.computes("logits", 50, 50) and not net.computes("logits", 224, 224)


def test_run_checks_names_and_shapes():
    net = network()
    with pytest.raises(UsageError, match="no input 'x'; inputs: image"):
        net.run({"x": IMAGES})
    with pytest.raises(UsageError, match="input 'image' takes"):
        net.run({"image": IMAGES[0]})
    with pytest.raises(UsageError, match="no array given for input image"):
        net.run({})


def test_a_network_without_an_image_input_says_so():
    class Words(TinyProgram):
        inputs: ClassVar = {"ids": Port("ids", tf.int32, (None, 7))}

    net = Network(Words(), Identity("words", "words", "onnx", ""))
    with pytest.raises(ModelError, match=r"expected one input of images .*; inputs: ids"):
        _ = net.image_port


def test_a_fixed_size_is_insisted_on():
    class Fixed(TinyProgram):
        inputs: ClassVar = {
            "image": Port("image", tf.float32, (None, 3, 32, 48), channels_first=True)
        }

    net = Network(Fixed(), Identity("fixed", "fixed", "onnx", ""))
    assert net.fixed_size == (32, 48) and net.channels == 3
    net.check_size(32, 48)
    with pytest.raises(UsageError, match="takes images of 32x48 only, not 64x64"):
        net.check_size(64, 64)


def test_classes():
    net = network()
    assert net.class_index("espresso") == 1 and net.class_index("3") == 3
    assert net.require_logits().name == "logits"
    with pytest.raises(UsageError, match="unknown class 'expresso'; near: espresso"):
        net.class_index("expresso")


def test_logits_are_those_of_the_head_that_is_computed_last():
    class Heads(TinyProgram):
        """Declares the main softmax first, or last; an auxiliary one is computed before it."""

        outputs: ClassVar[list[str]] = []

        @property
        def values(self):
            found = super().values
            aux = replace(found["prob"], name="aux", softmax_input="early")
            return {"early": replace(found["logits"], name="early"), "aux": aux, **found}

    for outputs in (["prob", "aux"], ["aux", "prob"]):
        program = Heads(3, 0)
        program.outputs = outputs
        net = Network(program, Identity("heads", "heads", "zoo", "0" * 64))
        assert net.require_logits().name == "logits"


def test_whether_a_tap_can_be_computed_at_a_size_is_found_without_computing():
    net = network()
    assert net.computes("logits", 11, 14) and net.computes("block", 3, 3)
    assert not net.computes("block", 1, 1)


def test_a_network_does_not_change():
    net = network()
    with pytest.raises(AttributeError):
        net.input_spec = preset("caffe")  # type: ignore[misc]
    other = net.renamed("other").with_input_spec(preset("caffe"))
    assert (other.name, other.require_input_spec()) == ("other", preset("caffe"))
    assert net.name == "tiny" and net.require_input_spec() != preset("caffe")
    assert (other.labels, list(other.taps), other.main_taps, other.classes) == (
        net.labels,
        list(net.taps),
        net.main_taps,
        net.classes,
    )


def test_sequences_are_lists_of_arrays(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("xs", onnx.TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("ConcatFromSequence", ["xs"], ["joined"], axis=0),
        helper.make_node("SequenceConstruct", ["joined", "joined"], ["pair"]),
        helper.make_node("SequenceInsert", ["xs", "joined"], ["longer"]),
    ]
    outputs = [
        helper.make_tensor_value_info("joined", onnx.TensorProto.FLOAT, None),
        helper.make_tensor_sequence_value_info("pair", onnx.TensorProto.FLOAT, None),
        helper.make_tensor_sequence_value_info("longer", onnx.TensorProto.FLOAT, None),
    ]
    graph = helper.make_graph(nodes, "sequences", [sequence], outputs)
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    xs = [np.float32([[1, 2]]), np.float32([[3, 4], [5, 6]])]
    net = kerasviz.load(path)
    results = net.run({"xs": xs})
    wanted = onnxruntime.InferenceSession(path).run(None, {"xs": xs})
    assert list(results) == ["joined", "pair", "longer"]
    for ours, theirs in zip(results.values(), wanted, strict=True):
        assert isinstance(ours, list) == isinstance(theirs, list)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(net.run({"xs": tuple(xs[:1])}, ["pair"])["pair"]) == 2
    with pytest.raises(UsageError, match="input 'xs' takes arrays, given"):
        net.run({"xs": [{}]})
    with pytest.raises(ModelError, match="input 0 is no sequence"):
        net.run({"xs": xs[0]}, ["joined"])


@pytest.mark.parametrize("given", ["text", [[1], [2, 3]], {"a": 1}, None])
def test_numbers_that_are_none_are_refused_in_one_line(tmp_path: Path, given: Any) -> None:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g", [x], [onnx.ValueInfoProto(name="y")]
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
    )
    with pytest.raises(UsageError, match="m: input 'x' takes numbers of float32, given") as caught:
        kerasviz.load(path).run({"x": given})
    assert "\n" not in str(caught.value)
