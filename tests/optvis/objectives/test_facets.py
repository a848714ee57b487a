from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support import tiny, two_detectors

import kerasviz
from kerasviz.errors import ModelError, UsageError
from kerasviz.optvis.objectives.facets import facet_scores, pack_facets, probe_parts
from kerasviz.optvis.objectives.objective import channel, diversity, facet
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.scoring import own_scores, scores
from kerasviz.optvis.objectives.structure import structure_of, taps_in
from kerasviz.optvis.objectives.term import Objective
from kerasviz.optvis.optimization.optimize import optimize
from kerasviz.optvis.optimization.run import LoopInputs, LoopProgress
from kerasviz.optvis.recipes import RECIPES

NET = tiny.network()
TWO = two_detectors.network()
ROW: dict[str, Any] = {"size": (17, 23), "steps": 6, "progress": False, "precision": "float32"}
DRAW = np.random.default_rng(0)
PROBES = DRAW.normal(size=(2, 7)).astype(np.float32)  # of relu1, with a bias


def scored(objective: Objective, net: Any = NET) -> Any:
    """Return the compiled function from images to the scores of an objective, and its data."""
    structure = structure_of(objective, net)

    @tf.function
    def score(images: Any) -> Any:
        data = pack_objectives(structure, [objective] * images.shape[0], net)
        tensors = {name: tf.constant(array) for name, array in data.items()}
        activations = net.activations(images, taps_in(structure))
        return scores(structure, activations, tensors, tf.range(images.shape[0]))

    return score


