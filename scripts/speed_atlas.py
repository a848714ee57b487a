"""Measure how much faster two workers make an atlas than one, and compare with the simulator.

    python scripts/speed_atlas.py [MODEL] [TAP...] [--workers 1 2] [--engine ray] [--steps N] ...

Makes the same atlas with each number of workers, each with a core of its own, in folders that are
removed before. Prints the seconds from asking for the workers to the last finished task, and those
of the whole command, with its start, the check of all pictures and the site. Beside them stand the
speed-ups over the first number, and the prediction of `scripts/simulate_atlas.py` from its log.
Ends with 1 unless the pictures have the same bytes. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from atlas_simulation import Conditions, simulate
from kill_atlas import atlas, entries, files
from simulate_atlas import measured, read_log, workload_of


def log_of(out: Path) -> Path:
    """Return the log of the only run in an atlas."""
    (found,) = (out / "runs").glob("*.jsonl")
    return found


def main() -> int:
    """Make the atlases, and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", nargs="?", default="efficientnet-lite0")
    parser.add_argument("taps", nargs="*", help="default: block1a block2a block3b block4a")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--size", default="64")
    parser.add_argument("--out", type=Path, default=Path("out/speed-atlas"))
    options = parser.parse_args()
    taps = options.taps or ["block1a", "block2a", "block3b", "block4a"]
    arguments = [options.model, *taps, "--steps", str(options.steps), "--size", options.size]

    heads = ("rendering s", "times", "command s", "times", "predicted s", "error")
    lines = [f"{'workers':>7}" + "".join(f"{head:>13}" for head in heads)]
    first: tuple[float, float] | None = None
    same = True
    for count in options.workers:
        out = options.out / f"workers{count}"
        shutil.rmtree(out, ignore_errors=True)
        began = time.monotonic()
        run = atlas([*arguments, "--workers", str(count)], out, options.engine)
        if run.wait():
            return run.returncode
        whole = time.monotonic() - began
        events = read_log(log_of(out))
        rendering, alive = measured(events)
        if alive != count:
            print(f"{alive} workers came up where {count} were asked for")
            return 1
        if first is None:
            first, made = (rendering, whole), (files(out), entries(out))
            load, start = workload_of(events)
        same = same and made == (files(out), entries(out))
        predicted = simulate(load, Conditions(count, start=start)).makespan
        cells = (
            f"{rendering:.1f}",
            f"{first[0] / rendering:.2f}",
            f"{whole:.1f}",
            f"{first[1] / whole:.2f}",
            f"{predicted:.1f}",
            f"{predicted / rendering - 1:+.1%}",
        )
        lines.append(f"{count:>7}" + "".join(f"{cell:>13}" for cell in cells))
    print("\n".join(lines))
    print(f"{len(made[0]):,} pictures: {'the same bytes' if same else 'THEY DIFFER'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
