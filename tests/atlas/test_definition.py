from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.tiny import network

from kerasviz.atlas.definition import FILE, Atlas, agree, recorded
from kerasviz.atlas.tasks import payload_of, plan_of
from kerasviz.errors import KerasvizError, UsageError
from kerasviz.io.storage import Storage
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


def test_directions_are_refused_with_the_command_that_shows_them() -> None:
    net = network()
    with pytest.raises(
        UsageError, match=r"kerasviz render 'joined@v.npz:nmf\[0-9\]', and"
    ) as caught:
        Atlas.of(net, ["relu1", "joined@v.npz:nmf[0-9]"], SHORT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_goes_to_the_workers_and_back(atlas: Atlas, name: str) -> None:
    net = network()
    small = replace(atlas, recipe=RECIPES[name].replace(steps=2, size=(16, 16)))
    batches = small.batches(net)
    assert batches[0].recipe.transform == RECIPES[name].transform
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
