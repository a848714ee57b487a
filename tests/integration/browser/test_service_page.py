"""The page of the service, as somebody uses it who explores a network."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from kerasviz.network.input_spec import preset
from kerasviz.optvis.recipe import media_of_recipe
from kerasviz.optvis.recipes import RECIPE_SUMMARIES, RECIPES

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from support.running_service import WIDE, running, small_network
from support.shown import shown_width

from kerasviz.service.settings import ServiceSettings
from kerasviz.zoo.model_source import ModelSource

Visit = Callable[..., Any]
TOKEN = "a token with spaces"
#: Milliseconds that anything may take: a worker that starts has to import TensorFlow.
PATIENCE = 120_000
#: Notes every picture that is shown in a selector from now on, in order.
RECORD = """(selector) => {
  window.shown = [];
  new MutationObserver(() => {
    for (const image of document.querySelectorAll(selector + " img")) {
      if (window.shown.at(-1) !== image.src) window.shown.push(image.src);
    }
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""
#: Drops a picture, half of it black and half white, on the page.
DROP = """async () => {
  const canvas = new OffscreenCanvas(40, 40);
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, 20, 40);
  const data = new DataTransfer();
  data.items.add(new File([await canvas.convertToBlob()], "half.png", { type: "image/png" }));
  const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector("main").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_network(tmp_path_factory.mktemp("network") / "small.onnx")


@pytest.fixture(scope="module")
def address(model: Path, tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[str]:
    """A service of four networks with a worker; without a browser it is not started.

    ``other`` is the network ``small`` again, of which one test makes pictures, and ``bare`` again,
    of which none does.
    """
    data = tmp_path_factory.mktemp("data")
    copies = [shutil.copy(model, model.with_name(f"{name}.onnx")) for name in ("other", "bare")]
    reading = ModelSource(input_spec=preset("unit"))
    cli_args = ("--preprocess", "unit")
    models = (str(model), *map(str, copies), "efficientnet-lite0")
    about = {"reading": reading, "cli_args": cli_args, "allow_upload": True}
    with running(ServiceSettings(data, models, workers=1, **about)) as address:
        yield address


@pytest.fixture
def visit(open_page: Visit, address: str) -> Iterator[Visit]:
    """Open a place of the page; nothing may go wrong, and no request leave the service."""
    opened = []

    def visit(place: str = "#/", **options: Any) -> Any:
        watched = open_page(f"{address}/{place}", **options)
        opened.append(watched)
        watched.page.set_default_timeout(PATIENCE)
        watched.page.locator("main h1").wait_for()
        return watched

    yield visit
    for watched in opened:
        elsewhere = [a for a in watched.addresses if not a.startswith((address, "blob:", "data:"))]
        assert elsewhere == []


def layer_place(layer: str, network: str = "small") -> str:
    return f"#/{network}/layer?layer={quote(layer, safe='')}"


def unit_place(layer: str, unit: int, network: str = "small") -> str:
    return f"#/{network}/unit?layer={quote(layer, safe='')}&unit={unit}"


def refused(watched: Any, status: int) -> None:
    """One answer was a refusal, which browsers report; it is as it should be."""
    assert len(watched.problems) == 1 and f"status of {status}" in watched.problems[0]
    watched.problems.clear()


def set_quick(page: Any, steps: int, size: int) -> None:
    page.get_by_label("Size").fill(str(size))
    page.get_by_label("Steps").fill(str(steps))
    page.get_by_label("Steps").press("Tab")


def slot(page: Any, kind: str) -> Any:
    return page.locator(".slot", has=page.locator("h3", has_text=kind))


def there(found: Any) -> None:
    """Wait until a slot shows a finished picture."""
    found.locator("img[src^='/pictures/']").first.wait_for()


def test_a_network_is_picked_and_seen_as_layers(visit: Visit) -> None:
    page = visit().page
    assert page.locator(".cards li").count() == 4
    page.get_by_role("link", name="small").click()
    page.locator(".flow").wait_for()
    names = page.locator(".flow .layer .name").all_inner_texts()
    assert names[-1] == "answer" and "mixed" in names
    mixed = page.locator(".flow > li", has=page.get_by_text("mixed", exact=True))
    assert not mixed.locator(".branches").is_visible()
    page.get_by_role("button", name="Show all layers").click()
    # Both ways to the concatenation, each from top to bottom.
    columns = mixed.locator(".branches > li").all()
    found = [column.locator("a").all_inner_texts() for column in columns]
    assert found == [["left"], ["reduce", "right"]]
    page.locator("#network").select_option("efficientnet-lite0")
    page.get_by_role("heading", level=1, name=re.compile("EfficientNet")).wait_for()
    assert page.evaluate("location.hash") == "#/efficientnet-lite0"
    page.go_back()
    page.locator(".flow .name", has_text="mixed").wait_for()


def test_a_first_look_shows_units_of_layers_without_pictures(visit: Visit) -> None:
    page = visit(layer_place("first", "other")).page
    set_quick(page, 2000, 16)  # not all is made before it is cancelled
    page.get_by_role("link", name="Layers", exact=True).click()
    page.get_by_role("button", name="Render a first look").click()
    # It is one job for all layers, whose pictures are shown as they are made.
    page.locator(".flow .strip img").nth(1).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Render a first look").wait_for()
    assert page.locator(".head .error:visible").count() == 0


def test_a_unit_grows_while_one_looks_on_and_stays(visit: Visit) -> None:
    page = visit(unit_place("mixed", 3)).page
    assert page.title() == "mixed:3 - kerasviz"
    set_quick(page, 800, 32)  # long enough to be seen on a fast machine
    channel = slot(page, "Channel")
    page.evaluate(RECORD, ".slot")
    channel.get_by_role("button", name="Render").click()
    page.wait_for_function(
        "() => { const bar = document.querySelector('.slot progress');"
        " return bar.value > 0 && bar.value < 1 && bar.checkVisibility(); }"
    )
    assert re.match(r"step \d+ of 800", channel.locator(".doing").inner_text())
    there(channel)
    shown = page.evaluate("window.shown")
    assert any("/previews/" in url for url in shown) and "/pictures/small/" in shown[-1]
    assert channel.get_by_role("button").inner_text() == "Render again"
    how = page.locator(".made details")
    how.locator("summary").click()
    command = how.locator("code").inner_text()
    assert command.startswith("kerasviz render") and "mixed:3" in command
    assert "--steps 800" in command and "--size 32" in command
    how.get_by_text("sha256").first.wait_for()  # of its provenance
    how.get_by_role("button", name="Copy the command").click()
    how.get_by_text("Copied").wait_for()
    page.reload()
    there(slot(page, "Channel"))
    assert page.title() == "mixed:3 - kerasviz"


def test_all_kinds_are_rendered_and_neighbours_are_an_arrow_away(visit: Visit) -> None:
    page = visit(unit_place("first", 1)).page
    set_quick(page, 3, 16)
    page.get_by_role("button", name="Render all").click()
    for kind in ("Channel", "Neuron", "Negative", "Diversity"):
        there(slot(page, kind))
    page.wait_for_function(
        "() => document.querySelectorAll('.slot img[src^=\"/pictures/\"]').length == 7"
    )
    page.wait_for_function("() => document.querySelectorAll('.made details').length == 7")
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", level=1, name="first:2").wait_for()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.get_by_role("heading", level=1, name="first:0").wait_for()
    assert page.get_by_role("link", name="Previous unit").count() == 0


def test_a_rendering_is_cancelled(visit: Visit, address: str) -> None:
    page = visit(unit_place("first", 5)).page
    set_quick(page, 4000, 32)
    channel = slot(page, "Channel")
    channel.get_by_role("button", name="Render").click()
    channel.get_by_role("button", name="Cancel").click()
    channel.get_by_role("button", name="Render").wait_for()
    assert channel.locator("img").count() == 0
    newest = page.request.get(f"{address}/api/renders?limit=1").json()[0]
    assert newest["state"] == "cancelled" and newest["request"]["targets"] == ["first:5"]


@pytest.mark.parametrize(
    ("place", "words", "target"),
    [
        (layer_place("first", "bare"), re.compile(r"Render \d+ units"), "first:0"),
        ("#/bare", "Render a first look", "first:0"),
    ],
)
def test_what_was_only_just_asked_for_is_cancelled(
    visit: Visit, address: str, place: str, words: Any, target: str
) -> None:
    page = visit(layer_place("first", "bare")).page
    set_quick(page, 4000, 32)
    page.goto(f"{address}/{place}")
    held: list[Any] = []
    page.route("**/api/renders", lambda route: held.append(route))
    button = page.get_by_role("button", name=words, exact=True).first
    with page.expect_request("**/api/renders"):
        button.click()
    page.get_by_role("button", name="Cancel").first.click()
    (asked,) = held
    asked.continue_()
    button.wait_for()
    newest = page.request.get(f"{address}/api/renders?limit=1").json()[0]
    assert newest["state"] == "cancelled" and target in newest["request"]["targets"]
    assert newest["network"] == "bare"


def test_a_job_goes_on_after_a_reload(visit: Visit) -> None:
    page = visit(unit_place("first", 6)).page
    set_quick(page, 4000, 32)
    slot(page, "Channel").get_by_role("button", name="Render").click()
    page.wait_for_function("() => document.querySelector('.slot progress').value > 0")
    page.reload()
    again = slot(page, "Channel")
    again.locator(".doing").wait_for()
    page.goto(page.url.split("#")[0] + "#/jobs")
    row = page.locator(".jobs > li").first
    assert row.locator(".badge").inner_text() == "running"
    row.get_by_role("button", name="Cancel").click()
    row.locator(".badge[data-state=cancelled]").wait_for()
    row.get_by_role("link").click()
    page.get_by_role("heading", level=1, name="first:6").wait_for()


def test_a_wall_of_many_units_loads_and_renders_what_is_seen(visit: Visit) -> None:
    watched = visit(layer_place("wide"), width=700, height=500)
    page = watched.page
    assert page.locator(".tile").count() <= 80, "those near the window alone"

    def chunks() -> set[str]:
        return {a for a in watched.addresses if "/layer?" in a}

    page.locator(".tile[data-state=empty]").first.wait_for()
    assert len(chunks()) <= 3
    set_quick(page, 2, 16)
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    last = page.locator(f".tile[data-unit='{WIDE - 1}']")
    page.locator(f".tile[data-unit='{WIDE - 1}'][data-state=empty]").wait_for()
    assert len(chunks()) <= 9
    button = page.locator(".actions button.main")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.locator(".actions .main", has_text=re.compile(r"^Render \d+ units? in view$")).wait_for()
    with page.expect_request(lambda request: request.method == "POST") as asked:
        button.evaluate("button => button.click()")  # a click would scroll to it
    count = len(asked.value.post_data_json["targets"])
    assert 4 <= count <= 32
    last.locator("img[src^='/pictures/']").wait_for()
    page.wait_for_function(
        f"() => document.querySelectorAll('.tile[data-state=there]').length == {count}"
    )


def test_the_wall_is_walked_by_arrows(visit: Visit) -> None:
    page = visit(layer_place("first")).page
    page.locator(".tile").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.unit") == "6"
    assert page.locator(".tile[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="first:6").wait_for()


def test_a_sum_is_composed_and_rendered(visit: Visit) -> None:
    watched = visit("#/small/compose?target=" + quote("first:1"))
    page = watched.page
    set_quick(page, 3, 16)
    page.get_by_role("button", name="Add a term").click()
    row = page.locator(".terms li").nth(1)
    row.get_by_label("Layer").fill("mixed")
    row.get_by_label("Unit").fill("4")
    row.get_by_label("Weight").fill("-0.5")
    assert page.locator("#target").input_value() == "first:1 - 0.5*mixed:4"
    page.get_by_role("button", name="Render the sum").click()
    there(page.locator(".slot"))
    page.reload()
    page.locator(".terms li").nth(1).wait_for()
    assert page.locator(".terms output").nth(1).inner_text().endswith("0.5")
    # What is written by hand moves the sliders, and what cannot be is said in a line.
    page.locator("#target").fill("2*mixed:random-7")
    assert page.get_by_label("Kind of term").input_value() == "random"
    page.locator("#target").fill("nonsense:1")
    page.get_by_role("button", name="Render the sum").click()
    error = page.locator(".studio [role=alert]:visible")
    error.wait_for()
    assert "nonsense" in error.inner_text() and "\n" not in error.inner_text()
    refused(watched, 422)


def test_the_terms_of_a_sum_are_balanced_and_their_scores_are_said(visit: Visit) -> None:
    page = visit("#/small/compose?target=" + quote("first:1 + 2*mixed:4")).page
    set_quick(page, 3, 16)
    page.get_by_role("button", name="Render the sum").click()
    scores = page.locator(".term-scores")
    scores.wait_for()
    assert scores.locator("tbody th").all_inner_texts() == ["first:1", "mixed:4"]
    assert scores.locator("thead th").all_inner_texts() == ["Term", "Score"]
    page.get_by_label("Balance the terms").check()
    page.get_by_role("button", name="Render the sum").click()
    page.locator(".term-scores", has_text="Alone").wait_for()
    assert len([float(word) for word in scores.locator("td").all_inner_texts()]) == 4
    page.locator(".slot .facts", has_text="balanced").wait_for()
    page.reload()
    page.locator(".terms li").nth(1).wait_for()
    assert page.get_by_label("Balance the terms").is_checked()
    page.get_by_label("Transparent").check()
    page.get_by_label("What is optimized").select_option("pixel")
    with page.expect_request(lambda request: request.method == "POST") as asked:
        page.get_by_role("button", name="Render the sum").click()
    body = asked.value.post_data_json
    assert (body["balance"], body["alpha"], body["param"]) == (True, True, "pixel")
    there(page.locator(".slot"))


def test_directions_are_brought_and_taken_as_terms(visit: Visit, tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", nmf=np.eye(3, 8), wide=np.ones((2, 10)))
    (tmp_path / "v.pkl").write_bytes(b"a pickle")
    watched = visit("#/small/compose?target=" + quote("first:1"))
    page = watched.page
    set_quick(page, 3, 16)
    files = page.locator(".directions")
    page.locator("#directions-file").set_input_files(tmp_path / "v.pkl")
    line = files.locator("[role=alert]:visible")
    line.wait_for()
    assert "a pickle can run any code" in line.inner_text() and "\n" not in line.inner_text()
    refused(watched, 422)
    page.locator("#directions-file").set_input_files(tmp_path / "v.npz")
    files.locator("li", has_text="v.npz").wait_for()
    assert "3 vectors of 8" in files.locator("li").inner_text() and not line.is_visible()
    row = page.locator(".terms li").first
    row.get_by_label("Kind of term").select_option("file")
    row.get_by_label("Row of the array").fill("2")
    assert page.locator("#target").input_value() == "first@v.npz:nmf[2]"
    assert row.locator(".array option:disabled").all_inner_texts() == ["v.npz:wide (2 rows of 10)"]
    page.get_by_role("button", name="Render the sum").click()
    there(page.locator(".slot"))
    page.locator("#target").fill("first@v.npz:wide[1]")
    page.get_by_role("button", name="Render the sum").click()
    error = page.locator(".studio .slot [role=alert]:visible")
    error.wait_for()
    assert error.inner_text() == "direction v.npz:wide[1]: 10 numbers, first has 8 channels"
    refused(watched, 422)
    page.get_by_role("button", name="Remove v.npz").click()
    files.locator("li").wait_for(state="detached")


def test_a_picture_starts_from_a_photo_and_has_sliders(visit: Visit, tmp_path: Path) -> None:
    from PIL import Image

    draw = np.random.default_rng(0)
    Image.fromarray(draw.integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "noise.png")
    page = visit("#/small/compose?target=" + quote("caricature:first")).page
    page.get_by_role("button", name="Render the sum").click()
    line = page.locator(".composer [role=alert]:visible")
    assert "choose one first" in line.inner_text()
    page.locator("#start-file").set_input_files(tmp_path / "noise.png")
    page.locator(".start [role=status]", has_text="noise.png").first.wait_for()
    assert shown_width(page.locator(".start img").first) == 40
    page.locator("#target").fill("first:1")
    set_quick(page, 10, 24)
    page.get_by_role("button", name="Render the sum").click()
    view = page.locator(".photo-view")
    view.wait_for()
    data = "() => document.querySelector('.photo-view canvas').toDataURL()"

    def drawn(label: str, value: int) -> str:
        before = page.evaluate(data)
        view.get_by_label(label).fill(str(value))
        page.wait_for_function(
            "before => document.querySelector('.photo-view canvas').toDataURL() !== before",
            arg=before,
        )
        return str(page.evaluate(data))

    page.wait_for_function("() => document.querySelector('.photo-view canvas').width === 24")
    whole = page.evaluate(data)
    half = drawn("Mask", 50)
    photo = drawn("Mask", 100)
    assert len({whole, half, photo}) == 3
    assert drawn("Mask", 0) == whole
    assert drawn("Step", 0) == photo, "without any step it is the photo"
    page.locator("#style-file").set_input_files(tmp_path / "noise.png")
    page.wait_for_function("() => document.querySelector('#target').value === 'style'")
    with page.expect_request(lambda request: request.method == "POST") as asked:
        page.get_by_role("button", name="Render the sum").click()
    body = asked.value.post_data_json
    assert [body["style"]] == body["from"] and body["targets"] == ["style"]
    page.locator(".slot img[src*='style']").first.wait_for()
    page.locator("#target").fill("first:1")
    page.get_by_role("button", name="Start from noise").click()
    assert not page.locator("#style-file + label").is_visible()
    page.get_by_role("button", name="Render the sum").click()
    there(page.locator(".slot"))
    assert view.count() == 0


def test_every_recipe_says_what_it_is_for(visit: Visit) -> None:
    page = visit("#/small/compose").page
    about = page.locator(".settings .about")
    fitting = [r.name for r in RECIPES.values() if "image" in media_of_recipe(r)]
    for name in fitting:
        page.get_by_label("Recipe").select_option(name)
        assert about.locator("summary").inner_text() == RECIPE_SUMMARIES[name]
    about.locator("summary").click()
    assert about.locator("dt").all_inner_texts() == fitting
    page.get_by_label("Recipe").select_option("deepdream")
    page.get_by_role("button", name="Render the sum").click()
    line = page.locator(".composer [role=alert]:visible")
    assert line.inner_text().startswith("The recipe deepdream is for pictures that start from a")
    page.goto(page.url.split("#")[0] + unit_place("first", 1))
    page.get_by_role("form", name="Terms").wait_for(state="detached")
    offered = page.get_by_label("Recipe").locator("option").all_inner_texts()
    assert offered == [name for name in fitting if name not in ("accentuation", "deepdream")]


def test_a_dropped_picture_shows_where_a_unit_responds(visit: Visit) -> None:
    page = visit(unit_place("mixed", 1)).page
    page.evaluate(DROP)
    page.locator(".map canvas").wait_for()
    height, width = page.locator(".map canvas").evaluate("c => [c.height, c.width]")
    assert height > 10 and width > 10
    assert page.locator(".top li").count() >= 5
    assert shown_width(page.locator(".overlay img")) == 40
    page.keyboard.press("ArrowRight")  # the picture is kept
    page.get_by_role("heading", level=1, name="mixed:2").wait_for()
    page.locator("figcaption", has_text=re.compile("^mixed:2 ")).wait_for()


def test_a_picked_picture_shows_the_units_that_respond(visit: Visit, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (30, 20), "orange").save(tmp_path / "orange.jpg")
    page = visit(layer_place("first")).page
    page.locator("#picture-file").set_input_files(tmp_path / "orange.jpg")
    link = page.locator(".top a").first
    words = link.inner_text()
    link.click()
    number = words.removeprefix("unit ")
    page.get_by_role("heading", level=1, name=f"first:{number}").wait_for()


def test_search_leads_to_classes_layers_and_units(visit: Visit) -> None:
    page = visit("#/efficientnet-lite0").page
    page.keyboard.press("/")
    page.keyboard.type("goldfish")
    option = page.locator("#found [role=option]").first
    option.wait_for()
    assert "goldfish" in option.inner_text()
    page.keyboard.press("Enter")
    page.locator(".label", has_text="goldfish").wait_for()
    assert page.evaluate("location.hash").endswith("unit=1")
    for words, title in (("block3b:7", "block3b:7"), ("block4b", "block4b")):
        page.locator("#find").fill(words)
        page.locator("#found [role=option]").first.wait_for()
        page.locator("#find").press("Enter")
        page.get_by_role("heading", level=1, name=title).wait_for()
    page.locator("#find").fill("no such thing")
    page.locator(".found .none").get_by_text("no such thing").wait_for()
    page.locator("#find").press("Escape")
    assert not page.locator(".found .none").is_visible()


def test_the_keyboard_alone_gets_from_the_list_to_a_unit(visit: Visit) -> None:
    page = visit().page

    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                outline = "getComputedStyle(document.activeElement).outlineStyle"
                assert page.evaluate(outline) != "none", f"{selector} has no visible focus"
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to(".skip")
    page.keyboard.press("Enter")
    tab_to(".cards a[href='#/small']")
    page.keyboard.press("Enter")
    page.locator(".flow").wait_for()
    tab_to(".layer")
    page.keyboard.press("Enter")
    page.locator(".wall").wait_for()
    tab_to(".tile")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name=":0").wait_for()
    assert page.evaluate("document.activeElement.tagName") == "H1"


@pytest.mark.parametrize(
    "place",
    [
        "#/",
        "#/small",
        layer_place("wide"),
        unit_place("mixed", 3),
        "#/small/compose",
        "#/jobs",
    ],
)
def test_a_phone_shows_every_view_without_scrolling_sideways(visit: Visit, place: str) -> None:
    page = visit(place, width=390, height=844, is_mobile=True, has_touch=True).page
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a")]
          .filter((one) => one.checkVisibility() && !one.closest(".unseen, .skip, .wall"))
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
          .map((one) => one.outerHTML)"""
    )
    assert [words for words in cut if 'class="skip"' not in words and "unseen" not in words] == []


def test_an_unknown_place_says_so(visit: Visit) -> None:
    watched = visit("#/nowhere")
    assert "nowhere" in watched.page.locator("main [role=alert]").inner_text()
    refused(watched, 404)


def test_a_token_is_asked_for_once(
    model: Path, tmp_path: Path, browser: Any, open_page: Visit
) -> None:
    reading = ModelSource(input_spec=preset("unit"))
    setting = ServiceSettings(tmp_path, (str(model),), reading=reading, workers=0, token=TOKEN)
    with running(setting) as address:
        watched = open_page(f"{address}/{layer_place('first')}")
        page = watched.page
        dialog = page.get_by_role("dialog")
        field = dialog.get_by_label("Token")
        field.fill("wrong")
        field.press("Enter")
        dialog.get_by_text("This is not the token.").wait_for()
        field.fill(TOKEN)
        field.press("Enter")
        page.locator(".tile").first.wait_for()
        assert page.get_by_role("dialog").count() == 0
        assert all("401" in problem for problem in watched.problems)
        watched.problems.clear()
        page.reload()
        page.locator(".tile[data-state=empty]").first.wait_for()
        assert watched.problems == []
        page.goto(f"{address}/#/small/compose")
        page.wait_for_load_state("networkidle")
        assert not page.locator(".directions").is_visible(), "nothing can be brought here"
        page.goto(f"{address}/#/")
        page.locator(".cards").wait_for()
        page.wait_for_load_state("networkidle")
        assert page.locator("#model-file").count() == 0
        page.goto("about:blank")


def test_a_network_is_brought_and_its_layers_are_shown(
    model: Path, tmp_path: Path, browser: Any, open_page: Visit
) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no model at all")
    setting = ServiceSettings(tmp_path / "data", (), workers=0, allow_upload=True)
    with running(setting) as address:
        page = open_page(address).page
        page.set_default_timeout(PATIENCE)
        page.get_by_text("The server has no networks").wait_for()
        send = page.get_by_role("button", name="Upload")
        assert send.is_disabled()
        page.locator("#model-file").set_input_files(wrong)
        send.click()
        error = page.locator(".bring [role=alert]:visible")
        error.wait_for()
        wanted = "wrong.onnx is a text file, not a model; expected ONNX or .keras"
        assert error.inner_text() == wanted
        page.locator("#model-file").set_input_files(model)
        assert not error.is_visible() and page.get_by_label("Name").input_value() == "small"
        page.get_by_label("Name").fill("mine")
        page.get_by_label("Preprocessing").select_option("unit")
        send.click()
        page.get_by_role("heading", level=1, name="mine").wait_for()
        page.locator(".flow .name", has_text="mixed").wait_for()
        assert page.locator("#network").input_value() == "mine"
        page.goto("about:blank")


def test_the_documents_fit_on_a_phone(address: str, open_page: Visit) -> None:
    page = open_page(f"{address}/docs", width=390, height=844, is_mobile=True).page
    page.locator(".opblock-summary").first.click()
    page.locator(".opblock-body").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
