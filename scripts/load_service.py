"""Asks a service for everything at once, as many clients do, and measures what comes back.

    python scripts/load_service.py [MODEL] [--clients N] [--seconds N] [--think SECONDS]

Each client sends one request after another on its own connection, drawn at random: metadata, pages
of the network, pictures, ``:predict`` (one image, 8 images to ``activations``, pictures in a few
steps), render jobs, and the events of a job until it ends. Prints the requests by kind and status
with their times, the memory of the processes, and the jobs that were lost. Ends with 1 if an answer
was 5xx, a connection broke, or a job was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import socket
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from http_client import Client
from service_process import ServiceProcess

#: How often each kind of request is sent, relative to the others.
WEIGHTS = {
    "metadata": 15,
    "page": 25,
    "picture": 25,
    "job": 15,
    "render": 6,
    "events": 4,
    "predict 1": 5,
    "predict 8": 3,
    "visualize": 2,
}
SIDE, STEPS = 48, 16
BATCH = 8
#: Seconds after the load until all jobs have ended, and of one answer.
PATIENCE, ANSWER = 600.0, 120.0


@dataclass
class Measured:
    """Times in seconds by kind of request, and what came back."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, Counter[object]] = field(default_factory=lambda: defaultdict(Counter))
    accepted: set[str] = field(default_factory=set)
    memory: list[tuple[float, int, int]] = field(default_factory=list)

    def note(self, kind: str, status: object, seconds: float) -> None:
        """Keep one answer."""
        self.statuses[kind][status] += 1
        if status in (200, 202):
            self.times[kind].append(seconds)

    def failures(self) -> int:
        """Answers 5xx, and connections that broke."""
        found = Counter[object]()
        for counted in self.statuses.values():
            found += counted
        return sum(n for s, n in found.items() if not isinstance(s, int) or s >= 500)


@dataclass(frozen=True)
class Network:
    """What is asked of: the network's name, layers with their units, image size."""

    name: str
    layers: Sequence[tuple[str, int]]
    size: tuple[int, int, int]

    def images(self, count: int, seed: int) -> np.ndarray[Any, Any]:
        """Images [count, H, W, C] in [0, 1] with three digits."""
        draw = np.random.default_rng(seed)
        return draw.random((count, *self.size), np.float32).round(3)

    def body(self, signature: str, images: np.ndarray[Any, Any]) -> bytes:
        """A request of the images."""
        rows = [[[[round(float(v), 3) for v in p] for p in r] for r in i] for i in images]
        return json.dumps({"signature_name": signature, "instances": rows}).encode()


class Mix:
    """The requests of one client."""

    def __init__(self, net: Network, seed: int, bodies: dict[str, bytes], measured: Measured):
        self.net, self.draw, self.bodies, self.measured = net, random.Random(seed), bodies, measured
        self.pictures: list[str] = []

    async def ask(self, client: Client, kind: str) -> None:
        """Send a request of a kind and note what came back."""
        began = time.perf_counter()
        status: object
        try:
            async with asyncio.timeout(ANSWER):
                status = await getattr(self, "_" + kind.replace(" ", "_"))(client)
        except (OSError, EOFError, TimeoutError) as error:
            status = type(error).__name__
            await client.close()
        self.measured.note(kind, status, time.perf_counter() - began)

    async def _metadata(self, client: Client) -> int:
        end = self.draw.choice(("", "/versions/1", "/metadata"))
        return (await client.ask("GET", f"/v1/models/{self.net.name}{end}"))[0]

    async def _page(self, client: Client) -> int:
        layer, units = self.draw.choice(self.net.layers)
        name, unit = self.net.name, self.draw.randrange(units)
        address = self.draw.choice(
            (
                "",
                f"/layer?layer={layer}&count=32",
                f"/unit?layer={layer}&unit={unit}",
                f"/search?q={layer[:4]}",
            )
        )
        status, found = await client.ask("GET", f"/api/networks/{name}{address}")
        if address.startswith("/layer?") and status == 200:
            self.pictures += [u["picture"] for u in json.loads(found)["units"] if u["picture"]]
        return status

    async def _picture(self, client: Client) -> int:
        if not self.pictures:
            return await self._page(client)
        return (await client.ask("GET", self.draw.choice(self.pictures)))[0]

    async def _render(self, client: Client) -> int:
        layer, units = self.draw.choice(self.net.layers[:2])
        targets = [f"{layer}:{self.draw.randrange(units)}" for _ in range(self.draw.choice((1, 2)))]
        body = {"network": self.net.name, "targets": targets, "size": SIDE, "steps": STEPS}
        body["seed"] = self.draw.randrange(2)
        status, found = await client.ask("POST", "/api/renders", json.dumps(body).encode())
        if status in (200, 202):
            job = json.loads(found)
            self.measured.accepted.add(job["id"])
            self.pictures += [p["url"] for p in job["pictures"]]
        return status

    async def _job(self, client: Client) -> int:
        known = self.measured.accepted
        if not known:
            return (await client.ask("GET", "/api/renders?limit=5"))[0]
        job = next(itertools.islice(known, self.draw.randrange(len(known)), None))
        return (await client.ask("GET", f"/api/renders/{job}"))[0]

    async def _events(self, client: Client) -> int:
        """The events of a new job, until it ends or the patience does."""
        before = set(self.measured.accepted)
        status = await self._render(client)
        new = self.measured.accepted - before
        if not new:
            return status
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(15):
                return (await client.ask("GET", f"/api/renders/{new.pop()}/events"))[0]
        await client.close()  # the rest is not read, as when a page is left
        return 200

    async def _predict_1(self, client: Client) -> int:
        return await self._predict(client, "predict 1")

    async def _predict_8(self, client: Client) -> int:
        return await self._predict(client, "predict 8")

    async def _visualize(self, client: Client) -> int:
        return await self._predict(client, "visualize")

    async def _predict(self, client: Client, kind: str) -> int:
        address = f"/v1/models/{self.net.name}:predict"
        return (await client.ask("POST", address, self.bodies[kind]))[0]


