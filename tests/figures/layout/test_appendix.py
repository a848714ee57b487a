"""The pages of layers: rows, anchors, ways between them, and files that stay as they are."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from support import inception5h, many_units, tiny

from kerasviz.errors import UsageError
from kerasviz.examples import Examples, Question, make_examples
from kerasviz.examples.datasets import open_source
from kerasviz.figures import CATALOGUE, make_figures
from kerasviz.figures.catalogue.figure import ARTICLE_LAYERS
from kerasviz.figures.layout import appendix
from kerasviz.figures.layout.build import choose
from kerasviz.figures.layout.context import FigureOptions
from kerasviz.figures.layout.tiles import EmptyTile, FigureLayout, OptimizedTile
from kerasviz.figures.site.layer_pages import UNIT, anchor
from kerasviz.figures.site.sprites import corner, sheet_size
from kerasviz.network.network import Network
from kerasviz.optvis.recipes import recipe

FAST = recipe("fast").replace(steps=16, size=(24, 40))
FIGURE = CATALOGUE["appendix-layer"]
LAYERS = ARTICLE_LAYERS[3:]

Networks = Callable[..., Network]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures of whole figures are not needed here."""
    monkeypatch.setattr("kerasviz.figures.make.draw", lambda *_: Image.new("RGB", (4, 4)))


def article_like(network_of: Networks, channels: int = 10) -> Network:
    return network_of({layer: channels + i for i, layer in enumerate(LAYERS)})


def units(choice: FigureLayout) -> list[int | None]:
    return [block.optimized[0].unit for block in choice.blocks]


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def ways(page: Path, name: str) -> dict[str, str]:
    """The words of a navigation and where they lead; "" where they lead nowhere."""
    text = page.read_text(encoding="utf-8")
    nav = text.split(f'aria-label="{name}">')[1].split("</nav>")[0]
    items = re.findall(r"<li[^>]*>(?:<a href=\"([^\"]*)\"[^>]*>)?([^<]*)", nav)
    return {words: link for link, words in items}


def test_a_row_has_the_article_s_panels(network_of: Networks) -> None:
    net = article_like(network_of)
    choice = choose(FIGURE, FigureOptions(net, FAST, layers=("mixed4a",)))
    assert units(choice) == list(range(12))
    block = choice.blocks[5]
    assert block.title == "Layer 4a, Unit 5"
    assert len(block.places) == len(choice.column_titles) == 7  # examples are left out
    assert [p.request.text for p in block.places if isinstance(p, OptimizedTile)] == [
        "mixed4a:5@center",
        *["mixed4a:5"] * 5,
        "-mixed4a:5",
    ]
    assert choice.lacks_examples and not any(isinstance(p, EmptyTile) for p in block.places)
    rows = [cell.row for cell in block.optimized]
    assert rows == [0, 0, 0, 1, 2, 3, 0]


def test_eight_units_that_are_evenly_spaced_are_shown_unless_a_layer_is_named(
    network_of: Networks,
) -> None:
    net = article_like(network_of, 62)
    for order in (
        FigureOptions(net, FAST),
        FigureOptions(net, FAST, quick=True, layers=("mixed4a",)),
    ):
        choice = choose(FIGURE, order)
        assert units(choice) == [4, 12, 20, 28, 36, 44, 52, 60]
        assert "Shown here: mixed4a, 8 of 64 units, evenly spaced." in choice.notes
    assert units(choose(FIGURE, FigureOptions(net, FAST, layers=("mixed4a",)))) == list(range(64))


