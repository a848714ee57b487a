import pytest
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import (
    channel,
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


@pytest.mark.parametrize(
    "text", ["mixed4c:1", "-a:1", "a:10 - 0.5*a:11", "-a:1 + b:2@center", "logit:3"]
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
