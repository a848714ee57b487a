from dataclasses import replace

import numpy as np
import pytest
from support import tokens
from support.tiny import TinyProgram, network

from kerasviz.errors import UsageError
from kerasviz.network.network import Identity, Network
from kerasviz.optvis.objectives.objective import (
    channel,
    head,
    layer,
    logit,
    neuron,
    probability,
    random_direction,
    total_variation,
)
from kerasviz.optvis.objectives.targets import negated, parse_target, parse_targets


@pytest.fixture(scope="module")
def net():
    return network()


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("joined:2", channel("joined", 2)),
        ("block:2", channel("block", 2)),
        ("left/relu:4@center", neuron("left/relu", 4)),
        ("joined:2@3,1", neuron("joined", 2, (3, 1))),
        ("joined", layer("joined")),
        ("logit:goldfish", logit(0)),
        ("logit:Carassius auratus", logit(0)),
        ("logit:ESPRESSO", logit(1)),
        ("logit:2", logit(2)),
        ("prob:4", probability(4)),
        ("joined:1 + relu1:2", channel("joined", 1) + channel("relu1", 2)),
        ("joined:1 - 0.5*joined:2", channel("joined", 1) - 0.5 * channel("joined", 2)),
        ("-joined:1", -channel("joined", 1)),
        ("2 * joined:1", 2 * channel("joined", 1)),
    ],
)
def test_words_become_objectives(net, text, objective):
    (target,) = parse_target(text, net)
    assert target.objective == objective
    (again,) = parse_target(target.text, net)
    assert again.objective == objective


class _EndsElsewhere(TinyProgram):
    """Its probabilities have another name, so that a layer may be called ``prob``."""

    outputs = ("end",)

    @property
    def values(self):
        found = dict(super().values)
        last = found.pop("prob")
        return {**found, "end": replace(last, name="end")}


@pytest.mark.parametrize("kind", ["logit", "prob"])
def test_a_layer_may_have_the_name_of_a_kind(kind):
    identity = Identity("other", "other", "zoo", "2" * 64)
    net = Network(_EndsElsewhere(), identity, logits="logits", aliases={kind: "joined"})
    (target,) = parse_target(f"{kind}:7", net)
    assert target.objective == channel(kind, 7)
    net = Network(_EndsElsewhere(), identity, logits="logits", aliases={kind: "logits"})
    (target,) = parse_target(f"{kind}:2", net)  # of as many units as classes
    assert target.objective == {"logit": logit, "prob": probability}[kind](2)


def test_ranges_become_one_target_each(net):
    assert [t.text for t in parse_target("joined:2-4", net)] == ["joined:2", "joined:3", "joined:4"]
    assert len(parse_target("joined:*", net)) == 9
    assert [t.text for t in parse_target("joined:0-1@center", net)] == [
        "joined:0@center",
        "joined:1@center",
    ]


def test_a_target_named_twice_is_made_once(net):
    assert [t.text for t in parse_targets(["joined:1", "joined:0-2"], net)] == [
        "joined:1",
        "joined:0",
        "joined:2",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("joined:9", "joined has the units 0 to 8"),
        ("block:5-2", "the first unit is above the last; give 2-5"),
        ("block:5-12", "block has the units 0 to 8"),
        ("joind:1", "unknown tap 'joind'; near: joined"),
        ("joined:x", "expected NAME:UNIT"),
        ("logit:goldfsh", "unknown class 'goldfsh'; near: goldfish"),
        ("logit:5", "the classes are 0 to 4"),
        ("joined:1 + relu1:*", "a sum takes single units"),
        ("", "unknown tap ''"),
    ],
)
def test_wrong_words_are_explained(net, text, message):
    with pytest.raises(UsageError, match=message):
        parse_target(text, net)


def test_random_directions_and_penalties():
    net = network()
    (drawn,) = parse_target("joined:random-7", net)
    assert drawn.text == "joined:random-7"
    assert drawn.objective == random_direction("joined", 9, 7)
    (smooth,) = parse_target("joined:2 - 0.25*penalty:tv", net)
    assert smooth.objective == channel("joined", 2) + total_variation(-0.25)
    with pytest.raises(UsageError, match="penalties are l1, tv, blur"):
        parse_target("joined:2 - penalty:l2", net)
    with pytest.raises(UsageError, match="near: joined"):
        parse_target("joind:random-7", net)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files with a - b")
    rows = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    np.save(folder / "v.npy", rows[0])
    np.savez(folder / "v.npz", nmf=rows)
    np.save(folder / "short.npy", rows[0, :7])
    return folder


