from __future__ import annotations

import json

import pytest

from kerasviz.errors import UsageError
from kerasviz.optvis.python_function import PythonFunction, not_from_data


def double(x):
    return 2 * x


def test_equal_functions_are_equal_and_others_are_not() -> None:
    assert PythonFunction.of(double) == PythonFunction.of(double)
    assert hash(PythonFunction.of(double)) == hash(PythonFunction.of(double))
    assert PythonFunction.of(double) != PythonFunction.of(double, "another name")
    assert PythonFunction.of(double) != PythonFunction.of(lambda x: 2 * x)
    first, second = sorted([PythonFunction.of(double), PythonFunction.of(lambda x: x)])
    assert first.key < second.key


def test_a_function_of_an_unknown_object_is_only_equal_to_itself() -> None:
    thing = object()
    first, second = (PythonFunction.of(lambda x: (x, thing)) for _ in range(2))
    assert first == first and first != second and first.key != second.key


def test_a_record_survives_json_and_cannot_be_called() -> None:
    function = PythonFunction.of(double, "twice")
    data = json.loads(json.dumps(function.to_json()))
    record = PythonFunction.from_json(data)
    assert record.to_json() == function.to_json() and record.key == function.key
    assert record.source == "def double(x):\n    return 2 * x" and record.name == "twice"
    assert record != function  # it must not get into the function's place in a cache
    with pytest.raises(UsageError, match="is here as text only: its pictures are made"):
        record(1)
    assert function(4) == 8


@pytest.mark.parametrize("data", [3, "f", [], {}, {"name": "f", "source": "def f(): ..."}])
def test_what_is_no_record_is_refused(data: object) -> None:
    with pytest.raises(UsageError, match="expected the record"):
        PythonFunction.from_json(data)


def test_a_value_that_changed_in_place_is_named() -> None:
    units, others = [1, 2], {"a": 1}
    function = PythonFunction.of(lambda x: (x[units[0]], others))
    assert function([0, 5]) == (5, {"a": 1})
    units.append(3)
    with pytest.raises(UsageError, match=r"captures \(units\) has changed"):
        function([0, 5])
    units.pop()
    assert function([0, 5])[0] == 5


def test_names() -> None:
    assert PythonFunction.of(lambda x: x).name == "lambda"
    assert PythonFunction.of(double).name == "double"
    assert repr(PythonFunction.of(double)).startswith("PythonFunction('double', key='")
    assert "functions 'a', 'b'" in not_from_data(["a", "b"])
    with pytest.raises(UsageError, match="3 is no function"):
        PythonFunction.of(3)
