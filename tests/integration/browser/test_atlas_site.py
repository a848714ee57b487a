"""The site of an atlas in a browser: what loads when, scrolling, the search, keys, phones."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import many_units, unrendered
from support.axe import violations

from kerasviz.atlas.site import write_site
from kerasviz.rendering.request import Request

Open = Callable[..., Any]
LAYERS = {"mixed4a": 330, "mixed4b": 100, "deep/branch_1": 30}
UNITS, SHEETS = sum(LAYERS.values()), 14 + 5 + 2
#: The pictures of channels that are to be seen: unit and middle. To ask where others are would make
#: the browser draw them.
SEEN = """() => [...document.querySelectorAll("main .group, .layer .sheet")].filter((group) => {
  const { top, bottom } = group.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}).flatMap((group) => [...group.querySelectorAll(".sheet > a, .c")]).map((tile) => {
  const { x, y, width, height } = tile.getBoundingClientRect();
  const unit = tile.closest("[data-unit]")?.dataset.unit.split(":").pop() ?? tile.textContent;
  return [Number(unit), x + width / 2, y + height / 2];
}).filter(([, x, y]) => x > 8 && y > 60 && x < innerWidth - 8 && y < innerHeight - 8)"""


def column(request: Request, row: int) -> int:
    if request.rows > 1:
        return 3 + row
    return 0 if "@" in request.text else 2 if request.text.startswith("-") else 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each picture of a unit has a colour of its own."""
    out = tmp_path_factory.mktemp("a site")
    images = [
        Image.new("RGB", (64, 64), many_units.colour(unit, k))
        for unit in range(max(LAYERS.values()))
        for k in range(7)
    ]

    def pick(request: Request, row: int) -> int:
        return 7 * (request.objective.terms[0].unit or 0) + column(request, row)

    net = unrendered.outline(LAYERS)
    write_site(out, unrendered.unrendered(out, net, list(LAYERS), images, pick))
    return out


@pytest.fixture
def served(site: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a copy of the site on a server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    kept = shutil.ignore_patterns("objects")
    moved = shutil.copytree(site, tmp_path / "somewhere else", ignore=kept)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(moved))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def shows_all(page: Any) -> int:
    """Wait until every picture in the window is there and the right one; returns their number."""
    for _ in range(200):
        with Image.open(io.BytesIO(page.screenshot())) as image:
            pixels = image.convert("RGB")
        scale = pixels.width / page.viewport_size["width"]
        wrong = []
        seen = page.evaluate(SEEN)
        for unit, x, y in seen:
            found: Any = pixels.getpixel((int(x * scale), int(y * scale)))
            wanted = many_units.colour(unit, 1)
            if max(abs(a - b) for a, b in zip(found, wanted, strict=True)) > 12:
                wrong.append((unit, found, wanted))
        if seen and not wrong:
            return len(seen)
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(wrong)} of {len(seen)} pictures are not there: {wrong[:3]}")


def sheets(addresses: list[str]) -> list[str]:
    return [address.rpartition("/")[2] for address in addresses if address.endswith(".jpg")]


def scroll(page: Any, part: float) -> None:
    page.evaluate(
        "part => scrollTo({ top: part * (document.documentElement.scrollHeight - innerHeight),"
        ' behavior: "instant" })',
        part,
    )


def find(page: Any, words: str) -> list[str]:
    """What the search shows for words."""
    page.locator("#find").fill(words)
    found: list[str] = page.locator("#found b").all_inner_texts()
    return found


def test_the_index_opens_with_a_file_for_each_layer(site: Path, open_page: Open) -> None:
    watched = open_page((site / "index.html").as_uri())
    page = watched.page
    assert sorted(sheets(watched.addresses)) == ["deep.branch_1.jpg", "mixed4a.jpg", "mixed4b.jpg"]
    assert len(watched.addresses) == 2 + 3  # the page and the search
    page.wait_for_function("() => performance.getEntriesByName('first-paint').length")
    first = page.evaluate("performance.getEntriesByName('first-paint')[0].startTime")
    assert first < 60_000  # scripts/measure_site.py measures it
    page.get_by_role("link", name="Layer 4a, unit 13", exact=True).click()
    assert page.url.endswith("layers/mixed4a.html#mixed4a-13")
    shows_all(page)