# -- measuring -----------------------------------------------------------------------------------


async def load(service: ServiceProcess, mixes: Sequence[Mix], seconds: float, think: float) -> None:
    """Run all clients at once, for a number of seconds."""
    end = time.monotonic() + seconds
    measured = mixes[0].measured

    async def one(mix: Mix) -> None:
        async with Client(service.port) as client:
            while (left := end - time.monotonic()) > 0:
                await asyncio.sleep(min(left, mix.draw.expovariate(1 / think) if think else 0))
                if time.monotonic() < end:
                    kind = mix.draw.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
                    await mix.ask(client, kind)

    async def memory() -> None:
        began = time.monotonic()
        while True:
            found = await asyncio.to_thread(service.memory)
            now = time.monotonic() - began
            measured.memory.append((now, found["server"], found["workers"]))
            await asyncio.sleep(1)

    watching = asyncio.create_task(memory())
    await asyncio.gather(*(one(mix) for mix in mixes))
    watching.cancel()


def lost(service: ServiceProcess, measured: Measured) -> list[str]:
    """Jobs that were accepted and are not done, after all had their time."""
    latest, left = time.monotonic() + PATIENCE, set(measured.accepted)
    while left and time.monotonic() < latest:
        for job in list(left):
            with contextlib.suppress(OSError):
                if service.ask("GET", f"/api/renders/{job}")[1]["state"] == "done":
                    left.discard(job)
        time.sleep(0.5 if left else 0)
    return sorted(left)


# -- what is printed -----------------------------------------------------------------------------


def percentiles(times: Sequence[float]) -> list[float]:
    """Milliseconds: p50, p95, p99."""
    return [float(np.percentile(times, p)) * 1000 for p in (50, 95, 99)] if times else [0.0] * 3


def report(measured: Measured, seconds: float) -> None:
    """The table of requests and that of the memory."""
    columns = "".join(
        f"{name:>9}" for name in ("requests", "a second", "p50 ms", "p95 ms", "p99 ms")
    )
    print(f"{'kind':12}{columns}  statuses")
    for kind in WEIGHTS:
        counted = measured.statuses[kind]
        total = sum(counted.values())
        numbers = "".join(f"{n:9.0f}" for n in percentiles(measured.times[kind]))
        words = ", ".join(f"{n} x {status}" for status, n in sorted(counted.items(), key=str))
        print(f"{kind:12}{total:9}{total / seconds:9.1f}{numbers}  {words}")
    total = sum(sum(c.values()) for c in measured.statuses.values())
    print(f"{'all':12}{total:9}{total / seconds:9.1f}")
    rows = measured.memory
    chosen = [rows[round(k * (len(rows) - 1) / 6)] for k in range(7)] if rows else []
    print("memory (MiB)  " + "".join(f"{t:8.0f} s" for t, _, _ in chosen))
    for name, place in (("server", 1), ("workers", 2)):
        print(f"{name:14}" + "".join(f"{row[place] / 2**20:10.0f}" for row in chosen))


def network_of(service: ServiceProcess, name: str) -> Network:
    """What the service says of its network."""
    found = service.insist(f"/api/networks/{name}")
    layers = [(each["name"], each["units"]) for each in found["layers"] if each["units"]]
    height, width = found["input"]["size"]
    return Network(name, layers, (height, width, found["input"]["channels"]))


def run(options: argparse.Namespace, folder: Path) -> bool:
    """Measure all; whether nothing failed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [options.model, "--workers", options.workers]
    arguments += [f"--taps={options.taps}"] if options.taps else []
    service = ServiceProcess(folder / "data", port, arguments)
    service.start()
    try:
        service.wait("/readyz")
        name = service.insist("/api/networks")[0]["name"]
        net = network_of(service, name)
        bodies = {
            "predict 1": net.body("serving_default", net.images(1, 1)),
            "predict 8": net.body("activations", net.images(BATCH, 0)),
            "visualize": json.dumps(
                {
                    "signature_name": "visualize_png",
                    "instances": [{"tap": 0, "unit": 1, "seed": 2, "steps": 4}],
                }
            ).encode(),
        }
        measured = Measured()
        mixes = [Mix(net, seed, bodies, measured) for seed in range(options.clients)]
        asyncio.run(load(service, mixes, options.seconds, options.think))
        left = lost(service, measured)
        report(measured, options.seconds)
        print(f"jobs           {len(measured.accepted)} accepted, {len(left)} lost")
        ended = service.stop()
    finally:
        service.kill(workers=True)
    failures = measured.failures()
    print(f"failed         {failures} answers, {len(left)} jobs; the server ended with {ended}")
    return not failures and not left


def main() -> None:
    """Read the arguments, run, and exit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default="efficientnet-lite0")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--think", type=float, default=1.0, help="mean seconds between requests")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--taps", default="", help="taps of the signatures, separated by commas")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory() as folder:
        good = run(options, Path(folder))
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
