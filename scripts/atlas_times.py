"""Measure how long the batches of an atlas take here: the input of scripts/simulate_atlas.py.

    python scripts/atlas_times.py [NETWORK] [TAP ...] [--batch 16 8 4] [--steps 2560] [--size 128]
                                  [--threads 1] [--precision auto] [--out FILE]

For each compiled loop of the atlas (a tap, what is rendered, a batch size) a few steps are timed
and the start until the first step, and once the start of a worker (a process that imports
TensorFlow and loads the network) and the time to encode and hash a picture. NETWORK `inceptionv1`
is taken with random weights where the file is not here: its times are the same. FILE is written
after every loop; what is in it is not measured again. With one thread the seconds are those of the
processor, which are those of the clock where nothing else runs; with more, those of the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
#: Seconds that each loop is timed, in two parts, of which the faster counts.
SECONDS = 4.0
#: The start of a worker; it prints the seconds to load the network.
WORKER = """
import sys, time
from kerasviz.cli.progress import import_tensorflow
import_tensorflow()
import kerasviz
if sys.argv[2]:
    sys.path.insert(0, sys.argv[2])
    from support import inception5h
    with inception5h.known(inception5h.known_card(), __import__("pathlib").Path(sys.argv[3])):
        began = time.process_time()
        kerasviz.load(sys.argv[1])
else:
    began = time.process_time()
    kerasviz.load(sys.argv[1])
print(time.process_time() - began)
"""


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("network", nargs="?", default="inceptionv1")
    parser.add_argument("taps", nargs="*")
    parser.add_argument("--batch", type=int, nargs="+", default=[16, 8, 4])
    parser.add_argument("--steps", type=int, default=2560)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=Path("atlas_times.json"))
    return parser.parse_args()


@contextlib.contextmanager
def network(name: str) -> Any:
    """Yield the network, and the folders of tests and cache by which a worker finds it, or ""."""
    import kerasviz
    from kerasviz.errors import UsageError

    try:
        yield kerasviz.load(name), "", ""
        return
    except UsageError:
        if name != "inceptionv1":
            raise
    sys.path.insert(0, str(TESTS))
    from support import inception5h

    with tempfile.TemporaryDirectory() as folder:
        cache = inception5h.fetched(Path(folder)).parents[2]
        with inception5h.known(inception5h.known_card(), cache):
            yield kerasviz.load(name), str(TESTS), str(cache)


def started(name: str, tests: str, cache: str) -> dict[str, float]:
    """Measure the seconds of a worker's start, and the part that reads the network."""
    command = [sys.executable, "-c", WORKER, name, tests, cache]
    found = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append((seconds, float(done.stdout.split()[-1])))
    return {"start": min(found)[0], "load": min(found)[1]}


def timed(net: Any, plan: Any, clock: Callable[[], float]) -> dict[str, float]:
    """Measure the seconds to compile a loop, of a run without steps, and of a step."""
    from kerasviz.rendering.render import render_batch

    def run(steps: int) -> float:
        recipe = plan.recipe.replace(steps=steps)
        short = tuple(replace(request, recipe=recipe, snapshots=()) for request in plan.requests)
        began = clock()
        render_batch(net, replace(plan, requests=short))
        return clock() - began

    first, again = run(1), min(run(1), run(1))
    few = run(5)
    steps = max(4, int(SECONDS / 2 / max((few - again) / 4, 1e-4)))
    step = min(run(1 + steps), run(1 + steps)) - again
    return {"compiling": first - again, "call": again, "step": step / steps}


def encoded(size: int) -> float:
    """Measure the seconds to encode a picture and compute its name."""
    import hashlib

    import numpy as np

    from kerasviz.io.images import encode, to_image

    image = np.random.default_rng(0).random((size, size, 3), np.float32)
    began = time.process_time()
    for _ in range(20):
        hashlib.sha256(encode(to_image(image), "png")).hexdigest()
    return (time.process_time() - began) / 20


def as_text(data: dict[str, Any]) -> str:
    """Write the data as JSON, a line for each loop."""
    about = json.dumps({k: v for k, v in data.items() if k != "loops"}, indent=1)[:-2]
    loops = ",\n  ".join(json.dumps(loop) for loop in data["loops"])
    return f'{about},\n "loops": [\n  {loops}\n ]\n}}\n'


def main() -> None:
    """Time the loops that are missing in the file."""
    wanted = parse()
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(wanted.threads)
    from kerasviz.cli.progress import import_tensorflow

    import_tensorflow()
    from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
    from kerasviz.figures.layout.build import choose as choose_figure
    from kerasviz.figures.layout.context import FigureOptions
    from kerasviz.io.files import write_atomically
    from kerasviz.optvis.environment import environment
    from kerasviz.optvis.optimization.precision import AUTO, choose
    from kerasviz.optvis.recipes import recipe
    from kerasviz.rendering.batching import make_batches

    clock = time.process_time if wanted.threads == 1 else time.perf_counter
    with network(wanted.network) as (net, tests, cache):
        mains = [n for n in net.main_taps if len(net.taps[n].shape or ()) == 4]
        taps = wanted.taps or mains
        precision = wanted.precision
        if precision == AUTO:
            precision = choose(net, taps).precision
        own = recipe("article").replace(
            steps=wanted.steps, size=(wanted.size, wanted.size), precision=precision
        )
        requests = choose_figure(
            APPENDIX_LAYER, FigureOptions(net, own, layers=tuple(taps))
        ).requests
        data: dict[str, Any] = {
            "network": wanted.network,
            "steps": wanted.steps,
            "size": wanted.size,
            "threads": wanted.threads,
            "precision": precision,
            "environment": environment(),
            "loops": [],
        }
        if wanted.out.exists():
            data = json.loads(wanted.out.read_text())
        if "start" not in data:
            data |= started(wanted.network, tests, cache) | {"encode": encoded(wanted.size)}
        known = {(loop["kind"], loop["batch"]) for loop in data["loops"]}
        for batch in wanted.batch:
            plans = make_batches(net, [replace(request, batch=batch) for request in requests])
            kinds: dict[str, list[Any]] = {}
            for each in plans:
                slots = "+".join(slot.reduction for slot in each.structure)
                tap = each.requests[0].text.lstrip("-").split(":")[0]
                kinds.setdefault(f"{tap} {slots}", []).append(each)
            for kind, own_plans in kinds.items():
                if (kind, batch) in known:
                    continue
                found = timed(net, own_plans[0], clock)
                rows = [each.rows for each in own_plans]
                loop = {"kind": kind, "batch": batch, "pictures": sum(rows), "tasks": len(rows)}
                loop |= {key: round(value, 5) for key, value in found.items()}
                data["loops"].append(loop)
                print(loop, flush=True)
                write_atomically(wanted.out, as_text(data).encode())


if __name__ == "__main__":
    main()