@pytest.mark.parametrize("width", [1600, 1280, 800, 390])
def test_the_wall_shows_every_unit_wherever_it_is_scrolled(
    site: Path, open_page: Open, width: int
) -> None:
    watched = open_page((site / "units.html").as_uri(), width)
    page = watched.page
    assert page.locator(".sheet > a").count() == UNITS
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    height = page.evaluate("document.documentElement.scrollHeight")
    for part in (0.0, 1.0, 0.4):
        scroll(page, part)
        assert shows_all(page) > 20
    page.wait_for_function(
        "() => [...document.querySelectorAll('.group')]"
        ".every((group) => group.style.contentVisibility == 'visible')"
    )
    # All heights were known before: nothing moved.
    assert page.evaluate("document.documentElement.scrollHeight") == height
    assert len(set(sheets(watched.addresses))) == SHEETS


def test_a_layer_shows_every_unit_wherever_it_is_scrolled(site: Path, open_page: Open) -> None:
    for width in (1280, 1000, 390):
        page = open_page((site / "layers" / "mixed4a.html").as_uri(), width).page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        height = page.evaluate("document.documentElement.scrollHeight")
        for part in (0.0, 1.0, 0.4):
            scroll(page, part)
            shows_all(page)
        page.wait_for_function(
            "() => [...document.querySelectorAll('.sheet')]"
            ".every((sheet) => sheet.style.contentVisibility == 'visible')"
        )
        assert page.evaluate("document.documentElement.scrollHeight") == height
        page.evaluate("location.hash = '#mixed4a-301'")
        shows_all(page)
        top = page.evaluate("document.querySelector('#mixed4a-301').getBoundingClientRect().top")
        assert -1 < top < 100


def test_from_a_server_only_what_is_near_is_loaded(served: str, open_page: Open) -> None:
    watched = open_page(f"{served}units.html", 390, 600)
    page = watched.page
    shows_all(page)
    page.wait_for_load_state("networkidle")
    assert 4 < len(set(sheets(watched.addresses))) < SHEETS - 4
    scroll(page, 1.0)
    shows_all(page)
    assert all(address.startswith(served) for address in watched.addresses)


def test_without_scripts_all_is_there_but_the_search(site: Path, open_page: Open) -> None:
    page = open_page((site / "units.html").as_uri(), java_script_enabled=False).page
    page.mouse.wheel(0, 700)
    page.wait_for_timeout(300)
    assert page.locator("#find").count() == 0
    page.get_by_role("link", name="329", exact=True).click()
    assert page.url.endswith("layers/mixed4a.html#mixed4a-329")


def test_the_search_finds_units_and_layers(site: Path, open_page: Open) -> None:
    page = open_page((site / "index.html").as_uri()).page
    one = ["Layer 4a, Unit 276"]
    for words in ("mixed4a:276", "4a 276", "4A/276", "layer 4a, unit 276", " 4a#276 ", "276"):
        assert find(page, words) == one, words
    assert find(page, "76") == ["Layer 4a, Unit 76", "Layer 4b, Unit 76"]
    assert find(page, "mixed 4") == ["Layer 4a, Unit 4", "Layer 4b, Unit 4"]
    assert find(page, "mixed4") == ["Layer 4a", "Layer 4b"]
    assert find(page, "4b") == ["Layer 4b"]
    assert find(page, "branch 7") == ["Layer deep/branch_1, Unit 7"]
    assert find(page, "deep/branch_1") == ["Layer deep/branch_1"]
    status = page.locator(".find [role=status]")
    assert find(page, "4a 330") == []
    assert status.inner_text() == "Layer 4a has the units 0 to 329."
    assert find(page, "<b>goldfish") == []
    assert status.inner_text() == "No layer or unit is called “<b>goldfish”."


