import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from support.batch_models import MODELS, SIZE
from support.onnx_models import session

from kerasviz.errors import ModelError
from kerasviz.network.input_spec import preset
from kerasviz.zoo.load import load

IMAGES = np.random.default_rng(5).uniform(size=(5, *SIZE, 3)).astype(np.float32)


def by_onnxruntime(path, model, name, images):
    """The rows of a value, computed by onnxruntime in batches of the file's own size."""
    size = model.batch if isinstance(model.batch, int) else 2
    run = session(path, [name])
    rows = []
    for k in range(len(images)):
        batch = images[np.arange(k, k + size) % len(images)]
        (values,) = run.run([name], {"images": batch.transpose(0, 3, 1, 2)})
        rows.append(model.by_image[name](values, size)[0])
    return np.stack(rows)


@pytest.mark.parametrize("case", MODELS)
def test_any_number_of_images_has_the_numbers_of_the_files_own_batch(case, tmp_path):
    model, net = MODELS[case], MODELS[case].load(tmp_path)
    for name in model.by_image:
        wanted = by_onnxruntime(tmp_path / "model.onnx", model, name, IMAGES)
        for count in (5, 1, 2):
            values = net.activations(IMAGES[:count], [name])[name].numpy()
            np.testing.assert_allclose(values, wanted[:count], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", MODELS)
def test_the_batch_that_a_value_needs(case, tmp_path):
    net = MODELS[case].load(tmp_path)
    found = {name: net.fixed_batch([name], SIZE) for name in MODELS[case].fixed}
    assert found == MODELS[case].fixed


@pytest.mark.parametrize("case", ["folded", "mixing", "one"])
def test_rows_depend_on_their_own_image_only(case, tmp_path):
    net = MODELS[case].load(tmp_path)
    taps = list(MODELS[case].by_image)
    images = tf.constant(IMAGES[:3])
    for name in taps:
        with tf.GradientTape() as tape:
            tape.watch(images)
            values = net.activations(images, [name])[name]
            score = tf.reduce_sum(values[1] ** 2)
        gradient = tape.gradient(score, images).numpy()
        assert np.abs(gradient[1]).max() > 0
        np.testing.assert_array_equal(gradient[[0, 2]], 0)


def test_the_gradient_through_a_padded_batch(tmp_path):
    net = MODELS["folded"].load(tmp_path)
    images, step = tf.constant(IMAGES[:3]), 1e-2

    def score(x):
        return tf.reduce_sum(net.activations(x, ["inside"])["inside"][2])

    with tf.GradientTape() as tape:
        tape.watch(images)
        value = score(images)
    gradient = tape.gradient(value, images).numpy()
    direction = np.random.default_rng(0).normal(size=images.shape).astype(np.float32)
    ends = [float(score(images + sign * step * direction)) for sign in (1, -1)]
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((gradient * direction).sum(), rel=0.05)


@pytest.mark.parametrize("case", ["reshape", "folded", "one"])
def test_a_number_of_images_that_only_a_run_knows(case, tmp_path):
    net = MODELS[case].load(tmp_path)
    spec = tf.TensorSpec([None, *SIZE, 3], tf.float32)
    traced = tf.function(lambda x: net.activations(x, ["logits"])["logits"], input_signature=[spec])
    for count in (1, 4, 5):
        wanted = net.activations(IMAGES[:count], ["logits"])["logits"]
        np.testing.assert_allclose(traced(IMAGES[:count]), wanted, rtol=1e-5, atol=1e-6)


def test_a_value_of_several_images_is_refused(tmp_path):
    nodes = MODELS["free"].nodes
    mean = helper.make_node("ReduceMean", ["relu"], ["all"], axes=[0], keepdims=1)
    model = type(MODELS["free"])((*nodes[:2], mean), {}, 4, {}, {})
    net = model.load(tmp_path)
    with pytest.raises(ModelError, match="all mixes the images of a batch; name another tap"):
        net.activations(IMAGES[:3], ["all"])


def fixed_keras(path):
    keras.utils.set_random_seed(1)
    images = keras.Input((*SIZE, 3), batch_size=4)
    x = keras.layers.Conv2D(6, 4, strides=4, name="conv")(images)
    x = keras.ops.reshape(x, (4, 48))
    keras.Model(images, keras.layers.Dense(5, name="dense")(x)).save(path)
    return path


def fixed_saved_model(path):
    kernel = tf.constant(np.random.default_rng(0).normal(size=(4, 4, 3, 6)), tf.float32)

    class Fixed(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([3, *SIZE, 3], tf.float32, name="images")])
        def __call__(self, images):
            x = tf.nn.relu(tf.nn.conv2d(images, kernel, 4, "VALID"))
            return {"dense": tf.reshape(x, [3, 48])}

    module = Fixed()
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    return path


def fixed_graph(path):
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [2, *SIZE, 3], name="images")
        tf.reshape(tf.nn.max_pool2d(images, 4, 4, "VALID"), [2, 24], name="dense")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.mark.parametrize(
    ("write", "name", "batch"),
    [
        (fixed_keras, "fixed.keras", 4),
        (fixed_saved_model, "fixed", 3),
        (fixed_graph, "fixed.pb", 2),
    ],
)
def test_other_formats_that_fix_the_batch(write, name, batch, tmp_path):
    net = load(write(tmp_path / name), input_spec=preset("unit"))
    output = net.program.outputs[0]
    assert net.fixed_batch([output], SIZE) == batch
    port = net.image_port
    feeds = IMAGES[:batch]
    (wanted,) = net.program.compute({port.name: tf.constant(feeds)}, [output]).values()
    np.testing.assert_allclose(
        net.activations(IMAGES, [output])[output][:batch], wanted, rtol=1e-5, atol=1e-6
    )
    for k in range(len(IMAGES)):
        alone = net.activations(IMAGES[k : k + 1], [output])[output]
        whole = net.activations(IMAGES, [output])[output][k : k + 1]
        np.testing.assert_allclose(alone, whole, rtol=1e-5, atol=1e-6)


def test_what_another_input_is_needed_for_does_not_matter(tmp_path):
    """As in a network of images and texts, whose tower of images needs no text."""
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w"], ["conv"], strides=[4, 4]),
        node("Reshape", ["conv", "rows"], ["tokens"]),
        node("ReduceMean", ["tokens"], ["mean"], axes=[2], keepdims=0),
        node("Mul", ["mean", "text"], ["likeness"]),
    ]
    inputs = [
        helper.make_tensor_value_info("text", TensorProto.FLOAT, [2, 5]),
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [2, 3, 16, 8]),
    ]
    weights = np.random.default_rng(0).normal(0, 0.3, (5, 3, 4, 4)).astype(np.float32)
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([2, 5, 8]), "rows"),
    ]
    outputs = [helper.make_tensor_value_info("likeness", TensorProto.FLOAT, [2, 5])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    path = tmp_path / "two.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    net = load(path, input_spec=preset("unit"))
    assert net.fixed_batch(["conv"], (16, 8)) is None
    assert net.fixed_batch(["tokens"], (16, 8)) == 2
    images = np.random.default_rng(1).uniform(0, 1, (3, 16, 8, 3)).astype(np.float32)
    rows = net.activations(images, ["tokens"])["tokens"].numpy()
    text = np.zeros((2, 5), np.float32)
    first = net.run({"image": images[:2].transpose(0, 3, 1, 2), "text": text}, ["tokens"])
    np.testing.assert_allclose(rows[:2], np.swapaxes(first["tokens"], 1, 2), atol=1e-6)
