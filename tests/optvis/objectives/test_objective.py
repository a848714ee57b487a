import json

import numpy as np
import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.objectives.objective import (
    Objective,
    Term,
    channel,
    direction,
    diversity,
    function,
    head,
    interpolation,
    layer,
    logit,
    neuron,
    penalty,
    probability,
    random_direction,
)

RECORD = {"name": "f", "source": "def f(): ...", "key": "0" * 16}


def test_algebra_keeps_signs_and_weights():
    a, b = channel("x", 1), channel("x", 2)
    assert [t.weight for t in (a - b).terms] == [1, -1]
    assert [t.weight for t in (2 * (a - 0.5 * b)).terms] == [2, -1]
    assert [t.weight for t in (-(a + b)).terms] == [-1, -1]
    assert sum([a, b]) == a + b


def test_adding_something_else_is_an_error():
    with pytest.raises(TypeError):
        3 + channel("x", 1)


def test_json_round_trip_of_every_kind():
    everything = (
        channel("a", 1)
        - 0.5 * neuron("a", 2, (3, 4))
        + neuron("a", 0)
        + direction("a", [1.0, -2.0])
        + layer("b")
        + logit(3)
        + probability(4)
        + diversity("b")
    )
    assert Objective.from_json(json.loads(json.dumps(everything.to_json()))) == everything


def test_only_diversity_couples_rows():
    assert not (channel("a", 1) + layer("a")).couples_rows
    assert (channel("a", 1) + diversity("a")).couples_rows


def test_unknown_kind():
    with pytest.raises(UsageError, match="unknown objective 'chanel'"):
        Term("chanel")


def test_a_random_direction_is_always_the_same():
    made = random_direction("mixed3a", 5, seed=3)
    assert made == random_direction("mixed3a", 5, seed=3)
    assert made != random_direction("mixed3a", 5, seed=4)
    many = np.array(random_direction("mixed3a", 4000, seed=3).terms[0].vector)
    assert abs(many.mean()) < 0.05 and abs(many.std() - 1) < 0.05


def test_fades_travel_and_unknown_ones_are_refused():
    faded = interpolation(channel("a", 1), channel("b", 2), ["c"])
    assert Objective.from_json(faded.to_json()) == faded
    assert faded.couples_rows
    assert [t.weight for t in faded.at(0, 1).terms] == [1.0, 0.0, 0.1]
    with pytest.raises(UsageError, match="unknown fade"):
        Term("channel", "a", 1, fade="up")


@pytest.mark.parametrize(
    "objective",
    [neuron("a", 1, (2,)), neuron("a", 1, (-1, -2)), head("a", 2, 6) - 0.5 * head("a", 0, 6)],
)
def test_positions_and_heads_survive_json(objective):
    assert Objective.from_json(json.loads(json.dumps(objective.to_json()))) == objective


@pytest.mark.parametrize("position", [5, [1, 2], (1.0, 2), (), "1,2"])
def test_positions_are_whole_numbers(position):
    with pytest.raises(UsageError, match=r"give \(y, x\) in a map, or \(number,\)"):
        neuron("a", 1, position)


@pytest.mark.parametrize(
    ("term", "line"),
    [
        ({"kind": "function", "taps": ["a"]}, "'function' needs a function"),
        ({"kind": "penalty"}, "'penalty' needs a function"),
        ({"kind": "channel", "tap": "a", "taps": ["b"]}, "'channel' takes no taps, but a tap"),
        ({"kind": "function", "taps": ["a"], "function": 3}, "expected the record"),
        ({"kind": "l1", "function": RECORD}, "'l1' takes no function"),
        ({"kind": "function", "function": RECORD}, r"'function' needs taps=\[...\]"),
    ],
)
def test_terms_of_functions_are_checked(term, line) -> None:
    with pytest.raises(UsageError, match=line):
        Objective.from_json([term])


def test_a_function_survives_json_as_a_record() -> None:
    mine = function(lambda t: t["a"][:, 0], "a") - 0.5 * penalty(lambda x: x[:, 0, 0, 0], 2.0)
    data = json.loads(json.dumps(mine.to_json()))
    record = Objective.from_json(data)
    assert json.loads(json.dumps(record.to_json())) == data and record != mine
    assert [f.key for f in record.functions] == [f.key for f in mine.functions]
    assert [t.weight for t in record.terms] == [1.0, -1.0] and record.terms[0].taps == ("a",)
