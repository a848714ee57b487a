"""kerasviz inside of other programs: fresh interpreters, threads, asyncio, tf.function."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper
from support.tiny import network

import kerasviz
from kerasviz.rendering.rendering import Rendering


def interpreter(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that has none of the variables that quieten TensorFlow."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPP")}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=300
    )


def test_the_first_call_prints_nothing() -> None:
    done = interpreter(
        "import kerasviz\n"
        "net = kerasviz.load('efficientnet-lite0')\n"
        "r = kerasviz.render(net, 'stem:3', steps=2, size=32, precision='float32')\n"
        "print(len(r))\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_two_threads_start_tensorflow_once_and_keep_the_standard_error() -> None:
    done = interpreter(
        "import sys, threading, kerasviz\n"
        "threads = [threading.Thread(target=lambda: kerasviz.load) for _ in range(4)]\n"
        "[t.start() for t in threads], [t.join() for t in threads]\n"
        "print('tensorflow' in sys.modules)\n"
        "print('seen', file=sys.stderr)\n"
    )
    assert (done.stdout, done.stderr) == ("True\n", "seen\n")


def rendered(net: kerasviz.Network, target: str) -> Rendering:
    return kerasviz.render(net, target, steps=24, size=(13, 17), progress=False)


def test_threads_that_render_at_once_make_the_bytes_of_one_after_the_other() -> None:
    targets = ["joined:1", "joined:2", "relu1:1", "logit:castle"]
    net, alone = network(), network()
    expected = {target: rendered(alone, target) for target in targets}
    made: dict[str, Rendering] = {}
    start = threading.Barrier(len(targets))

    def work(target: str) -> None:
        start.wait()
        made[target] = rendered(net, target)

    threads = [threading.Thread(target=work, args=[target]) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.keys() == expected.keys()
    for target in targets:
        np.testing.assert_array_equal(made[target].images, expected[target].images)
        np.testing.assert_array_equal(made[target].losses, expected[target].losses)


def test_it_renders_inside_a_running_loop_and_beside_it() -> None:
    net = network()
    expected = rendered(net, "joined:1").images
    ticks = 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    async def main() -> list[Rendering]:
        inside = rendered(net, "joined:1")
        clock = asyncio.create_task(ticking())
        beside = await asyncio.gather(
            *(asyncio.to_thread(rendered, net, "joined:1") for _ in range(2))
        )
        clock.cancel()
        return [inside, *beside]

    for made in asyncio.run(main()):
        np.testing.assert_array_equal(made.images, expected)
    assert ticks > 1


@pytest.fixture
def reshaping(tmp_path: Path) -> kerasviz.Network:
    """A network whose import cannot be rewritten by AutoGraph: a Reshape of opset 1."""
    rows = helper.make_node("Reshape", ["x"], ["rows"], shape=[0, -1])
    product = helper.make_node("MatMul", ["rows", "weights"], ["y"])
    weights = np.random.default_rng(0).normal(size=(48, 5)).astype(np.float32)
    graph = helper.make_graph(
        [rows, product],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 1)], ir_version=3)
    onnx.save(model, tmp_path / "old.onnx")
    return kerasviz.load(tmp_path / "old.onnx", input_spec=kerasviz.InputSpec())


def test_activations_inside_a_function_of_the_user_have_no_warnings(
    reshaping: kerasviz.Network, caplog: pytest.LogCaptureFixture
) -> None:
    images = tf.constant(np.random.default_rng(1).random((2, 4, 4, 3)), tf.float32)

    def gradient(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(images)
            if tf.reduce_sum(images) > 0:  # the user's own code is still converted
                score = tf.reduce_sum(reshaping.activations(images, ["y"])["y"] ** 2)
            else:
                score = tf.reduce_sum(images)
        return tape.gradient(score, images)

    logger = tf.get_logger()
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.WARNING)
    logger.propagate = True
    try:
        with caplog.at_level(logging.WARNING):
            compiled = tf.function(gradient)(images)
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
    assert not caplog.records
    np.testing.assert_allclose(compiled, gradient(images), rtol=1e-5)


def test_activations_keep_their_signature() -> None:
    names = list(inspect.signature(kerasviz.Network.activations).parameters)
    assert names == ["self", "images", "names", "kernels"]
    assert (kerasviz.Network.activations.__doc__ or "").startswith("Compute taps of images")
