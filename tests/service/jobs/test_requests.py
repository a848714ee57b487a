from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tiny
from support.batch_models import MODELS, SIZE

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.direction_files import FileWords
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.recipes import RECIPES
from kerasviz.rendering.batching import CANONICAL
from kerasviz.rendering.request import Request
from kerasviz.service import Limits
from kerasviz.service.jobs.requests import (
    DIVERSE,
    RenderOptions,
    asked_of,
    batch_of,
    job_name,
    requests_of,
)

NET = tiny.network()


def requests(*targets: str, **words: Any) -> list[Request]:
    return requests_of(NET, RenderOptions(targets, **words), Limits(pictures=6), 2, refused)


def refused(words: FileWords) -> Path:
    raise UsageError(f"{words.path}: not here")


def test_kinds_are_what_the_command_line_makes() -> None:
    (channel,) = requests("joined:1")
    (neuron,) = requests("joined:1", kind="neuron")
    (negative,) = requests("joined:1", kind="negative")
    (diverse,) = requests("joined:1", kind="diversity", seed=3)
    assert channel.objective == parse_target("joined:1", NET)[0].objective
    assert neuron.objective == parse_target("joined:1@center", NET)[0].objective
    assert (negative.text, negative.objective) == ("-joined:1", -channel.objective)
    assert (diverse.rows, diverse.seed, diverse.batch) == (DIVERSE, 3, 4)
    assert [term.kind for term in diverse.objective.terms] == ["channel", "diversity"]


def test_each_picture_is_asked_for_once_and_settings_win_over_the_recipe() -> None:
    found = requests("joined:0-1", "joined:1", "block:0", steps=7, size=(24, 40))
    assert [r.text for r in found] == ["joined:0", "joined:1", "block:0"]
    assert {(r.recipe.steps, r.recipe.size, r.batch) for r in found} == {(7, (24, 40), 2)}
    (usual,) = requests("joined:0", recipe="article")
    assert usual.recipe.steps == RECIPES["article"].steps
    (vivid,) = requests("logit:1", recipe="vivid")
    assert vivid.recipe.rivals == RECIPES["vivid"].rivals
    assert vivid.recipe.transform == RECIPES["vivid"].transform
    (maco,) = requests("logit:1", recipe="maco")
    assert maco.recipe.size == (256, 256) and maco.recipe.seen_size == (128, 128)
    assert maco.recipe.views == RECIPES["maco"].views and maco.recipe.opacity
    assert maco.batch == 2