def test_directions_of_files_become_objectives(net, folder, monkeypatch):
    monkeypatch.chdir(folder)
    rows = np.load("v.npz")["nmf"]
    for text, wanted in [
        ("joined@v.npy", [rows[0]]),
        ("block@v.npz:nmf[3,1]", [rows[3], rows[1]]),
        ("joined@v.npz", list(rows)),
        (f"joined@'{folder}/v.npz'[2]", [rows[2]]),
        ("joined@./v.npy#cosine=2", [rows[0]]),
    ]:
        targets = parse_target(text, net)
        assert len(targets) == len(wanted)
        for target, row in zip(targets, wanted, strict=True):
            (term,) = target.objective.terms
            np.testing.assert_array_equal(np.float32(term.vector), row)
            assert term.cosine == (2 if "cosine" in text else 0)
            (again,) = parse_target(target.text, net)
            assert again == target


def test_directions_of_files_are_terms_of_sums(net, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (target,) = parse_target(
        f"joined:2 - 0.5*joined@'{folder}/v.npz':nmf[1]#cosine=1 + logit:1", net
    )
    assert [term.kind for term in target.objective.terms] == ["channel", "direction", "logit"]
    assert [term.weight for term in target.objective.terms] == [1, -0.5, 1]
    opposite = parse_target(negated(target.text), net)[0]
    assert opposite.objective == -target.objective
    with pytest.raises(UsageError, match="single units, not ranges"):
        parse_target("joined:2 + joined@v.npz", net)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("joined@short.npy", "direction short.npy: 7 numbers, joined has 9 channels"),
        ("joined@none.npy", "none.npy: there is no such file"),
        ("joined@v.pt", "v.pt: a pickle can run any code"),
        ("joined@v.npz:pca", "no array 'pca'; near: nmf"),
        ("joined@v.npz:nmf[4]", "rows 0 to 3"),
        ("joined@v.npz:nmf[]", "no rows between the brackets"),
        ("joined@v.npy#power=2", "unknown #power; give #cosine=POWER or #latent=NUMBER"),
        ("joined@v.npy#cosine=two", "#cosine=two: give a number"),
        ("joined:3#cosine=2", "#cosine is for directions"),
        ("joined@center", "expected joined:UNIT@PLACE, or a file that ends in .npy"),
        ("joind@v.npy", "near: joined"),
        ("joined@v.npz:nmf#latent=1", "a latent takes no :KEY"),
        ("joined@v.npz#latent=x", "are no numbers"),
    ],
)
def test_bad_files_of_directions_are_one_line(net, folder, monkeypatch, text, line):
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match=line) as refused:
        parse_target(text, net)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "joined@v.npy",
        "joined@v.npz:nmf[0]#cosine=2",
        "-joined@/etc/passwd.npy",
        "2*joined@'v.npy'",
        "joined:1 + 0.5*joined@v.npz",
        "joined@sae.safetensors#latent=1",
        "joined@v.pt",
        "nothing@v.npy",
        "weight:x@v.npy",
    ],
)
def test_files_are_not_looked_at_where_they_are_not_wanted(net, monkeypatch, text):
    def looked(*_):
        raise AssertionError("a file was looked at")

    def refuse(words):
        raise UsageError(f"{words.path}: not here")

    for name in ("read_directions", "latents"):
        monkeypatch.setattr(f"kerasviz.optvis.objectives.targets.{name}", looked)
    with pytest.raises(UsageError, match="not here"):
        parse_target(text, net, find=refuse)
    assert parse_target("joined:random-7#cosine=2", net, find=refuse)
    assert parse_target("joined:1@center", net, find=refuse)


@pytest.mark.parametrize(
    "text",
    ["mixed4c:1", "-a:1", "a:10 - 0.5*a:11", "-a:1 + b:2@center", "logit:3", "a@'x - y.npy'[1]"],
)
def test_negated_twice_is_the_same(text: str) -> None:
    assert negated(text) != text
    assert negated(negated(text)) == text


