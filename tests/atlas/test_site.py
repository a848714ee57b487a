"""The site of an atlas: what leads where, what its tiles show, and files that stay as they are."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support import many_units, tiny, unrendered

from kerasviz.atlas.classes import class_layers
from kerasviz.atlas.site import write_site
from kerasviz.atlas.tiles import PER_FILE, SIDE
from kerasviz.examples import Examples, Question, make_examples
from kerasviz.examples.datasets import open_source
from kerasviz.figures.catalogue.appendix import APPENDIX_LAYER
from kerasviz.figures.layout import appendix
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.directions import DirectionGroup
from kerasviz.figures.site.layer_pages import UNIT
from kerasviz.figures.site.record import FigureRun
from kerasviz.figures.site.sprites import corner, sheet_size
from kerasviz.io.files import checksum
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value
from kerasviz.rendering.request import Request

#: A name so long that the names of its units are cut off.
LONG = "features/" + "/".join(f"a_block_of_the_network_{i}" for i in range(4))
LAYERS = {"mixed4a": 53, "mixed4b": 24, LONG: 3}
#: What an attribute of a page leads to, or what a style or script loads.
LINKS = re.compile(r"""(?:href|src)="([^"]*)"|url\('([^']*)'\)""")


def column(request: Request, row: int) -> int:
    """The place of a picture in the sprites: neuron, channel, negative, facets."""
    if request.rows > 1:
        return 3 + row
    return 0 if "@" in request.text else 2 if request.text.startswith("-") else 1


def pick(request: Request, row: int) -> int:
    return 7 * (request.objective.terms[0].unit or 0) + column(request, row)


def made(out: Path, layers: Mapping[str, int], size: tuple[int, int] = (64, 64)) -> FigureRun:
    """An atlas in which each picture of a unit has a colour of its own."""
    shape = (size[1], size[0])
    units = max(layers.values())
    images = [
        Image.new("RGB", shape, many_units.colour(unit, k))
        for unit in range(units)
        for k in range(7)
    ]
    net = unrendered.outline(layers)
    return unrendered.unrendered(out, net, list(layers), images, pick)


@pytest.fixture(scope="module")
def making(tmp_path_factory: pytest.TempPathFactory) -> FigureRun:
    out = tmp_path_factory.mktemp("an atlas")
    found = made(out, LAYERS)
    write_site(out, found)
    return found


@pytest.fixture
def site(making: FigureRun) -> Path:
    return making.store.folder.parent


def links(page: Path) -> list[str]:
    text = re.sub("<script>.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = LINKS.findall(text)
    return [unescape(either or other) for either, other in found]


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def listed(site: Path) -> dict[str, Any]:
    """What the search knows of the layers."""
    text = (site / "search.js").read_text(encoding="utf-8")
    (data,) = re.findall(r"const atlas = (.*);\n", text)
    return {layer["tap"]: layer for layer in json.loads(data)["layers"]}


def test_every_link_leads_to_a_file_and_place_of_the_site(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "elsewhere")
    pages = sorted((tmp_path / "elsewhere").rglob("*.html"))
    assert len(pages) == 2 + len(LAYERS)
    for page in pages:
        for link in links(page):
            parts = urlsplit(link)
            if parts.scheme:
                assert link in ("data:,", "https://doi.org/10.23915/distill.00007")
                continue
            target = page.parent / unquote(parts.path) if parts.path else page
            assert target.is_file() and not link.startswith("/")
            assert (tmp_path / "elsewhere") in target.resolve().parents
            if parts.fragment:
                assert f'id="{unquote(parts.fragment)}"' in target.read_text(encoding="utf-8")


def test_index_and_wall_have_all_layers_and_units_in_order(site: Path) -> None:
    index, wall = (site / name for name in ("index.html", "units.html"))
    text = index.read_text(encoding="utf-8")
    assert "80 units in 3 layers" in text
    assert [unescape(t) for t in re.findall(r"<h2><a [^>]*>([^<]*)", text)][:2] == [
        "Layer 4a",
        "Layer 4b",
    ]
    assert re.findall(r'soft">(\d+) units?<', text) == ["53", "24", "3"]
    assert len(re.findall('class="tile"', text)) == 12 + 12 + 3
    tiles = re.findall(r'<a href="([^"#]*)#([^"]*)">(\d+)</a>', wall.read_text(encoding="utf-8"))
    assert [int(unit) for _, _, unit in tiles] == [*range(53), *range(24), *range(3)]
    assert tiles[30] == ("layers/mixed4a.html", "mixed4a-30", "30")


def test_layers_have_the_names_of_the_map_and_their_files_those_of_taps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appendix, "card_of", lambda net: SimpleNamespace(name=net.name))
    # As of a network of many layers, of which the article's figure shows some.
    monkeypatch.setattr(appendix, "map_layers", lambda _, net: ({"mixed4a": net.main_taps[-1]}, ""))
    net = replace(
        unrendered.outline({"block1a_project": 3, "x": 2}),
        aliases={"block1a": "block1a_project"},
        main_taps=("block1a", "x"),
    )
    images = [
        Image.new("RGB", (64, 64), many_units.colour(u, k)) for u in range(3) for k in range(7)
    ]
    write_site(tmp_path, unrendered.unrendered(tmp_path, net, ["block1a", "x"], images, pick))
    for name in ("index.html", "units.html", "layers/block1a_project.html"):
        text = (tmp_path / name).read_text(encoding="utf-8").replace("<wbr>", "")
        assert "Layer block1a<" in text and "Layer block1a_project" not in text
    layer = listed(tmp_path)["block1a"]
    assert (layer["title"], layer["aliases"]) == ("Layer block1a", ["block1a_project"])
    assert layer["page"] == "layers/block1a_project.html"
    assert layer["anchors"] == "block1a_project-"  # old addresses lead there


