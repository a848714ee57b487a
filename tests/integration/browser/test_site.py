"""The site of a set of figures, as a reader uses it."""

from __future__ import annotations

import json
import shlex
import shutil
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
#: Scroll through the page, then give what was not loaded of all pictures that are to be seen.
# Images load where they come near the window, which a busy machine may not see while the page flies
# past: those that were missed are scrolled to.
UNLOADED = """async () => {
  const pause = () => new Promise((done) => setTimeout(done, 15));
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight / 2) {
    scrollTo(0, y);
    await pause();
  }
  const seen = [...document.images].filter((image) => image.checkVisibility() && image.width > 1);
  const latest = Date.now() + 60000;
  for (const image of seen) {
    while (!image.complete && Date.now() < latest) {
      image.scrollIntoView();
      await pause();
    }
  }
  return [seen.length, seen.filter((image) => !image.naturalWidth).map((image) => image.src)];
}"""


def figure(page: Any, slug: str) -> Any:
    return page.locator(f"#{slug} .figure")


def setting(shown: Any) -> list[str]:
    """The settings of the rows of a figure that are to be seen."""
    return shown.locator("[data-setting]:not([hidden])").evaluate_all(
        "rows => rows.map(row => row.dataset.setting)"
    )


def sources(shown: Any) -> list[str]:
    """The pictures of the row that is to be seen, all of them loaded."""
    row = shown.locator("[data-setting]:not([hidden]) img")
    return row.evaluate_all(
        """images => Promise.all(images.map(async (image) => {
          image.loading = "eager";
          await image.decode();
          return image.src.split("/").pop();
        }))"""
    )


def controls(shown: Any) -> list[tuple[Any, list[int]]]:
    """The controls of a figure, each with the numbers of its values."""
    found = []
    for control in shown.locator("fieldset").all():
        inputs = control.locator("input")
        kind = inputs.first.get_attribute("type")
        count = inputs.count() if kind == "radio" else 2
        if kind == "range":
            count = int(inputs.first.get_attribute("max")) + 1
        found.append((control, list(range(count))))
    return found


def choose(control: Any, value: int) -> None:
    inputs = control.locator("input")
    kind = inputs.first.get_attribute("type")
    if kind == "radio":
        if inputs.count() > 1:
            inputs.nth(value).check()
    elif kind == "checkbox":
        inputs.first.set_checked(bool(value))
    else:
        inputs.first.fill(str(value))


def test_the_site_holds_every_figure_in_order_and_all_its_pictures(
    figures: Path, open_page: Open, slugs: list[str]
) -> None:
    watched = open_page((figures / "index.html").as_uri())
    page = watched.page
    ids = page.locator(".entry").evaluate_all("entries => entries.map(entry => entry.id)")
    assert ids == slugs
    captions = page.locator(".entry .caption")
    assert captions.count() == len(slugs) and all(
        text.strip() for text in captions.all_inner_texts()
    )
    count, unloaded = page.evaluate(UNLOADED)
    assert count > 150 and unloaded == []
    assert all(address.startswith("file://") for address in watched.addresses)
    # Rows that nobody chose have loaded nothing.
    loaded = sum(address.endswith(".png") for address in set(watched.addresses))
    assert loaded < page.locator("a.picture").count()


def test_every_value_of_every_control_shows_its_row(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "index.html").as_uri()).page
    seen = 0
    for form in page.locator("form.controls").all():
        shown = form.locator("xpath=..")
        known = set(
            shown.locator("[data-setting]").evaluate_all("rows => rows.map(r => r.dataset.setting)")
        )
        found = controls(shown)
        initial = setting(shown)
        assert len(initial) == 1 and initial[0] in known
        first = [int(number) for number in initial[0].split(" ")]
        combined = list(product(*(values for _, values in found)))
        if len(combined) > 40:  # of large figures those where one control is changed
            combined = [
                c for c in combined if sum(a != b for a, b in zip(c, first, strict=True)) <= 1
            ]
        before = sources(shown)
        whole = len(known) == len(list(product(*(values for _, values in found))))
        for values in combined:
            for k, ((control, _), value) in enumerate(zip(found, values, strict=True)):
                choose(control, value)
                (own,) = setting(shown)
                assert own in known and own.split(" ")[k] == str(value)  # the others may follow
            seen += 1
            if whole:
                assert setting(shown) == [" ".join(map(str, values))]
                assert (sources(shown) == before) == (list(values) == first)
                assert shown.locator(".nothing").is_hidden()
    assert seen > 100


