"""Runs one library's own optimization loop, a few steps at a time, for ``bench_peers.py``.

    python peer_worker.py LIBRARY '{"folder": ..., "model": ..., "tap": ..., "batch": 1, ...}'

The library's public function runs, in the Python of its own environment; where a step ends, by an
optimizer or a callback that the caller may choose, it waits for the next line on the standard
input: a number of steps. The answer is a line of JSON with the steps that ran and their seconds.
The first answer, after one step, says which version it is and how much the activations differ from
kerasviz's own for the same image, as a share of the largest; nothing is measured before.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

UNIT = 7
FOREVER = 10**9
RANGE = (-117.0, 138.0)  # of the network's input
REFERENCE, NETWORK = "reference.npz", "network.keras"


@dataclass(frozen=True)
class Task:
    """What to optimize: channel ``UNIT`` of a tap, as ``batch`` pictures of ``size`` pixels."""

    folder: str
    model: str
    tap: str
    batch: int
    size: int

    @property
    def keras_file(self) -> str:
        return str(Path(self.folder, NETWORK))

    def reference(self) -> dict[str, Any]:
        """An image, kerasviz's activations for it, and the names that the tap has in the file."""
        with np.load(Path(self.folder, REFERENCE)) as found:
            return {name: found[name] for name in found.files}

    def share(self, compute: Callable[[Any], Any]) -> float:
        """How much ``compute`` differs from kerasviz, as a share of the largest number."""
        known = self.reference()
        wanted = known["activations"]
        return float(np.abs(compute(known["image"]) - wanted).max() / np.abs(wanted).max())


class Gate:
    """Where a loop waits between steps until more are asked for."""

    def __init__(self, output: Any):
        self.output = output
        self.hello: dict[str, Any] = {}
        self.asked = self.done = 0
        self.began = time.perf_counter()

    def step(self, steps: int = 1) -> None:
        """Say that ``steps`` more are done; return when the next one may begin."""
        self.done += steps
        if self.done < self.asked:
            return
        took = time.perf_counter() - self.began
        answer = {"steps": self.done, "seconds": took} if self.asked else self.hello
        self.output.write(json.dumps(answer) + "\n")
        self.output.flush()
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        self.asked, self.done = int(line), 0
        self.began = time.perf_counter()


def kerasviz_loop(task: Task, gate: Gate, precision: str) -> None:
    """The full loop as ``bench.py`` measures it: some steps in each call of the graph."""
    import bench  # beside this file

    import kerasviz
    from kerasviz.optvis.optimization.precision import choose
    from kerasviz.optvis.recipes import recipe

    net = kerasviz.load(task.model)
    kind = choose(net, [task.tap]).precision if precision == "auto" else precision
    chosen = recipe("article").replace(size=(task.size, task.size), precision=kind)
    run = bench.full_loop(net, task.tap, chosen, task.batch)
    gate.hello = {"version": kerasviz.__version__, "differs": 0.0, "detail": kind}
    while True:
        run()
        gate.step(bench.STEPS)


def write_reference(task: Task, gate: Gate) -> None:
    """The Keras file, and kerasviz's activations for an image; measures what ``auto`` is."""
    import tensorflow as tf

    import kerasviz
    from kerasviz.export import convert
    from kerasviz.optvis.environment import environment
    from kerasviz.optvis.optimization.precision import choose

    net = kerasviz.load(task.model)
    size = (task.size, task.size)
    convert(net, Path(task.keras_file), taps=[task.tap], size=size)
    choice = choose(net, [task.tap])
    image = np.random.default_rng(0).uniform(*RANGE, (2, *size, net.channels)).astype(np.float32)
    parts = net.taps[task.tap].parts
    values = net.program.compute({net.image_port.name: tf.constant(image)}, parts)
    found = np.concatenate([values[part].numpy() for part in parts], -1)
    np.savez(Path(task.folder, REFERENCE), image=image, activations=found, parts=parts)
    here = environment()
    machine = f"{here['device']}, {here['threads']} threads, TensorFlow {here['tensorflow']}"
    detail = f"{machine}; auto: {choice.why}"
    gate.hello = {"version": kerasviz.__version__, "differs": 0.0, "detail": detail}
    gate.step()


