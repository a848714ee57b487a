"""Times the product beside the bare pass of the same network, in one run.

    python scripts/bench.py [MODEL] [--tap TAP] [--quick] [--json FILE] [--device cpu|gpu]
    python scripts/bench.py --users [OPTIONS of bench_users.py]

"Bare" is one forward and backward pass to the image of the pruned network as plainly written
TensorFlow code in float32, with no transform and no optimizer: one compiled call for each step.
"Full loop" is the product's own: parameters to image, transforms, network, gradient, optimizer.
What is compared is measured in turns, so that a change of the machine's speed meets all of it, and
medians are shown. Ratios are the point: absolute times move from machine to machine. Run it on a
machine that does nothing else. `--users` times whole commands instead.

For an ONNX model the time from the file to the first activation, and the forward pass of the whole
network beside that of onnxruntime with the same input and number of threads, are measured too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerasviz.cli.progress import import_tensorflow

import_tensorflow()  # before what follows imports it, and without its notes
# ruff: noqa: E402

import bench_users  # beside this file
import numpy as np
import tensorflow as tf

import kerasviz
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.optvis.objectives.objective import channel
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.precision import choose
from kerasviz.optvis.optimization.run import LoopInputs
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.request import Request
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store

STEPS = 8  # steps in one measurement
Run = Callable[[], None]


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the number, and the most that it may be."""

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    note: str = ""

    def __str__(self) -> str:
        shown = f"{self.value:.2f}" if self.value < 100 else f"{self.value:.0f}"
        most = "" if self.most is None else f"{self.most:g}{self.unit}"
        return f"| {self.name} | {shown}{self.unit} | {most} | {self.note} |"


@dataclass(frozen=True)
class Case:
    """What is measured: units of one tap of a network, at one size, by one recipe."""

    net: Network
    source: str
    tap: str
    recipe: Recipe
    auto: str
    rounds: int

    def at(self, precision: str) -> Recipe:
        return self.recipe.replace(precision=precision)


# -- what runs -------------------------------------------------------------------------------


def bare_pass(net: Network, tap: str, unit: int, size: tuple[int, int], batch: int) -> Run:
    """The score of one channel and its gradient by the network's input, ``STEPS`` times."""
    parts = net.taps[tap].parts
    port = net.image_port
    x = tf.random.stateless_normal([batch, *size, net.channels], [0, 1]) * 50.0

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


def rows_of(net: Network, tap: str, chosen: Recipe, batch: int) -> LoopInputs:
    """A batch of the channel's pictures."""
    objective = channel(tap, 7 % (net.taps[tap].channels or 8))
    structure = structure_of(objective, net, chosen.pre_activation)
    data = pack_objectives(structure, [objective] * batch, net, chosen.pre_activation)
    numbers = np.arange(batch, dtype=np.int32)
    return LoopInputs(structure, data, numbers, numbers)


def full_loop(net: Network, tap: str, chosen: Recipe, batch: int) -> Run:
    """``STEPS`` steps of the product's own loop: one graph call."""
    rows = rows_of(net, tap, chosen, batch)
    loop = loop_for(net, rows.structure, chosen)
    data = {name: tf.constant(array) for name, array in rows.data.items()}
    seeds, groups = tf.constant(rows.seeds), tf.constant(rows.groups)
    state = loop.start(seeds)

    def run() -> None:
        _, reached = loop.advance(state, data, seeds, groups, tf.constant(0), tf.constant(STEPS))
        reached.numpy()

    return run


def forward(net: Network, feed: np.ndarray[Any, Any]) -> Run:
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