def slopes_of(images: np.ndarray, layer: str, unit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer and the gradient of a channel's mean by it, computed layer by layer."""
    program = NET.program
    a = NET.activations(images, [layer])[layer]
    with tf.GradientTape() as tape:
        tape.watch(a)
        left = tf.nn.conv2d(a, program.weights["left"], 1, "SAME")  # type: ignore[attr-defined]
        total = tf.reduce_mean(left[..., unit], [1, 2])
    return a.numpy(), tape.gradient(total, a).numpy()


@pytest.mark.parametrize("size", [(17, 23), (20, 20)])
def test_a_facet_is_what_a_layer_adds_to_the_target_along_its_probe(size: Any) -> None:
    images = DRAW.uniform(size=(3, *size, 3)).astype(np.float32)
    a, slope = slopes_of(images, "relu1", 2)
    weights = PROBES[0][:6] / np.abs(PROBES[0][:6]).max()
    wanted = (weights * a * np.maximum(slope, 0)).sum((1, 2, 3))
    plain = scored(channel("left/relu", 2))(images)
    steered = scored(channel("left/relu", 2) + facet("relu1", PROBES[0], 3.0))(images)
    np.testing.assert_allclose(steered - plain, 3 * wanted, rtol=2e-4, atol=1e-6)


def test_layers_are_averaged_and_scaled_by_themselves() -> None:
    images = DRAW.uniform(size=(2, 17, 23, 3)).astype(np.float32)
    target = channel("logits", 1)
    both = np.concatenate([PROBES[0], DRAW.normal(size=10).astype(np.float32)])
    first = scored(target + facet("relu1", both[:7], 1.0))(images)
    second = scored(target + facet("joined", both[7:], 1.0))(images)
    together = scored(target + facet(["relu1", "joined"], both, 1.0))(images)
    plain = scored(target)(images)
    np.testing.assert_allclose(together, (first + second) / 2, rtol=1e-4, atol=1e-6)
    larger = np.concatenate([5 * both[:7], 0.1 * both[7:]])
    again = scored(target + facet(["relu1", "joined"], larger, 1.0))(images)
    np.testing.assert_allclose(again, together, rtol=1e-5)
    assert not np.allclose(together, plain)


def test_the_gradient_holds_the_slopes_fixed() -> None:
    image = DRAW.uniform(size=(1, 9, 11, 3)).astype(np.float32)
    objective = channel("left/relu", 2) + facet("relu1", PROBES[1], 2.0)
    score = scored(objective)
    x = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = score(x)
    gradient = tape.gradient(total, x).numpy()
    _, held = slopes_of(image, "relu1", 2)
    weights = PROBES[1][:6] / np.abs(PROBES[1][:6]).max()
    plain = scored(channel("left/relu", 2))

    def with_held(images: np.ndarray) -> float:
        a = NET.activations(images, ["relu1"])["relu1"].numpy().astype(np.float64)
        return float(plain(images)[0]) + 2 * float((weights * a * np.maximum(held, 0)).sum())

    assert float(total[0]) == pytest.approx(with_held(image), rel=1e-5)
    checked = 0
    for place in np.ndindex(9, 11, 3):
        nudge = np.zeros_like(image)
        nudge[0, *place] = 0.002
        slope = (with_held(image + nudge) - with_held(image - nudge)) / 0.004
        checked += abs(slope) > 1e-3
        assert abs(slope - gradient[0, *place]) < 3e-3
    assert checked > 50


def test_a_facet_of_a_unit_of_two_detectors_raises_its_detector() -> None:
    words = {**ROW, "size": 24, "steps": 24, "seed": 1, "param": "pixel", "learning_rate": 0.3}
    probes = {"red": [1.0, -1.0, 0.0], "blue": [-1.0, 1.0, 0.0]}
    unit = channel("unit", 0)
    targets = [unit, *(unit + facet("detectors", p, 4.0, n) for n, p in probes.items())]
    made = kerasviz.render(TWO, targets, **words)
    detected = TWO.activations(made.images, ["detectors"])["detectors"].numpy().mean((1, 2))
    (red, blue), steered = detected[0], detected[1:]
    assert abs(red - blue) < 0.2  # without a facet the picture shows both
    assert steered[0, 0] > red + 0.1 and steered[0, 0] > steered[0, 1] + 0.25
    assert steered[1, 1] > blue + 0.05 and steered[1, 1] > steered[1, 0] + 0.25
    assert all(picture.score > 0.95 * made[0].score for picture in made)


def test_no_weight_gives_the_bytes_of_the_target() -> None:
    target = channel("joined", 2)
    plain = kerasviz.render(NET, target, **ROW)
    for steered in (facet("relu1", PROBES[0], 0.0), facet("relu1", np.zeros(7), 5.0)):
        made = kerasviz.render(NET, target + steered, **ROW)
        np.testing.assert_array_equal(made.images, plain.images)
        assert made[0].score == plain[0].score
    other = kerasviz.render(NET, target + facet("relu1", PROBES[0], 5.0), **ROW)
    assert not np.array_equal(other.images, plain.images)


def test_rows_do_not_know_of_each_other() -> None:
    def target(unit: int, probe: int, weight: float) -> Objective:
        return channel("joined", unit) + facet("relu1", PROBES[probe], weight)

    asked = [target(2, 0, 3.0), target(1, 1, 2.0), target(3, 0, 0.5)]
    together = kerasviz.render(NET, asked, batch=4, **ROW)
    for number, objective in enumerate(asked):
        alone = kerasviz.render(NET, objective, batch=4, **ROW)
        np.testing.assert_array_equal(alone.images[0], together.images[number])
        assert alone[0].score == pytest.approx(together[number].score, rel=1e-6)


def test_the_score_of_a_picture_is_that_of_its_target() -> None:
    objective = channel("joined", 2) + facet("relu1", PROBES[0], 3.0) + diversity("joined")
    assert [term.kind for term in objective.own] == ["channel"]
    structure = structure_of(objective, NET)
    assert taps_in(structure) == ("joined", "joined_pre_relu", "relu1")
    images = DRAW.uniform(size=(2, 17, 23, 3)).astype(np.float32)
    data = pack_objectives(structure, [objective] * 2, NET)
    activations = NET.activations(images, taps_in(structure))
    own = own_scores(structure, activations, data, tf.range(2))
    plain = scored(channel("joined", 2))(images)
    np.testing.assert_allclose(own, plain, rtol=1e-5)


def test_a_facet_is_plain_data_with_the_checksum_of_its_probe() -> None:
    steered = channel("joined", 2) + facet("relu1", PROBES[0], 3.0, "grass")
    data = json.loads(json.dumps(steered.to_json()))
    assert data[1]["probe"]["name"] == "grass" and "function" not in data[1]
    again = Objective.from_json(data)
    assert again == steered and again.terms[1].probe is not None
    with pytest.raises(UsageError, match="only its checksum"):
        pack_facets(again.terms[1:], NET)
    renamed = channel("joined", 2) + facet("relu1", PROBES[0], 3.0, "lawn")
    assert renamed.identity() == steered.identity()


def test_probes_have_a_bias_for_each_layer() -> None:
    (term,) = facet(["relu1", "joined"], np.arange(17.0)).terms
    (first, bias), (second, last) = probe_parts(term, NET)
    assert first.tolist() == [*range(6)] and bias == 6
    assert second.tolist() == [*range(7, 16)] and last == 16


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: facet([], PROBES[0]), "expected names of layers"),
        (lambda: facet("relu1", [np.nan]), "finite numbers"),
        (lambda: kerasviz.render(NET, channel("joined", 1) + facet("relu1", [1.0]), **ROW), "7"),
        (lambda: kerasviz.render(NET, channel("joined", 1) + facet("relu9", [1.0]), **ROW), "near"),
    ],
)
def test_bad_facets_are_one_line(make: Any, line: str) -> None:
    with pytest.raises(UsageError, match=line) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_a_layer_behind_the_target_is_one_line() -> None:
    objective = channel("relu1", 1) + facet("joined", np.ones(10))
    with pytest.raises(ModelError, match="no gradient at joined") as refused:
        kerasviz.render(NET, objective, **ROW)
    assert "\n" not in str(refused.value)