def test_layers_are_named_by_tap_alias_or_the_article(network_of: Networks) -> None:
    def chosen(net: Network, *layers: str) -> list[str]:
        return appendix.layers_of(FigureOptions(net, FAST, layers=layers))

    own = article_like(network_of)
    assert chosen(own) == ["mixed4a"]
    assert chosen(own, "mixed5b", "mixed3a", "mixed5b") == ["mixed5b", "mixed3a"]
    other = network_of({f"stage{i}": 4 for i in range(13)}, aliases={"late": "stage12"})
    (default,) = chosen(other)
    assert chosen(other, "mixed4a") == [default]
    assert chosen(other, "late", "stage12", "stage0") == ["stage12", "stage0"]
    assert chosen(network_of({"a": 4, "b": 4})) == ["b"]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("mixed4z", "mixed4a"),
        ("logits", "layer 'logits' has no channels with positions; the layers in the place of"),
    ],
)
def test_a_layer_that_has_no_page_is_one_line(
    tmp_path: Path, network_of: Networks, layer: str, message: str
) -> None:
    net = network_of(dict.fromkeys(LAYERS, 4), classes=5)
    with pytest.raises(UsageError, match=message):
        make_figures(net, ["appendix-layer"], FAST, tmp_path / "out", layer=[layer])
    with pytest.raises(UsageError, match="layers are for the figure appendix-layer; name"):
        make_figures(net, ["hero"], FAST, tmp_path / "out", layer=["mixed4a"])
    assert not (tmp_path / "out").exists()


