"""Commands and the functions of the same words make the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kerasviz
from kerasviz import UsageError
from kerasviz.io.images import to_image
from kerasviz.network.network import Network

Run = Callable[..., Any]
SHORT: dict[str, Any] = {"steps": 3, "size": (16, 24), "precision": "float32"}
WORDS = ("--preprocess", "unit", "--steps", 3, "--size", "16x24", "--precision", "float32")
#: Arguments of ``render`` with the options that say the same.
CASES: dict[str, tuple[dict[str, Any], tuple[object, ...]]] = {
    "plain": ({}, ()),
    "negative, until converged": (
        {"negative": True, "seed": 5, "until_converged": True},
        ("--negative", "--seed", 5, "--until-converged"),
    ),
    "diversity": ({"diversity": 2, "batch": 4}, ("--diversity", 2, "--batch", 4)),
    "stages, balance": (
        {"snapshots": [2, 0, 2], "param": "pixel", "format": "webp", "balance": True},
        ("--snapshots", "2,0", "--param", "pixel", "--format", "webp", "--balance"),
    ),
    "tiles": ({"tile": 8}, ("--tile", 8)),
    "lucid": ({"recipe": "lucid", "param": "fourier"}, ("--recipe", "lucid", "--param", "fourier")),
}


@pytest.fixture(scope="module")
def net(model_file: Path) -> Network:
    return kerasviz.load(model_file, preprocess="unit")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("case", CASES)
def test_a_folder_of_render_is_the_one_of_the_command(
    run_cli: Run, model_file: Path, net: Network, case: str
) -> None:
    arguments, options = CASES[case]
    command = ("render", model_file, "conv2:1", "conv1:2", *WORDS, *options)
    assert run_cli(*command, "--out", "a").code == 0
    made = kerasviz.render(net, ["conv2:1", "conv1:2"], out="b", **SHORT, **arguments)
    first, second = files(Path("a")), files(Path("b"))
    assert first == second
    # What one has made the other does not render again.
    assert run_cli(*command, "--out", "b").out.startswith("nothing to do: ")
    again = kerasviz.render(net, ["conv2:1", "conv1:2"], out="a", **SHORT, **arguments)
    assert files(Path("a")) == first
    assert kerasviz.verify("b").same
    for picture, kept in zip(made.pictures, again.pictures, strict=True):
        np.testing.assert_array_equal(picture.image, kept.image)


def test_balanced_sums_of_the_command_are_those_of_python(
    run_cli: Run, model_file: Path, net: Network
) -> None:
    target = "conv2:1 - 0.5*logit:2"
    command = ("render", model_file, target, "conv2:0", *WORDS, "--balance")
    ended = run_cli(*command, "--out", "a", "--json")
    made = kerasviz.render(net, [target, "conv2:0"], out="b", balance=True, **SHORT)
    assert files(Path("a")) == files(Path("b")) and ended.notes == ""
    summed, single = json.loads(ended.out)["pictures"]
    assert summed["target"] == f"{target}, balanced"
    assert summed["term_scores"] == made[0].term_scores
    assert list(summed["term_scores"]) == list(summed["alone"]) == ["conv2:1", "logit:2"]
    assert summed["alone"] == made[0].alone
    assert "term_scores" not in single and "alone" not in single
    assert run_cli(*command, "--out", "b").out.startswith("nothing to do: 2 pictures")
    page = Path("a/index.html").read_text()
    assert "--balance" in page and f"alone {summed['alone']['logit:2']:.4g}" in page


def test_with_nothing_to_balance_the_command_says_so(run_cli: Run, model_file: Path) -> None:
    ended = run_cli("render", model_file, "conv2:1", *WORDS, "--balance", "--out", "p")
    assert ended.code == 0
    assert ended.notes == "kerasviz: nothing to balance: no target is a sum of several terms\n"


def test_pictures_of_a_folder_are_those_in_memory(net: Network) -> None:
    options = {**SHORT, "steps": 50, "snapshots": (0, 2), "diversity": 2}
    memory = kerasviz.render(net, ["conv2:1", "conv1:2"], **options)
    folder = kerasviz.render(net, ["conv2:1", "conv1:2"], out="p", **options)
    assert [p.request for p in folder.pictures] == [p.request for p in memory.pictures]
    for exact, read in zip(memory.pictures, folder.pictures, strict=True):
        assert (read.row, read.batch) == (exact.row, exact.batch)
        np.testing.assert_array_equal(
            to_image(read.image), np.asarray(to_image(exact.image)), strict=False
        )
        assert read.snapshots.keys() == exact.snapshots.keys()
        assert abs(read.snapshots[2] - exact.snapshots[2]).max() <= 0.5 / 255 + 1e-6
        assert read.score == pytest.approx(exact.score, rel=1e-5)
        assert read.history.shape == exact.history.shape
        ends = [0, -1]
        np.testing.assert_allclose(read.history[ends], exact.history[ends], rtol=1e-3)
    assert [p["target"] for p in folder.provenance] == [p["target"] for p in memory.provenance]
    assert folder.provenance == memory.provenance


def test_ctrl_c_returns_what_the_folder_has(net: Network) -> None:
    def interrupt(progress: Any) -> None:
        if progress.done >= 2:
            raise KeyboardInterrupt

    def at_once(_: Any) -> None:
        raise KeyboardInterrupt

    targets = ["conv2:0", "conv2:1", "conv2:2", "conv2:3"]
    options = {**SHORT, "batch": 2}
    made = kerasviz.render(net, targets, progress=interrupt, out="p", **options)
    assert [p.target for p in made.pictures] == ["conv2:0", "conv2:1"]
    assert made.interrupted and made.missing == ("conv2:2", "conv2:3")
    assert "conv2:1" in Path("p/index.html").read_text()
    again = kerasviz.render(net, targets, out="p", **options)
    assert [p.target for p in again.pictures] == targets and not again.interrupted
    np.testing.assert_array_equal(again.images[:2], made.images)
    with pytest.raises(KeyboardInterrupt):  # there is nothing to return
        kerasviz.render(net, targets, progress=at_once, out="q", **options)


def test_other_inputs_are_arrays_or_a_file(net: Network) -> None:
    np.savez("wrong.npz", age=np.zeros(3))
    for data in ("wrong.npz", Path("wrong.npz"), {"age": np.zeros(3)}):
        with pytest.raises(UsageError, match="age"):
            kerasviz.render(net, "conv2:1", data=data, **SHORT)
    with pytest.raises(UsageError, match=r"none\.npz"):
        kerasviz.render(net, "conv2:1", data="none.npz", **SHORT)
    (name,) = net.program.inputs
    image = np.random.default_rng(0).uniform(size=(2, 16, 18, 3)).astype(np.float32)
    np.savez("image.npz", **{name: image})
    for data in ("image.npz", {name: image}):
        assert kerasviz.check(net, data=data).inputs == {name: image.shape}
    with pytest.raises(UsageError, match="leave --size and --batch out"):
        kerasviz.check(net, data="image.npz", size=16)


def test_an_export_is_the_one_of_the_command(run_cli: Run, model_file: Path, net: Network) -> None:
    words = ("--taps", "conv1,conv2", "--steps-max", 2, "--size", 16, "--image-size", 20)
    command = ("export", model_file, "a", "--preprocess", "unit", *words, "--name", "small")
    ended = run_cli(*command)
    assert ended.code == 0, ended.err
    made = kerasviz.export_model(
        net, "b", taps=["conv1", "conv2"], steps_max=2, size=16, image_size=20, name="small"
    )
    assert made.path == Path("b/small/1") and made.settings.taps == ("conv1", "conv2")
    assets = [files(Path(place) / "small/1/assets") for place in ("a", "b")]
    assert assets[0] == assets[1]


def test_without_a_folder_nothing_is_written(net: Network, tmp_path: Path) -> None:
    kerasviz.render(net, "conv2:1", **SHORT)
    assert not any(tmp_path.iterdir())


def test_a_path_and_a_model_in_memory_are_networks(model_file: Path, net: Network) -> None:
    import keras

    options = {**SHORT, "precision": "float32"}
    model = keras.saving.load_model(model_file)
    with pytest.raises(UsageError, match="preprocess"):  # nobody said what its numbers are
        kerasviz.render(str(model_file), "conv2:1", **options)
    described = kerasviz.load(model, preprocess="unit")
    images = [kerasviz.render(each, "conv2:1", **options).images for each in (net, described)]
    np.testing.assert_array_equal(*images)
    found = kerasviz.check(model_file, size=16)
    assert found.first_off is None and found.against == "keras"
    made = kerasviz.convert(str(model_file), "saved", taps="conv1,conv2", size="any")
    assert {"conv1", "conv2"} < set(made.outputs)


def test_a_file_is_rendered_again(run_cli: Run, net: Network, model_file: Path) -> None:
    kerasviz.render(net, "conv2:1", out="first", seed=4, **SHORT)
    file = Path("first/conv2-1-seed4.png")
    before = file.read_bytes()
    assert len(kerasviz.render_again(file).pictures) == 1  # complete
    assert file.read_bytes() == before
    file.unlink()
    Path("found.png").write_bytes(before)
    with pytest.raises(UsageError, match="is not there"):
        kerasviz.render_again("found.png")
    for model in (str(model_file), net):
        made = kerasviz.render_again("found.png", model, out="second")
        assert Path("second/found.png").read_bytes() == before
    with Image.open("second/found.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(to_image(made.images[0])))


def test_verify_finds_what_the_command_finds(
    run_cli: Run, net: Network, model_file: Path, other_model_file: Path
) -> None:
    kerasviz.render(net, ["conv2:1", "conv2:2"], out="p", **SHORT)
    Path("p/conv2-2.png").write_bytes(Path("p/conv2-1.png").read_bytes())
    said = json.loads(run_cli("verify", "p", "--json").out)
    for model in (None, model_file, net):
        found = kerasviz.verify("p", model)
        assert [vars(file) for file in found.files] == said["files"]
        assert (found.same, found.environment) == (said["same"], said["environment"])
    sample = kerasviz.verify("p", sample=1, seed=2)
    assert json.loads(run_cli("verify", "p", "--sample", 1, "--seed", 2, "--json").out)[
        "files"
    ] == [vars(file) for file in sample.files]
    with pytest.raises(UsageError, match="another model"):
        kerasviz.verify("p", other_model_file)
    with pytest.raises(UsageError, match=r"manifest\.json"):
        kerasviz.verify("nowhere")


def test_figures_are_those_of_the_command(run_cli: Run, model_file: Path, net: Network) -> None:
    command = ("figures", "objectives", "--model", model_file, *WORDS, "--seed", 3, "--quick")
    assert run_cli(*command, "--out", "a").code == 0
    options = {**SHORT, "seed": 3, "quick": True}
    made = kerasviz.make_figures(net, "objectives", out="b", **options)
    first, second = files(Path("a")), files(Path("b"))
    assert first.keys() == second.keys()
    # Pages name the options of figures in the order in which they were given.
    pages = {name for name in first if first[name] != second[name]}
    assert all(name.endswith(("index.html", "objectives.html", ".json")) for name in pages)
    assert first["pictures/manifest.json"] == second["pictures/manifest.json"]
    assert made.made and made.index == Path("b/index.html")
    assert run_cli(*command, "--out", "b").out.startswith("nothing to do: ")


def test_examples_are_those_of_the_command(run_cli: Run, model_file: Path, net: Network) -> None:
    photos = Path("photos")
    photos.mkdir()
    draw = np.random.default_rng(0)
    for number in range(5):
        pixels = draw.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    options = ("--per-bucket", 2, "--batch", 3, "--limit", 4, "--size", 16, "--preprocess", "unit")
    command = ("examples", model_file, "conv1", "--images", photos, *options)
    assert run_cli(*command, "--out", "a").code == 0
    found = kerasviz.find_examples(
        net, "conv1", photos, out="b", per_bucket=2, batch=3, limit=4, size=16
    )
    assert (found.images, found.made) == (4, True)
    assert files(Path("a")) == files(Path("b"))
    assert run_cli(*command, "--out", "b").out.startswith("nothing to do: ")
    assert kerasviz.verify("b").same


@pytest.mark.parametrize(
    ("function", "given", "words"),
    [
        ("render", {"neg": True}, "no argument 'neg'; near: negative"),
        ("render", {"learning_rat": 1}, "near: learning_rate"),
        ("render", {"preprocess": "unit"}, "'preprocess' says how a model is read; give it to"),
        ("render", {"param": "aligned"}, "unknown param 'aligned'; choose from pixel, fourier"),
        ("render", {"precision": "float8"}, "unknown precision 'float8'"),
        ("render", {"format": "gif"}, "unknown format 'gif'; choose from png, jpg, webp"),
        ("render", {"steps": 0}, "steps 0: expected a whole number of 1 or more"),
        ("render", {"steps": "12"}, "steps '12': expected a whole number"),
        ("render", {"size": "big"}, "'big': expected pixels such as 128"),
        ("render", {"size": (1, 2, 3)}, "expected pixels such as 128"),
        ("render", {"tile": -1}, "tile -1: expected"),
        ("render", {"diversity": 1}, "diversity 1: expected a whole number of 2 or more"),
        ("render", {"batch": 0}, "batch 0: expected"),
        ("render", {"seed": None}, "seed None: expected"),
        ("render", {"snapshots": 4}, "snapshots 4: expected step numbers such as"),
        ("render", {"snapshots": [9]}, "snapshot at step 9"),
        ("render", {"param": "pixel", "parameterization": None}, "leave one out"),
        ("render", {"targets": 5}, 'target 5: expected a text such as "block3b:7"'),
        ("render", {"targets": None}, "target None: expected a text"),
        ("render", {"targets": ["conv2:1", 5]}, "target 5: expected a text"),
        ("render", {"targets": b"conv2:1"}, "target b'conv2:1': expected a text"),
        ("render", {"targets": []}, "no targets; give one or more"),
        ("make_figures", {"slug": "hero"}, "no argument 'slug'; near: slugs"),
        ("make_figures", {"slugs": ["heroes"]}, "no figure 'heroes'; near: hero"),
        ("make_figures", {"labels": []}, "'labels' says how a model is read"),
        ("find_examples", {"per_bucket": 0}, "per_bucket 0: expected"),
        ("find_examples", {"count": 3}, "no argument 'count'"),
        ("make_atlas", {"engine": "slurm"}, "unknown engine 'slurm'; choose from local, ray"),
        ("make_atlas", {"workers": 0}, "workers 0: expected"),
        ("make_atlas", {"fin": True}, "near: fine"),
        ("export_model", {"group": 0}, "group 0: expected"),
        ("export_model", {"step_max": 3}, "near: steps_max"),
        ("check", {"against": "torch"}, "unknown against 'torch'; choose from onnxruntime, keras"),
        ("check", {"toleranc": 1}, "near: tolerance"),
        ("convert", {"to": "onnx"}, "unknown to 'onnx'; choose from keras, saved_model"),
        ("convert", {"layout": "nchw"}, "unknown layout 'nchw'"),
        ("verify", {"folder": "p", "sampl": 3}, "no argument 'sampl'; near: sample"),
        ("render_again", {"file": "p.png", "outt": "p"}, "no argument 'outt'; near: out"),
    ],
)
def test_wrong_arguments_are_one_line(
    net: Network, tmp_path: Path, function: str, given: dict[str, Any], words: str
) -> None:
    needed: dict[str, dict[str, Any]] = {
        "render": {"net": net, "targets": "conv2:1", "steps": 3, "size": 16},
        "make_figures": {"net": net},
        "find_examples": {"net": net, "taps": "conv1", "images": tmp_path},
        "make_atlas": {"net": net},
        "export_model": {"net": net, "folder": "served"},
        "check": {"net": net},
        "convert": {"net": net, "out": "folder"},
    }
    if function == "find_examples":
        Image.new("RGB", (16, 16)).save(tmp_path / "one.png")
    with pytest.raises(UsageError) as caught:
        getattr(kerasviz, function)(**{**needed.get(function, {}), **given})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"one.png"}