def test_without_a_slope_nothing_is_added() -> None:
    @tf.function
    def score(a: Any) -> Any:
        target = -tf.reduce_sum(a, [1, 2])
        return facet_scores(target, {"a": a}, tf.ones([2, 3]))

    assert score(tf.ones([2, 4, 3])).numpy().tolist() == [0, 0]


def test_a_run_continues_from_a_checkpoint_to_the_same_bytes() -> None:
    objective = channel("joined", 2) + facet("relu1", PROBES[0], 3.0)
    recipe = RECIPES["fast"].replace(size=(17, 23), steps=18)
    structure = structure_of(objective, NET)
    data = pack_objectives(structure, [objective] * 2, NET)
    batch = LoopInputs(structure, data, np.arange(2), np.arange(2))
    checkpoints = []

    def keep(progress: LoopProgress) -> None:
        assert progress.checkpoint is not None
        checkpoints.append(progress.checkpoint())

    whole = optimize(NET, recipe, batch, progress=keep)
    assert checkpoints[0].step == 16
    resumed = optimize(NET, recipe, batch, resume=checkpoints[0])
    np.testing.assert_array_equal(resumed.images, whole.images)
    np.testing.assert_array_equal(resumed.history, whole.history)


def resized(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, centres on centres, one position after the other."""
    h, w, channels = weights.shape
    out = np.zeros((height, width, channels))
    for i, j in np.ndindex(height, width):
        y = min(max((i + 0.5) * h / height - 0.5, 0), h - 1)
        x = min(max((j + 0.5) * w / width - 0.5, 0), w - 1)
        for k, n in np.ndindex(h, w):
            out[i, j] += max(0, 1 - abs(y - k)) * max(0, 1 - abs(x - n)) * weights[k, n]
    return out


def test_a_probe_with_a_grid_has_weights_at_every_position() -> None:
    size = (17, 23)
    images = DRAW.uniform(size=(2, *size, 3)).astype(np.float32)
    probe = DRAW.normal(size=(3, 4, 6)).astype(np.float32)
    numbers = np.append(probe, 0.5)
    a, slope = slopes_of(images, "relu1", 2)
    weights = resized(probe / np.abs(probe).max(), *a.shape[1:3])
    wanted = (weights * a * np.maximum(slope, 0)).sum((1, 2, 3))
    target = channel("left/relu", 2)
    steering = facet("relu1", numbers, 3.0, grid=[(3, 4)])
    flat = facet("relu1", PROBES[0], 3.0)  # in one batch with a probe without a grid
    rows = [target + steering, target + flat]
    structure = structure_of(rows[0], NET)
    assert structure == structure_of(rows[1], NET)
    data = pack_objectives(structure, rows, NET, size=size)

    @tf.function
    def score(images: Any) -> Any:
        tensors = {name: tf.constant(array) for name, array in data.items()}
        activations = NET.activations(images, taps_in(structure))
        return scores(structure, activations, tensors, tf.range(2))

    both, plain = score(images).numpy(), scored(target)(images).numpy()
    assert both[0] - plain[0] == pytest.approx(3 * wanted[0], rel=2e-4)
    of_channels = scored(rows[1])(images).numpy()
    assert both[1] == pytest.approx(of_channels[1], rel=1e-5)
    (term,) = steering.terms
    assert Objective.from_json(steering.to_json()) == steering and term.grid == (3, 4)
    ((found, bias),) = probe_parts(term, NET)
    np.testing.assert_array_equal(found, probe)
    assert bias == 0.5


def test_grids_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(UsageError, match=r"expected a \(height, width\) for each layer"):
        facet(["relu1", "joined"], PROBES[0], grid=[(3, 4)])
    with pytest.raises(UsageError, match="take 73, for each channel and position one"):
        probe_parts(facet("relu1", PROBES[0], grid=[(3, 4)]).terms[0], NET)
    with pytest.raises(UsageError, match="which pooled has not"):
        pack_facets(facet("pooled", np.ones(10), grid=[(1, 1)]).terms, NET, (17, 23))
