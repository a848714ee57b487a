"""The index of a data set: planted units, networks of several kinds, and its reader."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image
from support import tiny, tokens

import kerasviz
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.examples import ExampleIndex, Examples, Question, make_examples
from kerasviz.examples.datasets import open_source, read_example
from kerasviz.examples.statistics.index import INDEX
from kerasviz.network.network import Network

SIZE = (19, 22)
#: The planted units: weights of red, green and blue, and a bias.
PLANTED = np.array([[1, 0, 0, -0.5], [0, 1, 0, -0.5], [0.9, 0.1, 0, 0.2], [-1, 0, 0, 0.4]], "f")


@pytest.fixture(scope="module")
def classed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures in folders of three classes of one colour each, beside one without a class."""
    folder = tmp_path_factory.mktemp("classed")
    for i in range(61):
        draw = np.random.default_rng(i)
        pixels = draw.integers(0, 120, (5, 6, 3))
        pixels[..., i % 3] += 100
        path = (
            folder / ("red", "green", "blue")[i % 3] / f"{i:02d}.png"
            if i < 60
            else folder / "x.png"
        )
        path.parent.mkdir(exist_ok=True)
        picture = Image.fromarray(pixels.astype(np.uint8))
        picture.resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC).save(path)
    return folder


def planted_keras(tmp_path: Path) -> Network:
    layer = keras.layers.Conv2D(4, 1, activation="relu", name="planted")
    model = keras.Sequential([keras.layers.Input((None, None, 3)), layer])
    layer.set_weights([PLANTED[:, :3].T[None, None], PLANTED[:, 3]])
    return kerasviz.load(model, preprocess="unit")