def onnxruntime_forward(path: str, feed: np.ndarray[Any, Any]) -> Run:
    """The same by onnxruntime, with all of its optimizations."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run() -> None:
        for _ in range(STEPS):
            session.run(None, {name: feed})

    return run


# -- measuring -------------------------------------------------------------------------------


def seconds(run: Run) -> float:
    """The wall time of a call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def in_turns(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """The medians of several that are measured in turns, in seconds for each step."""
    for run in (*runs.values(), *runs.values()):  # tracing, and memory that is asked for once
        run()
    times = [{name: seconds(run) / STEPS for name, run in runs.items()} for _ in range(rounds)]
    return {name: statistics.median(each[name] for each in times) for name in runs}


def loops(case: Case) -> Iterator[Row]:
    """The full loop beside the bare pass, at batch 1, 4 and 16."""
    most = {(1, "auto"): 1.25, (16, "auto"): 0.80, (16, "float32"): 1.15}
    for batch in (1, 4, 16):
        runs = {"bare": bare_pass(case.net, case.tap, 7, case.recipe.size, batch)}
        kinds = dict.fromkeys(["float32", case.auto])
        runs |= {k: full_loop(case.net, case.tap, case.at(k), batch) for k in kinds}
        found = in_turns(runs, case.rounds)
        bare = found.pop("bare")
        yield Row(f"bare float32 pass, batch {batch}", bare / batch * 1000, " ms")
        for name in ("float32", "auto"):
            kind = case.auto if name == "auto" else name
            label = f"full loop, batch {batch}, {name} / bare float32"
            note = f"{found[kind] / batch * 1000:.2f} ms per image and step"
            note += f", {kind}" if name == "auto" else ""
            yield Row(label, found[kind] / bare, "", most.get((batch, name)), note)


def cold(case: Case, steps: int = 128) -> Iterator[Row]:
    """A process that starts with nothing: all of its time but that of the steps."""
    chosen = case.at(case.auto)
    step = in_turns({"loop": full_loop(case.net, case.tap, chosen, 1)}, case.rounds)["loop"]
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "KERASVIZ_CACHE": str(Path(folder, "cache"))}
        words = [sys.executable, "-c", "from kerasviz.cli import main; main()", "render"]
        words += [case.source, f"{case.tap}:7"]
        words += ["--steps", str(steps), "--size", "x".join(map(str, chosen.size))]
        for name in ("measuring the precision", "the precision being known"):
            out = ["--out", str(Path(folder, name))]
            took = seconds(lambda out=out: run_quietly([*words, *out], environ))  # type: ignore[misc]
            most = 8.0 if name.startswith("the") else None
            label = f"first picture of a cold process, {steps} steps: outside the loop, {name}"
            yield Row(label, took - steps * step, " s", most)


def run_quietly(words: list[str], environ: dict[str, str]) -> None:
    """Run a command and show what it says only if it fails."""
    ended = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(words)}: {ended.stderr}")


