"""Data that is brought to the page: a folder of images, a picture of the camera."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from open_times import BROWSERS
from PIL import Image
from support.running_service import running
from support.service_fixtures import small_model  # noqa: F401 - a fixture
from support.shown import shown_width

from kerasviz.network.input_spec import preset
from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

#: Milliseconds that anything may take: a worker that starts has to import TensorFlow.
PATIENCE = 60_000
#: The options of a browser whose camera shows a pattern, and may be used.
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
#: Drops two pictures and a text on the page.
DROP = """async () => {
  const data = new DataTransfer();
  for (const [name, colour] of [["a.png", "red"], ["b.png", "blue"]]) {
    const canvas = new OffscreenCanvas(40, 40);
    const context = canvas.getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 40, 30);
    data.items.add(new File([await canvas.convertToBlob()], name, { type: "image/png" }));
  }
  data.items.add(new File(["words"], "words.txt", { type: "text/plain" }));
  const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector("main").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory,
    browser: Any,
    small_model: Path,  # noqa: F811
) -> Iterator[str]:
    """A service with a worker; it is not started without a browser."""
    data = tmp_path_factory.mktemp("folders")
    reading = ModelSource(input_spec=preset("unit"))
    with running(ServiceSettings(data, (str(small_model),), workers=1, reading=reading)) as at:
        yield at


def test_a_folder_is_searched_and_sorts_the_wall(
    open_page: Callable[..., Any], address: str, tmp_path: Path
) -> None:
    for k in range(12):
        kind = ("cats", "dogs")[k % 2]
        (tmp_path / "pets" / kind).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(k).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "pets" / kind / f"{k}.png")
    (tmp_path / "pets" / "cats" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "pets" / "notes.txt").write_text("words")
    watched = open_page(f"{address}/#/small/layer?layer=relu&sort=peak")
    page = watched.page
    page.set_default_timeout(PATIENCE)
    page.locator(".ordered", has_text="drop a folder of photos").wait_for()
    page.locator("#folder-file").set_input_files(tmp_path / "pets")
    said = page.locator(".searching")
    said.get_by_text("images", exact=False).first.wait_for()
    page.goto(f"{address}/#/small/unit?layer=relu&unit=2")  # the search is not of one view
    page.get_by_role("heading", level=1, name="relu:2").wait_for()
    page.locator(".examples img").first.wait_for()
    assert page.locator(".examples img").first.evaluate("image => image.decode().then(() => 1)")
    words = page.locator(".searching").inner_text()
    assert "12 images of 2 classes searched" in words and "2 files left out" in words
    assert "notes.txt" in words and "cats/bad.png" in words
    page.goto(f"{address}/#/small/layer?layer=relu&sort=peak")
    page.locator(".ordered", has_text="by their largest activation in data").wait_for()
    peaks = [float(text) for text in page.locator(".amount").all_inner_texts()]
    assert len(peaks) == 6 and peaks == sorted(peaks, reverse=True) and peaks[0] > 0
    page.get_by_label("Sort by").select_option("class")
    page.locator(".ordered", has_text="by their mean response to cats").wait_for()
    page.locator(".order [name=class]").select_option("dogs")
    page.locator(".ordered", has_text="by their mean response to dogs").wait_for()
    assert "class=dogs" in page.url
    page.get_by_label("Sort by").select_option("likeness")
    page.locator(".ordered", has_text="by likeness to unit 2").wait_for()
    assert page.locator(".tile").first.get_attribute("data-unit") == "2"
    assert "status of 422" in watched.problems.pop() and not watched.problems  # bad.png
    page.goto(f"{address}/#/jobs")
    page.get_by_text("Search pets for what units respond to").wait_for()


def test_a_unit_that_is_open_shows_what_a_search_finds(
    open_page: Callable[..., Any], address: str, tmp_path: Path
) -> None:
    (tmp_path / "five").mkdir()
    for k in range(5):
        noise = np.random.default_rng(k).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "five" / f"{k}.png")
    page = open_page(f"{address}/#/small/unit?layer=relu&unit=1").page
    page.set_default_timeout(PATIENCE)
    page.get_by_role("heading", level=1, name="relu:1").wait_for()
    page.locator("#panel-large").evaluate("panel => { panel.dataset.same = 'yes'; }")
    page.locator("#folder-file").set_input_files(tmp_path / "five")
    page.locator("#panel-data .how", has_text="in 5 images").wait_for()
    assert page.locator("#panel-data").count() == 1
    # The rest of the page stays, with the pictures that are being made.
    assert page.locator("#panel-large").get_attribute("data-same") == "yes"
    assert page.locator(".examples img").first.evaluate("image => image.decode().then(() => 1)")
    assert "5 images" in page.locator(".searching").inner_text()


def test_all_units_of_a_wall_are_rendered_at_once(
    open_page: Callable[..., Any], address: str
) -> None:
    page = open_page(f"{address}/#/small/layer?layer=relu", 420, 260).page
    page.set_default_timeout(PATIENCE)
    page.get_by_label("Steps").fill("2")
    page.get_by_label("Size").fill("16")
    page.get_by_label("Size").press("Tab")
    whole = page.locator(".actions button", has_text="Render all 6")
    whole.click()
    page.wait_for_function(
        "async () => (await (await fetch('/api/networks/small/layer?layer=relu')).json())"
        ".units.every((unit) => unit.picture)"
    )
    whole.wait_for(state="hidden")
    page.reload()
    page.locator(".actions .main", has_text="All units in view are rendered").wait_for()
    # Squares lie behind pictures that may be transparent, and are never seen alone.
    page.locator(".tile img.loaded").first.wait_for()
    behind = "image => getComputedStyle(image).backgroundImage.startsWith('repeating')"
    assert page.locator(".tile img.loaded").first.evaluate(behind)
    bare = (
        "image => { image.classList.remove('loaded');"
        " return getComputedStyle(image).backgroundImage; }"
    )
    assert page.locator(".tile img").first.evaluate(bare) == "none"
    assert page.locator(".actions button", has_text="Render all").is_hidden()


def test_several_dropped_pictures_are_a_folder(open_page: Callable[..., Any], address: str) -> None:
    page = open_page(f"{address}/#/small").page
    page.set_default_timeout(PATIENCE)
    page.locator(".flow").wait_for()
    page.evaluate(DROP)
    page.locator(".searching", has_text="2 images").get_by_text("searched:").wait_for()
    assert "1 file left out: words.txt." in page.locator(".searching").inner_text()


def test_the_camera_gives_a_picture(address: str, browser: Any) -> None:
    path = next(found for name in BROWSERS if (found := shutil.which(name)))
    launched = browser.browser_type.launch(executable_path=path, args=["--no-sandbox", *CAMERA])
    page = launched.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}/#/small/layer?layer=relu")
    page.get_by_role("button", name="Use the camera").click()
    page.locator(".yours").wait_for()
    assert shown_width(page.locator(".yours"))
    page.locator(".ordered", has_text="by their mean response to the photo").wait_for()
    launched.close()


def test_without_a_camera_it_is_said_in_a_line(open_page: Callable[..., Any], address: str) -> None:
    page = open_page(f"{address}/#/small/unit?layer=relu&unit=1").page
    page.get_by_role("button", name="Use the camera").click()
    line = page.locator(".drop [role=alert]:visible").first
    line.wait_for()
    assert "camera" in line.inner_text() and "\n" not in line.inner_text()
