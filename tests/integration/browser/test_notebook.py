"""A notebook that uses kerasviz: run by a kernel, converted to a page, looked at in a browser."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bleach
import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

Open = Callable[..., Any]
SETUP = """
import kerasviz
import kerasviz.rendering.notebook.progress as bar
bar.INTERVAL = bar.SHARE = 0  # every chunk of steps is shown
net = kerasviz.load("efficientnet-lite0")
net
"""
RENDER = """
settings = {"size": 32, "precision": "float32"}
r = kerasviz.render(net, ["stem:3", "stem:7"], steps=64, **settings)
r
"""
COMPARE = 'r.compare(kerasviz.render(net, "stem:3", steps=32, seed=2, **settings))'
INTERRUPTED = """
part = kerasviz.render(net, ["stem:5"], steps=1_000_000, **settings)
part
"""
CELLS = (SETUP, RENDER, COMPARE, INTERRUPTED, "part.interrupted", "r[1]", "r.show()", "net.map")
CLEANED = (SETUP, RENDER, COMPARE)
#: The contrast of text with the page behind it, as WCAG defines it: the least of all texts.
CONTRAST = """() => {
  const luminance = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const opacity = (element) => {
    let product = 1;
    for (let e = element; e; e = e.parentElement) product *= Number(getComputedStyle(e).opacity);
    return product;
  };
  const texts = [...document.querySelectorAll(".kerasviz *")].filter((e) =>
    e.checkVisibility() && !e.closest("style") &&
    [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  const ratios = texts.map((e) => {
    const back = behind(e), part = opacity(e);
    const front = numbers(getComputedStyle(e).color).map((v, i) => part * v + (1 - part) * back[i]);
    const [low, high] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  });
  return [texts.length, Math.min(...ratios)];
}"""


class Client(NotebookClient):
    """Run a notebook, keep what its outputs were replaced by, and interrupt one cell."""

    interrupted = CELLS.index(INTERRUPTED)

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.updates: dict[int, list[str]] = {}
        self.sent = False

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        if msg["msg_type"] in ("display_data", "update_display_data"):
            updates = self.updates.setdefault(cell_index, [])
            updates.append(msg["content"]["data"].get("text/html", ""))
            shows = cell_index == self.interrupted and "<img" in updates[-1]
            if shows and not self.sent:  # a second signal could hit the kernel after the cell
                self.sent = True
                os.kill(self.km.provisioner.pid, signal.SIGINT)
        return super().process_message(msg, cell, cell_index)


@dataclass
class Ran:
    """A notebook after its run, and the updates of the outputs of each cell."""

    notebook: Any
    updates: dict[int, list[str]] = field(default_factory=dict)

    def html(self, source: str, number: int = -1) -> str:
        """The HTML of an output of the cell."""
        cell = self.notebook.cells[CELLS.index(source)]
        return str(cell.outputs[number]["data"]["text/html"])


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in CELLS])
    client = Client(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    env = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPP")}
    env |= {"PYTHONPATH": os.pathsep.join(sys.path), "IPYTHONDIR": str(folder / "ipython")}
    client.execute(env=env)
    nbformat.validate(notebook)
    return Ran(notebook, client.updates)


def page(ran: Ran, folder: Path, **options: Any) -> str:
    """Convert a notebook to a page; return its address."""
    no_network = dict.fromkeys(("require_js_url", "mathjax_url", "jquery_url"), "")
    exporter = HTMLExporter(**no_network, **options)
    path = folder / "notebook.html"
    path.write_text(exporter.from_notebook_node(ran.notebook)[0], encoding="utf-8")
    return path.as_uri()


def test_no_cell_prints_anything(ran: Ran) -> None:
    kinds = {output.output_type for cell in ran.notebook.cells for output in cell.outputs}
    assert kinds == {"execute_result", "display_data"}


def test_the_bar_advances_with_thumbnails_and_ends_as_one_line(ran: Ran) -> None:
    updates = ran.updates[CELLS.index(RENDER)]
    assert "compiling" in updates[0] and "<img" not in updates[0]
    assert [re.findall(r"step (\d+) of 64", html) for html in updates[1:-1]] == [
        [step]
        for step in ("16", "17", "33", "49", "64")  # ReLUs are redirected up to step 17
    ]
    thumbnails = [re.findall(r'src="(data:image/webp[^"]*)"', html) for html in updates[1:-1]]
    assert [len(uris) for uris in thumbnails] == [2] * 5
    assert len({tuple(uris) for uris in thumbnails}) == 5  # they change
    last = ran.html(RENDER, 0)
    assert last == updates[-1] and "<progress" not in last
    assert re.search(r"2 pictures, [\d.]+ s, best stem:\d \(score [\d.]+\)", last)


def test_an_interrupt_of_the_kernel_leaves_the_picture_so_far(ran: Ran) -> None:
    assert re.search(r"interrupted after \d+ of 1000000 steps", ran.html(INTERRUPTED))
    assert "1 picture interrupted after step" in ran.html(INTERRUPTED, 0)
    result = ran.notebook.cells[CELLS.index("part.interrupted")].outputs[0]
    assert result["data"]["text/plain"] == "True"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_shows_all_pictures_in_light_and_dark(
    ran: Ran, tmp_path: Path, open_page: Open, theme: str
) -> None:
    watched = open_page(page(ran, tmp_path, theme=theme), color_scheme=theme)
    shown = watched.page.evaluate(
        "[...document.images].map((i) => i.checkVisibility() && i.naturalWidth * i.width)"
    )
    assert len(shown) == 2 + 3 + 1 + 1 + 2 and all(shown)
    assert watched.page.locator("progress").count() == 0
    assert watched.page.locator("svg.kerasviz-curve polyline").count() == len(shown)
    texts, contrast = watched.page.evaluate(CONTRAST)
    assert texts > 100 and contrast >= 4.5
    assert all(address.startswith(("file:", "data:")) for address in watched.addresses)
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert watched.page.evaluate(wide)


def test_a_strict_viewer_still_shows_pictures_and_numbers(
    ran: Ran, tmp_path: Path, open_page: Open
) -> None:
    """GitHub leaves no styles, classes, scripts and drawings."""
    fragments = [re.sub(r"<style>.*?</style>", "", ran.html(c), flags=re.DOTALL) for c in CLEANED]
    tags = {"table", "tbody", "tr", "td", "th", "img", "b", "br", "p", "div", "span", "pre"}
    cleaned = bleach.clean(
        "\n".join(fragments),
        tags=tags | {"details", "summary"},
        attributes={"img": ["src", "alt", "width", "height"]},
        protocols={"data"},
        strip=True,
    )
    path = tmp_path / "cleaned.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><link rel=icon href=data:,>{cleaned}")
    seen = open_page(path.as_uri()).page
    assert seen.evaluate("[...document.images].every((i) => i.naturalWidth && i.width === 128)")
    assert seen.locator("img").count() == 5
    sheet = seen.locator("table:has(img)").first.inner_text()
    assert re.search(r"stem:3\s+score [\d.]+ · 64 steps\s+[-\d.]+ to [-\d.]+", sheet)
    assert "Range" in seen.locator("table").first.inner_text()


def test_outputs_do_not_change_the_notebook_around_them(
    ran: Ran, tmp_path: Path, open_page: Open
) -> None:
    """A table of somebody else keeps its look beside the views."""
    seen = open_page(page(ran, tmp_path)).page
    look = """(html) => {
      const other = document.createElement("table");
      other.innerHTML = "<tbody><tr><td>1</td></tr></tbody>";
      document.querySelector(".jp-RenderedHTMLCommon").append(other);
      const style = getComputedStyle(other.querySelector("td"));
      return [style.padding, style.textAlign, style.fontSize, style.borderTopWidth].join();
    }"""
    with_styles = seen.evaluate(look)
    seen.evaluate("document.querySelectorAll('.kerasviz style').forEach((s) => s.remove())")
    assert seen.evaluate(look) == with_styles
