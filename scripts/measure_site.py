"""Measure how fast the site of an atlas of 5,484 units opens from a disk and scrolls in Chromium.

    python scripts/measure_site.py [--out out/measured-site] [--runs 3] [--page units.html ...]

Makes a store with pictures that were not optimized (1/f noise of 64 x 64 pixels, seven for each
unit of InceptionV1's nine mixed layers) and the site of it; a folder that is there is kept. Then
each page is opened, and scrolled in several ways, and a line is printed for each way:

  blank   the longest time that the area of a picture in the window showed no picture.

It is measured in the frames of the browser: areas that are not drawn yet get a colour that no
picture has. Encoding the frames takes a part of the machine, so that real readers see less of it.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.async_api import Page, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))  # for the pictures

#: The widths of InceptionV1's mixed layers: 5,484 units.
LAYERS = dict(
    zip(
        ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"),
        (256, 480, 508, 512, 512, 528, 832, 832, 1024),
        strict=True,
    )
)
LAYERS = {f"mixed{name}": width for name, width in LAYERS.items()}
PAGES = ("index.html", "units.html", "layers/mixed4a.html", "layers/mixed5b.html")
#: Areas that are not drawn yet are magenta, all others white.
MARKED = """
html { background: #f0f !important; }
body, main section, .layer section, h2, .heads { background: #fff !important; }
.sheet, .group, .sheet > a, .tile, .p { background-color: #f0f !important; }
.bare .sheet { grid-template-columns: 1fr 1fr !important; column-gap: 0 !important; }
"""
#: Groups whose last row is not full have empty areas.
UNMARKED = """() => {
  for (const group of document.querySelectorAll(".group")) {
    const columns = getComputedStyle(group).getPropertyValue("--columns");
    const full = getComputedStyle(group).getPropertyValue("--units") % columns === 0;
    if (!full) group.style.setProperty("background-color", "#fff", "important");
  }
}"""
#: The side of the compared squares in pixels.
CELL = 16


@dataclass
class Film:
    """The frames of the browser, and how long each square was blank while in the window."""

    began: dict[tuple[int, int], float] = field(default_factory=dict)
    longest: float = 0.0
    frames: list[float] = field(default_factory=list)
    wrong: int = 0  # frames with something blank in them

    def add(self, data: bytes, at: float, scrolled: float) -> None:
        """Add a frame that was shown at ``at`` seconds, scrolled by ``scrolled`` pixels."""
        self.frames.append(at)
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGB"), np.int16)
        blank = (pixels[..., 0] > 232) & (pixels[..., 1] < 24) & (pixels[..., 2] > 232)
        height, width = blank.shape
        wide = width // CELL
        first = -(-int(scrolled) // CELL)
        top = first * CELL - int(scrolled)
        rows = (height - top) // CELL
        cut = blank[top : top + rows * CELL, : wide * CELL]
        found = cut.reshape(rows, CELL, wide, CELL).all((1, 3))
        now = {(first + int(y), int(x)) for y, x in np.argwhere(found)}
        self.wrong += bool(now)
        for cell in list(self.began):
            if cell not in now:  # drawn, or out of the window
                self.longest = max(self.longest, at - self.began.pop(cell))
        for cell in now:
            self.began.setdefault(cell, at)

    def end(self, at: float) -> None:
        """Count squares that are still blank until now."""
        for began in self.began.values():
            self.longest = max(self.longest, at - began)


# -- ways to scroll --------------------------------------------------------------------------

Way = Callable[[Page], Coroutine[Any, Any, None]]


def wheel(pixels: int, seconds: float = 3.0) -> Way:
    """Turn the wheel by a number of pixels, 60 times a second."""

    async def act(page: Page) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            await page.mouse.wheel(0, pixels)
            await asyncio.sleep(max(0, 1 / 60 - (time.monotonic() - began)))

    return act


async def held(page: Page) -> None:
    """Hold the key for the next page: 30 times a second."""
    for _ in range(60):
        await page.keyboard.press("PageDown")
        await asyncio.sleep(1 / 30)


async def drag(page: Page) -> None:
    """Drag the bar from top to bottom in 2 seconds, and wait there."""
    await page.evaluate(
        """async () => {
          const end = document.documentElement.scrollHeight - innerHeight;
          const began = performance.now();
          for (let part = 0; part < 1; ) {
            await new Promise(requestAnimationFrame);
            part = Math.min(1, (performance.now() - began) / 2000);
            scrollTo({ top: part * end, behavior: "instant" });
          }
        }"""
    )


async def jumps(page: Page) -> None:
    """Jump to the end, the beginning, the middle and elsewhere, half a second each."""
    for part in (1.0, 0.0, 0.5, 0.8, 0.2, 0.65):
        await page.evaluate(
            "part => scrollTo({ top: part * document.documentElement.scrollHeight,"
            ' behavior: "instant" })',
            part,
        )
        await asyncio.sleep(0.5)


#: Ways to scroll, each with the seconds that the reader waits before.
WAYS: dict[str, tuple[Way, float]] = {
    "wheel 6,000 px/s": (wheel(100), 1.0),
    "wheel 15,000 px/s": (wheel(250), 1.0),
    "PageDown held": (held, 1.0),
    "dragged through in 2 s": (drag, 1.0),
    "jumps": (jumps, 1.0),
    "wheel 15,000, at once": (wheel(250), 0.0),
    "jumps, at once": (jumps, 0.0),
}


# -- measuring -------------------------------------------------------------------------------


@dataclass
class Browser:
    """Chromium, started for each page, so that nothing is cached."""

    chromium: Any
    size: tuple[int, int]

    async def opened(self, address: str) -> tuple[float, float, int]:
        """Open a page; return the seconds to first paint and end of loading, and the requests."""
        browser = await self._start()
        page = await browser.new_page(viewport=self._viewport())
        count: list[str] = []
        page.on("request", lambda request: count.append(request.url))
        await page.goto(address)
        await page.wait_for_timeout(1000)
        await page.wait_for_function("() => performance.getEntriesByName('first-paint').length")
        paint, load = await page.evaluate(
            """() => [
              performance.getEntriesByName("first-paint")[0].startTime,
              performance.getEntriesByType("navigation")[0].loadEventEnd,
            ]"""
        )
        await browser.close()
        return paint / 1000, load / 1000, len(count)

    async def scrolled(self, address: str, way: Way, wait: float) -> Film:
        """Open a page, wait and scroll it."""
        browser = await self._start()
        page = await browser.new_page(viewport=self._viewport())
        await page.goto(address)
        await page.add_style_tag(content=MARKED)
        await page.evaluate(UNMARKED)
        await page.wait_for_timeout(1000 * wait)
        session = await page.context.new_cdp_session(page)
        shown: list[tuple[str, float, float]] = []

        def frame(event: dict[str, Any]) -> None:
            about = event["metadata"]
            shown.append((event["data"], about["timestamp"], about["scrollOffsetY"]))
            acknowledged = session.send(
                "Page.screencastFrameAck", {"sessionId": event["sessionId"]}
            )
            waiting.add(task := asyncio.ensure_future(acknowledged))
            task.add_done_callback(waiting.discard)

        waiting: set[Any] = set()
        session.on("Page.screencastFrame", frame)
        width, height = self.size
        options = {"format": "jpeg", "quality": 60, "maxWidth": width, "maxHeight": height}
        await session.send("Page.startScreencast", options)
        await page.mouse.move(width / 2, height / 2)
        await way(page)
        ended = time.time()
        await page.wait_for_timeout(600)
        await session.send("Page.stopScreencast")
        await browser.close()
        film = Film()
        for data, at, scroll in shown:
            film.add(base64.b64decode(data), at, scroll)
        film.end(ended + 0.6)
        return film

    async def _start(self) -> Any:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        return await self.chromium.launch(executable_path=path, args=["--no-sandbox"])

    def _viewport(self) -> Any:
        return dict(zip(("width", "height"), self.size, strict=True))


async def measure(site: Path, pages: list[str], runs: int, size: tuple[int, int]) -> None:
    """Open and scroll pages, and print the measured times."""
    async with async_playwright() as playwright:
        browser = Browser(playwright.chromium, size)
        for name in pages:
            address = (site / name).as_uri()
            found = [await browser.opened(address) for _ in range(runs)]
            paints = [paint for paint, _, _ in found]
            kilobytes = (site / name).stat().st_size / 1000
            print(
                f"{name}: first paint {statistics.median(paints):.2f} s (worst of {runs} "
                f"{max(paints):.2f}), loaded {max(load for _, load, _ in found):.2f} s, "
                f"{found[0][2]} files, HTML of {kilobytes:,.0f} KB",
                flush=True,
            )
            for title, (way, wait) in WAYS.items():
                films = [await browser.scrolled(address, way, wait) for _ in range(runs)]
                worst = max(films, key=lambda film: film.longest)
                length = worst.frames[-1] - worst.frames[0]
                print(
                    f"  {title:24} blank {worst.longest * 1000:4.0f} ms at most, in "
                    f"{worst.wrong} of {len(worst.frames)} frames in {length:.1f} s",
                    flush=True,
                )


def make(out: Path) -> None:
    """Make the pictures and the site where they are missing."""
    from kerasviz.cli.progress import import_tensorflow

    import_tensorflow()
    from support import unrendered

    from kerasviz.atlas.site import write_site

    began = time.perf_counter()
    net = unrendered.outline(LAYERS, "inceptionv1")
    if not (out / "pictures" / "manifest.json").is_file():
        making = unrendered.unrendered(out, net, list(LAYERS), unrendered.dreams(96, (64, 64)))
        print(f"pictures: {time.perf_counter() - began:.1f} s", flush=True)
    else:
        making = unrendered.making(out, net, list(LAYERS), (64, 64))
        print(f"pictures are there: read in {time.perf_counter() - began:.1f} s", flush=True)
    began = time.perf_counter()
    write_site(out, making)
    print(f"site: {time.perf_counter() - began:.1f} s on {os.cpu_count()} cores", flush=True)
    for name in ("pictures", "layers", "units"):
        files = [path.stat().st_size for path in (out / name).rglob("*") if path.is_file()]
        print(f"  {name}: {len(files):,} files, {sum(files) / 1e6:,.0f} MB", flush=True)


def main() -> None:
    """Make the site, measure it, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=Path("out/measured-site"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--page", action="append", help="default: " + ", ".join(PAGES))
    parser.add_argument("--size", default="1280x900", help="of the window")
    parser.add_argument("--keep", action="store_true", help="do not write the site again")
    options = parser.parse_args()
    if not options.keep:
        make(options.out)
    width, height = map(int, options.size.split("x"))
    asyncio.run(
        measure(options.out.resolve(), options.page or list(PAGES), options.runs, (width, height))
    )


if __name__ == "__main__":
    main()