@pytest.mark.parametrize(
    ("targets", "words", "line"),
    [
        (["nothing:1"], {}, "unknown tap"),
        (["joined:99"], {}, "units 0 to 8"),
        (["joined:*"], {}, "more than 6 pictures"),
        (["joined:0", "joined:1"], {"kind": "diversity"}, "more than 6 pictures"),
        (["joined:1"], {"recipe": "/etc/passwd"}, "unknown recipe"),
        (["joined:1"], {"recipe": "mine.json"}, "unknown recipe"),
        (["joined:1"], {"size": (513, 8)}, "at most 512"),
        (["joined:1"], {"steps": 4097}, "at most 4096"),
        (["joined:1 + joined:2"], {"kind": "neuron"}, "a neuron is the centre"),
        (["logit:1"], {"kind": "neuron"}, "a neuron is the centre"),
        (["joined@/etc/v.npy"], {}, "/etc/v.npy: not here"),
        (["joined:1 + joined@v.npz:k[0]"], {}, "v.npz: not here"),
        (["joined@sae.safetensors#latent=0"], {"kind": "diversity"}, "sae.safetensors: not here"),
    ],
)
def test_bad_use_is_one_line(targets: list[str], words: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        requests(*targets, **words)
    assert "\n" not in str(refused.value)


def test_directions_are_of_the_files_that_are_found(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)
    np.savez(tmp_path / "v.npz", nmf=vectors, short=vectors[:, :4], wide=np.ones((2, 3, 9)))

    def asked(text: str, most: int = 100) -> list[Request]:
        options = RenderOptions((text,))
        return requests_of(
            NET, options, Limits(numbers=most), 2, lambda words: tmp_path / words.path
        )

    (request,) = asked("2*joined@v.npz:nmf[3] + joined:1")
    assert request.text == "2*joined@v.npz:nmf[3] + joined:1"
    (here,) = parse_target(f"joined@{tmp_path / 'v.npz'}:nmf[3]", NET)
    assert request.objective.terms[0].vector == here.objective.terms[0].vector
    assert Request.from_json("", json.loads(asked_of(NET, request).data)) == replace(
        request, text=""
    )
    with pytest.raises(UsageError, match=r"^direction v.npz:short\[0\]: 4 numbers, joined has 9"):
        asked("joined@v.npz:short[0]")
    with pytest.raises(UsageError, match=r"^v.npz:nmf\[7\]: it has the rows 0 to 4$"):
        asked("joined@v.npz:nmf[7]")
    with pytest.raises(UsageError, match=r"^direction of 2x3x9 numbers: joined has "):
        asked("joined@v.npz:wide")
    assert len(asked("joined@v.npz:nmf", most=45)) == 5
    with pytest.raises(UsageError, match="directions of 45 numbers in one request; at most 44"):
        asked("joined@v.npz:nmf", most=44)


def test_the_batch_size_depends_on_the_request_alone() -> None:
    (request,) = requests("joined:1")
    for base, size, rows, wanted in [
        *((2, 128, 1, 2), (8, 128, 1, 8), (8, 512, 1, 4), (16, 1024, 1, 1)),
        *((2, 128, 4, 4), (8, 128, 4, 8), (2, 1024, 4, 4), (2, 128, 5, 8)),
    ]:
        recipe = request.recipe.replace(size=(size, size))
        found = batch_of(replace(request, recipe=recipe, rows=rows, batch=None), base)
        assert found == wanted and found in CANONICAL
    shared = replace(request, recipe=RECIPES["lucid"])
    assert batch_of(shared, 8) == 1, "one transform for a batch: others would change the picture"


def test_what_can_share_a_batch_is_of_one_recipe_size_and_structure() -> None:
    def kinds(*found: Request) -> int:
        return len({asked_of(NET, request).batchable for request in found})

    one, two = requests("joined:1", "joined:2")
    assert kinds(one, two, replace(one, seed=5)) == 1
    assert kinds(one, *requests("joined:1", steps=7)) == 2
    assert kinds(one, *requests("joined:1", size=(24, 24))) == 2
    assert kinds(one, *requests("left:1")) == 2
    assert kinds(one, *requests("joined:1 + left:1")) == 2
    lucid = requests("joined:1", "joined:2", recipe="lucid")
    assert kinds(*lucid) == 2
    (staged,) = requests("joined:1", snapshots=(0, 4))
    assert staged.snapshots == (0, 4) and kinds(one, staged) == 2  # a batch keeps those of all


def test_a_job_is_named_after_all_that_decides_its_pictures() -> None:
    def name(*targets: str, network: str = "tiny", **words: Any) -> str:
        return job_name(network, [asked_of(NET, r) for r in requests(*targets, **words)])

    usual = name("joined:0-1")
    assert usual == name("joined:0", "joined:1", size=(128, 128), steps=128)
    others = [
        name("joined:1", "joined:0"),
        name("joined:0"),
        name("joined:0-1", seed=1),
        name("joined:0-1", steps=9),
        name("joined:0-1", recipe="article"),
        name("joined:0-1", kind="negative"),
        name("joined:0-1", network="other"),
    ]
    assert len({usual, *others}) == 1 + len(others)


def test_a_network_for_batches_of_one_size_is_asked_for_such_batches(tmp_path: Path) -> None:
    net = MODELS["folded"].load(tmp_path)
    options = RenderOptions(("inside:1", "conv:1"), steps=2)
    one, before = requests_of(net, options, Limits(), 8, refused)
    assert (one.batch, before.batch) == (2, 8)
    assert {r.recipe.size for r in (one, before)} == {SIZE}
    options = replace(options, targets=("inside:1",), kind="diversity")
    (diverse,) = requests_of(net, options, Limits(), 8, refused)
    assert (diverse.rows, diverse.batch) == (DIVERSE, 4)


def test_units_of_layers_that_share_a_loop_share_a_batch() -> None:
    asked = requests("joined:1", "left:1", loop_layers=("left", "joined"))
    assert len({asked_of(NET, request).batchable for request in asked}) == 1
    assert asked[0].loop_layers == ("joined", "left")