def test_the_search_finds_classes_where_units_are_classes(
    tmp_path: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ("goldfish, Carassius auratus", "great white shark", "tiger shark")
    monkeypatch.setattr("kerasviz.atlas.site.class_layers", lambda *_: {"conv10": labels})
    net = unrendered.outline({"conv1": 2, "conv10": 3})
    made = unrendered.unrendered(tmp_path, net, ["conv1", "conv10"], unrendered.dreams(3, (64, 64)))
    page = open_page(write_site(tmp_path, made).as_uri()).page
    assert find(page, "SHARK") == ["great white shark", "tiger shark"]
    assert find(page, "carassius") == ["goldfish, Carassius auratus"]
    assert find(page, "conv10 2") == ["tiger shark"]
    assert find(page, "conv1") == ["Layer conv1"]
    page.keyboard.press("Escape")
    find(page, "goldfish")
    page.locator("#find").press("Enter")
    page.wait_for_url("**/layers/conv10.html#conv10-0")
    title = page.locator("#conv10-0 h2").inner_text()
    assert title == "Layer conv10, Unit 0: goldfish, Carassius auratus"


def test_the_search_is_used_by_keys(site: Path, open_page: Open) -> None:
    page = open_page((site / "index.html").as_uri()).page
    page.keyboard.press("/")
    page.keyboard.type("17")
    assert page.locator("#found [aria-selected=true] b").inner_text() == "Layer 4a, Unit 17"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/layers/mixed4b.html#mixed4b-17")
    shows_all(page)
    # On the page itself it scrolls there.
    page.keyboard.press("/")
    page.keyboard.type("4b 90")
    page.keyboard.press("Enter")
    page.wait_for_url("**/layers/mixed4b.html#mixed4b-90")
    shows_all(page)
    page.keyboard.press("/")
    page.keyboard.type("4")
    page.keyboard.press("Escape")
    assert page.locator(".find > div").is_hidden()


def test_a_result_shows_its_picture(site: Path, open_page: Open) -> None:
    for name in ("index.html", "layers/mixed4b.html"):
        page = open_page((site / name).as_uri()).page
        find(page, "4a 329")
        box = page.locator("#found .tile").bounding_box()
        clip = {"x": box["x"] + 12, "y": box["y"] + 12, "width": 8, "height": 8}
        for _ in range(100):
            with Image.open(io.BytesIO(page.screenshot(clip=clip))) as image:
                found: Any = image.convert("RGB").getpixel((4, 4))
            wanted = many_units.colour(329, 1)
            if max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 12:
                break
            page.wait_for_timeout(50)
        else:
            raise AssertionError(f"{found}, not {wanted}")


def test_arrows_lead_to_the_neighbours(site: Path, open_page: Open) -> None:
    page = open_page((site / "layers" / "mixed4a.html").as_uri()).page
    page.keyboard.press("ArrowLeft")  # there is none before
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/mixed4b.html")
    page.locator(".p.c").first.click()
    page.keyboard.press("ArrowRight")  # a picture is open
    assert page.locator("dialog[open]").count() == 1
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/deep.branch_1.html")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/mixed4b.html")


def test_a_picture_opens_in_full_size_with_its_command(site: Path, open_page: Open) -> None:
    page = open_page(f"{(site / 'layers' / 'mixed4a.html').as_uri()}#mixed4a-276").page
    page.locator("#mixed4a-276 .m").click()
    page.wait_for_function("document.querySelector('dialog img').naturalWidth == 64")
    assert page.locator("dialog img").get_attribute("alt") == "Layer 4a, Unit 276: Negative"
    words = page.locator("dialog .again code").inner_text()
    assert words.startswith("kerasviz render") and words.endswith("-- -mixed4a:276")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_violation(site: Path, open_page: Open, scheme: str) -> None:
    page = open_page((site / "index.html").as_uri(), color_scheme=scheme).page
    assert violations(page) == []
    page.goto(next((site / "layers").glob("mixed4b*.html")).as_uri())
    assert violations(page) == []
    page.locator(".p").first.click()
    page.keyboard.press("ArrowRight")  # all pictures of the layer are in the lightbox
    assert page.locator("#zoom .count").inner_text().startswith("2 of 7")
    assert violations(page) == []