def test_pictures_of_other_figures_are_not_rendered_again(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = article_like(network_of)
    others = ["diversity-4a97", "activation-spectrum", "hero"]
    first = make_figures(net, others, FAST, tmp_path)
    before = {
        r for slug in others for r in choose(CATALOGUE[slug], FigureOptions(net, FAST)).requests
    }
    shared = before & set(choose(FIGURE, FigureOptions(net, FAST, layers=("mixed4a",))).requests)
    assert {request.rows for request in shared} == {1, 4}
    assert any(request.text.startswith("-") for request in shared)
    drawn.clear()
    made = make_figures(net, ["appendix-layer"], FAST, tmp_path, layer=["mixed4a"])
    assert made.made + made.kept == 12 * 7
    assert made.kept == sum(request.rows for request in shared)
    assert first.made > 0
    assert len(drawn) == 12 * 4 - len(shared)


def test_every_unit_has_an_anchor_and_its_pictures(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = article_like(network_of)
    made = make_figures(net, ["appendix-layer"], FAST, tmp_path, layer=["mixed4a"])
    assert [path.name for path in made.paths] == ["appendix-layer.png", "appendix-layer.html"]
    page = tmp_path / "layers" / "mixed4a.html"
    text = page.read_text(encoding="utf-8")
    anchors = re.findall(r'<section id="([^"]*)"', text)
    assert anchors == [f"mixed4a-{unit}" for unit in range(12)]
    links = re.findall(r'class="p[^"]*" href="([^"]*)"', text)
    assert len(links) == len(set(links)) == 12 * 7
    assert all((page.parent / unquote(link)).is_file() for link in links)
    sprites = re.findall(r"--units:(\d+);--sprites:url\('([^']*)'\)", text)
    assert sprites == [
        ("10", "mixed4a-00000--00009.jpg"),
        ("2", "mixed4a-00010--00011.jpg"),
    ]
    assert [p.name for p in sorted(page.parent.glob("*.jpg"))] == [name for _, name in sprites]


def test_a_sprite_is_the_picture_that_its_link_opens(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = article_like(network_of)
    make_figures(net, ["appendix-layer"], FAST, tmp_path, layer=["mixed4a"])
    page = tmp_path / "layers" / "mixed4a.html"
    text = page.read_text(encoding="utf-8").split('id="mixed4a-11"')[1].split("</section>")[0]
    links = re.findall(r'class="p[^"]*" href="([^"]*)"', text)
    with Image.open(page.parent / "mixed4a-00010--00011.jpg") as image:
        assert image.size == sheet_size(2, examples=False)
        sprites = np.asarray(image, np.int16)
    # The page shows neuron, channel, facets, negative; the sprites have the negative third.
    for link, column in zip(links, (0, 1, 3, 4, 5, 6, 2), strict=True):
        left, top = corner(1, column)
        found = sprites[top : top + 88, left : left + 147]
        with Image.open(page.parent / unquote(link)) as picture:
            wanted = np.asarray(picture.resize((147, 88), Image.Resampling.LANCZOS), np.int16)
        apart = np.abs(found - wanted).mean()
        assert apart < 20
        of_the_other = sprites[:88, left : left + 147]
        assert np.abs(of_the_other - wanted).mean() > 2 * apart


def test_pictures_of_a_layer_have_the_commands_that_make_them(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = article_like(network_of)
    make_figures(net, ["appendix-layer"], FAST, tmp_path, layer=["mixed4a"])
    text = (tmp_path / "layers" / "mixed4a.html").read_text(encoding="utf-8")
    single = (tmp_path / "pictures" / "index.html").read_text(encoding="utf-8")
    lists = [json.loads(unescape(found)) for found in re.findall(r'data-commands="([^"]*)"', text)]
    *others, (unit, last) = re.findall(r'data-unit="([^"]*)"( data-commands)?', text)
    assert (unit, len(others)) == ("mixed4a:11", 11)
    shown = [each.replace(UNIT, unit) for each in lists[-1 if last else 0]]
    neuron, channel, facets, negative = map(shlex.split, shown)
    assert neuron[3] == "mixed4a:11@center" and channel[3] == "mixed4a:11"
    assert "-mixed4a:11" in negative and facets[facets.index("--diversity") + 1] == "4"
    for command in shown:  # the one that the page of single pictures has
        assert f'data-command="{command}"' in unescape(single)


def test_a_second_run_writes_nothing_and_another_folder_gets_the_same_bytes(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = article_like(network_of)
    for name in ("a", "b"):
        make_figures(net, ["appendix-layer"], FAST, tmp_path / name)
    before = files(tmp_path / "a")
    make_figures(net, ["appendix-layer"], FAST, tmp_path / "a")
    assert files(tmp_path / "a") == before
    other = files(tmp_path / "b")
    assert {name: data for name, (_, data) in before.items()} == {
        name: data for name, (_, data) in other.items()
    }


def test_pages_lead_to_all_layers_that_are_there(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = article_like(network_of)
    make_figures(net, ["appendix-layer"], FAST, tmp_path / "a", layer=["mixed3a"])
    make_figures(net, ["appendix-layer"], FAST, tmp_path / "a", layer=["mixed5b"])
    both = ["mixed3a", "mixed5b"]
    make_figures(net, ["appendix-layer"], FAST, tmp_path / "b", layer=both)
    for name in both:
        page = tmp_path / "a" / "layers" / f"{name}.html"
        found = ways(page, "Layers")
        assert list(found) == [f"Layer {layer[5:]}" for layer in LAYERS]
        assert {link for link in found.values() if link} == {"mixed3a.html", "mixed5b.html"}
        assert page.read_text().count('aria-current="page"') == 1
        assert f'{name}.html" aria-current' in page.read_text()
        whole = (tmp_path / "b" / "layers" / f"{name}.html").read_text()
        assert found == ways(tmp_path / "b" / "layers" / f"{name}.html", "Layers"), whole
    figure = (tmp_path / "a" / "appendix-layer.html").read_text()
    assert 'href="layers/mixed3a.html"' in figure
    assert "mixed4a.html" not in figure


def test_sprites_of_an_earlier_choice_go(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = network_of({"a-00000": 5, "a": 30})
    folder = tmp_path / "layers"
    make_figures(net, ["appendix-layer"], FAST, tmp_path, quick=True, layer=["a", "a-00000"])
    names = {path.name for path in folder.glob("*.jpg")}
    assert names == {"a-00001--00028.jpg", "a-00000-00000--00004.jpg"}
    make_figures(net, ["appendix-layer"], FAST, tmp_path, layer=["a"])
    names = {path.name for path in folder.glob("*.jpg")}
    tens = {f"a-{low:05d}--{low + 9:05d}.jpg" for low in (0, 10, 20)}
    assert names == {*tens, "a-00000-00000--00004.jpg"}


def test_parts_of_the_article_s_layers_are_their_branches(
    monkeypatch: pytest.MonkeyPatch, network_of: Networks
) -> None:
    for layer, widths in inception5h.BLOCKS.items():
        assert appendix.BRANCHES[layer] == (widths[0], widths[2], widths[4], widths[5])
        assert sum(appendix.BRANCHES[layer]) == inception5h.CHANNELS[layer]
    assert sum(map(sum, appendix.BRANCHES.values())) == 5484
    net = network_of({"mixed4a": 508})
    every = [(str(unit), unit) for unit in range(0, 508, 64)]
    assert appendix.parts(net, "mixed4a", range(508)) == every
    monkeypatch.setattr(appendix, "card_of", lambda _: SimpleNamespace(name="inceptionv1"))
    assert appendix.parts(net, "mixed4a", range(508)) == [
        ("1x1 0 to 191", 0),
        ("3x3 192 to 395", 192),
        ("5x5 396 to 443", 396),
        ("pool 444 to 507", 444),
    ]
    assert appendix.parts(net, "mixed4a", [31, 95]) == [("31", 31), ("95", 95)]


def test_taps_of_like_names_have_pages_of_their_own(
    tmp_path: Path, drawn: list[str], network_of: Networks
) -> None:
    net = network_of({"a/b": 2, "a.b": 2, "A.B": 2})
    layers = ["a/b", "a.b", "A.B"]
    make_figures(net, ["appendix-layer"], FAST, tmp_path, layer=layers)
    pages = sorted((tmp_path / "layers").glob("*.html"))
    assert len({page.name.casefold() for page in pages}) == 3
    assert anchor("a/b", 1) == "a.b-1"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_real_network_of_few_channels(tmp_path: Path, drawn: list[str], channels: int) -> None:
    make_figures(tiny.network(channels), ["appendix-layer"], FAST, tmp_path, layer=["first"])
    text = (tmp_path / "layers" / "relu1.html").read_text()
    assert text.count("<section id=") == 6
    assert "All 6 units of relu1 in tiny" in text


def test_a_layer_of_three_channels(tmp_path: Path, drawn: list[str], network_of: Networks) -> None:
    net = network_of({"a": 3})
    made = make_figures(net, ["appendix-layer"], FAST, tmp_path, quick=True)
    assert made.made == 3 * 7
    assert (
        "Shown here: a, 3 of 3 units." in choose(FIGURE, FigureOptions(net, FAST, quick=True)).notes
    )
    assert (tmp_path / "layers" / "a-00000--00002.jpg").is_file()


def test_examples_are_cut_from_the_sprites_too(tmp_path: Path, drawn: list[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(12):
        Image.new("RGB", (30, 30), (20 * i, 255 - 20 * i, 90)).save(photos / f"{i}.png")
    net = tiny.network()
    question = Question(net, ("first",), open_source(str(photos)), (24, 24), batch=4)
    make_examples(question, tmp_path / "found")
    out = tmp_path / "out"
    make_figures(
        net, ["appendix-layer"], FAST, out, layer=["first", "joined"], examples=tmp_path / "found"
    )
    text = (out / "layers" / "relu1.html").read_text()
    assert 'class="layer examples"' in text
    examples = Examples(tmp_path / "found")
    with Image.open(out / "layers" / "relu1-00000--00005.jpg") as image:
        assert image.size == sheet_size(6, examples=True)
        sprites = np.asarray(image, np.int16)
    for unit in (0, 5):
        for kind, bucket in (("positive", "top"), ("negative", "bottom")):
            for k, crop in enumerate(examples.crops("relu1", unit, bucket)[:10]):
                left, top = corner(unit, k, kind)
                shown = sprites[top + 2 : top + 71, left + 2 : left + 71]
                wanted = np.asarray(crop.resize((73, 73)), np.int16)[2:71, 2:71]
                assert np.abs(shown - wanted).mean() < 8
    other = (out / "layers" / "joined.html").read_text()
    assert '<i class="e plus none">no examples for joined:3 in found</i>' in other


def test_a_page_of_1024_units_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network_of: Networks
) -> None:
    net = network_of({"inception_5b/output": 1024})
    page = many_units.write_page(tmp_path, net, monkeypatch)
    assert page.stat().st_size < 1_000_000
    assert page.read_text().count("<section id=") == 1024
    assert len(list(page.parent.glob("*.jpg"))) == 103
