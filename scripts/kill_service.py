"""Kills a service at random moments of its work, again and again, and counts what is left.

    python scripts/kill_service.py [--rounds N] [--seed N] [--workers N] [--data DIR]

In each round jobs are sent, some are cancelled, and then kill -9 hits the server, the server with
all its workers, a single worker, or the server while it starts. Afterwards whatever lies in the
data folder has to be whole. At the end every job that was accepted must have ended exactly once, no
picture that was finished may have been made again, and ``kerasviz verify`` makes all of them again.
Ends with 1 unless all of that holds. A network of one layer is used: nearly all of the time goes
into the work that is killed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import sqlite3
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service_process import ServiceProcess

KINDS = ("server", "all", "worker", "start")
NETWORK = "small"
UNITS, SIDE, STEPS = 64, 48, 256
#: Looks, two a second, until all that is left is made; counted, as a machine may be held up.
LOOKS = 1200


@dataclass
class Seen:
    """What was seen of a service that is killed."""

    accepted: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    done: dict[str, list[Any]] = field(default_factory=dict)
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def check(self, good: bool, what: str) -> None:
        """Note what is wrong."""
        if not good:
            self.wrong.append(what)
            print(f"  WRONG: {what}", flush=True)


def make_network(path: Path) -> None:
    """A network of one layer."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Conv2D(UNITS, 3, strides=2, activation="tanh", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, activation="softmax", name="prob"),
        ]
    ).save(path)


def send(service: ServiceProcess, seen: Seen, draw: random.Random, count: int) -> None:
    """Ask for pictures, some of them asked for before, and cancel a few that nobody else wants."""
    for _ in range(count):
        cancel = draw.random() < 0.1
        body = {
            "network": NETWORK,
            "targets": [f"conv:{draw.randrange(UNITS)}" for _ in range(draw.choice((1, 1, 2, 4)))],
            "kind": draw.choice(("channel", "negative")),
            "size": SIDE,
            "steps": STEPS,
            "seed": 1000 + len(seen.accepted) if cancel else draw.randrange(3),
        }
        try:
            _, job = service.ask("POST", "/api/renders", body)
        except OSError:  # it was not accepted, or the answer was lost
            continue
        seen.accepted.add(job["id"])
        if cancel:
            seen.cancelled.add(job["id"])
            with contextlib.suppress(OSError):
                service.ask("DELETE", job["url"])


def look(service: ServiceProcess, seen: Seen) -> None:
    """Note what has ended; what had ended before must be as it was."""
    for name in seen.accepted:
        with contextlib.suppress(OSError):
            _, job = service.ask("GET", f"/api/renders/{name}")
            if job["state"] != "done":
                seen.check(name not in seen.done, f"job {name} was done, and is {job['state']}")
                continue
            what = [job["ended"], [(p["row"], p["sha256"]) for p in job["pictures"]]]
            before = seen.done.setdefault(name, what)
            seen.check(before == what, f"job {name} was done twice: {before}, {what}")


