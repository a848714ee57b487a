"""How smoothly a wall of 10,000 units scrolls in Chromium, and what the first views weigh.

    python scripts/wall_times.py [--units 10000] [--seconds 10] [--pictures N]

Serves a network with a dense layer of 10,000 units, whose pictures are drawn at random, scrolls its
wall at a steady speed, and prints the median and the 95th percentile of the times between frames,
and frames a second. Prints the bytes that the first view of the map and of the wall transfer, the
elements of the page, and the requests that went anywhere else. Ends with 1 if the wall scrolls at
less than 50 frames a second, or a view weighs 300 kB or more.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from open_times import BROWSERS
from service_process import ServiceProcess

#: Frames a second, at least, and bytes of a view, below which it has to be.
LEAST_FRAMES, MOST_BYTES = 50.0, 300_000
#: Pixels of the pictures, as rough ones have.
SIDE = 64
#: Scrolls by some pixels in each frame for a time, and returns the times between frames.
SCROLL = """([seconds, pixels]) => new Promise((done) => {
  const times = [];
  let last = null;
  const began = performance.now();
  function step(now) {
    if (last !== null) times.push(now - last);
    last = now;
    scrollBy(0, pixels);
    if (now - began < 1000 * seconds) requestAnimationFrame(step);
    else done(times);
  }
  requestAnimationFrame(step);
})"""


def dense_network(path: Path, units: int) -> None:
    """Write a Keras network whose dense layer has a number of units."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(8, 3, strides=2, name="conv", activation="relu"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(units, name="dense", activation="relu"),
            layers.Dense(10, name="logits"),
        ]
    ).save(path)


def draw_pictures(model: Path, data: Path, units: int) -> None:
    """Put a picture of each unit of the dense layer into the folder of a service."""
    from kerasviz.io.files import make_folder
    from kerasviz.network.input_spec import preset
    from kerasviz.optvis.objectives.targets import parse_target
    from kerasviz.optvis.recipes import recipe
    from kerasviz.rendering.picture import Picture
    from kerasviz.rendering.request import make_requests
    from kerasviz.rendering.store import Store
    from kerasviz.zoo.load import load

    net = load(str(model), input_spec=preset("unit"))
    fast = recipe("fast").replace(steps=1, size=(SIDE, SIDE))
    store = Store(make_folder(data / "pictures" / model.stem), net)
    draw = np.random.default_rng(0)
    for unit in range(units):
        small = draw.random((8, 8, 3), np.float32)
        image = np.kron(small, np.ones((SIDE // 8, SIDE // 8, 1), np.float32))
        for request in make_requests(net, parse_target(f"dense:{unit}", net), fast):
            store.add(Picture(request, 0, image, {}, 1.0, np.zeros(1), 1))
    store.save()


class Traffic:
    """The bytes that a page transfers, as the browser counts them, and where requests go."""

    def __init__(self, page: Any, address: str):
        self.bytes, self.elsewhere = 0.0, list[str]()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._count)
        page.on("request", lambda request: self._note(request.url, address))

    def _count(self, event: Any) -> None:
        self.bytes += event["encodedDataLength"]

    def _note(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:", "blob:")):
            self.elsewhere.append(url)


def measure(browser: Any, address: str, name: str, options: argparse.Namespace) -> bool:
    """Visit the views, print the numbers, and return whether they are good enough."""
    views = {
        "map": (f"#/{name}", ".flow .strip"),
        "wall": (f"#/{name}/layer?layer=dense", ".tile[data-state=there]"),
    }
    good = True
    for view, (place, complete) in views.items():
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(120_000)
        traffic = Traffic(page, address)
        page.goto(f"{address}/{place}")
        page.locator(complete).first.wait_for()
        page.wait_for_load_state("networkidle")
        elements = page.evaluate("document.querySelectorAll('*').length")
        print(
            f"{view}: {traffic.bytes / 1000:.0f} kB transferred, {elements} elements, "
            f"{len(traffic.elsewhere)} requests elsewhere",
            flush=True,
        )
        good &= traffic.bytes < MOST_BYTES and not traffic.elsewhere
    tiles = page.locator(".tile").count()
    times = np.array(page.evaluate(SCROLL, [options.seconds, options.pixels]))
    frames = 1000 / times.mean()
    print(
        f"scrolling {options.units} units, {options.pixels} pixels a frame, {tiles} tiles in the "
        f"document: median {np.median(times):.1f} ms, p95 {np.percentile(times, 95):.1f} ms, "
        f"longest {times.max():.0f} ms, {frames:.1f} frames a second"
    )
    return bool(good and frames >= LEAST_FRAMES)


def main() -> None:
    """Start a service on the network, and measure its page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, help="units with pictures [default: all]")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pixels", type=int, default=30, help="that are scrolled in each frame")
    options = parser.parse_args()
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        sys.exit("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder) / "dense.keras", Path(folder) / "data"
        dense_network(model, options.units)
        draw_pictures(model, data, options.units if options.pictures is None else options.pictures)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [model, "--preprocess", "unit", "--workers", 0]
        service = ServiceProcess(data, port, words)
        service.start()
        try:
            service.wait(f"/api/networks/{model.stem}/layer?layer=dense&count=1")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
                good = measure(browser, f"http://127.0.0.1:{port}", model.stem, options)
                browser.close()
        finally:
            service.kill()
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
