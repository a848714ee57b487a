"""Times the full optimization loop beside the bare pass of the pruned network, in one run.

    python scripts/bench.py [MODEL] [--tap TAP] [--size N] [--recipe NAME] [--rounds N]

Prints milliseconds per image and step at batch 1, 4 and 16: of the bare forward and backward pass
(one compiled call per step, the network's own input, one channel), of the full loop (parameters to
image, transforms, forward, backward, optimizer), and their ratio. The two are measured in turns, so
that a change of the machine's speed meets both; the medians are shown. Ratios are the point:
absolute times move from machine to machine. Run it on a machine that does nothing else.

For an ONNX model a second table has the time from the file to the first activation, and the forward
pass of the whole network beside that of onnxruntime with the same input and number of threads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kerasviz.cli.quiet import import_tensorflow

import_tensorflow()  # before what follows imports it, and without its notes
# ruff: noqa: E402

import numpy as np
import tensorflow as tf

import kerasviz
from kerasviz.environment import environment
from kerasviz.network import Network
from kerasviz.objectives import channel
from kerasviz.optimize import Batch, loop_for
from kerasviz.recipes import Recipe, recipe
from kerasviz.scoring import fill, structure_of

STEPS = 8  # steps in one measurement


def bare_pass(net: Network, tap: str, unit: int, size: int, batch: int) -> Callable[[], None]:
    """The score of one channel and its gradient by the network's input, ``STEPS`` times."""
    parts = net.taps[tap].parts
    port = net.image_port
    x = tf.random.stateless_normal([batch, size, size, net.channels], [0, 1]) * 50.0

    @tf.function
    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = net.program.compute({port.name: x}, parts)
            score = tf.reduce_mean(tf.concat([found[p] for p in parts], -1)[..., unit])
        return tape.gradient(score, x)

    def run() -> None:
        for _ in range(STEPS):
            gradient(x).numpy()

    return run


def full_loop(net: Network, tap: str, unit: int, chosen: Recipe, batch: int) -> Callable[[], None]:
    """``STEPS`` steps of the product's own loop: one graph call."""
    objective = channel(tap, unit)
    structure = structure_of(objective, net, chosen.pre_activation)
    loop = loop_for(net, structure, chosen)
    rows = Batch(
        structure,
        fill(structure, [objective] * batch, net, chosen.pre_activation),
        np.arange(batch, dtype=np.int32),
        np.arange(batch, dtype=np.int32),
    )
    data = {name: tf.constant(array) for name, array in rows.data.items()}
    seeds, groups = tf.constant(rows.seeds), tf.constant(rows.groups)
    state = loop.start(seeds)

    def run() -> None:
        _, reached = loop.advance(state, data, seeds, groups, tf.constant(0), tf.constant(STEPS))
        reached.numpy()

    return run


def forward(net: Network, feed: np.ndarray[Any, Any]) -> Callable[[], None]:
    """The outputs of the whole network for ``feed`` in the model's own layout, ``STEPS`` times."""
    (port,) = net.program.inputs
    names = list(net.program.outputs)
    x = tf.constant(np.ascontiguousarray(np.moveaxis(feed, 1, -1)))

    @tf.function(autograph=False)
    def outputs(x: Any) -> Any:
        return list(net.program.compute({port: x}, names).values())

    def run() -> None:
        for _ in range(STEPS):
            outputs(x)[0].numpy()

    return run


def onnxruntime_forward(path: str, feed: np.ndarray[Any, Any]) -> Callable[[], None]:
    """The same by onnxruntime, with all of its optimizations."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run() -> None:
        for _ in range(STEPS):
            session.run(None, {name: feed})

    return run


def seconds_to_first_activation(path: str, tap: str) -> float:
    """From the file to the activations of one image at ``tap``, TensorFlow being imported."""
    began = time.perf_counter()
    net = kerasviz.load(path)
    sides = [side or 224 for side in net.fixed_size]
    net.activations(tf.zeros([1, *sides, net.channels]), [tap])[tap].numpy()
    return time.perf_counter() - began


def turns(
    first: Callable[[], None], second: Callable[[], None], rounds: int, batch: int
) -> tuple[float, float]:
    """Medians, in milliseconds per image and step, of two measured in turns."""
    for run in (first, second, first, second):  # tracing, and memory that is asked for once
        run()
    times = [(milliseconds(first), milliseconds(second)) for _ in range(rounds)]
    one, two = (statistics.median(t) / batch for t in zip(*times, strict=True))
    return one, two


def import_table(path: str, net: Network, tap: str, rounds: int, batch: int = 8) -> None:
    """Print the table of an ONNX model's import and forward pass."""
    seconds = seconds_to_first_activation(path, tap)
    print(f"\nFrom the file to the first activation: {seconds:.2f} s\n")
    sides = [side or 224 for side in net.fixed_size]
    feed = np.random.default_rng(0).normal(size=(batch, net.channels, *sides)) * 50.0
    feed = feed.astype(np.float32)
    theirs, ours = turns(onnxruntime_forward(path, feed), forward(net, feed), rounds, batch)
    print("| batch | forward pass by onnxruntime, ms per image | by kerasviz | ratio |")
    print("| ---: | ---: | ---: | ---: |")
    print(f"| {batch} | {theirs:.1f} | {ours:.1f} | {ours / theirs:.2f} |")


def milliseconds(run: Callable[[], None]) -> float:
    """The wall time of ``STEPS`` steps, in milliseconds per step."""
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000 / STEPS


def main() -> None:
    """Measure and print the table."""
    models = os.environ.get("KERASVIZ_TEST_MODELS", "../shared/models")
    found = Path(models) / "googlenet.onnx"
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", nargs="?", default=str(found) if found.exists() else None)
    parser.add_argument("--tap", help="default: mixed4a, else the middle one of the main taps")
    parser.add_argument("--unit", type=int, default=7)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--recipe", default="article")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()

    net = kerasviz.load(options.model or "efficientnet-lite0")
    taps = net.main_taps or tuple(net.taps)
    tap = options.tap or ("mixed4a" if "mixed4a" in net.taps else taps[len(taps) // 2])
    chosen = recipe(options.recipe).replace(size=(options.size, options.size))
    here = environment()
    print(f"{net.name} up to {tap}, {options.size}x{options.size}, recipe {chosen.name}")
    print(f"{here['device']}, {here['threads']} threads, TensorFlow {here['tensorflow']}\n")
    print("| batch | bare pass, ms per image and step | full loop | ratio |")
    print("| ---: | ---: | ---: | ---: |")
    for batch in options.batch:
        bare = bare_pass(net, tap, options.unit, options.size, batch)
        loop = full_loop(net, tap, options.unit, chosen, batch)
        one, whole = turns(bare, loop, options.rounds, batch)
        print(f"| {batch} | {one:.1f} | {whole:.1f} | {whole / one:.2f} |")
    if net.identity.format == "onnx" and net.image_port.channels_first:
        import_table(options.model, net, tap, options.rounds)


if __name__ == "__main__":
    main()