def read_whole(data: Path, seen: Seen) -> None:
    """Whatever the folder holds is whole; finished pictures are the files that they were."""
    from kerasviz.io.files import checksum
    from kerasviz.io.images import decode
    from kerasviz.rendering.manifest import MANIFEST, read_manifest

    for path in data.rglob("*.png"):
        try:
            decode(path.read_bytes())[0].load()
        except FileNotFoundError:  # an intermediate picture of a worker that lives
            continue
        except (OSError, ValueError, SyntaxError) as error:
            seen.check(False, f"{path} is cut off: {error}")
    folder = data / "pictures" / NETWORK
    if (folder / MANIFEST).is_file():
        for entry in read_manifest(folder)["pictures"]:
            path = folder / entry["file"]
            content = path.read_bytes()
            seen.check(checksum(content) == entry["sha256"], f"{path} is not what it should be")
            status = path.stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            before = seen.files.setdefault(entry["file"], stamp)
            seen.check(before == stamp, f"{path} was made again")
    with contextlib.closing(sqlite3.connect(data / "jobs.sqlite", timeout=30)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        seen.check(found == "ok", f"jobs.sqlite: {found}")


def until_work(service: ServiceProcess, patience: float = 60.0) -> None:
    """Wait until a job is being made."""
    latest = time.monotonic() + patience
    while time.monotonic() < latest:
        with contextlib.suppress(OSError):
            if service.ask("GET", "/api/renders?state=running&limit=1")[1]:
                return
        time.sleep(0.05)


def until_finished(service: ServiceProcess, seen: Seen, patience: float = 120.0) -> None:
    """Wait until another picture is finished than those that were seen."""
    latest, folder = time.monotonic() + patience, service.data / "pictures" / NETWORK
    while time.monotonic() < latest and len(list(folder.glob("*.png"))) <= len(seen.files):
        time.sleep(0.02)


def play_round(service: ServiceProcess, seen: Seen, draw: random.Random, kind: str) -> None:
    """Send work, kill, and look at what remains."""
    seen.kills[kind] += 1
    if kind == "start":  # anywhere between the import of TensorFlow and the first job
        service.kill(workers=True)
        service.start()
        time.sleep(draw.uniform(0.5, 12))
        service.kill(workers=True)
    else:
        send(service, seen, draw, draw.randint(2, 6))
        until_work(service)
        if draw.random() < 0.6:  # most of the time goes into compiling, the rest counts more
            until_finished(service, seen)
            time.sleep(draw.uniform(0, 0.5))
        else:
            time.sleep(draw.uniform(0, 4))
        if kind == "worker":
            workers = service.workers()
            if workers:
                os.kill(draw.choice(workers), signal.SIGKILL)
            time.sleep(draw.uniform(0, 1))
        else:
            service.kill(workers=kind == "all")
    read_whole(service.data, seen)
    if kind != "worker":
        service.start()
    service.wait()
    look(service, seen)


def finish(service: ServiceProcess, seen: Seen) -> Counter[str]:
    """Wait for the rest, and judge all of it."""
    for _ in range(LOOKS):
        live = [
            job
            for state in ("accepted", "running")
            for job in service.insist(f"/api/renders?state={state}&limit=500")
        ]
        if not live:
            break
        time.sleep(0.5)
    seen.check(not live, f"{len(live)} jobs have not ended")
    look(service, seen)
    states: Counter[str] = Counter()
    for name in sorted(seen.accepted):
        job = service.insist(f"/api/renders/{name}")
        states[job["state"]] += 1
        wanted = ("cancelled", "done") if name in seen.cancelled else ("done",)
        seen.check(job["state"] in wanted, f"job {name} is {job['state']}: {job['error']}")
    seen.check(service.stop() == 0, "to stop did not end with 0")
    return states


def count_ends(data: Path, seen: Seen) -> Counter[int]:
    """How many jobs ended how often, by the service's own count; finished pictures, each once."""
    from kerasviz.rendering.manifest import read_manifest

    with contextlib.closing(sqlite3.connect(data / "jobs.sqlite")) as connection:
        rows = connection.execute("SELECT id, state, ends FROM jobs").fetchall()
        done = connection.execute("SELECT COUNT(*) FROM pictures WHERE state = 'done'").fetchone()
    known = {name for name, _, _ in rows}
    seen.check(seen.accepted <= known, f"jobs are lost: {sorted(seen.accepted - known)}")
    for name, state, ends in rows:  # also those whose answer was lost
        seen.check(ends == 1, f"job {name} is {state} and ended {ends} times")
    keys = Counter(e["key"] for e in read_manifest(data / "pictures" / NETWORK)["pictures"])
    seen.check(max(keys.values(), default=0) <= 1, "the manifest has a picture twice")
    seen.check(len(keys) >= done[0], f"{done[0]} pictures are done, {len(keys)} in the manifest")
    left = list((data / "pictures").rglob(".kerasviz-*"))
    seen.check(not left, f"temporary files are left: {left[:3]}")
    return Counter(ends for _, _, ends in rows)


def verified(model: Path, data: Path, seen: Seen) -> str:
    """What verifying says of the pictures, each of which is made again."""
    from kerasviz.network.input_spec import preset
    from kerasviz.rendering.verify import verify_pictures
    from kerasviz.service.networks import load
    from kerasviz.zoo.model_source import ModelSource

    net = load(ModelSource(str(model), input_spec=preset("unit")))
    results, _ = verify_pictures(data / "pictures" / NETWORK, net)
    found = Counter(each.result for each in results)
    seen.check(set(found) == {"same"}, f"verify found {dict(found)}")
    return ", ".join(f"{n} {result}" for result, n in found.items())


def run(folder: Path, rounds: int, seed: int = 0, workers: int = 2) -> Seen:
    """All rounds, and the table of what came out."""
    draw, seen = random.Random(seed), Seen()
    model = folder / f"{NETWORK}.keras"
    make_network(model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = (model, "--preprocess", "unit", "--workers", workers)
    service = ServiceProcess(folder / "data", port, arguments)
    began = time.monotonic()
    service.start()
    try:
        service.wait()
        for number in range(rounds):
            kind = KINDS[number] if number < len(KINDS) else draw.choice(KINDS)
            play_round(service, seen, draw, kind)
            words = f"{len(seen.accepted)} jobs accepted, {len(seen.done)} done"
            print(f"round {number + 1:3} {kind:7} {words}", flush=True)
        states = finish(service, seen)
    finally:
        service.kill(workers=True)
    read_whole(service.data, seen)
    ends = count_ends(service.data, seen)
    rows = {
        "rounds": f"{rounds} ({', '.join(f'{n} {kind}' for kind, n in seen.kills.items())})",
        "jobs accepted": str(len(seen.accepted)),
        "in the states": ", ".join(f"{n} {state}" for state, n in states.items()),
        "ended so often": ", ".join(f"{n} jobs {e} times" for e, n in ends.items()),
        "pictures": str(len(seen.files)),
        "verify": verified(model, service.data, seen),
        "seconds": f"{time.monotonic() - began:.0f}",
        "wrong": "; ".join(seen.wrong) or "nothing",
    }
    for name, value in rows.items():
        print(f"{name:15} {value}")
    return seen


def main() -> None:
    """Read the arguments, run, and exit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--data", type=Path, help="an empty folder; a temporary one by default")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        seen = run(folder, options.rounds, options.seed, options.workers)
    raise SystemExit(1 if seen.wrong else 0)


if __name__ == "__main__":
    main()
