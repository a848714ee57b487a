"""Pictures behind inputs that are held at arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest

import kerasviz
from kerasviz.errors import UsageError
from kerasviz.network.input_spec import preset
from kerasviz.optvis import parameterizations
from kerasviz.optvis.held_array import HeldArray
from kerasviz.optvis.objectives.targets import parse_targets
from kerasviz.optvis.parameterizations import Pixel
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.held_data import with_held
from kerasviz.rendering.manifest import MANIFEST
from kerasviz.rendering.render import render_batch, render_requests
from kerasviz.rendering.request import Request, make_requests
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures

SMALL = recipe("fast").replace(steps=3, size=(12, 12), precision="float32")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> kerasviz.Network:
    """image -> conv -> (with two numbers) -> hidden."""
    keras.utils.set_random_seed(0)
    image, age = keras.Input((12, 12, 3), name="image"), keras.Input((2,), name="age")
    x = keras.layers.Conv2D(4, 3, activation="elu", name="conv")(image)
    x = keras.layers.Concatenate(name="both")([keras.layers.GlobalMaxPooling2D()(x), age])
    out = keras.layers.Dense(5, activation="tanh", name="hidden")(x)
    path = tmp_path_factory.mktemp("held") / "m.keras"
    keras.Model([image, age], out).save(path)
    return kerasviz.load(path).with_input_spec(preset("unit"))


def requests(net: kerasviz.Network, *targets: str) -> list[Request]:
    return make_requests(net, parse_targets(targets, net), SMALL)


def test_the_picture_is_that_of_the_held_numbers(net: kerasviz.Network) -> None:
    options: dict[str, Any] = {"steps": 3, "size": 12, "precision": "float32"}
    results = [
        kerasviz.render(net, ["hidden:1", "hidden:2"], data={"age": age}, **options)
        for age in ([0.5, -1.0], [[0.5, -1.0]], [3.0, 2.0])
    ]
    np.testing.assert_array_equal(results[0].images, results[1].images)
    assert abs(results[0].images - results[2].images).max() > 0
    feeds = {"image": results[2].images, "age": np.full((2, 2), [3.0, 2.0], np.float32)}
    wanted = net.run(feeds, ["hidden"])["hidden"]
    np.testing.assert_allclose(results[2].scores, [wanted[0, 1], wanted[1, 2]], atol=1e-5)
    with pytest.raises(UsageError, match=r"give age .* with --data FILE\.npz"):
        kerasviz.render(net, "hidden:1", **options)


def test_only_what_a_target_depends_on_is_part_of_its_request(net: kerasviz.Network) -> None:
    held = net.with_data({"age": [1, 2]})
    (before,), (conv, hidden) = requests(net, "conv:1"), requests(held, "conv:1", "hidden:1")
    assert conv.key(held) == before.key(net)
    assert "data" not in conv.to_json() and list(hidden.to_json()["data"]) == ["age"]
    assert Request.from_json("", json.loads(json.dumps(hidden.to_json()))).data == hidden.data
    (other,) = requests(net.with_data({"age": [1, 3]}), "hidden:1")
    assert other.key(held) != hidden.key(held)


def test_pictures_are_verified_with_the_arrays_beside_them(
    net: kerasviz.Network, tmp_path: Path
) -> None:
    for age in ([0.5, -1.0], [3.0, 2.0]):
        held = net.with_data({"age": age})
        render_into(Store(tmp_path, held), requests(held, "hidden:1", "conv:2"))
    results, _ = verify_pictures(tmp_path, net)
    assert [r.result for r in results] == ["same"] * 3
    recorded = list(json.loads((tmp_path / MANIFEST).read_text())["requests"].values())
    data = [r["data"] for r in recorded if "data" in r]
    assert len(data) == 2
    np.testing.assert_array_equal(with_held(net, tmp_path, data[1]).data["age"], [[3, 2]])
    file = next(f for f in tmp_path.iterdir() if data[1]["age"].startswith(f.stem[6:]))
    file.write_bytes(file.read_bytes()[:-4] + b"abcd")
    with pytest.raises(UsageError, match=r"'age' was held at an array that is not there any more"):
        verify_pictures(tmp_path, net)
    results, _ = verify_pictures(tmp_path, net.with_data({"age": [3, 2]}))
    assert [r.result for r in results] == ["same"] * 3


@dataclass(frozen=True)
class Printed(Pixel):
    """Pixels on top of a held array [H, W, C]."""

    under: HeldArray | None = None
    kind: ClassVar[str] = "printed"

    def values(self, params: Any, height: int, width: int) -> Any:
        assert self.under is not None
        return params + self.under.numbers[None, :height, :width]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setitem(parameterizations._KINDS, "printed", Printed)
    under = HeldArray.of(np.random.default_rng(0).normal(size=(12, 12, 3)), "noise.npy")
    return SMALL.replace(parameterization=Printed(under=under))


def array_of(folder: Path) -> Path:
    (path,) = folder.glob("array-*.npy")
    return path


def test_an_array_of_a_recipe_lies_beside_its_pictures(
    net: kerasviz.Network, printed: Recipe, tmp_path: Path
) -> None:
    (request,) = make_requests(net, parse_targets(["conv:1"], net), printed)
    data = json.loads(json.dumps(request.to_json()))
    assert list(data["recipe"]["parameterization"]["under"]) == ["held", "name"]
    bare = Request.from_json("conv:1", data)
    assert bare == request and bare.key(net) == request.key(net)
    data["recipe"]["parameterization"]["under"]["name"] = "other.npy"
    assert Request.from_json("conv:1", data).key(net) == request.key(net)
    with pytest.raises(UsageError, match=r"noise\.npy: only its checksum"):
        render_requests(net, [bare])
    render_into(Store(tmp_path, net), [request])
    array_of(tmp_path).rename(tmp_path / "aside")
    with pytest.raises(UsageError, match=r"noise\.npy: the numbers .* not there any more .*array-"):
        verify_pictures(tmp_path, net)
    render_into(Store(tmp_path, net), [request])  # puts it back
    assert verify_pictures(tmp_path, net).same
    np.testing.assert_array_equal(np.load(array_of(tmp_path)), np.load(tmp_path / "aside"))
    array_of(tmp_path).write_bytes(b"damaged")
    with pytest.raises(UsageError, match="not there any more"):
        Request.from_json("conv:1", bare.to_json(), tmp_path)


def test_a_picture_with_an_array_is_rendered_again_from_its_file(
    net: kerasviz.Network, printed: Recipe, tmp_path: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    (request,) = make_requests(net, parse_targets(["conv:1"], net), printed)
    render_into(Store(first, net), [request])
    kerasviz.render_again(first / "conv-1.png", net, out=again)
    assert (again / "conv-1.png").read_bytes() == (first / "conv-1.png").read_bytes()
    assert array_of(again).read_bytes() == array_of(first).read_bytes()
    array_of(first).unlink()
    with pytest.raises(UsageError, match=r"noise\.npy: the numbers"):
        kerasviz.render_again(first / "conv-1.png", net, out=tmp_path / "third")


def test_rows_with_an_array_resume_from_a_checkpoint(
    net: kerasviz.Network, printed: Recipe, tmp_path: Path
) -> None:
    (request,) = make_requests(net, parse_targets(["conv:1"], net), printed.replace(steps=20))
    (batch,) = make_batches(net, [request])
    saved: list[Any] = []
    (whole,) = render_batch(net, batch, lambda p: saved.append(p.checkpoint()))  # type: ignore[misc]
    (resumed,) = render_batch(net, batch, None, saved[0])
    np.testing.assert_array_equal(resumed.image, whole.image)
