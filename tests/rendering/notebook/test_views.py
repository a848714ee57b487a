"""The fragments that notebooks show: what is on them, escaped, and readable without styles."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import tensorflow as tf
from support.flows import written
from support.tiny import network

import kerasviz
from kerasviz.network.map_rows import map_rows
from kerasviz.network.network import Identity, Network
from kerasviz.rendering.notebook import to_html
from kerasviz.rendering.rendering import Rendering

#: What GitHub's viewer leaves of a fragment, roughly: these tags and attributes.
TAGS = {"table", "tbody", "tr", "td", "th", "img", "b", "br", "p", "div", "span", "pre"} | {
    "details",
    "summary",
}
ATTRIBUTES = {"src", "alt", "width", "height"}
VOID = {"img", "br"}


class Sanitized(HTMLParser):
    """Collect what a strict viewer keeps; check that every tag is closed."""

    def __init__(self, html: str):
        super().__init__()
        self.text, self.images, self.tags = "", [], []
        self._open: list[str] = []
        self.feed(html)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append(tag)
        if tag in TAGS:
            self.tags.append(tag)
        if tag == "img":
            self.images.append({k: v for k, v in attrs if k in ATTRIBUTES})
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self.text += " " if tag in ("td", "th", "p") else ""

    def handle_data(self, data: str) -> None:
        if not {"style", "svg"} & set(self._open):
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def net() -> Network:
    return network()


@pytest.fixture(scope="module")
def rendering(net: Network) -> Rendering:
    targets = ["joined:1", "joined:4", "relu1:2", "logit:castle", "left:2"]
    return kerasviz.render(net, targets, steps=20, size=(12, 16), seed=3, precision="float32")


def self_contained(html: str) -> Sanitized:
    assert "<script" not in html and "http" not in html and "@import" not in html
    assert all(uri.startswith("data:image/") for uri in re.findall(r'src="([^"]*)"', html))
    selectors = re.findall(r"^([^{\n]+) \{", html, re.MULTILINE)
    assert selectors and all(
        part.strip().startswith(".kerasviz") for s in selectors for part in s.split(",")
    )
    return Sanitized(html)


def test_a_sheet_has_pictures_scores_curves_and_the_call(rendering: Rendering) -> None:
    html = to_html(rendering)
    seen = self_contained(html)
    assert len(seen.images) == 5 and seen.tags.count("tr") == 2 and seen.tags.count("td") == 5
    for picture, image in zip(rendering, seen.images, strict=True):
        facts = f"score {picture.score:.4g} · 20 steps · seed 3"
        assert f"{picture.target} {facts}" in seen.words
        assert image["alt"] == f"{picture.target}, {facts}"
        assert image["width"] == "128" and image["height"] == "96"
        assert f"{picture.history[0]:.3g} to {picture.history[-1]:.3g}" in seen.words
    assert html.count("<polyline") == 5
    assert "Make them again" in seen.words


def test_a_sheet_has_the_score_of_each_term_of_a_sum(net: Network) -> None:
    words = {"steps": 8, "size": 12, "precision": "float32", "progress": False}
    made = kerasviz.render(net, ["left:1 + 2*left:2", "left:1"], balance=True, **words)
    seen = self_contained(html := to_html(made))
    scores, alone = made[0].term_scores, made[0].alone
    assert list(scores) == list(alone) == ["left:1", "left:2"]
    for name in scores:
        assert f"{name}: {scores[name]:.4g}, alone {alone[name]:.4g}" in seen.words
    assert html.count("kerasviz-terms kerasviz-soft") == 2  # of the sum alone
    assert "balance=True" in html


def test_the_call_on_the_sheet_makes_the_same_pictures(net: Network, rendering: Rendering) -> None:
    (code,) = re.findall(r"<pre>(.*?)</pre>", to_html(rendering), re.DOTALL)
    calls = code.replace("&#34;", '"').split("\nkerasviz.render(")
    made: dict[str, bytes] = {}
    for call in calls:
        whole = call if call.startswith("kerasviz") else f"kerasviz.render({call}"
        for picture in eval(whole, {"kerasviz": kerasviz, "net": net}):
            made[picture.target] = picture.image.tobytes()
    assert made == {picture.target: picture.image.tobytes() for picture in rendering}


def test_pictures_of_objects_of_python_have_a_note_instead_of_a_call(net: Network) -> None:
    def brightness(images: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(images, [1, 2, 3])

    def first(taps: dict[str, tf.Tensor]) -> tf.Tensor:
        return tf.reduce_mean(taps["joined"][..., 1], [1, 2])

    own = kerasviz.objectives.function(first, taps=["joined"])
    sum_of_two = kerasviz.objectives.channel("joined", 1) + kerasviz.objectives.channel("left", 2)
    small = {"steps": 2, "size": 12, "precision": "float32"}
    made = kerasviz.render(net, [own, sum_of_two, "joined:3"], **small)
    seen = self_contained(to_html(made))
    assert seen.text.count("kerasviz.render(") == 1
    assert '"joined:3"' in seen.words and "'first'" in seen.words
    assert "objective 1: an objective made in Python; r.provenance has its data" in seen.words
    made = kerasviz.render(net, "joined:3", penalties=(brightness,), **small)
    seen = self_contained(to_html(made))
    assert "kerasviz.render(" not in seen.text and "'brightness'" in seen.words


def test_the_command_of_a_network_that_a_shell_knows_is_on_the_sheet() -> None:
    net = kerasviz.load("efficientnet-lite0")
    made = kerasviz.render(net, "stem:3", steps=1, size=32, seed=2, precision="float32")
    words = self_contained(to_html(made)).words
    assert "kerasviz render efficientnet-lite0 stem:3 --recipe fast --steps 1 --size 32" in words


def test_a_picture_is_one_tile(rendering: Rendering) -> None:
    seen = self_contained(to_html(rendering[1]))
    assert len(seen.images) == 1 and "joined:4 score" in seen.words


def test_what_an_interrupted_rendering_lacks_is_said(rendering: Rendering) -> None:
    running = replace(rendering[0], interrupted=True, history=rendering[0].history[:16])
    partial = replace(rendering, pictures=(running,), missing=("joined:4",))
    words = self_contained(to_html(partial)).words
    assert "interrupted after 16 of 20 steps" in words
    assert "1 picture interrupted after step 16 of 20, 1 picture not begun" in words


def test_names_from_files_are_escaped(net: Network, rendering: Rendering) -> None:
    evil = '<img src=x onerror="alert(1)">&'
    request = replace(rendering[0].request, text=evil)
    made = replace(
        rendering, net=net.renamed(evil), pictures=(replace(rendering[0], request=request),)
    )
    for view in (made, made[0], made.net, made.compare(made)):
        html = to_html(view)
        assert "<img src=x" not in html
        assert evil in Sanitized(html).text


def test_more_pictures_than_fit_are_counted(rendering: Rendering) -> None:
    many = replace(rendering, pictures=rendering.pictures * 20)
    seen = self_contained(to_html(many))
    assert len(seen.images) == 64 and "and 36 more: show them by r[64:]" in seen.words
    assert len(to_html(many)) < 2_000_000


def test_a_comparison_has_pairs_and_what_differs(net: Network, rendering: Rendering) -> None:
    other = kerasviz.render(net, ["joined:4", "pooled:2"], steps=7, size=(12, 16), seed=3)
    seen = self_contained(to_html(rendering.compare(other)))
    assert len(seen.images) == 7 and "steps 20 7" in seen.words
    assert seen.words.count("not in this rendering") == 5


def test_a_network_is_a_card_of_facts_with_origins_and_its_map(net: Network) -> None:
    known = replace(net, trained_size=(224, 192), origins={"size": "config.json"})
    words = self_contained(to_html(known)).words
    assert "Input image: any size, 3 channels" in words
    assert "Range -1 to 1, RGB preset inception" in words
    assert "Made for images of 224x192 config.json" in words
    assert "Labels 5: goldfish, espresso, castle, panda, ostrich" in words
    for label, kind, shape in map_rows(net):
        assert f"{label.strip()} {kind} {shape}".replace("  ", " ") in words


def test_unknown_facts_say_how_to_give_them(net: Network) -> None:
    words = self_contained(to_html(replace(net, input_spec=None, labels=()))).words
    assert "Range not known: load it with preprocess=" in words and "Labels none" in words


def test_inputs_beside_the_image_are_listed_and_none_is_needed() -> None:
    beside = written("a = Conv(image) 8x8x4\nb = Gemm(a) 5", {})
    image = replace(beside.inputs["image"], dtype=tf.float32)
    numbers = replace(image, name="numbers", shape=(None, 7))
    identity = Identity("net", "net", "onnx", "0" * 64)
    beside.inputs = {"image": image, "numbers": numbers}
    net = Network(beside, identity)
    assert "Input numbers: float32 [any, 7]" in self_contained(to_html(net)).words
    beside.inputs = {"numbers": numbers}
    net = Network(beside, identity)
    assert repr(net) == "<Network net: 2 taps, input (None, 7)>"
    words = self_contained(to_html(net)).words
    assert "Input numbers: float32 [any, 7], a signal: batch, feature" in words
    assert "Range not known: load it with range_=..." in words


def test_a_map_and_a_recipe_are_tables(net: Network) -> None:
    assert "joined Concat ?x? x 9" in self_contained(to_html(net.map)).words
    words = self_contained(to_html(kerasviz.RECIPES["lucid"])).words
    assert words.startswith("Recipe lucid steps 513 size (height x width) 128 x 128")


def test_taps_are_a_table_of_which_the_middle_is_cut(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = self_contained(to_html(net.taps))
    assert "relu1 ?x? x 6 Relu first" in seen.words and "logits 5 MatMul" in seen.words
    assert seen.tags.count("tr") == len(net.taps) + 1
    monkeypatch.setattr("kerasviz.rendering.notebook.views.MOST", 6)
    cut = self_contained(to_html(net.taps))
    assert cut.tags.count("tr") == 8 and f"... {len(net.taps) - 6} more" in cut.words


def test_the_classes_show_themselves(net: Network, rendering: Rendering) -> None:
    for view in (net, net.map, net.taps, kerasviz.RECIPES["fast"], rendering, rendering[0]):
        assert view._repr_html_() == to_html(view)
    with pytest.raises(TypeError, match="no view of int"):
        to_html(3)
