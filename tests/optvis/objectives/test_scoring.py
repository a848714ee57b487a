from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from support import tiny, tokens

from kerasviz.errors import UsageError
from kerasviz.network.network import Network
from kerasviz.optvis.objectives import objective as ask
from kerasviz.optvis.objectives import scoring
from kerasviz.optvis.objectives.packing import check_positions, pack_objectives
from kerasviz.optvis.objectives.scoring import own_scores, rivals_of, scores
from kerasviz.optvis.objectives.structure import structure_of
from reference import objectives as twin

NET = tiny.network()
IMAGES = np.random.default_rng(0).uniform(0, 1, (4, 17, 23, 3)).astype(np.float32)
TAPS = ("conv1", "relu1", "left", "joined", "pooled", "logits")
MATMUL = tf.matmul
VECTOR = tuple(np.random.default_rng(1).normal(size=9))


@pytest.fixture(scope="module")
def activations():
    return {name: a.numpy() for name, a in NET.activations(IMAGES, TAPS).items()}


def score(rows, activations, groups=None, pre_activation=False, alone=False):
    """The scores [B] of rows of objectives of one structure."""
    structure = structure_of(rows[0], NET, pre_activation)
    assert all(structure_of(row, NET, pre_activation) == structure for row in rows)
    data = pack_objectives(structure, rows, NET, pre_activation)
    groups = np.zeros(len(rows), np.int32) if groups is None else np.asarray(groups, np.int32)
    compute = own_scores if alone else scores
    return compute(structure, activations, data, tf.constant(groups))


def float64(activations, tap):
    return activations[tap].astype(np.float64)


