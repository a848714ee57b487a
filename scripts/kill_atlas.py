"""Makes an atlas while its workers are killed, then again undisturbed, and compares all bytes.

    python scripts/kill_atlas.py [MODEL] [TAP...] [--engine ray|local] [--every S] [--steps N] ...

A random worker gets kill -9 every ``--every`` seconds until the run ends. Then the same atlas is
made by ``--engine local`` in another folder, and no worker is killed. Pictures and entries of the
manifests must be the same, and ``kerasviz verify`` must make the first atlas again (unless
``--no-verify``). Finished pictures are not made again. Ends with 1 unless all of that holds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

COMMAND = (sys.executable, "-c", "from kerasviz.cli import main; main()")
#: Seconds after which is asked again whether the run has ended.
LOOK = 0.5


def workers_of(run: psutil.Process) -> list[psutil.Process]:
    """Return the worker processes of a run, of either engine."""
    found = []
    for process in run.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            local = "kerasviz.atlas.engines.worker_process" in line
            if local or (line and line[0].startswith("ray::JobWorker")):  # not Ray's agents
                found.append(process)
    return found


def kill_until_ended(run: subprocess.Popen[bytes], every: float, draw: random.Random) -> int:
    """Kill a worker after each ``every`` seconds until the run ends; return the number of kills."""
    whole, killed, latest = psutil.Process(run.pid), 0, time.monotonic()
    while run.poll() is None:
        time.sleep(LOOK)
        if time.monotonic() - latest < every:
            continue
        latest = time.monotonic()
        with contextlib.suppress(psutil.Error):
            if workers := workers_of(whole):
                draw.choice(workers).kill()
                killed += 1
    return killed


def entries(out: Path) -> dict[str, object]:
    """Read the entries of an atlas' manifest, by file."""
    manifest = json.loads((out / "pictures" / "manifest.json").read_text())
    return {entry["file"]: entry for entry in manifest["pictures"]}


def files(out: Path) -> dict[str, bytes]:
    """Read the bytes of every picture."""
    folder = out / "pictures" / "objects"
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}


def atlas(arguments: Sequence[str], out: Path, engine: str) -> subprocess.Popen[bytes]:
    """Start ``kerasviz atlas``."""
    options = ["atlas", *arguments, "--engine", engine, "--out", str(out)]
    return subprocess.Popen([*COMMAND, *options])


def main() -> int:
    """Make both, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", nargs="?", default="efficientnet-lite0")
    parser.add_argument("taps", nargs="*")
    parser.add_argument("--engine", choices=("local", "ray"), default="ray")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two kills")
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--size", default="64")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of workers")
    parser.add_argument("--out", type=Path, default=Path("out/kill-atlas"))
    parser.add_argument("--no-verify", action="store_true")
    options = parser.parse_args()

    arguments = [options.model, *options.taps, "--steps", str(options.steps)]
    arguments += ["--size", options.size, "--workers", str(options.workers)]
    disturbed, quiet = options.out / options.engine, options.out / "undisturbed"
    began = time.monotonic()
    run = atlas(arguments, disturbed, options.engine)
    killed = kill_until_ended(run, options.every, random.Random(options.seed))
    seconds = time.monotonic() - began
    began = time.monotonic()
    again = atlas(arguments, quiet, "local")
    again.wait()
    print(f"{options.engine}: ended with {run.returncode} after {seconds:.0f} s, {killed} killed")
    print(f"local: ended with {again.returncode} after {time.monotonic() - began:.0f} s")
    if run.returncode or again.returncode:
        return 1
    one, other = files(disturbed), files(quiet)
    same = one == other and entries(disturbed) == entries(quiet)
    print(f"{len(one)} and {len(other)} pictures: {'the same bytes' if same else 'THEY DIFFER'}")
    if options.no_verify:
        return 0 if same else 1
    verified = subprocess.run([*COMMAND, "verify", str(disturbed)], check=False)
    print(f"verify ended with {verified.returncode}")
    return 0 if same and not verified.returncode else 1


if __name__ == "__main__":
    sys.exit(main())