def planted_onnx(tmp_path: Path) -> Network:
    kernel = numpy_helper.from_array(PLANTED[:, :3, None, None], "kernel")
    bias = numpy_helper.from_array(PLANTED[:, 3], "bias")
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["before"], "conv"),
        helper.make_node("Relu", ["before"], ["planted"], "relu"),
    ]
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [None, 3, None, None])
    made = helper.make_tensor_value_info("planted", onnx.TensorProto.FLOAT, [None, 4, None, None])
    graph = helper.make_graph(nodes, "planted", [image], [made], [kernel, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, tmp_path / "planted.onnx")
    return kerasviz.load(str(tmp_path / "planted.onnx"), preprocess="unit")


def pixels_of(folder: Path, name: str) -> np.ndarray:
    return read_example((folder / name).read_bytes(), SIZE, 3).astype(np.float64) / 255


@pytest.mark.parametrize("make", [planted_keras, planted_onnx])
def test_a_planted_unit(make: Any, classed: Path, tmp_path: Path) -> None:
    net = make(tmp_path)
    out = tmp_path / "out"
    question = Question(net, ("planted",), open_source(str(classed)), SIZE, 3, 7, positions=2)
    made = make_examples(question, out)
    assert (made.images, made.classes) == (61, 3)
    index, examples = ExampleIndex(out), Examples(out)
    names = sorted(p.relative_to(classed).as_posix() for p in classed.rglob("*.png"))
    pixels = np.stack([pixels_of(classed, name) for name in names])
    values = pixels @ PLANTED[:, :3].T + PLANTED[:, 3]  # before the ReLU [N, H, W, 4]
    for unit in range(4):
        found = index.unit("planted", unit)
        assert sum(each.count for each in found.bins) == 61 * 2
        shown = 0
        for b, each in enumerate(found.bins):
            assert len(each.crops) >= min(each.count, 1)
            for crop in each.crops:
                y, x = crop.position
                value = values[names.index(crop.image), y, x, unit]
                assert crop.value == pytest.approx(value, abs=1e-5)
                assert b == 0 or value >= each.low - 1e-5
                assert b == 17 or value <= each.high + 1e-5
                shown += 1
        assert shown > 50
        best = examples.of("planted", unit, "top")[0]
        top = values[..., unit].reshape(61, -1).max(1)
        assert best.image == found.bins[17].crops[0].image
        assert top[names.index(best.image)] == pytest.approx(top.max(), abs=1e-5)
        assert found.maximum is not None
        assert (found.maximum.value, found.maximum.position) == (
            pytest.approx(top.max(), abs=1e-5),
            best.position,
        )
        assert found.bins[17].crops[0].value == pytest.approx(top.max(), abs=1e-5)
        check_classes(index, unit, names, values)
    red = index.unit("planted", 0)
    assert (red.preferred.name, red.classes[0].name) == ("red", "red")  # type: ignore[union-attr]
    assert red.classes[0].auroc > 0.95
    assert red.neighbours[0][0] == 2
    assert red.opposites[0] == (3, pytest.approx(-1, abs=1e-6))
    assert dict(red.bins[-1].classes)["red"] > 0.9


def check_classes(index: ExampleIndex, unit: int, names: list[str], values: np.ndarray) -> None:
    folders = np.array([name.split("/")[0] for name in names])
    of_unit = values[..., unit].reshape(len(names), -1)
    for each in index.unit("planted", unit).classes:
        mine = folders == each.name
        assert each.images == mine.sum() == 20
        assert each.mean == pytest.approx(of_unit[mine].max(1).mean(), abs=1e-4)
    means = sorted(np.maximum(of_unit[folders == c], 0).mean() for c in index.classes)
    others = np.mean(means[:2])
    expected = (means[2] - others) / (means[2] + others)
    assert index.array("planted", "selectivity")[unit] == pytest.approx(expected, abs=1e-4)


def test_correlations_are_numpys_at_all_positions(classed: Path, tmp_path: Path) -> None:
    net = tiny.network()
    source = open_source(str(classed))
    make_examples(Question(net, ("joined",), source, SIZE, 2, 16, positions=10_000), tmp_path)
    images = np.stack([pixels_of(classed, source.name(n)) for n in range(61)]).astype("f")
    rows = np.asarray(net.activations(images, ["joined_pre_relu"])["joined_pre_relu"])
    rows = rows.reshape(-1, 9).astype(np.float64)
    index = ExampleIndex(tmp_path)
    assert index.array("joined", "counts").sum(1).tolist() == [len(rows)] * 9
    expected = np.corrcoef(rows.T)
    np.testing.assert_allclose(index.array("joined", "mean"), rows.mean(0), atol=1e-4)
    np.testing.assert_allclose(index.array("joined", "deviation"), rows.std(0), rtol=1e-4)
    np.testing.assert_allclose(index.array("joined", "positive"), (rows > 0).mean(0), atol=1e-3)
    for unit in range(9):
        for other, r in index.unit("joined", unit).neighbours:
            assert r == pytest.approx(expected[unit, other], abs=1e-4)
        best = index.unit("joined", unit).neighbours[0][1]
        assert best == pytest.approx(np.delete(expected[unit], unit).max(), abs=1e-4)


def test_tokens_are_shown_at_their_place(classed: Path, tmp_path: Path) -> None:
    net = tokens.network(1)
    source = open_source(str(classed))
    make_examples(Question(net, ("tokens", "block"), source, SIZE, 2, 16), tmp_path)
    index = ExampleIndex(tmp_path)
    places = set()
    for each in index.unit("block", 3).bins:
        for crop in each.crops:
            y, x = crop.position
            places.add((y, x))
            image = pixels_of(classed, crop.image).astype("f")[None]
            rows = np.asarray(net.activations(image, ["block"])["block"])[0, :, 3]
            number = x if y < 0 else 1 + y * (SIZE[1] // 4) + x
            assert rows[number] == pytest.approx(crop.value, abs=1e-4)
    assert len(places) > 10
    blocks = (tmp_path / "block.html").read_text()
    strips = re.findall(r'class="places">(.*?)</span>', blocks)
    placed = [words for words in strips if " at token " not in words]  # which is no place
    assert 6 < len(placed) < len(strips)
    # The whole image, with the token in a frame: in strips, and in the spectra of six units.
    assert blocks.count('<svg class="marks"') == len(placed) + 6
    assert '<svg class="marks"' not in (tmp_path / "index.html").read_text()


def test_classes_that_the_network_predicts(classed: Path, tmp_path: Path) -> None:
    net = tiny.network()
    source = open_source(str(classed))
    make_examples(
        Question(net, ("joined",), source, SIZE, 2, 16, classes="predicted"), tmp_path / "p"
    )
    images = np.stack([pixels_of(classed, source.name(n)) for n in range(61)]).astype("f")
    answers = np.asarray(net.activations(images, ["logits"])["logits"]).argmax(1)
    index = ExampleIndex(tmp_path / "p")
    names = {f"{k} {tiny.LABELS[k].split(',')[0]}": int((answers == k).sum()) for k in answers}
    assert dict(zip(index.classes, index.about["class_images"], strict=True)) == names
    make_examples(Question(net, ("joined",), source, SIZE, 2, 16, classes="none"), tmp_path / "n")
    index = ExampleIndex(tmp_path / "n")
    assert index.classes == index.unit("joined", 0).classes == ()
    with pytest.raises(UsageError, match="has no class logits"):
        Question(planted_keras(tmp_path), ("planted",), source, SIZE, classes="predicted")


def test_a_data_set_of_one_image(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    Image.new("RGB", (22, 19), "orange").save(tmp_path / "one/a.png")
    out = tmp_path / "out"
    asked = Question(tiny.network(), ("joined", "logits"), open_source(str(tmp_path / "one")), SIZE)
    assert make_examples(asked, out).images == 1
    found = ExampleIndex(out).unit("logits", 2)
    assert [each.count for each in found.bins].count(1) == 1
    assert found.neighbours == found.opposites == found.classes == ()
    assert found.selectivity is None
    assert "no correlation" in (out / "logits.html").read_text()


def test_a_data_set_without_a_picture(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    for name in ("a.png", "b.jpg"):
        (tmp_path / "bad" / name).write_bytes(b"no picture")
    asked = Question(tiny.network(), ("joined",), open_source(str(tmp_path / "bad")), SIZE)
    with pytest.raises(UsageError, match="none of 2 images can be used: 2 cannot be read") as error:
        make_examples(asked, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").iterdir())


def test_the_reader_names_what_is_wrong(classed: Path, tmp_path: Path) -> None:
    source = open_source(str(classed))
    make_examples(Question(tiny.network(), ("joined",), source, SIZE, limit=5), tmp_path)
    index = ExampleIndex(tmp_path)
    assert index.taps == ("joined",)
    assert index.units("joined_pre_relu") == 9
    assert index.array("joined_pre_relu", "maximum").shape == (9,)
    assert {"counts", "edges", "neighbours", "maximum"} <= set(index.names("joined"))
    for call, words in (
        (lambda: index.unit("joined", 9), "joined:9: the index has units 0 to 8"),
        (lambda: index.unit("left", 0), "has no tap 'left'; it has joined"),
        (lambda: index.array("joined", "maxima"), "has no 'maxima' of joined; near: maximum"),
        (lambda: ExampleIndex(tmp_path / "none"), "name a folder that kerasviz examples made"),
    ):
        with pytest.raises(UsageError, match=words):
            call()
    data = (tmp_path / INDEX).read_bytes()
    (tmp_path / INDEX).write_bytes(data[:50])
    with pytest.raises(KerasvizError, match="is damaged"):
        ExampleIndex(tmp_path)
    (tmp_path / INDEX).write_bytes(data.replace(b'\\"version\\": 1', b'\\"version\\": 7'))
    with pytest.raises(UsageError, match="this version reads 1"):
        ExampleIndex(tmp_path)
