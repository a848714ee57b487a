"""The map of a network as a graph: branches, residual edges, and repeats that fold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kerasviz.network.input_spec import preset

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.running_service import running

from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

UNITS = 8
#: Blocks that are alike in the deep network, more than are open at first.
BLOCKS = 18


def residual_network(path: Path, blocks: int) -> Path:
    """A stem of two branches, and equal blocks of two convolutions around which an edge leads."""
    draw = np.random.default_rng(0)
    nodes: list[Any] = []
    weights: list[Any] = []

    def convolve(source: str, name: str, given: int, side: int = 3) -> str:
        kernel = draw.normal(0, 0.2, (UNITS, given, side, side)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"{name}.weight"))
        options = {"pads": [side // 2] * 4, "name": f"/{name.replace('.', '/')}/Conv"}
        nodes.append(helper.make_node("Conv", [source, f"{name}.weight"], [name], **options))
        return name

    def relu(source: str, name: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [name], name=f"/{name.replace('.', '/')}"))
        return name

    at = relu(convolve("image", "stem.conv", 3), "stem.act")
    for k in range(blocks):
        inner = relu(convolve(at, f"layer.{k}.conv1", UNITS), f"layer.{k}.act1")
        inner = convolve(inner, f"layer.{k}.conv2", UNITS)
        sums = f"layer.{k}.add"
        nodes.append(helper.make_node("Add", [at, inner], [sums], name=f"/layer.{k}/Add"))
        at = relu(sums, f"layer.{k}.act2")
    nodes.append(helper.make_node("GlobalAveragePool", [at], ["pool"], name="/pool"))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 32, 32])
    pool = helper.make_tensor_value_info("pool", TensorProto.FLOAT, ["n", UNITS, 1, 1])
    graph = helper.make_graph(nodes, "residual", [image], [pool], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    """A service of a short and a deep network, without workers."""
    folder = tmp_path_factory.mktemp("map")
    models = [
        residual_network(folder / f"{name}.onnx", n) for name, n in (("short", 4), ("deep", BLOCKS))
    ]
    reading = ModelSource(input_spec=preset("unit"))
    setting = ServiceSettings(folder / "data", tuple(map(str, models)), workers=0, reading=reading)
    with running(setting) as at:
        yield at


@pytest.fixture
def visit(open_page: Callable[..., Any], address: str) -> Callable[..., Any]:
    def visit(place: str, **options: Any) -> Any:
        page = open_page(f"{address}/{place}", **options).page
        page.set_default_timeout(60_000)
        page.locator(".flow .layer").first.wait_for()
        return page

    return visit


def test_a_block_is_drawn_with_its_branches_and_residual_edge(visit: Callable[..., Any]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit("#/short")
    block = page.locator(".flow > li", has=page.get_by_text("layer.0", exact=True)).first
    # Beside each block: a dot for each layer inside, a dashed line around them, its size.
    assert block.locator(".spine .skip-line").count() == 1
    assert re.search(r"32 \S 32 \S 8 units", block.inner_text())
    summary = block.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    graph = block.locator(".graph")
    graph.wait_for()
    boxes = graph.locator("a.box")
    names = [text.split("\n")[0] for text in boxes.all_inner_texts()]
    assert names[-1] == "layer.0" and len(names) >= 3
    assert graph.locator("path.skip-line").count() == 1
    # Nodes lie below what they are computed from, the residual edge in a column of its own.
    tops = boxes.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().top)")
    assert tops == sorted(tops) and len(set(tops)) == len(tops)
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found] == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("h1", has_text=names[0]).wait_for()


def test_repeats_fold_and_open(visit: Callable[..., Any]) -> None:
    page = visit("#/short")
    fold = page.locator(".fold")
    assert fold.locator(":scope > summary").inner_text().endswith("layer.1 to layer.3")
    assert fold.locator(".layer").all()[-1].is_visible()  # a short network is open
    page = visit("#/deep")
    fold = page.locator(".fold")
    assert f"{BLOCKS - 1} blocks like layer.0" in fold.inner_text()
    assert not fold.locator(".layer").first.is_visible()
    fold.locator(":scope > summary").focus()
    page.keyboard.press("Enter")
    last = fold.get_by_role("link", name=f"layer.{BLOCKS - 1}")
    last.wait_for()
    last.click()
    page.locator("h1", has_text=f"layer.{BLOCKS - 1}").wait_for()


def test_on_a_phone_branches_are_lists(visit: Callable[..., Any]) -> None:
    page = visit("#/short", width=390, height=800)
    page.get_by_role("button", name="Show all layers").click()
    block = page.locator(".flow > li", has=page.get_by_text("layer.0", exact=True)).first
    block.locator(".branches").first.wait_for()
    assert not block.locator(".graph").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