def test_negated_words_mean_the_opposite() -> None:
    net = network()
    for text in ("joined:1", "left:1 - 0.5*right:2", "-joined:0-2", "2*joined"):
        for target in parse_target(text, net):
            (other,) = parse_target(negated(target.text), net)
            assert other.objective == -target.objective


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("block:3@0", neuron("block", 3, (0,))),
        ("block:3@-1", neuron("block", 3, (-1,))),
        ("block:3@class", neuron("block", 3, (0,))),
        ("net.block:3@2,4", neuron("net.block", 3, (2, 4))),
        ("block:3@center", neuron("block", 3)),
        ("-block:3@-1,-1", -neuron("block", 3, (-1, -1))),
        ("block:head-1/3", head("block", 1, 3)),
        ("joined:head-1", head("joined", 1, 2)),
        ("query:head-0", head("query", 0, 2)),
        ("projected:head-1", head("joined", 1, 2)),
        ("weight:block.fc1.weight:5", channel("hidden", 5)),
        ("weight:fc1.weight:5@class", neuron("hidden", 5, (0,))),
        ("weight:patches.weight", layer("patches")),
        ("weight:net.block.fc1.anything:2", channel("hidden", 2)),
        ("2*weight:fc2.weight:1 + block:0", 2 * channel("block", 1) + channel("block", 0)),
    ],
)
def test_targets_of_transformers(text, objective):
    (target,) = parse_target(text, tokens.network(1))
    assert target.objective == objective
    (again,) = parse_target(target.text, tokens.network(1))
    assert again.objective == objective


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean:3@0", "mean has no positions; give mean:3"),
        ("rows:3@class", "rows has positions in a row and no class token; give rows:3@center"),
        ("mean:3@class", "no class token"),
        ("added:head-2", "the graph shows no attention heads at added.*added:head-2/N"),
        ("joined:head-2", "head 2 of 2: the heads are 0 to 1"),
        ("block:head-0/4", "block has 6 channels, which is no multiple of 4"),
        ("block:head-0/0", "no multiple of 0"),
        ("blocks:head-0", "unknown tap 'blocks'; near: block"),
        ("weight:nothing.weight:1", "unknown weight 'nothing.weight'; near: "),
        ("weight:shared:1", "several taps use it; name one: logits, extra"),
        ("weight:fc1.weight:8", "weight:fc1.weight has the units 0 to 7"),
        ("block:3@middle", "expected NAME:UNIT"),
    ],
)
def test_wrong_targets_of_transformers(text, message):
    with pytest.raises(UsageError, match=message):
        parse_target(text, tokens.network(1))


def test_fixed_lengths_are_checked_at_once():
    net = tokens.detector()
    assert parse_target("row:1@-9", net)[0].objective == neuron("row", 1, (-9,))
    for text in ("row:1@9", "row:1@2,2", "row:0-3@-10"):
        with pytest.raises(UsageError, match="row has 9 positions in a row; give row:"):
            parse_target(text, net)


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("logit:*", range(5)),
        ("logit:0-2", range(3)),
        ("prob:3-4", (3, 4)),
        ("logit:2-2", (2,)),
    ],
)
def test_ranges_of_classes(net, text, classes):
    kind = text.partition(":")[0]
    make = {"logit": logit, "prob": probability}[kind]
    for some in (net, replace(net, labels=())):
        targets = parse_target(text, some)
        assert [t.text for t in targets] == [f"{kind}:{k}" for k in classes]
        assert [t.objective for t in targets] == [make(k) for k in classes]


def test_labels_come_before_ranges():
    net = tokens.detector()
    assert parse_target("logit:1-3", net)[0].objective == logit(3)
    assert len(parse_target("logit:1-4", net)) == 4
    assert parse_target("logit:7", net)[0].objective == logit(4)  # there is no class 7
    assert parse_target("logit:3", net)[0].objective == logit(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("logit:0-5", "class 5 is out of range: the classes are 0 to 4"),
        ("prob:3-1", "the first class is above the last; give prob:1-3"),
        ("logit:1-x", "unknown class '1-x'"),
        ("logit:* + logit:1", "a sum takes single units"),
    ],
)
def test_wrong_ranges_of_classes(net, text, message):
    with pytest.raises(UsageError, match=message):
        parse_target(text, net)
