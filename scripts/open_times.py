"""How long `kerasviz open` takes to show pictures, from the command on, in Chromium.

    python scripts/open_times.py MODEL [--preprocess PRESET] [--blocks 12] [--limit 300]

Starts the command with an empty folder and an empty cache, opens its page, chooses the preset if it
asks for one, and prints the seconds until the page is there, until the first picture, until the
first `--blocks` layers have one (the page is scrolled through, as its visitor would), and until
the page of a unit has its four kinds of pictures. The machine should do nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Names under which systems install Chromium.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Clock:
    """Seconds since the command was started, printed as they are reached."""

    def __init__(self, limit: float):
        self.began, self.limit = time.monotonic(), limit

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.began

    def tell(self, words: str) -> None:
        """Print what was reached."""
        print(f"{self.now():6.1f} s  {words}", flush=True)

    def until(self, page: Any, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        while not holds():
            if self.now() > self.limit:
                sys.exit(f"not within {self.limit:.0f} s")
            page.wait_for_timeout(100)


def filled(page: Any, blocks: int) -> Callable[[], bool]:
    """Return a look at whether the first layers have a picture, which scrolls to one without."""

    def look() -> bool:
        strips = page.locator(".flow .strip").all()[:blocks]
        empty = [strip for strip in strips if strip.locator("img").count() == 0]
        if empty:
            empty[0].evaluate("(strip) => strip.closest('li').scrollIntoView()")
        return not empty

    return look


def measure(page: Any, clock: Clock, address: str, options: argparse.Namespace) -> None:
    """Visit the page, and tell when its parts are there."""
    page.goto(address)
    page.locator(".preset, .flow").first.wait_for()
    if page.locator(".preset").count():
        clock.tell("the presets")
        page.get_by_role("button", name=f"Choose {options.preprocess}").click()
    page.locator(".flow").first.wait_for()
    page.locator("details.fold").evaluate_all("(all) => all.forEach((one) => (one.open = true))")
    clock.tell(f"the map, {page.locator('.flow .strip').count()} layers")
    clock.until(page, lambda: page.locator(".flow .strip img").count() > 0)
    clock.tell("the first picture")
    clock.until(page, filled(page, options.blocks))
    clock.tell(f"pictures of the first {options.blocks} layers")
    links = page.locator(".flow a.layer").all()
    link = links[len(links) // 2].get_attribute("href") or ""
    page.goto(address.partition("#")[0] + link.replace("/layer?", "/unit?") + "&unit=1")
    began = clock.now()
    clock.until(page, lambda: page.locator(".slot").count() > 0)
    clock.until(page, lambda: page.locator(".slot:not([data-state=there])").count() == 0)
    clock.tell(f"the page of a unit, {clock.now() - began:.1f} s after it was opened")


def main() -> None:
    """Start the command, and measure it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--preprocess", default="torchvision", help="what is chosen if it asks")
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--limit", type=float, default=300, help="seconds after which to give up")
    options = parser.parse_args()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("no Chromium on PATH")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "KERASVIZ_CACHE": str(Path(folder) / "cache")}
        words = [sys.executable, "-m", "kerasviz.cli", "open", options.model, "--no-browser"]
        clock = Clock(options.limit)
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        try:
            found = re.search(r" is open at (\S+)", process.stdout.readline())
            if found is None:
                sys.exit("the command did not start")
            clock.tell("the address")
            with sync_playwright() as playwright:
                window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
                page = window.new_page(viewport={"width": 1280, "height": 900})
                page.set_default_timeout(1000 * options.limit)
                measure(page, clock, found[1], options)
                window.close()
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
