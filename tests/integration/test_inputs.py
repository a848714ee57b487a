"""Networks with several inputs, or images of other kinds, from the command line on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.cli_fixtures import _elsewhere, _no_progress

__all__ = ["_elsewhere", "_no_progress"]
Run = Callable[..., Any]
L = keras.layers
SHORT = ("--preprocess", "unit", "--steps", 2, "--precision", "float32")


def pair() -> Path:
    """Two towers for images of different sizes, and numbers beside them."""
    keras.utils.set_random_seed(1)
    left, right = keras.Input((12, 12, 3), name="left"), keras.Input((16, 10, 1), name="right")
    age = keras.Input((2,), name="age")
    towers = [
        L.GlobalAveragePooling2D()(L.Conv2D(4, 3, activation="elu", name=name)(x))
        for name, x in (("a", left), ("b", right))
    ]
    keras.Model([left, right, age], L.Dense(3, name="out")(L.Concatenate()([*towers, age]))).save(
        "pair.keras"
    )
    return Path("pair.keras")


def sizes(folder: str) -> list[str]:
    from PIL import Image

    return ["{}x{}".format(*Image.open(path).size) for path in sorted(Path(folder).glob("*.png"))]


def test_the_image_that_a_target_depends_on_is_optimized(run_cli: Run) -> None:
    file = pair()
    ended = run_cli("render", file, "a:1", "b:2", *SHORT, "--out", "out")
    assert ended.code == 0, ended.err
    assert sizes("out") == ["12x12", "10x16"]
    assert run_cli("verify", "out").out == "2 files: 2 same\n"
    np.savez("age.npz", age=np.ones(2))
    for data in ((), ("--data", "age.npz")):
        ended = run_cli("render", file, "out:1", *SHORT, *data, "--out", "out")
        assert ended.code == 2 and "--data FILE.npz" in ended.err and ended.err.count("\n") == 1


def test_other_inputs_are_held_at_data_and_pictures_made_again(run_cli: Run) -> None:
    file, draw = pair(), np.random.default_rng(0)
    np.savez("rest.npz", age=np.ones((1, 2)), left=draw.random((1, 12, 12, 3)))
    words = ("render", file, "out:1", *SHORT, "--data", "rest.npz", "--out", "out")
    ended = run_cli(*words)
    assert ended.code == 0 and sizes("out") == ["10x16"], ended.err
    assert run_cli(*words).out.startswith("nothing to do")
    page = Path("out/index.html").read_text()
    assert "--data rest.npz" in page
    np.savez("more.npz", age=np.zeros((1, 2)), left=draw.random((1, 12, 12, 3)))
    ended = run_cli(*words[:-4], "--data", "more.npz", "--out", "out")
    assert ended.out.startswith("made 1 picture, ")
    # No command of the page gives a picture the data of another one.
    assert "render --again out-1.png" in Path("out/index.html").read_text()
    assert run_cli("verify", "out").out == "2 files: 2 same\n"
    assert run_cli("render", "--again", "out/out-1.png", "--out", "again").code == 0
    assert Path("again/out-1.png").read_bytes() == Path("out/out-1.png").read_bytes()
    for path in Path("out").glob("input-*.npy"):
        path.unlink()
    lost = run_cli("render", "--again", "out/out-1.png", "--out", "lost")
    assert lost.code == 2 and "--data FILE.npz" in lost.err
    given = run_cli("render", "--again", "out/out-1.png", "--data", "rest.npz", "--out", "lost")
    assert given.code == 0, given.err


def test_an_export_has_all_inputs_and_pictures_of_what_needs_images_only(run_cli: Run) -> None:
    file = pair()
    ended = run_cli("export", file, "served", "--preprocess", "unit", "--steps-max", 1, "--json")
    assert ended.code == 0, ended.err
    made = json.loads(ended.out)
    own = made["signatures"]["serving_default"]
    assert own["inputs"] == {
        "age": [None, 2],
        "left": [None, 12, 12, 3],
        "right": [None, 16, 10, 1],
    }
    loaded = tf.saved_model.load(made["path"]).signatures
    draw = np.random.default_rng(0)
    feeds = {
        name: tf.constant(draw.random([3, *shape[1:]]), tf.float32)
        for name, shape in own["inputs"].items()
    }
    wanted = keras.saving.load_model(file)([feeds[n] for n in ("left", "right", "age")])
    np.testing.assert_allclose(loaded["serving_default"](**feeds)["out"], wanted, atol=1e-5)
    taps = json.loads(Path(made["path"], "assets/taps.json").read_text())["taps"]
    assert [tap["name"] for tap in taps] in (["a"], ["b"])
    ended = run_cli("export", file, "other", "--preprocess", "unit", "--taps", "out")
    assert ended.code == 2 and "--data FILE.npz" in ended.err
    np.savez("rest.npz", age=np.ones((1, 2)), left=np.zeros((1, 12, 12, 3)))
    words = ("--taps", "out,b", "--data", "rest.npz", "--steps-max", 1, "--json")
    ended = run_cli("export", file, "other", "--preprocess", "unit", *words)
    assert ended.code == 0, ended.err
    made = json.loads(ended.out)
    images = tf.constant(draw.random((2, 16, 10, 1)), tf.float32)
    found = tf.saved_model.load(made["path"]).signatures["activations"](images)["out"]
    rest = [tf.zeros([2, 12, 12, 3]), images, tf.ones([2, 2])]
    np.testing.assert_allclose(found, keras.saving.load_model(file)(rest), atol=1e-5)


def test_a_network_whose_layers_all_need_more_is_exported_without_pictures(run_cli: Run) -> None:
    image, shift = keras.Input((9, 9, 1), name="image"), keras.Input((1,), name="shift")
    moved = L.Add()([image, L.Reshape((1, 1, 1))(shift)])
    keras.Model([image, shift], L.Conv2D(2, 3, name="conv")(moved)).save("m.keras")
    ended = run_cli("export", "m.keras", "served", "--preprocess", "unit")
    assert ended.code == 0, ended.err
    assert "no pictures: every layer needs more than an image" in ended.out
    assert "serving_default" in ended.out and "visualize" not in ended.out


def test_images_without_channels_are_rendered_exported_and_served(run_cli: Run) -> None:
    keras.Sequential(
        [
            keras.Input((10, 14), dtype="uint8", name="digits"),
            L.Rescaling(1 / 255, name="unit"),
            L.Flatten(name="flat"),
            L.Dense(6, activation="elu", name="hidden"),
            L.Dense(4, activation="softmax", name="probs"),
        ]
    ).save("m.keras")
    ended = run_cli("render", "m.keras", "hidden:3", "logit:2", "--steps", 2, "--out", "out")
    assert ended.code == 0, ended.err
    assert sizes("out") == ["14x10", "14x10"]
    ended = run_cli("export", "m.keras", "served", "--steps-max", 1, "--json")
    assert ended.code == 0, ended.err
    made = json.loads(ended.out)
    signature = tf.saved_model.load(made["path"]).signatures["serving_default"]
    (spec,) = signature.structured_input_signature[1].values()
    assert spec.dtype == tf.uint8 and spec.shape.as_list() == [None, 10, 14]


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_whole_numbers_before_a_normalization(dtype: str, run_cli: Run) -> None:
    normalize = L.Normalization(mean=[120.0, 110.0, 100.0], variance=[3e3, 4e3, 5e3])
    scores = []
    for kind in (dtype, "float32"):
        keras.utils.set_random_seed(2)
        image = keras.Input((None, None, 3), dtype=kind, name="image")
        x = L.Conv2D(4, 3, activation="elu", name="conv")(normalize(image))
        keras.Model(image, L.GlobalAveragePooling2D()(x)).save(f"{kind}.keras")
        ended = run_cli("render", f"{kind}.keras", "conv:3", "--steps", 4, "--size", "12",
                        "--precision", "float32", "--out", kind, "--json")  # fmt: skip
        assert ended.code == 0, ended.err
        scores.append(json.loads(ended.out)["pictures"][0]["score"])
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)