@pytest.mark.parametrize(
    ("slug", "first"),
    [
        ("naive-noise", {"Learning rate": "0.05"}),
        ("transformation-robustness", {"Jitter": "1 px", "Rotate": "5°", "Scale": "1.1x"}),
        ("preconditioning", {"Learning rate": "0.05"}),
    ],
)
def test_controls_begin_as_in_the_article(
    figures: Path, open_page: Open, slug: str, first: dict[str, str]
) -> None:
    shown = figure(open_page((figures / "index.html").as_uri()).page, slug)
    for title, label in first.items():
        slider = shown.get_by_role("slider", name=title, exact=True)
        assert slider.get_attribute("aria-valuetext") == label
        chosen = slider.locator("xpath=..").locator(".chosen")
        assert chosen.all_inner_texts() == [label]
    if slug == "preconditioning":
        for title in ("Decorrelated space", "Transformation robustness"):
            assert shown.get_by_role("checkbox", name=title).is_checked()


def test_penalties_begin_as_in_the_article_times_the_networks_factor(
    figures: Path, open_page: Open
) -> None:
    shown = figure(open_page((figures / "index.html").as_uri()).page, "frequency-penalization")
    article = {"L1": -0.05, "Total variation": -0.25, "Blur": -1.0}
    values = {}
    for title in article:
        slider = shown.get_by_role("slider", name=title, exact=True)
        values[title] = slider.get_attribute("aria-valuetext")
        chosen = slider.locator("xpath=..").locator(".chosen")
        assert chosen.all_inner_texts() == [values[title]]
    factors = {float(value) / article[title] for title, value in values.items()}
    assert max(factors) == pytest.approx(min(factors)) and min(factors) > 0


def test_the_arithmetic_shows_the_chosen_units_and_their_sum(
    figures: Path, open_page: Open
) -> None:
    shown = figure(open_page((figures / "index.html").as_uri()).page, "neuron-arithmetic")
    first, second = shown.locator("fieldset").all()
    radios = [side.get_by_role("radio") for side in (first, second)]
    count = [side.count() for side in radios]
    assert setting(shown) == [f"{min(4, count[0] - 1)} 0"]
    for i, j in product(range(count[0]), range(count[1])):
        radios[0].nth(i).check()
        radios[1].nth(j).check()
        row = shown.locator("[data-setting]:not([hidden])")
        names = row.locator("img").evaluate_all("images => images.map(image => image.alt)")
        thumbs = [
            side.locator("label").nth(k).get_attribute("title")
            for side, k in ((first, i), (second, j))
        ]
        both = " + ".join(name.split(" ")[0] for name in thumbs)
        assert names == ([*thumbs, both] if thumbs[0] != thumbs[1] else thumbs)


def test_the_steps_are_equal_in_size_and_pixels_stay_sharp(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "index.html").as_uri()).page
    shown = figure(page, "naive-noise")
    widths = shown.locator("[data-setting]:not([hidden]) .picture").evaluate_all(
        "tiles => tiles.map(tile => Math.round(tile.getBoundingClientRect().width))"
    )
    assert len(widths) > 2 and len(set(widths)) == 1
    assert "pixels" in shown.locator("a.picture img").first.get_attribute("class")


def test_the_keyboard_alone_is_enough(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "index.html").as_uri()).page
    keys = page.keyboard
    page.locator("#naive-noise > h3 a").focus()
    keys.press("Tab")  # the units: one stop for all of them
    assert page.evaluate("document.activeElement.type") == "radio"
    shown = figure(page, "naive-noise")
    keys.press("ArrowRight")
    assert setting(shown) == ["1 2"]
    ring = "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert page.evaluate(ring) == "solid"
    keys.press("Tab")
    assert page.evaluate("document.activeElement.type") == "range"
    keys.press("ArrowLeft")
    assert setting(shown) == ["1 1"]
    keys.press("End")
    assert setting(shown) == ["1 4"]
    keys.press("Tab")
    assert page.evaluate("document.activeElement.className") == "picture"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keys.press("Enter")
    assert page.locator("#zoom").is_visible()
    keys.press("Escape")
    assert page.locator("#zoom").is_hidden()
    assert page.evaluate("document.activeElement.className") == "picture"
    page.locator("#preconditioning input[type=checkbox]").first.focus()
    before = setting(figure(page, "preconditioning"))
    keys.press("Space")
    assert setting(figure(page, "preconditioning")) != before