def xplique_loop(task: Task, gate: Gate) -> None:
    """``xplique.features_visualizations.optimize`` with a list of channels as the batch."""
    import tensorflow as tf
    from xplique.features_visualizations import Objective, optimize

    class Gated(tf.keras.optimizers.Adam):
        def apply_gradients(self, *args: Any, **kwargs: Any) -> Any:
            found = super().apply_gradients(*args, **kwargs)
            gate.step()
            return found

    model = tf.keras.models.load_model(task.keras_file)
    part = tf.keras.Model(model.inputs, model.get_layer(task.tap).output)
    gate.hello = {"version": version("xplique"), "differs": task.share(lambda x: part(x).numpy())}
    units = [UNIT] * task.batch
    objective = Objective.channel(model, task.tap, units, names=[str(n) for n in range(len(units))])
    optimize(
        objective,
        optimizer=Gated(0.05),
        nb_steps=FOREVER,
        values_range=RANGE,
        custom_shape=(task.size, task.size),
    )


def tf_keras_vis_loop(task: Task, gate: Gate) -> None:
    """``tf_keras_vis``' ``ActivationMaximization`` with a seed image for each row."""
    import tensorflow as tf
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.activation_maximization.callbacks import Callback
    from tf_keras_vis.utils.model_modifiers import ExtractIntermediateLayer
    from tf_keras_vis.utils.scores import CategoricalScore

    class Gated(Callback):  # type: ignore[misc]
        def __call__(self, *args: Any, **kwargs: Any) -> None:
            gate.step()

    model = tf.keras.models.load_model(task.keras_file)
    maximize = ActivationMaximization(model, ExtractIntermediateLayer(task.tap), clone=False)
    part = maximize.model
    differs = task.share(lambda x: part(x).numpy())
    gate.hello = {"version": version("tf-keras-vis"), "differs": differs}
    seeds = tf.random.uniform((task.batch, task.size, task.size, 3), *RANGE)
    maximize(
        CategoricalScore([UNIT] * task.batch),
        seed_input=seeds,
        input_range=RANGE,
        steps=FOREVER,
        callbacks=Gated(),
    )


def lucent_loop(task: Task, gate: Gate, network_size: int | None) -> None:
    """``lucent``'s ``render_vis``; ``network_size`` None is its default: enlarged to 224."""
    without_torchvision()
    import torch
    from lucent.optvis import objectives, param, render
    from onnx_in_torch import InceptionV1  # beside this file

    class Gated(torch.optim.Adam):
        def step(self, closure: Any = None) -> Any:
            found = super().step(closure)
            gate.step()
            return found

    parts = [str(each) for each in task.reference()["parts"]]
    model = InceptionV1(task.model, parts, task.tap).eval()

    def compute(image: Any) -> Any:
        with torch.no_grad():
            found = model(torch.from_numpy(np.moveaxis(image, -1, 1).copy()))
        return np.moveaxis(found.numpy(), 1, -1)

    detail = f"torch {torch.__version__}"
    gate.hello = {"version": version("torch-lucent"), "differs": task.share(compute)}
    gate.hello["detail"] = detail
    render.render_vis(
        model,
        objectives.channel(task.tap, UNIT),
        param_f=lambda: param.image(task.size, batch=task.batch),
        optimizer=lambda parameters: Gated(parameters, lr=5e-2),
        thresholds=(FOREVER,),
        progress=False,
        show_image=False,
        fixed_image_size=network_size,
    )


def without_torchvision() -> None:
    """Stand in for what lucent imports of torchvision and, with this network, never calls."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        package, transforms = ModuleType("torchvision"), ModuleType("torchvision.transforms")
        setattr(transforms, "Normalize", None)  # noqa: B010
        setattr(package, "transforms", transforms)  # noqa: B010
        sys.modules |= {"torchvision": package, "torchvision.transforms": transforms}


LOOPS: dict[str, Callable[[Task, Gate], None]] = {
    "reference": write_reference,
    "kerasviz, auto": lambda task, gate: kerasviz_loop(task, gate, "auto"),
    "kerasviz, float32": lambda task, gate: kerasviz_loop(task, gate, "float32"),
    "xplique": xplique_loop,
    "tf-keras-vis": tf_keras_vis_loop,
    "torch-lucent": lambda task, gate: lucent_loop(task, gate, None),
    "torch-lucent, not enlarged": lambda task, gate: lucent_loop(task, gate, task.size),
}


def main() -> None:
    """Serve one loop; what libraries print goes to the standard error output."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    LOOPS[sys.argv[1]](Task(**json.loads(sys.argv[2])), Gate(output))


if __name__ == "__main__":
    main()