def test_a_dead_unit_is_said_to_be_one(tmp_path: Path) -> None:
    making = made(tmp_path, {"mixed4a": 3})
    entries, still = making.store.entries, ((0, 0.5), (16, 0.5), (32, 0.5))
    for file, entry in entries.items():
        unit = entry.target.lstrip("-").removeprefix("mixed4a:").partition("@")[0]
        # Of unit 1 no picture has changed anything, of unit 2 all but one.
        if unit == "1" or (unit == "2" and not entry.target.startswith("-")):
            entries[file] = replace(entry, curve=still)
    write_site(tmp_path, making)
    page = (tmp_path / "layers" / "mixed4a.html").read_text(encoding="utf-8")
    assert re.findall(r'<h2><a href="#mixed4a-\d">([^<]*)', page) == [
        "Layer 4a, Unit 0",
        "Layer 4a, Unit 1 (dead: its score never changed)",
        "Layer 4a, Unit 2",
    ]


def test_tiles_are_the_pictures_of_channels(site: Path) -> None:
    layer = listed(site)["mixed4a"]
    assert [Path(file).name for file in layer["tiles"]] == [
        "mixed4a-00000--00023.jpg",
        "mixed4a-00024--00047.jpg",
        "mixed4a-00048--00052.jpg",
    ]
    for k, file in enumerate(layer["tiles"]):
        with Image.open(site / file) as image:
            pixels = np.asarray(image, np.int16)
        count = min(PER_FILE, 53 - k * PER_FILE)
        assert pixels.shape == (SIDE, count * SIDE, 3)
        for x in range(count):
            shown = pixels[8:-8, x * SIDE + 8 : (x + 1) * SIDE - 8]
            wanted = many_units.colour(k * PER_FILE + x, 1)
            assert np.abs(shown - np.array(wanted)).max() < 12
    text = (site / "index.html").read_text(encoding="utf-8")
    samples = [int(unit) for unit in re.findall(r'#mixed4a-(\d+)"', text)]
    assert samples == [(2 * i + 1) * 53 // 24 for i in range(12)]
    with Image.open(site / "units" / "mixed4a.jpg") as image:
        side = image.height
        for k, unit in enumerate(samples):
            found: Any = image.getpixel((k * side + side // 2, side // 2))
            assert np.abs(np.subtract(found, many_units.colour(unit, 1))).max() < 12


def test_rows_of_a_layer_have_sprites_as_large_as_the_pictures(site: Path) -> None:
    with Image.open(site / "layers" / "mixed4a-00050--00052.jpg") as image:
        assert image.size == (7 * 64, 3 * 64)
        for row in range(3):
            for place in range(7):
                left, top = (64 * x // 147 + 32 for x in corner(row, place))
                found: Any = image.getpixel((left, top))
                wanted = many_units.colour(50 + row, place)
                assert np.abs(np.subtract(found, wanted)).max() < 12


def test_pictures_open_with_the_command_that_makes_them(making: FigureRun, site: Path) -> None:
    """The page has one for all units; they are compared with those found one by one."""
    wanted, seen = making.command.of_store(making.store), 0
    for layer in listed(site).values():
        page = site / layer["page"]
        text = page.read_text(encoding="utf-8")
        common = json.loads(unescape(re.findall(r'data-commands="([^"]*)"', text)[0]))
        for section in text.split("<section ")[1:]:
            unit = unescape(re.findall(r'data-unit="([^"]*)"', section)[0])
            own = re.findall(r'data-commands="([^"]*)"', section)
            commands = json.loads(unescape(own[0])) if own else common
            found = re.findall(r'class="p[^"]*" href="\.\./pictures/([^"]*)"', section)
            assert len(found) == 7
            for file, kind in zip(found, (0, 1, 2, 2, 2, 2, 3), strict=True):
                assert commands[kind].replace(UNIT, unit) == wanted[unquote(file)]
                seen += 1
    assert seen == 7 * 80


def test_layers_lead_to_their_neighbours_and_say_nothing_of_others(site: Path) -> None:
    first, middle, last = (site / layer["page"] for layer in listed(site).values())
    assert links(middle).count("mixed4a.html") == 2  # in the list of layers, and as the one before
    ways = r'rel="(prev|next)" href="([^"]*)"'
    assert re.findall(ways, first.read_text()) == [("next", "mixed4b.html")]
    assert re.findall(ways, middle.read_text()) == [("prev", first.name), ("next", last.name)]
    assert re.findall(ways, last.read_text()) == [("prev", "mixed4b.html")]
    for page in (first, middle, last):
        assert 'class="e ' not in page.read_text()  # places for examples
        assert "Shown here" not in page.read_text()


def test_the_search_knows_layers_units_and_where_they_are(site: Path) -> None:
    layers = listed(site)
    assert list(layers) == list(LAYERS)
    assert (layers["mixed4a"]["title"], layers["mixed4a"]["units"]) == ("Layer 4a", 53)
    assert layers["mixed4a"]["anchors"] == "mixed4a-"
    assert len(set(layers[LONG]["anchors"])) == 3  # a name each: they are cut off
    assert not any(layer["labels"] for layer in layers.values())


def test_sprites_and_tiles_are_in_the_manifest(making: FigureRun, site: Path) -> None:
    pictures = [*site.rglob("layers/*.jpg"), *site.rglob("units/*.jpg")]
    recorded = {
        (making.store.folder / entry.file).resolve(): entry.sha256
        for entry in making.store.copied.values()
    }
    assert recorded == {path.resolve(): checksum(path.read_bytes()) for path in pictures}


def test_a_second_run_writes_nothing_and_another_folder_gets_the_same_bytes(tmp_path: Path) -> None:
    layers = {"mixed4a": 12, "mixed4b": 3}
    for name in ("a", "b"):
        write_site(tmp_path / name, made(tmp_path / name, layers))
    before = files(tmp_path / "a")
    again = unrendered.making(tmp_path / "a", unrendered.outline(layers), list(layers), (64, 64))
    write_site(tmp_path / "a", again)
    assert files(tmp_path / "a") == before
    other = files(tmp_path / "b")
    assert {n: data for n, (_, data) in before.items()} == {n: d for n, (_, d) in other.items()}


@pytest.mark.parametrize("size", [(48, 80), (16, 16), (200, 100)])
def test_pictures_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    write_site(tmp_path, made(tmp_path, {"a": 2}, size))
    height, width = size
    with Image.open(tmp_path / "units" / "a-00000--00001.jpg") as image:
        assert image.height == round(SIDE * height / max(size))
        assert image.width == 2 * round(SIDE * width / max(size))
        for unit in range(2):
            found: Any = image.getpixel((image.width * (2 * unit + 1) // 4, image.height // 2))
            assert np.abs(np.subtract(found, many_units.colour(unit, 1))).max() < 12


def test_examples_are_shown_where_there_are_some(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(6):
        Image.new("RGB", (30, 30), (40 * i, 255 - 40 * i, 90)).save(photos / f"{i}.png")
    net, out = tiny.network(), tmp_path / "out"
    question = Question(net, ("relu1",), open_source(str(photos)), (24, 24), batch=4)
    make_examples(question, tmp_path / "found")
    examples = Examples(tmp_path / "found")
    found = unrendered.unrendered(out, net, ["relu1", "joined"], unrendered.dreams(3, (64, 64)))
    write_site(out, replace(found, options=replace(found.options, examples=examples)))
    page, other = (out / "layers" / f"{name}.html" for name in ("relu1", "joined"))
    assert 'class="layer examples"' in page.read_text()
    assert "no examples for joined:3 in found" in other.read_text()
    with Image.open(out / "layers" / "relu1-00000--00005.jpg") as image:
        assert image.size == sheet_size(6, examples=True)
        crop = examples.crops("relu1", 0, "top")[0]
        left, top = corner(0, 0, "positive")
        shown: Any = image.getpixel((left + 36, top + 36))
        assert np.abs(np.subtract(shown, crop.convert("RGB").getpixel((49, 49)))).max() < 12
    assert "examples from a data set" in (out / "index.html").read_text()


class _Averaged:
    """A map of three channels whose means are the logits of three classes, and another map."""

    outputs = ("logits",)

    def __init__(self) -> None:
        self.inputs = {"image": Port("image", tf.float32, (None, None, None, 3))}
        maps = (None, None, None, 3)
        shapes = {"other": maps, "map": maps, "logits": (None, 3)}
        self.module_kinds: dict[str, str] = {}
        self.values = {name: Value(name, "Conv2D", shape) for name, shape in shapes.items()}

    def compute(self, feeds: Any, names: Any, **_: Any) -> dict[str, Any]:
        image = feeds["image"]
        found = {"other": 1 - image, "map": image * [3.0, 1.0, -2.0]}
        found["logits"] = tf.reduce_mean(found["map"], [1, 2])
        return {name: found[name] for name in names}


def test_units_that_are_classes_have_their_labels() -> None:
    labels, program = ("goldfish, Carassius auratus", "espresso", "castle"), _Averaged()
    identity = Identity("averaged", "averaged", "zoo", "1" * 64)
    typed: Any = program
    net = Network(typed, identity, input_spec=preset("unit"), labels=labels)
    assert class_layers(net, ["other", "map"], (8, 12)) == {"map": labels}
    assert class_layers(Network(typed, identity, input_spec=preset("unit")), ["map"], (8, 8)) == {}


def test_a_layer_of_as_many_channels_as_classes_need_not_be_them() -> None:
    net = tiny.network()
    assert net.taps["left"].channels == len(net.labels)
    assert class_layers(net, ["relu1", "left"], (32, 32)) == {}


def test_directions_have_a_page_a_wall_and_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("v.npz", nmf=np.random.default_rng(0).normal(size=(9, 24)).astype(np.float32))
    run = unrendered.making(tmp_path / "atlas", unrendered.outline(LAYERS), ["mixed4b"], (64, 64))
    group = DirectionGroup.of(run.store.net, "mixed4b@v.npz:nmf[2,7-8]")
    run = replace(run, options=replace(run.options, directions=(group,)))
    images = [Image.new("RGB", (64, 64), many_units.colour(k, 0)) for k in range(9)]
    requests = choose(APPENDIX_LAYER, run.options).requests
    unrendered.fill(run.store, requests, images, lambda request, _: number_of(request))
    write_site(tmp_path / "atlas", run)
    found = listed(tmp_path / "atlas")["mixed4b@v.npz:nmf"]
    assert (found["units"], found["noun"]) == ([2, 7, 8], "Direction")
    page = tmp_path / "atlas" / found["page"]
    text = page.read_text(encoding="utf-8")
    assert "All 3 directions of mixed4b@v.npz:nmf" in text and "Neuron objective" not in text
    assert re.findall(r'data-unit="([^"]*)"', text) == [
        f"mixed4b@v.npz:nmf[{k}]" for k in (2, 7, 8)
    ]
    commands = json.loads(unescape(re.findall(r'<main [^>]*data-commands="([^"]*)"', text)[0]))
    assert commands[1].startswith(f"kerasviz render outline '{UNIT}'")
    assert f"{UNIT}#cosine=2" in commands[0] and f"-{UNIT}" in commands[3]
    for anchor in found["anchors"]:
        assert f'id="{anchor}"' in text
    index, wall = (
        (tmp_path / "atlas" / name).read_text(encoding="utf-8")
        for name in ("index.html", "units.html")
    )
    assert "24 units and 3 directions in 2 groups" in " ".join(index.split())
    assert "27 units and directions" in wall and "mixed4b@v.npz:nmf" in wall


def number_of(request: Request) -> int:
    """The row of a direction, or 0."""
    source = request.objective.terms[0].source
    return 0 if source is None or source.row is None else source.row
