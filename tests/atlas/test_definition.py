from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny import network

from kerasviz.atlas.definition import FILE, Atlas, agree, recorded
from kerasviz.atlas.tasks import payload_of, plan_of
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.storage import Storage
from kerasviz.optvis.recipe import media_of_recipe
from kerasviz.optvis.recipes import RECIPES, recipe
from kerasviz.zoo.model_source import ModelSource

SHORT = recipe("article").replace(steps=3, size=(16, 16))


@pytest.fixture
def atlas() -> Atlas:
    return Atlas.of(network(), ["joined"], SHORT)


def test_it_survives_json(atlas: Atlas) -> None:
    whole = replace(
        atlas,
        seed=3,
        threads=2,
        balanced=True,
        source=ModelSource("tiny", ("own",), True, "onnx-tf"),
    )
    assert Atlas.from_json(json.loads(json.dumps(whole.to_json()))) == whole
    assert "signature" not in whole.to_json()["reading"]
    chosen = replace(whole, source=ModelSource("tiny", signature="features"))
    assert Atlas.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen


def test_all_main_layers_or_those_named() -> None:
    net = network()
    assert Atlas.of(net, [], SHORT).taps == ("relu1", "joined")
    assert Atlas.of(net, ["block", "joined"], SHORT).taps == ("joined",)
    with pytest.raises(UsageError, match="no channels with positions"):
        Atlas.of(net, ["logits"], SHORT)
    with pytest.raises(UsageError, match="near"):
        Atlas.of(net, ["joint"], SHORT)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Five directions of the tap ``joined``, and two that are too short."""
    file = tmp_path / "v.npz"
    numbers = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)
    np.savez(file, nmf=numbers, short=numbers[:2, :4], one=numbers[0])
    return file


def test_directions_of_files_are_rows_like_units(vectors: Path) -> None:
    net = network()
    atlas = Atlas.of(net, [f"joined@{vectors}:nmf[0,3-4]", "relu1", f"joined@{vectors}:one"], SHORT)
    assert atlas.taps == ("relu1",)
    assert [group.name for group in atlas.directions] == ["joined@v.npz:nmf", "joined@v.npz:one"]
    assert Atlas.from_json(json.loads(json.dumps(atlas.to_json()))) == atlas
    rows = [row for row in atlas.layout(net).blocks if row.layers != ("relu1",)]
    assert [row.optimized[0].unit for row in rows] == [0, 3, 4, None]
    assert rows[1].title == "Directions joined@v.npz:nmf, Direction 3"
    first = rows[1].optimized
    assert [tile.request.objective.terms[0].cosine for tile in first] == [2, 0, 0, 0, 0, 0, 0]
    assert [tile.request.objective.terms[0].weight for tile in first] == [1, 1, 1, 1, 1, 1, -1]
    with np.load(vectors) as file:
        wanted = file["nmf"][3]
    for tile in first:
        term = tile.request.objective.terms[0]
        np.testing.assert_array_equal(np.float32(term.vector), wanted)
    batches = atlas.batches(net)
    assert [plan_of(net, payload_of(batch)) for batch in batches] == batches
    only = Atlas.of(net, [f"joined@{vectors}:nmf"], SHORT)
    assert only.taps == () and sum(batch.rows for batch in only.batches(net)) == 7 * 5


def test_directions_that_do_not_fit_are_refused_in_a_line(vectors: Path) -> None:
    for text, line in (
        (f"joined@{vectors}:short", "4 numbers, joined has 9 channels"),
        (f"joined@{vectors}:nmf[9]", "rows 0 to 4"),
        (f"joined@{vectors}:nmf#cosine=2", "leave out what follows"),
        (f"joined@{vectors}#latent=2", "leave out what follows"),
        ("joined@v.pkl", "a pickle can run any code"),
    ):
        with pytest.raises(UsageError, match=line) as caught:
            Atlas.of(network(), [text], SHORT)
        assert "\n" not in str(caught.value)


def test_other_directions_are_another_atlas(vectors: Path, tmp_path: Path) -> None:
    net, storage = network(), Storage(str(tmp_path / "atlas"))
    agree(storage, Atlas.of(net, [f"joined@{vectors}:nmf"], SHORT))
    elsewhere = vectors.rename(tmp_path / "w.npz")
    for text, line in (
        (f"joined@{elsewhere}:nmf", "directions: there joined@v.npz:nmf, here joined@w.npz:nmf"),
        ("joined", "directions: there joined@v.npz:nmf, here none"),
    ):
        with pytest.raises(UsageError, match=line):
            agree(storage, Atlas.of(net, [text], SHORT))
    np.savez(vectors, nmf=np.ones((5, 9)))
    with pytest.raises(UsageError, match="other directions"):
        agree(storage, Atlas.of(net, [f"joined@{vectors}:nmf"], SHORT))


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, r in RECIPES.items()
        if "image" in media_of_recipe(r) and not r.likeness and r.octaves < 2
    ],
)
def test_every_recipe_goes_to_the_workers_and_back(atlas: Atlas, name: str) -> None:
    net = network()
    small = replace(atlas, recipe=RECIPES[name].replace(steps=2, size=(16, 16)))
    batches = small.batches(net)
    kinds = [[type(step) for step in r.transform.steps] for r in (batches[0].recipe, RECIPES[name])]
    assert kinds[0] == kinds[1]
    assert [plan_of(net, payload_of(batch)) for batch in batches] == batches
    assert Atlas.from_json(json.loads(json.dumps(small.to_json()))) == small


def test_seven_pictures_of_every_unit(atlas: Atlas) -> None:
    net = network()
    assert sum(request.rows for request in atlas.requests(net)) == 7 * 9
    batches = atlas.batches(net)
    assert sum(batch.rows for batch in batches) == 7 * 9
    again = Atlas.from_json(json.loads(json.dumps(atlas.to_json())))
    assert again.batches(network()) == batches


def test_a_fine_atlas_ends_with_small_batches_of_the_same_pictures(atlas: Atlas) -> None:
    net = network()
    usual, fine = (
        replace(atlas, taps=("relu1", "joined"), balanced=fine).batches(net)
        for fine in (False, True)
    )
    pictures = [
        [(r.text, r.objective, r.seed, r.rows) for p in plans for r in p.requests]
        for plans in (usual, fine)
    ]
    assert sorted(pictures[0], key=repr) == sorted(pictures[1], key=repr)
    assert {r.batch for p in usual for r in p.requests} == {None}
    small = [p for p in fine if p.requests[0].batch is not None]
    rows = sum(p.rows for p in fine)
    # 30 % of the work and more than that of the pictures, as these are the quickest.
    assert 0.2 * rows < sum(p.rows for p in small) < 0.6 * rows
    assert {4, 8} <= {p.batch for p in small} <= {2, 4, 8}
    assert all(request.rows <= p.batch for p in fine for request in p.requests)


def test_the_first_run_records_and_others_agree(atlas: Atlas, tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    assert recorded(storage) is None
    assert agree(storage, atlas) == atlas == recorded(storage)
    before = (tmp_path / FILE).read_bytes()
    # Another name of the file and of the recipe change no pixel.
    renamed = replace(
        atlas,
        source=ModelSource("elsewhere/tiny"),
        network={**atlas.network, "name": "other"},
        recipe=atlas.recipe.replace(name="mine"),
    )
    assert agree(storage, renamed) == atlas
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": SHORT.replace(steps=4)}, "steps: there 3, here 4"),
        ({"recipe": SHORT.replace(size=(16, 24))}, "size: there 16x16, here 16x24"),
        ({"recipe": SHORT.replace(precision="bfloat16")}, "there float32, here bfloat16"),
        ({"seed": 5}, "seed: there 0, here 5"),
        ({"threads": 4}, "threads: there 1, here 4"),
        ({"taps": ("relu1", "joined")}, "layers: there joined, here relu1, joined"),
    ],
)
def test_other_settings_are_refused_in_one_line(
    atlas: Atlas, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    storage = Storage(str(tmp_path))
    agree(storage, atlas)
    with pytest.raises(UsageError) as caught:
        agree(storage, replace(atlas, **changes))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).count("there") == 1


def test_another_network_or_input_is_refused(atlas: Atlas, tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    agree(storage, atlas)
    with pytest.raises(UsageError, match=r"model: there tiny .* here tiny"):
        agree(storage, Atlas.of(network(seed=1), ["joined"], SHORT))
    changed = {**atlas.network, "input": {**atlas.network["input"], "scale": 3.0}}
    with pytest.raises(UsageError, match=r"input scale: there 2.0, here 3.0"):
        agree(storage, replace(atlas, network=changed))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": 1}'])
def test_a_damaged_definition_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(KerasvizError, match=r"atlas\.json.* damaged"):
        recorded(Storage(str(tmp_path)))
    (tmp_path / FILE).write_bytes(b'{"format": 99}')
    with pytest.raises(UsageError, match="format 99"):
        recorded(Storage(str(tmp_path)))