def test_other_controls_follow_to_a_combination_that_is_there(
    figures: Path, open_page: Open
) -> None:
    page = open_page((figures / "index.html").as_uri()).page
    shown = figure(page, "frequency-penalization")
    initial = setting(shown)
    assert initial == ["0 1 2 2"] and shown.get_by_role("status").is_hidden()
    shown.get_by_role("slider", name="L1", exact=True).fill("3")
    assert setting(shown) == ["0 3 0 0"]
    words = shown.get_by_role("status").inner_text()
    assert words.startswith("Total variation and Blur moved too")
    assert shown.get_by_role("slider", name="Blur").input_value() == "0"
    shown.get_by_role("slider", name="L1", exact=True).fill("0")
    shown.get_by_role("slider", name="Blur").fill("4")
    assert setting(shown) == ["0 0 0 4"] and shown.get_by_role("status").is_hidden()


def test_a_switch_says_its_state(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "preconditioning.html").as_uri()).page
    switch = page.locator("fieldset.switch").first
    assert switch.inner_text().split() == ["Decorrelated", "space", "on"]
    switch.locator("input").uncheck()
    assert switch.inner_text().split()[-1] == "off"


def test_a_picture_says_what_made_it_and_the_command(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "index.html").as_uri()).page
    dialog = page.locator("#zoom")
    expected = {
        "hero": ("score 1 · 4 steps · seed 0", ["kerasviz", "render", "tiny", "relu1:"]),
        "naive-noise": ("step ", ["kerasviz", "render", "--again", "relu1"]),
        "steepest-descent": ("computed from", ["kerasviz", "figures", "steepest-descent"]),
        "diversity-4a97": ("score 1 · 4 steps · seed 0", ["kerasviz", "render", "tiny"]),
    }
    for slug, (facts, words) in expected.items():
        picture = figure(page, slug).locator("a.picture:visible").first
        name = picture.locator("img").get_attribute("alt")
        picture.click()
        assert dialog.locator("#zoom-words").inner_text() == name
        assert facts in dialog.locator(".facts").inner_text()
        file = dialog.locator(".facts a")
        assert (figures / file.inner_text()).is_file()
        command = shlex.split(dialog.locator(".again code").inner_text())
        for word in words:
            assert any(part.startswith(word) for part in command)
        assert command[-2:] == ["--out", "again"]
        if command[1] == "render" and slug != "naive-noise":
            assert "--recipe fast --steps 4 --size 16x24" in " ".join(command)
            assert command[3] == name or name.startswith(command[3] + " ")
        dialog.get_by_role("button", name="Close").click()
        assert dialog.is_hidden()
    record = json.loads((figures / "figures.json").read_text())["figures"]
    assert "--quick" in record["hero"]["command"] and record["hero"]["photos"] == [
        "first.png",
        "second.png",
        "third.png",
    ]
    assert "--quick" not in record["naive-noise"]["command"]  # the second run made it


def test_the_command_can_be_copied(figures: Path, open_page: Open) -> None:
    page = open_page(
        (figures / "index.html").as_uri(), permissions=["clipboard-read", "clipboard-write"]
    ).page
    page.locator("#hero a.picture").first.click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#zoom code").inner_text()
    assert page.locator("#zoom").is_visible()  # it closes by its button, the picture and Escape
    page.locator("#zoom img").click()
    assert page.locator("#zoom").is_hidden()


