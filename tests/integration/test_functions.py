"""Python functions as objectives, transforms and penalties, from an objective to a kept picture."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import partial
from itertools import count

import numpy as np
import pytest
import tensorflow as tf
from support import tiny, tokens

import kerasviz
from kerasviz import objectives
from kerasviz.errors import UsageError
from kerasviz.io.images import decode
from kerasviz.optvis import randomness
from kerasviz.optvis.gradients import gradients
from kerasviz.optvis.objectives.objective import Objective
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import IMAGE, structure_of
from kerasviz.optvis.objectives.targets import Target
from kerasviz.optvis.optimization.checkpoint import Checkpoint
from kerasviz.optvis.optimization.loops import loop_for
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import LoopInputs
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import recipe
from kerasviz.optvis.transforms.steps import Jitter, Pad
from kerasviz.optvis.transforms.transform import FoldedTransform, SequentialTransform
from kerasviz.rendering.again import RecordedStore
from kerasviz.rendering.batching import make_batches
from kerasviz.rendering.commands import CommandLine
from kerasviz.rendering.pages import write_index
from kerasviz.rendering.render import render_batch
from kerasviz.rendering.request import Request, make_requests
from kerasviz.rendering.run import render_into
from kerasviz.rendering.store import Store
from kerasviz.rendering.verify import verify_pictures

NET = tiny.network()
TOKENS = tokens.network()
SMALL = recipe("fast").replace(steps=6, size=(13, 17))
VECTOR = np.random.default_rng(1).normal(size=9).astype(np.float32)
Tensors = Mapping[str, tf.Tensor]


def render(net, targets, **changes):
    chosen = {"recipe": SMALL, **changes}
    return kerasviz.render(net, targets, **chosen)


def unit(k: int, tap: str = "joined", net=NET) -> Objective:
    """A channel as a function."""
    axes = list(range(1, len(net.taps[tap].shape) - 1))
    return objectives.function(lambda t: tf.reduce_mean(t[tap][..., k], axes), [tap])


def difference(t: Tensors) -> tf.Tensor:
    means = tf.reduce_mean(t["joined"], [1, 2])
    return means[:, 3] - 0.5 * means[:, 5]


def along(t: Tensors) -> tf.Tensor:
    return tf.reduce_sum(tf.reduce_mean(t["joined"], [1, 2]) * VECTOR, -1)


def corner(t: Tensors) -> tf.Tensor:
    return t["block"][:, 1, 2, 4]


def bright(images: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.abs(images - 0.5), [1, 2, 3])


of = objectives.function
SAME = {
    "a channel": (NET, unit(3), objectives.channel("joined", 3)),
    "its opposite": (NET, -unit(3), -objectives.channel("joined", 3)),
    "a channel of the first layer": (NET, unit(2, "relu1"), objectives.channel("relu1", 2)),
    "a difference": (
        NET,
        of(difference, ["joined"]),
        objectives.channel("joined", 3) - 0.5 * objectives.channel("joined", 5),
    ),
    "a difference of functions": (
        NET,
        unit(3) - 0.5 * unit(5),
        objectives.channel("joined", 3) - 0.5 * objectives.channel("joined", 5),
    ),
    "a sum of kinds": (
        NET,
        0.3 * unit(1, "left/relu") + objectives.logit(2),
        0.3 * objectives.channel("left/relu", 1) + objectives.logit(2),
    ),
    "a neuron, by an alias": (NET, of(corner, "block"), objectives.neuron("joined", 4, (1, 2))),
    "a direction": (NET, of(along, ["joined"]), objectives.direction("joined", VECTOR.tolist())),
    "a unit of a vector": (NET, unit(4, "pooled"), objectives.channel("pooled", 4)),
    "a unit of tokens": (TOKENS, unit(3, "hidden", TOKENS), objectives.channel("hidden", 3)),
    "a token": (
        TOKENS,
        of(lambda t: t["block"][:, 2, 1], ["block"]),
        objectives.neuron("block", 1, (2,)),
    ),
    "a penalty": (
        NET,
        objectives.channel("joined", 3) + objectives.penalty(bright, -0.05),
        objectives.channel("joined", 3) + objectives.l1(),
    ),
}


@pytest.mark.parametrize(("net", "mine", "theirs"), SAME.values(), ids=SAME)
def test_a_function_makes_the_picture_of_the_same_built_in_objective(net, mine, theirs) -> None:
    first, second = render(net, mine), render(net, theirs)
    assert first.images.tobytes() == second.images.tobytes()
    assert np.allclose(first.scores, second.scores, rtol=1e-5)
    assert np.allclose(first.losses, second.losses, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bfloat16"},
        {"precision": "float16"},
        {"pre_activation": False, "redirect_steps": 3},
        {"patience": 2},
        {"transform": SequentialTransform((Pad(2), Jitter(3)))},
    ],
    ids=lambda changes: next(iter(changes)) + str(next(iter(changes.values())))[:8],
)
def test_it_does_so_in_every_recipe(changes) -> None:
    chosen = SMALL.replace(**changes)
    first = render(NET, unit(3), recipe=chosen, snapshots=(0, 2))
    second = render(NET, objectives.channel("joined", 3), recipe=chosen, snapshots=(0, 2))
    assert first.images.tobytes() == second.images.tobytes()
    assert first.snapshots[2].tobytes() == second.snapshots[2].tobytes()


def several(t: Tensors) -> tf.Tensor:
    """No built-in objective: tensors of different shapes, and a product of rows."""
    spread = tf.math.reduce_std(t["joined"], [1, 2, 3])
    return spread * tf.nn.softplus(t["logits"][:, 1]) + tf.reduce_mean(t["first"] ** 3, [1, 2, 3])


def test_its_gradient_agrees_with_finite_differences() -> None:
    images = np.random.default_rng(0).uniform(0.2, 0.8, (3, 15, 11, 3)).astype(np.float32)
    mixed = objectives.function(several, ["joined", "logits", "first"]) - objectives.channel(
        "left", 1
    )
    scores, slopes, _ = gradients(NET, mixed, images)

    def twin(images):
        a = {k: v.numpy().astype(np.float64) for k, v in NET.activations(images, TAPS).items()}
        joined = np.concatenate([a["left"], a["right"]], -1)
        spread = joined.std((1, 2, 3))
        rest = (a["conv1"] ** 3).mean((1, 2, 3)) - a["left"][..., 1].mean((1, 2))
        return spread * np.log1p(np.exp(a["logits"][:, 1])) + rest

    TAPS = ["left", "right", "conv1", "logits"]
    assert np.allclose(scores, twin(images), rtol=1e-4)
    for place in [(3, 4, 0), (8, 7, 2), (14, 10, 1)]:
        nudge = np.zeros_like(images)
        nudge[:, *place] = 0.01
        numeric = (twin(images + nudge) - twin(images - nudge)) / 0.02
        assert np.allclose(
            slopes[IMAGE][:, *place], numeric, rtol=0.03, atol=1e-4 * abs(numeric).max()
        )


def inputs(net, objective, seeds, chosen=SMALL):
    structure = structure_of(objective, net, chosen.pre_activation)
    rows = [objective] * len(seeds)
    data = pack_objectives(structure, rows, net, chosen.pre_activation)
    return LoopInputs(
        structure, data, np.array(seeds, np.int32), np.arange(len(seeds), dtype=np.int32)
    )


def test_rows_and_padding_do_not_know_of_each_other() -> None:
    objective = objectives.function(several, ["joined", "logits", "first"])
    first = optimize(NET, SMALL, inputs(NET, objective, [7, 1, 2, 3]))
    other = optimize(NET, SMALL, inputs(NET, objective, [7, 9, 9, 9]))
    assert first.images[0].tobytes() == other.images[0].tobytes()
    assert not np.array_equal(first.images[1], other.images[1])
    requests = [Request("f", objective, SMALL, seed) for seed in (7, 1, 2)]
    (batch,) = make_batches(NET, requests)  # padded
    assert (batch.batch, batch.rows) == (4, 3)


def test_the_same_function_is_traced_once_and_another_never_shares_its_loop() -> None:
    net, traces = tiny.network(), count()

    def counted(k: int):
        return lambda t: next(traces) * 0.0 + tf.reduce_mean(t["joined"][..., k], [1, 2])

    one = objectives.function(counted(1), "joined")
    render(net, one)
    traced = next(traces)
    assert traced
    render(net, one, seed=4)
    render(net, 0.5 * one)
    assert next(traces) == traced + 1
    plus, minus = (lambda t: difference(t) + 1), (lambda t: difference(t) - 1)
    pre = SMALL.pre_activation
    loops = [
        loop_for(net, structure_of(objectives.function(f, "joined"), net, pre), SMALL)
        for f in (difference, difference, plus, minus, difference)
    ]
    assert loops[0] is loops[1] is loops[4] and len(set(map(id, loops))) == 3


def test_lambdas_of_a_comprehension_show_different_units() -> None:
    mean = partial(tf.reduce_mean, axis=[1, 2])
    mine = [objectives.function(lambda t: mean(t["joined"][..., k]), "joined") for k in range(3)]  # noqa: B023
    theirs = [objectives.channel("joined", k) for k in range(3)]
    for first, second in zip(mine, theirs, strict=True):
        assert render(NET, first).images.tobytes() == render(NET, second).images.tobytes()


def test_diverse_pictures_are_pushed_apart() -> None:
    requests = make_requests(NET, [Target("f", unit(3))], SMALL, rows=3, kind="negative")
    assert requests[0].objective.terms[-1].tap == "joined"
    theirs = make_requests(
        NET, [Target("joined:3", objectives.channel("joined", 3))], SMALL, rows=3, kind="negative"
    )
    pictures = [
        [p.image for batch in make_batches(NET, r) for p in render_batch(NET, batch)]
        for r in (requests, theirs)
    ]
    # The weight of diversity is relative to the score, whose last bit may differ.
    assert np.allclose(*pictures, atol=1e-4) and len(pictures[0]) == 3


def test_a_run_resumes_from_its_checkpoint() -> None:
    chosen, seen = SMALL.replace(steps=40), []
    batch = inputs(NET, objectives.function(several, ["joined", "logits", "first"]), [1, 2], chosen)
    whole = optimize(NET, chosen, batch, progress=lambda p: seen.append(p.checkpoint()))
    seen[0].write(file := io.BytesIO())
    rest = optimize(NET, chosen, batch, resume=Checkpoint.from_bytes(file.getvalue()))
    assert seen[0].step < 40 and rest.images.tobytes() == whole.images.tobytes()


WRONG = {
    "a score": (lambda t: tf.reduce_mean(t["joined"]), {}, r"returned a tensor \[\]; expected"),
    "NaN": (lambda t: tf.reduce_mean(t["joined"], [1, 2, 3]) * np.nan, {}, "from step 0 on"),
    "a gradient of NaN": (
        lambda t: tf.sqrt(0 * tf.reduce_mean(t["joined"], [1, 2, 3])),
        {},
        "is not finite",
    ),
    "NaN until converged": (
        lambda t: tf.sqrt(0 * tf.reduce_mean(t["joined"], [1, 2, 3])),
        {"patience": 4},
        "not finite",
    ),
    "tiles": (difference, {"tile": 16, "size": (16, 16)}, "needs the whole image; render without"),
}


@pytest.mark.parametrize(("f", "changes", "line"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_a_line_that_names_the_function(f, changes, line) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        render(NET, objectives.function(f, ["joined"], name="mine"), **changes)
    assert "function 'mine'" in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_arguments() -> None:
    with pytest.raises(UsageError, match="unknown tap 'jonied'; near: joined"):
        render(NET, objectives.function(difference, ["jonied"]))
    for taps in ([], None, [3]):
        with pytest.raises(UsageError, match="give the names of tensors"):
            objectives.function(difference, taps)
    with pytest.raises(UsageError, match="3 is no function"):
        objectives.function(3, ["joined"])


# -- what is kept ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory):
    """A folder with a picture of a function and another, and the requests for both."""
    folder = tmp_path_factory.mktemp("kept")
    mine = objectives.function(difference, ["joined"], name="contrast")
    targets = [Target("contrast", mine), Target("joined:1", objectives.channel("joined", 1))]
    requests = make_requests(NET, targets, SMALL, snapshots=(2,))
    render_into(Store(folder, NET), requests)
    return folder, requests


def test_provenance_has_the_source_and_says_that_data_cannot_make_it_again(kept) -> None:
    folder, _ = kept
    _, recorded = decode((folder / "contrast.png").read_bytes())
    term = recorded["objective"][0]
    assert term["function"]["source"].startswith("def difference(t: Tensors)")
    assert term["taps"] == ["joined"] and term["function"]["name"] == "contrast"
    assert recorded["python"]["functions"] == ["contrast"]
    assert "cannot be made again from data alone" in recorded["python"]["note"]
    assert "python" not in decode((folder / "joined-1.png").read_bytes())[1]
    again = json.loads(json.dumps(Request.from_json("contrast", recorded).to_json()))
    assert again == {name: recorded[name] for name in again}
    provenance = render(NET, objectives.function(difference, ["joined"])).provenance[0]
    assert json.loads(json.dumps(provenance))["python"]["functions"] == ["difference"]


def test_a_store_knows_the_pictures_of_an_equal_function(kept) -> None:
    folder, requests = kept
    mine = objectives.function(difference, ["joined"], name="contrast")
    again = make_requests(NET, [Target("contrast", mine)], SMALL, snapshots=(2,))
    store = Store(folder, NET)
    assert again[0].key(NET) == requests[0].key(NET) and store.complete(again[0])
    thing = object()
    for other in (lambda t: difference(t), lambda t: difference(t) + 0 * id(thing)):
        changed = objectives.function(other, ["joined"], name="contrast")
        assert not store.complete(make_requests(NET, [Target("contrast", changed)], SMALL)[0])


def test_verify_counts_it_apart(kept) -> None:
    folder, _ = kept
    results, _ = verify_pictures(folder, NET)
    found = {result.file: result for result in results}
    assert {name: r.result for name, r in found.items()} == {
        "contrast.png": "by function",
        "contrast.step00002.png": "by function",
        "joined-1.png": "same",
        "joined-1.step00002.png": "same",
    }
    assert found["contrast.png"].detail.startswith("made by the Python function 'contrast', and")


def test_verify_sees_that_its_file_was_changed(tmp_path) -> None:
    request = make_requests(NET, [Target("f", unit(3))], SMALL)
    render_into(Store(tmp_path, NET), request)
    (tmp_path / "f.png").write_bytes((tmp_path / "f.png").read_bytes() + b" ")
    assert [result.result for result in verify_pictures(tmp_path, NET)[0]] == ["changed"]


def test_it_is_not_rendered_again_from_its_file(kept, tmp_path) -> None:
    folder, _ = kept
    file = folder / "contrast.png"
    with pytest.raises(UsageError, match="was made by the Python function 'contrast', and cannot"):
        RecordedStore(tmp_path, NET, file, decode(file.read_bytes())[1])
    commands = CommandLine("tiny").of_store(Store(folder, NET))
    assert sorted(commands) == ["joined-1.png", "joined-1.step00002.png"]


def test_the_page_of_a_folder_names_it_and_claims_no_command(kept) -> None:
    folder, _ = kept
    store = Store(folder, NET)
    page = write_index(folder, store.manifest(), CommandLine("tiny").of_store(store)).read_text()
    assert "by the Python function contrast" in page and "of which it has the source" in page
    assert "--again contrast" not in page and "data-command=" in page
    (folder / "index.html").unlink()


# -- transforms and penalties ----------------------------------------------------------------


def mirrored(images, seeds, step):
    """Mirror the rows whose own random number is small."""
    draws = randomness.uniform(seeds, step, 1, stream=2)[:, 0] < 0.5
    return tf.where(draws[:, None, None, None], images[:, :, ::-1], images)


def test_a_transform_of_ones_own_stands_among_the_others() -> None:
    x = tf.constant(np.random.default_rng(0).uniform(size=(4, 9, 7, 3)), tf.float32)
    seeds = tf.constant([3, 1, 4, 1])
    steps = (Pad(2), Jitter(4))
    whole = FoldedTransform((*steps, mirrored)).apply(x, seeds, 5).numpy()
    moved = FoldedTransform(steps).apply(x, seeds, 5)
    assert np.array_equal(whole, mirrored(moved, seeds, tf.fill([4], 5)).numpy())
    assert not np.array_equal(whole, moved)
    alone = FoldedTransform((*steps, mirrored)).apply(x[1:2], seeds[1:2], 5).numpy()
    assert np.array_equal(alone[0], whole[1])
    before = FoldedTransform((mirrored, *steps)).apply(x, seeds, 5)
    assert np.array_equal(before, FoldedTransform(steps).apply(mirrored(x, seeds, 5), seeds, 5))


def test_a_recipe_takes_transforms_and_penalties_of_ones_own() -> None:
    chosen = SMALL.replace(transform=[*SMALL.transform.steps, mirrored], penalties=[bright])
    data = json.loads(json.dumps(chosen.to_json()))
    record = Recipe.from_json(data)
    assert record.to_json() == chosen.to_json() and record != chosen
    assert [function.name for function in chosen.functions] == ["mirrored", "bright"]
    assert "penalties" not in SMALL.to_json()
    assert SMALL.replace(penalties=bright, transform=mirrored).functions == chosen.functions
    (request,) = make_requests(NET, [Target("joined:1", objectives.channel("joined", 1))], chosen)
    assert request.to_json()["python"]["functions"] == ["mirrored", "bright"]
    with pytest.raises(UsageError, match=r"^function 'mirrored' is here as text only"):
        render(NET, objectives.channel("joined", 1), recipe=record)


def test_a_penalty_of_a_recipe_is_that_of_an_objective() -> None:
    one = objectives.channel("joined", 1)
    mine = render(NET, one, penalties=[lambda images: 0.05 * bright(images)])
    assert mine.images.tobytes() == render(NET, one + objectives.l1()).images.tobytes()
    assert not np.array_equal(mine.images, render(NET, one).images)


def test_an_identity_changes_nothing_but_how_often_the_image_is_sampled() -> None:
    steps = SMALL.transform.steps
    one = objectives.channel("joined", 1)
    mine = render(NET, one, transform=[*steps, lambda images, seeds, step: images])
    assert mine.images.tobytes() == render(NET, one).images.tobytes()


def test_a_fixed_network_gets_its_size_back() -> None:
    grow = FoldedTransform((lambda x, seeds, step: tf.pad(x, [[0, 0], [2, 3], [1, 0], [0, 0]]),))
    fixed = grow.to_image_size()
    assert fixed.apply(tf.zeros([2, 9, 7, 3]), tf.constant([0, 1]), 0).shape == (2, 9, 7, 3)
    one = objectives.channel("hidden", 1)
    flipped = render(TOKENS, one, size=(20, 16), transform=[lambda x, seeds, step: x[:, ::-1]])
    assert flipped.images.shape == (1, 20, 16, 3)


def test_transforms_that_fail_are_named() -> None:
    one = objectives.channel("joined", 1)
    for f, line in (
        (lambda x, seeds: x, "function 'lambda' raised TypeError"),
        (lambda x, seeds, step: x[..., :2], "expected images"),
        (lambda x, seeds, step: x / 0.0, "function 'lambda': the score or its gradient is not fin"),
    ):
        with pytest.raises(UsageError, match=line):
            render(NET, one, transform=[f])
