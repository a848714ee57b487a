"""Times the full loop beside other libraries of feature visualization, in one run and in turns.

    python scripts/bench_peers.py [MODEL] [--environment FOLDER] [--rounds N] [--json FILE]

Makes an environment of its own (a temporary one, or in FOLDER, where it stays for the next time),
installs `xplique`, `tf-keras-vis` and `torch-lucent` there, and gives all the same weights: an ONNX
model (GoogLeNet) up to a tap, for TensorFlow as a Keras file that kerasviz writes, for PyTorch as a
module that computes the file's nodes. Activations must agree with kerasviz's before anything is
timed. What cannot be installed or run is named and left out.

Every library runs its own public function by its defaults in a process of its own, which waits
between its steps (``peer_worker.py``); all are asked for some steps in turn, medians are shown.
Run it on a machine that does nothing else. `torchvision`, which `torch-lucent` asks for, brings
gigabytes and is not installed: what lucent imports of it is not called with this network.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().with_name("peer_worker.py")
OURS = "kerasviz, auto"
AGREE = 1e-3  # of the largest activation
TURN = 0.8  # seconds that a turn should take


@dataclass(frozen=True)
class Contender:
    """A library as it is measured: what it needs, and what a step of it does and does not do.

    ``installs`` are the arguments of calls to pip, one after the other; without any it runs in
    kerasviz's own environment. ``distributions`` are there once it is installed.
    """

    name: str
    does: str
    installs: tuple[tuple[str, ...], ...] = ()
    distributions: tuple[str, ...] = ()


def contenders(torch: str) -> tuple[Contender, ...]:
    """All of them, ours first; ``torch`` is how pip is asked for PyTorch."""
    tensorflow = f"tensorflow=={version('tensorflow')}"
    lucent = (
        (torch, "numpy", "onnx", "tqdm", "ipython", "pillow", "decorator", "scikit-learn"),
        ("--no-deps", "kornia==0.4.1", "torch-lucent"),
    )
    lucent_there = ("torch", "onnx", "kornia", "torch-lucent")
    tf_there = ("tensorflow",)
    return (
        Contender(
            OURS,
            "Fourier, decorrelated colours, pad, jitter, scale, turn, jitter and crop, for each "
            "row its own draw; Adam; the whole loop is one graph",
        ),
        Contender("kerasviz, float32", "the same, all in float32"),
        Contender(
            "xplique",
            "`optimize`: Fourier, decorrelated colours, pad, jitter (7 crops), scale, blur, flip, "
            "one draw for the batch but for the flip, no turn, resized to the network's size; "
            "Adam; the gradient is a graph, the optimizer and the loop are not",
            ((tensorflow, "xplique"),),
            (*tf_there, "xplique"),
        ),
        Contender(
            "tf-keras-vis",
            "`ActivationMaximization`: pixels, jitter and a turn of 1 degree (SciPy) that change "
            "the image itself, one draw for the batch, total variation and L1 norm, no "
            "decorrelation, no scale; RMSprop; no graph mode",
            ((tensorflow, "tf-keras-vis"),),
            (*tf_there, "tf-keras-vis"),
        ),
        Contender(
            "torch-lucent",
            "`render_vis`: Fourier, decorrelated colours, pad, jitter, scale, turn, jitter, one "
            "draw for the batch; images below 224 pixels are enlarged to 224 for the network; "
            "Adam; no graph mode; gradients of the weights, on in its examples, are off here",
            lucent,
            lucent_there,
        ),
        Contender(
            "torch-lucent, not enlarged",
            "the same with `fixed_image_size`: the network sees as many pixels as with the others",
            lucent,
            lucent_there,
        ),
    )


# -- the environment -------------------------------------------------------------------------


@contextmanager
def environment_in(folder: Path | None) -> Iterator[Path]:
    """The Python of an environment in ``folder``, made if it is not there, or a temporary one."""
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not python.exists():
            venv.create(place, with_pip=True)
        yield python


def missing(python: Path, distributions: Sequence[str]) -> bool:
    """Whether one of the distributions is not installed for ``python``."""
    code = "import sys; from importlib.metadata import version; [*map(version, sys.argv[1:])]"
    words = [str(python), "-c", code, *distributions]
    return subprocess.run(words, capture_output=True, check=False).returncode != 0


def install(python: Path, contender: Contender) -> str | None:
    """Install what a contender needs; the reason in a line where that fails."""
    if not missing(python, contender.distributions):
        return None
    for arguments in contender.installs:
        words = [str(python), "-m", "pip", "install", "--quiet", *arguments]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        if ended.returncode:
            return last_line(ended.stderr)
    return None


def last_line(text: str) -> str:
    """What a program said last, which is where it says why it ended."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


# -- the processes ---------------------------------------------------------------------------


class Worker:
    """A process that runs one library's loop for pictures of one batch size."""

    def __init__(self, python: str, name: str, task: dict[str, Any]):
        self.name, self.batch = name, int(task["batch"])
        self.label = f"{name}, batch {self.batch}"
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, str(WORKER), name, json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.times: list[float] = []

    def answer(self) -> dict[str, Any] | None:
        """The next line of the process; None if it has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def seconds(self, steps: int) -> float | None:
        """The time of a step, measured over at least this many; None if the process has ended."""
        assert self.process.stdin is not None
        try:
            print(steps, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return None
        found = self.answer()
        return found["seconds"] / found["steps"] if found else None

    def why(self) -> str:
        """What the process said last."""
        self.errors.seek(0)
        return last_line(self.errors.read())

    def close(self) -> None:
        """End the process, and wait for that."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # what it was asked, and did not live to read
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