def compiling(case: Case) -> Iterator[Row]:
    """The first call for further tap sets, less a later one."""
    taps = [tap for tap in case.net.main_taps if tap != case.tap]
    chosen, times = case.at(case.auto).replace(steps=STEPS), []
    for tap in taps[len(taps) // 3 :: max(1, len(taps) // 3)][:3]:
        batch = rows_of(case.net, tap, chosen, 1)
        first, later = (
            seconds(lambda b=batch: optimize(case.net, chosen, b))  # type: ignore[misc]
            for _ in range(2)
        )
        times.append(first - later)
    yield Row("compile time of second and later tap sets, each", max(times), " s", 1.5)


def pictures(case: Case, *, quick: bool) -> Iterator[Row]:
    """Many pictures by way of the store, beside the time of their steps alone."""
    tap = "mixed4b" if "mixed4b" in case.net.taps else case.tap
    channels = case.net.taps[tap].channels or 64
    steps, count = 64, min(128, channels) if quick else channels
    chosen = case.at(case.auto).replace(size=(64, 64), steps=steps)
    with tempfile.TemporaryDirectory() as folder:

        def made(units: range, steps: int) -> float:
            """The seconds for pictures of ``units``; the loop is compiled, the folder new."""
            own = chosen.replace(steps=steps)
            wanted = [Request(f"{tap}:{u}", channel(tap, u % count), own, seed=u) for u in units]
            with tempfile.TemporaryDirectory(dir=folder) as place:
                return seconds(lambda: render_into(Store(Path(place), case.net), wanted) and None)

        made(range(16), STEPS)
        loop = full_loop(case.net, tap, chosen, 16)
        before = in_turns({"loop": loop}, case.rounds)["loop"]
        took = made(range(count), steps)
        step = (before + in_turns({"loop": loop}, case.rounds)["loop"]) / 2 / 16
        label = f"all {count} channels of {tap}, {steps} steps, 64 x 64: overhead over their steps"
        yield Row(label, (took / (count * steps * step) - 1) * 100, " %", 10.0)
        many, few, short = (160, 16, 16) if quick else (1008, 16, 16)
        shares = []
        for _ in range(3):
            one = statistics.median(made(range(few), short) for _ in range(5)) / few
            shares.append(made(range(many), short) / many / one)
        label = f"cost per picture, {many} pictures against {few}"
        yield Row(label, statistics.median(shares), "", 1.02, f"{short} steps, 64 x 64")


MEMORY = """
import json, sys
sys.path.insert(0, {scripts!r})
import bench, kerasviz
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.recipe import Recipe

def status(name):  # not getrusage, whose peak may be that of the process before exec
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 2**10

net = kerasviz.load({source!r})
chosen = Recipe.from_json(json.loads({recipe!r})).replace(steps=1)
rows = bench.rows_of(net, {tap!r}, chosen, 16)
for _ in range(20):
    optimize(net, chosen, rows)
before = status("VmRSS")
for _ in range({batches}):
    optimize(net, chosen, rows)
print(status("VmRSS") - before, status("VmHWM"))
"""


def memory(case: Case, *, quick: bool) -> Iterator[Row]:
    """The memory of a process of its own that runs batches of 16."""
    batches = 50 if quick else 1000
    chosen = case.at(case.auto)
    scripts = str(Path(__file__).resolve().parent)
    text = MEMORY.format(
        scripts=scripts,
        source=case.source,
        recipe=json.dumps(chosen.to_json()),
        tap=case.tap,
        batches=batches,
    )
    ended = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        sys.exit(f"memory: {ended.stderr}")
    grown, peak = map(float, ended.stdout.split()[-2:])
    yield Row("peak memory at batch 16", peak, " MiB", 1536.0)
    yield Row(f"memory that {batches} further batches took", grown, " MiB", None)


def importing(case: Case, batch: int = 8) -> Iterator[Row]:
    """An ONNX model's import, and its forward pass beside that of onnxruntime."""

    def first() -> None:
        net = kerasviz.load(case.source)
        sides = [side or 224 for side in net.fixed_size]
        net.activations(tf.zeros([1, *sides, net.channels]), [case.tap])[case.tap].numpy()

    yield Row("from the ONNX file to the first activation", seconds(first), " s")
    sides = [side or 224 for side in case.net.fixed_size]
    feed = np.random.default_rng(0).normal(size=(batch, case.net.channels, *sides)) * 50.0
    feed = feed.astype(np.float32)
    runs = {"theirs": onnxruntime_forward(case.source, feed), "ours": forward(case.net, feed)}
    found = in_turns(runs, case.rounds)
    label = f"forward pass of the whole network, batch {batch} / onnxruntime"
    note = f"{found['ours'] / batch * 1000:.1f} ms per image"
    yield Row(label, found["ours"] / found["theirs"], "", None, note)


def measured(case: Case, *, quick: bool) -> Iterator[Row]:
    """All rows, as they are found."""
    yield from loops(case)
    yield from cold(case)
    yield from compiling(case)
    yield from pictures(case, quick=quick)
    yield from memory(case, quick=quick)
    if case.net.identity.format == "onnx" and case.net.image_port.channels_first:
        yield from importing(case)


def main() -> None:
    """Measure and print the table."""
    if sys.argv[1:2] == ["--users"]:
        bench_users.main(sys.argv[2:])
        return
    models = os.environ.get("KERASVIZ_TEST_MODELS", "../shared/models")
    found = Path(models) / "googlenet.onnx"
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", nargs="?", default=str(found) if found.exists() else None)
    parser.add_argument("--tap", help="default: mixed4a, else the middle one of the main taps")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--recipe", default="article")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and pictures")
    parser.add_argument("--json", type=Path, help="write the rows and the environment here too")
    parser.add_argument("--device", choices=("cpu", "gpu"), help="default: what there is")
    options = parser.parse_args()
    if options.device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    elif options.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        sys.exit("--device gpu: TensorFlow finds no GPU here")

    source = options.model or "efficientnet-lite0"
    net = kerasviz.load(source)
    taps = net.main_taps or tuple(net.taps)
    tap = options.tap or ("mixed4a" if "mixed4a" in net.taps else taps[len(taps) // 2])
    chosen = recipe(options.recipe).replace(size=(options.size, options.size))
    choice = choose(net, [tap])
    rounds = 5 if options.quick else 21
    case = Case(net, source, tap, chosen, choice.precision, rounds)
    here = environment()
    print(f"{net.name} up to {tap}, {options.size}x{options.size}, recipe {chosen.name}")
    print(f"{here['device']}, {here['threads']} threads, TensorFlow {here['tensorflow']}")
    print(f"auto is {choice.precision}: {choice.why}\n")
    print("| row | measured | at most | |")
    print("| --- | ---: | ---: | --- |")
    rows = []
    for row in measured(case, quick=options.quick):
        print(row, flush=True)
        rows.append(row)
    if options.json:
        data = {"environment": here, "network": net.name, "tap": tap, "auto": asdict(choice)}
        data["rows"] = [asdict(row) for row in rows]
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