CASES = {
    "channel": (lambda k: ask.channel("joined", k), lambda a, k: twin.channel(a["joined"], k)),
    "channel of a vector": (
        lambda k: ask.channel("pooled", k),
        lambda a, k: twin.channel(a["pooled"], k),
    ),
    "neuron": (lambda k: ask.neuron("joined", k), lambda a, k: twin.neuron(a["joined"], k)),
    "neuron at a place": (
        lambda k: ask.neuron("joined", k, (1, 2 * k)),
        lambda a, k: twin.neuron(a["joined"], k, (1, 2 * k)),
    ),
    "direction": (
        lambda k: ask.direction("joined", np.roll(VECTOR, k)),
        lambda a, k: twin.direction(a["joined"], np.roll(VECTOR, k)),
    ),
    "cosine": (
        lambda k: (k + 1) * ask.direction("joined", np.roll(VECTOR, k), cosine=0.5 + k),
        lambda a, k: (k + 1) * twin.cosine(a["joined"], np.roll(VECTOR, k), 0.5 + k),
    ),
    "two cosines of one tap": (
        lambda k: (
            ask.direction("joined", np.roll(VECTOR, k), cosine=2)
            - 0.5 * ask.direction("joined", VECTOR, cosine=1)
            + ask.channel("joined", k)
        ),
        lambda a, k: (
            twin.cosine(a["joined"], np.roll(VECTOR, k), 2)
            - 0.5 * twin.cosine(a["joined"], VECTOR, 1)
            + twin.channel(a["joined"], k)
        ),
    ),
    "cosine of a vector": (
        lambda k: ask.direction("pooled", np.roll(VECTOR, k), cosine=2),
        lambda a, k: twin.cosine(a["pooled"], np.roll(VECTOR, k), 2),
    ),
    "layer": (
        lambda k: (k + 1) * ask.layer("relu1"),
        lambda a, k: (k + 1) * twin.layer(a["relu1"]),
    ),
    "logit": (ask.logit, lambda a, k: twin.logit(a["logits"], k)),
    "probability": (ask.probability, lambda a, k: twin.probability(a["logits"], k)),
    "difference": (
        lambda k: ask.channel("joined", k) - ask.channel("joined", k + 1),
        lambda a, k: twin.channel(a["joined"], k) - twin.channel(a["joined"], k + 1),
    ),
    "difference of kinds": (
        lambda k: ask.neuron("joined", k) - 0.5 * ask.logit(k) + 2 * ask.layer("relu1"),
        lambda a, k: (
            twin.neuron(a["joined"], k)
            - 0.5 * twin.logit(a["logits"], k)
            + 2 * twin.layer(a["relu1"])
        ),
    ),
    "two neurons of one tap": (
        lambda k: ask.neuron("joined", k, (0, 0)) - 3 * ask.neuron("joined", 8 - k, (2, 5)),
        lambda a, k: (
            twin.neuron(a["joined"], k, (0, 0)) - 3 * twin.neuron(a["joined"], 8 - k, (2, 5))
        ),
    ),
    "negative": (lambda k: -ask.channel("left", k), lambda a, k: -twin.channel(a["left"], k)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_objective_agrees_with_its_twin(case, activations):
    make, expected = CASES[case]
    found = score([make(k) for k in range(4)], activations).numpy()
    for k in range(4):
        row = {tap: float64(activations, tap)[k] for tap in TAPS}
        assert np.isclose(found[k], expected(row, k), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_rows_are_independent(case, activations):
    make, _ = CASES[case]
    rows = [make(k) for k in range(4)]
    together = score(rows, activations).numpy()
    order = [2, 0, 3, 1]
    turned = score([rows[k] for k in order], {t: a[order] for t, a in activations.items()})
    assert np.allclose(turned, together[order], rtol=1e-6)
    for k in range(4):
        alone = score([rows[k]], {t: a[k : k + 1] for t, a in activations.items()})
        assert np.allclose(alone, together[k], rtol=1e-6)


def scored_among_rivals(rows, activations, share, net=NET):
    structure = structure_of(rows[0], net, False)
    data = pack_objectives(structure, rows, net, False)
    groups, rivals = tf.zeros(len(rows), tf.int32), rivals_of(net, structure, share)
    given = {tap: tf.constant(a) for tap, a in activations.items()}
    with tf.GradientTape() as tape:
        tape.watch(given)
        found = scores(structure, given, data, groups, rivals)
    assert np.array_equal(  # the score of a picture does not know of rivals
        own_scores(structure, given, data, groups), scores(structure, given, data, groups)
    )
    return found.numpy(), tape.gradient(found, given)


def test_a_class_among_rivals_agrees_with_its_twin(activations):
    def value(k, unit, share):
        return twin.logit_among_rivals(float64(activations, "logits")[k], unit, share)

    def check(rows, expected, share):
        found, _ = scored_among_rivals(rows, activations, share)
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-5)

    units = [3, 0, 1, 3]
    rows = [ask.logit(unit) for unit in units]
    for share in (0.0, 0.3, 0.5, 1.0):
        check(rows, [value(k, unit, share) for k, unit in enumerate(units)], share)
    check([-row for row in rows], [-value(k, unit, 0.5) for k, unit in enumerate(units)], 0.5)
    mixed = [2 * row - 0.5 * ask.logit(2) + ask.channel("joined", 4) for row in rows]
    expected = [
        2 * value(k, unit, 0.5)
        - 0.5 * value(k, 2, 0.5)
        + twin.channel(float64(activations, "joined")[k], 4)
        for k, unit in enumerate(units)
    ]
    check(mixed, expected, 0.5)


def test_rivals_are_those_of_classes_only(activations):
    for make in (
        *(lambda k: ask.channel("joined", k), ask.probability, lambda k: ask.neuron("joined", k)),
        lambda k: (k + 1) * ask.layer("logits"),
    ):
        rows = [make(k) for k in range(4)]
        plain, rivalled = (scored_among_rivals(rows, activations, s)[0] for s in (0.0, 0.5))
        assert np.array_equal(plain, rivalled)


def test_the_gradient_of_a_class_among_rivals_agrees_with_finite_differences(activations):
    rows = [ask.logit(unit) for unit in (3, 0, 1, 2)]
    _, gradients = scored_among_rivals(rows, activations, 0.5)
    logits = float64(activations, "logits")
    for k, place in np.ndindex(logits.shape):
        nudge = np.zeros(logits.shape[1])
        nudge[place] = 1e-4
        ends = [
            twin.logit_among_rivals(logits[k] + sign * nudge, (3, 0, 1, 2)[k], 0.5)
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / 2e-4
        assert np.isclose(gradients["logits"][k, place], slope, atol=1e-5)


@pytest.mark.parametrize("case", [*CASES, "diversity", "diversity of few positions"])
def test_gradients_agree_with_finite_differences(case, activations):
    make = CASES[case][0] if case in CASES else lambda k: ask.diversity("joined", 0.7)
    rows = [make(k) for k in range(4)]
    draw = np.random.default_rng(2)
    given = {tap: tf.constant(a) for tap, a in activations.items()}
    if case == "diversity of few positions":
        given["joined"] = given["joined"][:, 1:4, :1]
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(score(rows, given))
    gradients = tape.gradient(total, given)
    used = {tap: g for tap, g in gradients.items() if g is not None}
    assert used
    for tap, gradient in used.items():
        nudge = draw.normal(size=gradient.shape).astype(np.float32)
        step = 0.01 / np.abs(nudge).max()
        ends = [
            float(tf.reduce_sum(score(rows, {**given, tap: given[tap] + sign * step * nudge})))
            for sign in (1, -1)
        ]
        slope = float(np.sum(gradient.numpy().astype(np.float64) * nudge))
        assert np.isclose((ends[0] - ends[1]) / (2 * step), slope, rtol=0.02, atol=0.02)


def test_pre_activation_takes_the_tensor_before_the_relu(activations):
    dead = ask.channel("relu1", 3)  # its bias is so low that it never fires
    assert not score([dead] * 4, activations).numpy().any()
    found = score([dead] * 4, activations, pre_activation=True).numpy()
    expected = [twin.channel(a, 3) for a in float64(activations, "conv1")]
    assert np.allclose(found, expected) and (found < -900).all()


@pytest.mark.parametrize("few", [False, True], ids=["many positions", "more channels"])
def test_diversity_is_the_likeness_with_the_others_of_the_group(few, activations):
    groups = [0, 1, 0, 0]
    given = {"joined": activations["joined"][:, :1, :3] if few else activations["joined"]}
    found = score([ask.diversity("joined", 0.3)] * 4, given, groups).numpy()
    a = float64(given, "joined")
    for k in range(4):
        others = [a[j] for j in range(4) if j != k and groups[j] == groups[k]]
        assert np.isclose(found[k], -0.3 * twin.likeness(a[k], others), rtol=1e-5)
    assert found[1] == 0


def test_diversity_counts_in_the_size_of_the_other_terms(activations):
    rows = [ask.channel("left", k) + ask.diversity("joined", 0.2) for k in range(4)]
    found = score(rows, activations).numpy()
    a = float64(activations, "joined")
    for k in range(4):
        main = twin.channel(float64(activations, "left")[k], k)
        likeness = twin.likeness(a[k], [a[j] for j in range(4) if j != k])
        assert np.isclose(found[k], main - 0.2 * abs(main) * likeness, rtol=1e-4)


def test_products_of_gram_matrices_do_not_depend_on_how_they_are_computed(monkeypatch):
    made = []
    monkeypatch.setattr(scoring.tf, "matmul", lambda *a, **k: made.append(k) or MATMUL(*a, **k))
    for positions, channels, grams in [(2, 9, 0), (9, 2, 1), (5, 7, 1), (5, 31, 0)]:
        a = np.random.default_rng(3).normal(size=(6, positions, channels))
        made.clear()
        found = scoring._gram_products(tf.constant(a))
        gram = np.einsum("bpc,bpd->bcd", a, a)
        assert np.allclose(found, np.einsum("acd,bcd->ab", gram, gram))
        assert sum("transpose_a" in words for words in made) == grams


def test_diversity_couples_its_group_only(activations):
    rows = [ask.channel("left", 0) + ask.diversity("joined", 0.2)] * 4
    before = score(rows, activations, [5, 7, 5, 7]).numpy()
    changed = dict(activations)
    changed["joined"] = activations["joined"].copy()
    changed["joined"][3] = activations["joined"][3][::-1, :, ::-1] + 1
    after = score(rows, changed, [5, 7, 5, 7]).numpy()
    assert np.array_equal(before[[0, 2]], after[[0, 2]])
    assert (before[[1, 3]] != after[[1, 3]]).all()


def test_diversity_pushes_pictures_apart(activations):
    given = {"joined": tf.constant(activations["joined"])}
    rows = [ask.diversity("joined", 1.0)] * 4
    with tf.GradientTape() as tape:
        tape.watch(given)
        before = score(rows, given)
    gradient = tape.gradient(before, given)["joined"]
    after = score(rows, {"joined": given["joined"] + 0.1 * gradient / tf.norm(gradient)})
    assert tf.reduce_sum(after) > tf.reduce_sum(before)


def test_units_of_a_layer_share_a_structure():
    first, second = (structure_of(ask.channel("joined", k), NET) for k in (0, 8))
    assert first == second
    assert structure_of(ask.direction("joined", VECTOR), NET) == first
    assert structure_of(ask.neuron("joined", 0), NET) != first


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (ask.channel("joined", 9), "unit 9: joined has the units 0 to 8"),
        (ask.channel("joined", -1), "unit -1"),
        (ask.logit(5), "units 0 to 4"),
        (ask.direction("joined", (1.0, 2.0)), "direction of 2 numbers: joined has 9 channels"),
    ],
)
def test_impossible_units_are_explained(objective, message):
    structure = structure_of(objective, NET, pre_activation=False)
    with pytest.raises(UsageError, match=message):
        pack_objectives(structure, [objective], NET, pre_activation=False)


def test_alignment_is_the_distance_from_those_that_follow(activations):
    """Picture i pays for the next four of its group: mean((A_i - A_j)^2) / 5^(j - i)."""
    row = ask.channel("joined", 2) + ask.alignment("relu1", 0.7)
    plain = score([ask.channel("joined", 2)] * 4, activations).numpy()
    a = float64(activations, "relu1")
    for groups in ([0, 0, 0, 0], [0, 0, 1, 1], [3, 1, 1, 1]):
        expected = [
            -0.7
            * sum(
                ((a[i] - a[j]) ** 2).mean() / 5 ** (j - i)
                for j in range(i + 1, 4)
                if groups[i] == groups[j]
            )
            for i in range(4)
        ]
        found = score([row] * 4, activations, groups).numpy() - plain
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_penalties_are_about_the_image_itself(activations):
    from reference import penalties

    seen = {**activations, "": IMAGES}
    plain = score([ask.channel("joined", 2)] * 4, activations).numpy()
    for make, twin_of in (
        (ask.l1, penalties.l1),
        (ask.total_variation, penalties.total_variation),
        (ask.blur, penalties.blur),
    ):
        rows = [ask.channel("joined", 2) + make(-0.1 * (k + 1)) for k in range(4)]
        expected = [-0.1 * (k + 1) * twin_of(IMAGES[k].astype(float)) for k in range(4)]
        np.testing.assert_allclose(score(rows, seen).numpy() - plain, expected, rtol=1e-4)


def test_what_a_picture_reaches_alone_leaves_out_penalties_and_couplings(activations):
    seen = {**activations, "": IMAGES}
    plain = [ask.channel("joined", k) for k in range(4)]
    rows = [
        row + ask.diversity("relu1", 0.2) + ask.alignment("left", 0.3) + ask.l1(-0.1)
        for row in plain
    ]
    whole = score(rows, seen).numpy()
    alone = score(rows, seen, alone=True).numpy()
    assert np.array_equal(alone, score(plain, seen).numpy())
    assert (alone != whole).all()
    # Where there is nothing else, they are the score.
    only = [ask.diversity("joined", 0.2)] * 4
    assert np.array_equal(score(only, seen, alone=True).numpy(), score(only, seen).numpy())


def test_faded_terms_share_one_structure():
    faded = ask.interpolation(ask.channel("joined", 1), ask.channel("left", 2), ["relu1"])
    structures = {structure_of(faded.at(k, 6), NET) for k in range(6)}
    assert structures == {structure_of(faded, NET)}
    data = pack_objectives(*structures, [faded.at(k, 6) for k in range(6)], NET)
    weights = [data[f"vector{i}"] for i in range(2)]
    ramps = {tuple(round(float(n), 6) for n in w.sum(1)) for w in weights}
    assert ramps == {(0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)}


# -- tokens, rows, heads, classes with positions ------------------------------------------------

TOKENS = tokens.network(2)
SIZE = (13, 22)  # 3 x 5 patches
PHOTOS = np.random.default_rng(4).uniform(0, 1, (4, *SIZE, 3)).astype(np.float32)
SPREAD = tokens.detector()
TOKENS_VECTOR = np.random.default_rng(6).normal(size=(17, 6))
ROWS = {
    "token": (lambda k: ask.neuron("block", k, (3 * k,)), lambda a, k: twin.token(a, k, 3 * k)),
    "last token": (lambda k: ask.neuron("block", k, (-1,)), lambda a, k: twin.token(a, k, 16)),
    "patch": (
        lambda k: ask.neuron("block", k, (1, k)),
        lambda a, k: twin.neuron(a[2:].reshape(3, 5, 6), k, (1, k)),
    ),
    "last patch": (
        lambda k: ask.neuron("block", k, (-1, -2)),
        lambda a, k: twin.neuron(a[2:].reshape(3, 5, 6), k, (2, 3)),
    ),
    "centre": (
        lambda k: ask.neuron("block", k),
        lambda a, k: twin.neuron(a[2:].reshape(3, 5, 6), k),
    ),
    "head": (lambda k: ask.head("block", k % 3, 3), lambda a, k: twin.head(a, k % 3, 3)),
    "heads": (
        lambda k: (k + 1) * ask.head("block", 1, 2) - ask.head("block", 0, 2),
        lambda a, k: (k + 1) * twin.head(a, 1, 2) - twin.head(a, 0, 2),
    ),
    "channel": (lambda k: ask.channel("block", k), lambda a, k: twin.channel(a, k)),
    "layer": (lambda k: ask.layer("block"), lambda a, k: twin.layer(a)),
    "cosine": (
        lambda k: ask.direction("block", np.roll(VECTOR[:6], k), cosine=2),
        lambda a, k: twin.cosine(a, np.roll(VECTOR[:6], k), 2),
    ),
    "all tokens": (
        lambda k: ask.direction("block", np.roll(TOKENS_VECTOR, k, 0), cosine=k),
        lambda a, k: twin.whole(a, np.roll(TOKENS_VECTOR, k, 0), k),
    ),
}


def row_scores(net, tap, rows, activations, size=SIZE):
    structure = structure_of(rows[0], net)
    data = pack_objectives(structure, rows, net, size=size)
    groups = tf.zeros(len(rows), tf.int32)
    return scores(structure, {tap: activations}, data, groups)


@pytest.mark.parametrize("case", ROWS)
def test_objectives_of_tokens_agree_with_their_twins(case):
    make, expected = ROWS[case]
    block = TOKENS.activations(PHOTOS, ["block"])["block"].numpy()
    rows = [make(k) for k in range(4)]
    together = row_scores(TOKENS, "block", rows, block).numpy()
    wanted = [expected(block[k].astype(np.float64), k) for k in range(4)]
    assert np.allclose(together, wanted, rtol=1e-5, atol=1e-6)
    order = [2, 0, 3, 1]
    turned = row_scores(TOKENS, "block", [rows[k] for k in order], block[order])
    assert np.allclose(turned, together[order], rtol=1e-6)
    assert np.allclose(row_scores(TOKENS, "block", rows[1:2], block[1:2]), together[1], rtol=1e-6)


@pytest.mark.parametrize("case", ROWS)
def test_gradients_of_tokens_agree_with_finite_differences(case):
    rows = [ROWS[case][0](k) for k in range(4)]
    block = tf.constant(TOKENS.activations(PHOTOS, ["block"])["block"])
    with tf.GradientTape() as tape:
        tape.watch(block)
        total = tf.reduce_sum(row_scores(TOKENS, "block", rows, block))
    gradient = tape.gradient(total, block).numpy().astype(np.float64)
    nudge = np.random.default_rng(5).normal(size=block.shape).astype(np.float32)
    ends = [
        float(tf.reduce_sum(row_scores(TOKENS, "block", rows, block + sign * 0.01 * nudge)))
        for sign in (1, -1)
    ]
    assert np.isclose((ends[0] - ends[1]) / 0.02, np.sum(gradient * nudge), rtol=0.02, atol=0.01)


def test_a_row_without_a_map_has_its_middle():
    (at,) = (pack_objectives(structure_of(o, SPREAD), [o], SPREAD) for o in [ask.neuron("row", 1)])
    assert at["point0"].tolist() == [[4]]
    row = np.random.default_rng(6).normal(size=(1, 9, 9)).astype(np.float32)
    found = row_scores(SPREAD, "row", [ask.neuron("row", 1)], row, None)
    assert np.isclose(found, row[0, 4, 1])


def test_classes_of_a_detector_are_the_channels_after_its_boxes():
    assert (SPREAD.classes.logits, SPREAD.classes.first) == ("row", 4)
    row = np.random.default_rng(7).normal(size=(3, 9, 9)).astype(np.float32)
    found = row_scores(SPREAD, "row", [ask.logit(k) for k in range(3)], row).numpy()
    assert np.allclose(found, [twin.channel(row[k], 4 + k) for k in range(3)], rtol=1e-5)
    found = row_scores(SPREAD, "row", [ask.probability(k) for k in range(3)], row).numpy()
    assert np.allclose(found, [twin.class_share(row[k], k, 4) for k in range(3)], rtol=1e-5)
    mixed = [ask.logit(0) + ask.channel("row", 0), ask.channel("row", 4)]
    found = row_scores(SPREAD, "row", mixed, row[[0, 0]]).numpy()
    assert np.isclose(found[0], twin.channel(row[0], 4) + twin.channel(row[0], 0), rtol=1e-5)
    assert np.isclose(found[1], twin.channel(row[0], 4), rtol=1e-5)
    rows = [ask.logit(k) for k in range(3)]
    found, _ = scored_among_rivals(rows, {"row": row}, 0.5, SPREAD)
    expected = [twin.logit_among_rivals(row[k].astype(np.float64), k, 0.5, 4) for k in range(3)]
    assert np.allclose(found, expected, rtol=1e-5)
    boxes, _ = scored_among_rivals([ask.channel("row", 0)] * 3, {"row": row}, 0.5, SPREAD)
    assert np.allclose(boxes, [twin.channel(row[k], 0) for k in range(3)], rtol=1e-5)
    with pytest.raises(UsageError, match="the classes 0 to 4"):
        row_scores(SPREAD, "row", [ask.logit(5)], row[:1])


def test_probabilities_of_a_map_are_the_mean_of_those_at_each_position():
    logits = np.random.default_rng(8).normal(size=(2, 3, 5, 5)).astype(np.float32)
    asked = [ask.probability(1), ask.probability(4)]
    structure = structure_of(asked[0], NET)
    data = pack_objectives(structure, asked, NET)
    found = scores(structure, {"logits": tf.constant(logits)}, data, tf.zeros(2, tf.int32))
    assert np.allclose(found, [twin.class_share(logits[0], 1), twin.class_share(logits[1], 4)])


@pytest.mark.parametrize("position", [(17,), (-18,), (3, 0), (0, 5), (1, 2, 3)])
def test_positions_outside_are_refused(position):
    objective = ask.neuron("block", 1, position)
    with pytest.raises(UsageError, match="17 tokens in a row, 2 special and 3x5"):
        pack_objectives(structure_of(objective, TOKENS), [objective], TOKENS, size=SIZE)
    with pytest.raises(UsageError, match="17 tokens in a row"):
        check_positions(objective, TOKENS, SIZE)


def test_heads_divide_the_channels():
    objective = ask.head("block", 1, 4)
    with pytest.raises(UsageError, match="4 heads: block has 6 channels"):
        pack_objectives(structure_of(objective, TOKENS), [objective], TOKENS)
    with pytest.raises(UsageError, match="head 3 of 3: the heads are 0 to 2"):
        ask.head("block", 3, 3)


def test_tokens_with_a_like_gram_matrix_are_not_diverse():
    block = TOKENS.activations(PHOTOS, ["block"])["block"].numpy()
    found = row_scores(TOKENS, "block", [ask.diversity("block", 0.3)] * 4, block).numpy()
    for k in range(4):
        others = [block[j] for j in range(4) if j != k]
        assert np.isclose(found[k], -0.3 * twin.likeness(block[k], others), rtol=1e-5)


class Smooth(tiny.TinyProgram):
    """A tiny network whose second activation function is smooth."""

    @property
    def values(self):
        known = dict(super().values)
        known["relu1"] = replace(known["relu1"], relu_input=None, activation_input="conv1")
        return known


def test_any_activation_function_is_looked_behind_only_where_it_is_asked_for():
    net = Network(Smooth(), NET.identity, input_spec=NET.input_spec)
    taps = {
        which: structure_of(ask.channel("relu1", 1), net, which)[0].tap
        for which in (False, True, "any")
    }
    assert taps == {False: "relu1", True: "relu1", "any": "conv1"}
