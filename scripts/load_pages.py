"""Opens many pages of a service at once, each wanting pictures, and says how fair it is.

    python scripts/load_pages.py [MODEL] [--pages 50] [--seconds 60]

Each page is a client of its own, as a browser's is: it asks for the description of the network and
for units of a layer, requests two rough pictures after another, follows the events of each job
until it ends, and loads what was made. Prints the pictures that the pages got (fewest, median,
most), the fairness index of Jain (1 is even), the times to the first picture and of answers, and
the answers by status. Ends with 1 if an answer was 5xx, a connection broke, or a page got nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from http_client import Client
from service_process import ServiceProcess

#: Pixels a side, steps and number of the pictures of a request.
SIDE, STEPS, PICTURES = 32, 8, 2
#: Seconds in which an answer has to come.
PATIENCE = 120.0


@dataclass
class Page:
    """A page that is open: what it got, and how long answers took."""

    number: int
    pictures: int = 0
    first: float | None = None
    times: list[float] = field(default_factory=list)
    statuses: Counter[object] = field(default_factory=Counter)

    async def ask(self, client: Client, method: str, address: str, body: Any = None) -> bytes:
        """Send a request and note what came back."""
        began = time.perf_counter()
        data = b"" if body is None else json.dumps(body).encode()
        try:
            async with asyncio.timeout(PATIENCE):
                status, answer = await client.ask(method, address, data)
        except (OSError, EOFError, TimeoutError) as error:
            self.statuses[type(error).__name__] += 1
            await client.close()
            return b""
        self.statuses[status] += 1
        self.times.append(time.perf_counter() - began)
        return answer if status < 400 else b""

    async def visit(self, port: int, name: str, layers: Sequence[Any], until: float) -> None:
        """Look at a layer, and want pictures of its units, one job after another."""
        began = time.monotonic()
        layer = layers[self.number % len(layers)]
        async with Client(port, {"X-Client": f"page {self.number}"}) as client:
            await self.ask(client, "GET", f"/api/networks/{name}")
            await self.ask(client, "GET", f"/api/networks/{name}/layer?layer={layer['name']}")
            seed = self.number
            while time.monotonic() < until:
                seed += 1000  # pictures that no other page wants
                units = [(self.number + k) % layer["units"] for k in range(PICTURES)]
                targets = [f"{layer['name']}:{unit}" for unit in units]
                body = {"network": name, "targets": targets, "size": SIDE, "steps": STEPS}
                answer = await self.ask(client, "POST", "/api/renders", {**body, "seed": seed})
                if not answer:
                    await asyncio.sleep(1)
                    continue
                job = json.loads(answer)
                await self._follow(client, job, began, until)

    async def _follow(self, client: Client, job: Any, began: float, until: float) -> None:
        """Follow the events of a job, and load its pictures; an unfinished one is given up."""
        left = max(1.0, until - time.monotonic())
        try:
            async with asyncio.timeout(left):
                status, _ = await client.ask("GET", job["events"])
        except TimeoutError:
            await client.close()  # the page is left
            await self.ask(client, "DELETE", job["url"])
            return
        self.statuses[status] += 1
        now = json.loads(await self.ask(client, "GET", job["url"]) or b"{}")
        for picture in now.get("pictures", []):
            if await self.ask(client, "GET", f"{picture['url']}&small=1"):
                self.pictures += 1
                self.first = self.first or time.monotonic() - began


async def open_pages(port: int, name: str, count: int, seconds: float) -> list[Page]:
    """Open pages at once for a time, and return what they got."""
    async with Client(port) as client:
        described = json.loads((await client.ask("GET", f"/api/networks/{name}"))[1])
    layers = [layer for layer in described["layers"] if layer["main"] and layer["units"]]
    pages = [Page(number) for number in range(count)]
    until = time.monotonic() + seconds
    await asyncio.gather(*(page.visit(port, name, layers, until) for page in pages))
    return pages


def evenness(counts: Sequence[int]) -> float:
    """Return the fairness index of Jain et al. 1984: 1 for equal shares, 1/N for one that has all.

    >>> evenness([3, 3, 3]), evenness([6, 0, 0])
    (1.0, 0.3333333333333333)
    """
    total = sum(counts)
    return total**2 / (len(counts) * sum(n**2 for n in counts)) if total else 0.0


def failures(pages: Sequence[Page]) -> int:
    """Return the number of answers 5xx and of broken connections."""
    found = sum((page.statuses for page in pages), Counter[object]())
    return sum(n for status, n in found.items() if not isinstance(status, int) or status >= 500)


def report(pages: Sequence[Page]) -> bool:
    """Print the numbers, and return whether no page was left out and nothing failed."""
    counts = [page.pictures for page in pages]
    times = [1000 * t for page in pages for t in page.times]
    first = [page.first for page in pages if page.first is not None]
    statuses = sum((page.statuses for page in pages), Counter[object]())
    print(
        f"{len(pages)} pages: {sum(counts)} pictures; a page got {min(counts)} to {max(counts)}, "
        f"{np.median(counts):.0f} in the median; fairness {evenness(counts):.3f}"
    )
    if first:
        print(f"first picture after {np.median(first):.1f} s, the last page's {max(first):.1f} s")
    print(f"answers: median {np.median(times):.0f} ms, p95 {np.percentile(times, 95):.0f} ms")
    print("statuses: " + ", ".join(f"{n} x {s}" for s, n in sorted(statuses.items(), key=str)))
    return min(counts) > 0 and failures(pages) == 0


def main() -> None:
    """Start a service, open the pages, and print the numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model", nargs="?", default="efficientnet-lite0")
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--preprocess", help="how the file's images are scaled")
    options = parser.parse_args()
    words = ["--preprocess", options.preprocess] if options.preprocess else []
    with tempfile.TemporaryDirectory() as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        service = ServiceProcess(Path(folder) / "data", port, [options.model, *words])
        service.start()
        try:
            service.wait("/readyz")
            name = service.ask("GET", "/api/networks")[1][0]["name"]
            pages = asyncio.run(open_pages(port, name, options.pages, options.seconds))
        finally:
            service.kill(workers=True)
    raise SystemExit(0 if report(pages) else 1)


if __name__ == "__main__":
    main()