def started(workers: list[Worker], left_out: dict[str, str]) -> dict[Worker, dict[str, Any]]:
    """The workers that run and compute what kerasviz computes, with what they said."""
    running = {}
    for worker in workers:
        hello = worker.answer()
        if hello is None:
            left_out[worker.label] = worker.why()
        elif not hello["differs"] <= AGREE:
            left_out[worker.label] = f"its activations differ by {hello['differs']:.1g}"
        else:
            running[worker] = hello
    return running


def measure(workers: list[Worker], rounds: int, left_out: dict[str, str]) -> None:
    """Ask each worker for some steps in turn; those that end on the way are left out."""
    steps = {}
    for worker in workers:
        worker.seconds(2)  # memory that is asked for once
        steps[worker] = max(1, round(TURN / (worker.seconds(2) or TURN)))
    for _ in range(rounds):
        for worker in workers:
            took = worker.seconds(steps[worker])
            if took is None:
                left_out[worker.label] = worker.why()
            else:
                worker.times.append(took / worker.batch)


# -- the table -------------------------------------------------------------------------------


@dataclass
class Row:
    """A line of the table: the seconds for an image and step in each turn, by batch size."""

    name: str
    version: str
    detail: str = ""
    turns: dict[int, list[float]] = field(default_factory=dict)

    def seconds(self, batch: int) -> float | None:
        """The median of the turns; None if there was none."""
        return statistics.median(self.turns[batch]) if self.turns.get(batch) else None


def table(rows: Sequence[Row], batches: Sequence[int]) -> str:
    """The rows in Markdown, with their ratios to ours; a missing number is a dash."""
    ours = next((row for row in rows if row.name == OURS), Row(OURS, ""))
    head = ["library", "version", *(f"ms per image and step, batch {b}" for b in batches)]
    head += [f"/ {OURS}, batch {b}" for b in batches]
    lines = [head, ["---", "---", *["---:"] * (2 * len(batches))]]
    for row in rows:
        more = f" ({row.detail})" if row.detail and row.detail not in row.name else ""
        times = [_shown(row.seconds(b), 0.001) for b in batches]
        ratios = [_shown(row.seconds(b), ours.seconds(b)) for b in batches]
        lines.append([row.name + more, row.version, *times, *ratios])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(seconds: float | None, unit: float | None) -> str:
    return "-" if seconds is None or unit is None else f"{seconds / unit:.1f}"


def rows_of(running: dict[Worker, dict[str, Any]]) -> list[Row]:
    """A row for each library, from its workers for the batch sizes."""
    rows: dict[str, Row] = {}
    for worker, hello in running.items():
        made = Row(worker.name, hello["version"], hello.get("detail", ""))
        row = rows.setdefault(worker.name, made)
        row.turns[worker.batch] = worker.times
    return list(rows.values())


def compare(options: argparse.Namespace, python: Path) -> tuple[list[Row], dict[str, str], str]:
    """The rows, what was left out and why, and a line on the machine and what ``auto`` is."""
    known = contenders(options.torch)
    left_out: dict[str, str] = {}
    for each in known:
        why = install(python, each) if each.installs else None
        if why:
            left_out[each.name] = why
    if options.only_install:
        return [], left_out, ""
    with tempfile.TemporaryDirectory() as folder:
        task = {"folder": folder, "model": str(Path(options.model).resolve())}
        task |= {"tap": options.tap, "size": options.size}
        reference = Worker(sys.executable, "reference", {**task, "batch": 1})
        hello = reference.answer()
        if hello is None:
            sys.exit(f"{options.model}: {reference.why()}")
        reference.close()
        workers = [
            Worker(
                str(python) if each.installs else sys.executable, each.name, {**task, "batch": b}
            )
            for each in known
            if each.name not in left_out
            for b in options.batches
        ]
        try:
            running = started(workers, left_out)
            measure(list(running), options.rounds, left_out)
        finally:
            for worker in workers:
                worker.close()
        return rows_of(running), left_out, hello["detail"]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    models = os.environ.get("KERASVIZ_TEST_MODELS", "../shared/models")
    made = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    made.add_argument("model", nargs="?", default=str(Path(models, "googlenet.onnx")))
    made.add_argument("--tap", default="mixed4a")
    made.add_argument("--size", type=int, default=128)
    made.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--environment", type=Path, help="folder of the peers' environment, kept")
    made.add_argument("--only-install", action="store_true", help="make it, and measure nothing")
    made.add_argument("--torch", default="torch==2.13.0", help="what pip is asked for")
    made.add_argument("--json", type=Path, help="write the rows here too")
    return made


def main() -> None:
    """Measure and print the table with its notes."""
    options = parser().parse_args()
    if not Path(options.model).is_file():
        sys.exit(f"no file {options.model!r}; give an ONNX model, or set KERASVIZ_TEST_MODELS")
    with environment_in(options.environment) as python:
        rows, left_out, machine = compare(options, python)
    if rows:
        print(f"{Path(options.model).stem} up to {options.tap}, {options.size}x{options.size}")
        print(f"{machine}\n")
        print(table(rows, options.batches), end="\n\n")
        does = {each.name: each.does for each in contenders(options.torch)}
        print("\n".join(f"- {row.name}: {does[row.name]}." for row in rows))
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    if options.json:
        data = {"rows": [asdict(row) for row in rows], "left out": left_out, "machine": machine}
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
