"""The page of an output folder, read back as a browser would."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from PIL import ImageFont

from kerasviz.errors import KerasvizError
from kerasviz.rendering import pages
from kerasviz.rendering.pages import sparkline, write_index

HOSTILE = '<script>alert("1")</script> & co'


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text outside of styles and scripts."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script") and data.strip():
            self.text.append(data.strip())

    def all(self, tag: str, attribute: str) -> list[str]:
        return [a[attribute] for t, a in self.tags if t == tag and attribute in a]


def manifest(*pictures: dict[str, Any], size: tuple[int, int] = (96, 128)) -> dict[str, Any]:
    """A manifest with pictures of the request "r", filled up with what every picture has."""
    recipe = {
        "name": "fast",
        "steps": 8,
        "size": list(size),
        "transform": {"shared": False, "steps": [{"name": "pad", "size": 4}]},
    }
    filled = []
    for i, picture in enumerate(pictures):
        common = {
            "sha256": "0" * 64,
            "key": f"key{i}",
            "step": 8,
            "row": 0,
            "compiled_batch": 4,
            "score": 1.25,
            "request": "r",
            "environment": "e",
            "curve": [[0, 1.0], [7, 3.0]],
        }
        filled.append({**common, **picture})
    return {
        "format": 1,
        "network": {
            "name": HOSTILE,
            "format": "onnx",
            "sha256": "ab" * 32,
            "source": "../net.onnx",
            "input": {"scale": 255.0, "mean": [104.0, 117.0], "channel_order": "bgr"},
        },
        "requests": {
            "r": {"objective": [], "recipe": recipe, "seed": 5, "snapshots": [], "rows": 1}
        },
        "environments": {"e": {"device": "CPU <x>", "tensorflow": "2.21.0"}},
        "pictures": filled,
    }


def page_of(folder: Path, data: dict[str, Any]) -> Reader:
    return Reader(write_index(folder, data).read_text(encoding="utf-8"))


def test_every_finished_picture_is_shown_once_and_snapshots_in_step_order(tmp_path: Path) -> None:
    snapshots = [
        {"target": "a:1", "file": f"a.step{s:05d}.png", "step": s, "key": "k", "score": None}
        for s in (4, 0, 2)
    ]
    page = page_of(tmp_path, manifest(*snapshots, {"target": "a:1", "file": "a.png", "key": "k"}))
    assert page.all("img", "src") == [
        "a.png",
        "a.step00000.png",
        "a.step00002.png",
        "a.step00004.png",
    ]
    assert page.all("img", "alt")[:4] == ["a:1", "a:1, step 0", "a:1, step 2", "a:1, step 4"]
    assert page.all("img", "width")[0] == "128"
    assert page.all("img", "height")[0] == "96"


def test_transparent_pictures_are_shown_on_a_checkerboard(tmp_path: Path) -> None:
    entries = [{"target": t, "file": f"{t}.png", "transparent": t == "b"} for t in "ab"]
    page = page_of(tmp_path, manifest(*entries))
    classes = [attributes.get("class", "") for tag, attributes in page.tags if tag == "img"]
    assert classes[:2] == ["", "transparent"]
    assert "img.transparent {" in (tmp_path / "index.html").read_text()
    page_of(tmp_path, manifest(entries[0]))
    assert "img.transparent" not in (tmp_path / "index.html").read_text()


def test_pictures_of_one_target_stand_together_in_the_order_of_the_targets(
    tmp_path: Path,
) -> None:
    entries = [{"target": t, "file": f"{t}{i}.png"} for i, t in enumerate("babc")]
    page = page_of(tmp_path, manifest(*entries))
    assert page.all("img", "src") == ["b0.png", "b2.png", "a1.png", "c3.png"]


def test_the_facts_of_a_picture_and_the_settings_are_on_the_page(tmp_path: Path) -> None:
    page = page_of(tmp_path, manifest({"target": "a:1", "file": "a.png", "row": 2}))
    text = " ".join(page.text)
    assert "score 1.25 · 8 steps · seed 7" in text  # row 2 starts from the noise of seed 5 + 2
    for words in ("ab" * 32, "../net.onnx", "96 x 128", "CPU <x>", "2.21.0", "name: pad, size: 4"):
        assert words in text
    assert page.all("polyline", "points") == ["0,24 100,0"]
    assert "manifest.json" in page.all("a", "href")


def test_names_are_escaped_in_text_attributes_and_links(tmp_path: Path) -> None:
    entry = {"target": HOSTILE, "file": 'a%20"+b#1?.png'}
    page = page_of(tmp_path, manifest(entry))
    assert [t for t, _ in page.tags].count("script") == 1  # the page's own
    assert HOSTILE in page.text
    assert HOSTILE in page.all("img", "alt")
    link = urlparse(page.all("img", "src")[0])
    assert unquote(link.path) == entry["file"]
    assert not link.query and not link.fragment


def test_the_page_asks_no_other_host(tmp_path: Path) -> None:
    page = page_of(tmp_path, manifest({"target": "a:1", "file": "a.png"}))
    links = page.all("img", "src") + page.all("a", "href") + page.all("script", "src")
    links += page.all("link", "href")
    assert links and not any(urlparse(link).netloc for link in links)
    assert "@import" not in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("size", "pixels"),
    [((28, 28), True), ((33, 33), False), ((48, 48), False)],
)
def test_only_small_pictures_are_shown_as_pixels(
    tmp_path: Path, size: tuple[int, int], pixels: bool
) -> None:
    page = page_of(tmp_path, manifest({"target": "a:1", "file": "a.png"}, size=size))
    assert ("pixels" in page.all("img", "class")) == pixels
    widths = [s for s in page.all("img", "style") if "width" in s]
    assert widths == (["width: 168px"] if pixels else [])  # 6 times 28: all pixels are equal


def many(count: int, *layers: str) -> dict[str, Any]:
    """Pictures of units of some layers in turn, by two recipes."""
    targets = [(layers[k % len(layers)], k) for k in range(count)]
    data = manifest(*({"target": f"{tap}:{k}", "file": f"{k}.png"} for tap, k in targets))
    usual = data["requests"].pop("r")
    for (tap, k), entry in zip(targets, data["pictures"], strict=True):
        entry["request"] = f"r{k}"
        other = {**usual["recipe"], **({"steps": 8, "grey": True} if k % 2 else {})}
        objective = [{"kind": "channel", "tap": tap, "unit": k, "weight": 1.0}]
        data["requests"][f"r{k}"] = {**usual, "recipe": other, "objective": objective}
    return data


def test_many_pictures_are_sorted_by_layer_and_few_are_not(tmp_path: Path) -> None:
    page = page_of(tmp_path, many(30, "conv_1", "conv_2", "deep"))
    folded = [a for t, a in page.tags if t == "details" and a.get("class") == "group"]
    assert len(folded) == 3
    jumps = [link for link in page.all("a", "href") if link.startswith("#layer-")]
    assert jumps == ["#layer-1", "#layer-2", "#layer-3"]
    assert {"layer-1", "layer-2", "layer-3"} <= set(page.all("div", "id"))
    shown = [a["href"] for t, a in page.tags if t == "a" and a.get("class") == "picture"]
    in_order = [f"{k}.png" for first in range(3) for k in range(first, 30, 3)]
    assert shown == in_order
    for few in (many(24, "conv_1", "conv_2"), many(30, "conv_1")):
        page = page_of(tmp_path, few)
        assert not [a for t, a in page.tags if a.get("class") == "group"]


def test_recipes_are_named_by_what_they_change(tmp_path: Path) -> None:
    page = page_of(tmp_path, many(4, "conv"))
    links = [(a["href"], a["title"]) for t, a in page.tags if t == "a" and "title" in a]
    assert {link for link, _ in links} == {"#settings-1", "#settings-2"}
    assert page.text.count("recipe fast") == 2 and page.text.count("recipe fast, grey yes") == 2
    assert "Recipe fast, grey yes" in page.text
    assert not any("settings 1" in text for text in page.text)


def test_an_equal_page_is_not_written_again(tmp_path: Path) -> None:
    data = manifest({"target": "a:1", "file": "a.png"})
    before = write_index(tmp_path, data).stat().st_mtime_ns
    assert write_index(tmp_path, data).stat().st_mtime_ns == before
    data["pictures"][0]["target"] = "a:2"
    assert "a:2" in write_index(tmp_path, data).read_text(encoding="utf-8")
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]


def test_an_empty_folder_has_a_page(tmp_path: Path) -> None:
    assert "0 pictures" in " ".join(page_of(tmp_path, manifest()).text)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(KerasvizError, match=r"cannot write .*index\.html"):
        write_index(tmp_path / "missing", manifest())


@pytest.mark.parametrize(
    ("curve", "points"),
    [
        ([(0, 2.0), (3, 2.0), (6, 2.0)], "0,12 50,12 100,12"),
        ([(0, 1.0), (1, float("nan")), (2, 0.0)], "0,0 100,24"),
        ([(0, 1.0), (1, float("inf"))], ""),
        ([], ""),
    ],
)
def test_sparklines_of_odd_curves(curve: list[tuple[float, float]], points: str) -> None:
    assert sparkline(curve) == points


def test_pages_have_the_palette_of_the_service_and_the_typeface_of_the_pictures() -> None:
    here = Path(pages.__file__).with_name("templates") / "base.css"
    there = Path(pages.__file__).parents[1] / "service" / "page" / "base.css"
    own, others = (
        [dict(re.findall(r"--(\w[\w-]*): ([^;]+);", block)) for block in css.split(":root")[1:3]]
        for css in (here.read_text(), there.read_text())
    )
    for light_or_dark, other in zip(own, others, strict=True):
        shared = light_or_dark.keys() & other.keys()
        assert len(shared) >= 8
        assert {name: light_or_dark[name] for name in shared} == {
            name: other[name] for name in shared
        }
    font = ImageFont.load_default(size=20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    read = ImageFont.truetype(str(pages.TYPEFACE), 20, layout_engine=ImageFont.Layout.BASIC)
    assert read.getname() == font.getname()
    assert read.getlength("Feature visualization") == font.getlength("Feature visualization")