def test_an_address_of_a_figure_scrolls_to_it(
    figures: Path, open_page: Open, slugs: list[str]
) -> None:
    address = (figures / "index.html").as_uri()
    top = "slug => document.getElementById(slug).getBoundingClientRect().top"
    page = open_page(f"{address}#interpolation").page
    page.wait_for_timeout(100)
    assert -2 < page.evaluate(top, "interpolation") < 60
    for slug in (slugs[5], slugs[-1], slugs[0]):
        page.evaluate("slug => { location.hash = slug }", slug)
        page.wait_for_timeout(50)
        assert page.evaluate(top, slug) < 900 - 100
    page.get_by_role("navigation").get_by_role("link").nth(3).click()
    page.wait_for_timeout(50)
    assert -2 < page.evaluate("document.querySelectorAll('h2')[3].getBoundingClientRect().top") < 60


def test_nothing_moves_while_pictures_load(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "index.html").as_uri()).page
    height = "document.documentElement.scrollHeight"
    before = page.evaluate(height)
    page.evaluate(UNLOADED)
    assert page.evaluate(height) == before


def test_figures_have_pages_of_their_own_with_the_same_controls(
    figures: Path, open_page: Open, slugs: list[str]
) -> None:
    index = (figures / "index.html").read_text(encoding="utf-8")
    for slug in slugs:
        page = (figures / f"{slug}.html").read_text(encoding="utf-8")
        body = page.partition("<!-- figure -->")[2].partition("<!-- end of figure -->")[0]
        assert body.strip() and body in index
    watched = open_page((figures / "naive-noise.html").as_uri())
    shown = watched.page.locator(".figure")
    shown.get_by_role("radio").nth(2).check()
    assert setting(shown) == ["2 2"]
    count, unloaded = watched.page.evaluate(UNLOADED)
    assert count > 5 and unloaded == []
    watched.page.get_by_role("link", name="All figures").click()
    assert watched.page.url.endswith("index.html#naive-noise")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_page_is_wider_than_the_window(
    figures: Path, open_page: Open, slugs: list[str], width: int
) -> None:
    pages = ["index.html", "pictures/index.html", *(f"{slug}.html" for slug in slugs[::4])]
    page = None
    for name in pages if width == 390 else pages[:2]:
        if page is None:
            page = open_page((figures / name).as_uri(), width, 800).page
        else:
            page.goto((figures / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page is not None


def luminance(colour: str) -> float:
    """The relative luminance of "rgb(r, g, b)" (WCAG 2)."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page(figures: Path, open_page: Open, scheme: str) -> None:
    page = open_page((figures / "index.html").as_uri(), color_scheme=scheme).page
    colour = "element => getComputedStyle(element).color"
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(back) < 0.1) == (scheme == "dark")
    for selector in ("h1", "h2", ".caption", ".small.soft", "header a", ".ticks span"):
        front = page.locator(selector).first.evaluate(colour)
        light, dark = sorted((luminance(front), luminance(back)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


def test_a_set_works_in_another_folder_and_on_a_server(
    figures: Path, open_page: Open, tmp_path: Path
) -> None:
    moved = shutil.copytree(figures, tmp_path / "moved & away 100%")
    page = open_page((moved / "index.html").as_uri()).page
    assert page.evaluate(UNLOADED)[1] == []
    page.locator("#hero a.picture").first.click()
    assert page.locator("#zoom img").evaluate("image => image.decode().then(() => image.width)") > 0

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(moved))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        watched = open_page(f"http://127.0.0.1:{server.server_port}/")
        assert watched.page.evaluate(UNLOADED)[1] == []
        home = f"http://127.0.0.1:{server.server_port}/"
        assert all(address.startswith(home) for address in watched.addresses)
        server.shutdown()


def test_the_page_of_single_pictures_says_the_commands(figures: Path, open_page: Open) -> None:
    page = open_page((figures / "pictures" / "index.html").as_uri()).page
    page.locator("details.group > summary").first.click()  # pictures of many layers are folded
    picture = page.locator("a.picture[data-command]").first
    picture.click()
    command = shlex.split(page.locator("#zoom code").inner_text())
    assert command[:3] == ["kerasviz", "render", "tiny"] and command[3] == (
        picture.locator("img").get_attribute("alt")
    )
    page.keyboard.press("Escape")
    page.locator("details.group > summary").last.click()  # computed pictures are, too
    page.locator("a.picture:not([data-command])").first.click()
    assert page.locator("#zoom .again").is_hidden()
