"""The page of a layer of 1,024 units in a browser: what loads when, and where a link leads."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from PIL import Image
from support import many_units

from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value


class _Outline:
    """A program with one layer of given width, that computes nothing."""

    outputs = ("tap",)

    def __init__(self, channels: int):
        self.inputs = {"image": Port("image", tf.float32, (None, None, None, 3))}
        self.module_kinds: dict[str, str] = {}
        self.values = {"tap": Value("tap", "Conv2D", (None, None, None, channels))}


@pytest.fixture(scope="module")
def layer_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program: Any = _Outline(1024)
    net = Network(program, Identity("a", "a", "zoo", "1" * 64), input_spec=preset("unit"))
    with pytest.MonkeyPatch.context() as patch:
        page = many_units.write_page(tmp_path_factory.mktemp("layers"), net, patch)
    pictures = page.parents[1] / "pictures"
    pictures.mkdir()
    Image.new("RGB", (64, 64), "teal").save(pictures / "tap-900.png")
    return page


class Visit:
    """A window on the page, and the sprites that it asked for."""

    def __init__(self, browser: Any, width: int, **options: Any):
        self.page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        self.sprites: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", self._count)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _count(self, request: Any) -> None:
        if request.url.endswith(".jpg"):
            self.sprites.append(request.url)

    def _listen(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def shown(self, selector: str) -> tuple[int, ...]:
        """The colour in the middle of what a selector finds."""
        box = self.page.locator(selector).bounding_box()
        clip = {**box, "x": box["x"] + 4, "y": box["y"] + 4, "width": 8, "height": 8}
        with Image.open(io.BytesIO(self.page.screenshot(clip=clip))) as image:
            found: Any = image.convert("RGB").getpixel((4, 4))
        return tuple(found)

    def shows(self, unit: int) -> None:
        """Wait until the pictures of a unit are there, each at its place."""
        places = {".n": 0, ".c": 1, ".m": 2} | {
            f".four :nth-child({i + 1})": 3 + i for i in range(4)
        }
        for selector, column in places.items():
            wanted = many_units.colour(unit, column)
            for _ in range(50):
                found = self.shown(f"#tap-{unit} {selector}")
                if max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 12:
                    break
                self.page.wait_for_timeout(100)
            else:
                raise AssertionError(f"unit {unit} {selector}: {found}, not {wanted}")


@pytest.fixture
def visit(browser: Any) -> Callable[[int], Visit]:
    return lambda width: Visit(browser, width)


@pytest.mark.parametrize("width", [1200, 800, 390])
def test_only_what_is_near_loads_and_anchors_lead_to_their_unit(
    layer_page: Path, visit: Callable[[int], Visit], width: int
) -> None:
    seen = visit(width)
    seen.page.goto(layer_page.as_uri())
    seen.shows(0)
    assert 1 <= len(seen.sprites) <= 4
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    seen.page.evaluate("location.hash = '#tap-900'")
    seen.shows(900)
    assert any("tap-00900--00909" in url for url in seen.sprites)
    assert len(set(seen.sprites)) <= 8
    top = seen.page.evaluate("document.getElementById('tap-900').getBoundingClientRect().top")
    assert 0 <= top < 100
    assert seen.complaints == []
    seen.page.close()


def test_a_link_with_an_anchor_opens_at_its_unit(
    layer_page: Path, visit: Callable[[int], Visit]
) -> None:
    seen = visit(1200)
    seen.page.goto(f"{layer_page.as_uri()}#tap-476")
    seen.shows(476)
    assert len(set(seen.sprites)) <= 4
    seen.page.close()


def test_a_picture_opens_in_full_size_by_mouse_and_keyboard(
    layer_page: Path, visit: Callable[[int], Visit]
) -> None:
    seen = visit(1200)
    seen.page.goto(f"{layer_page.as_uri()}#tap-900")
    seen.shows(900)
    again = seen.page.locator("dialog[open] .again code").inner_text
    link = seen.page.locator("#tap-900 .c")
    for act in (link.click, lambda: link.press("Enter")):
        act()
        image = seen.page.locator("dialog[open] img")
        assert image.get_attribute("alt") == "Layer tap, Unit 900: Channel objective"
        assert again().startswith("kerasviz render a tap:900 --recipe")
        seen.page.wait_for_function("document.querySelector('dialog img').naturalWidth == 64")
        seen.page.keyboard.press("Escape")
        assert seen.page.locator("dialog[open]").count() == 0
    assert seen.complaints == []
    commands = {".n": "tap:900@center", ".four :nth-child(2)": "--diversity 4", ".m": "-- -tap:900"}
    for picture, words in commands.items():  # their files are not there
        seen.page.locator(f"#tap-900 {picture}").click()
        assert words in again()
        seen.page.keyboard.press("Escape")
    seen.page.close()


def test_sprites_load_without_scripts(layer_page: Path, browser: Any) -> None:
    seen = Visit(browser, 1200, java_script_enabled=False)
    seen.page.goto(f"{layer_page.as_uri()}#tap-300")
    seen.shows(300)
    assert len(set(seen.sprites)) <= 4
    seen.page.close()
