"""What a description of a function tells apart, and what it does not."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import types
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from kerasviz.io.files import digest
from kerasviz.optvis.captured import NO_SOURCE, Captured, frozen, source_of

UNIT = 3


def described(f):
    """The digest of a function's description, and whether it lasts."""
    captured = Captured()
    return digest(captured.describe(f)), captured.lasting


def scaled(factor, bias=0.0):
    return lambda x: x * factor + bias


def keyword(*, k):
    return k


def of_unit(x):
    return x[UNIT]


def helped(x):
    return helper(x)


def helper(x):
    return x + 1


@dataclass
class Weighted:
    weights: tuple[float, ...]

    def __call__(self, x):
        return self.inner(x)

    def inner(self, x):
        return x * self.weights[0]


class Slotted:
    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k

    def __call__(self, x):
        return x * self.k


LASTING = {
    "a closure": lambda k: scaled(k),
    "a default": lambda k: lambda x, k=k: x * k,
    "a keyword default": lambda k: lambda x, *, k=k: x * k,
    "an array": lambda k: scaled(np.full(3, k)),
    "a large array": lambda k: scaled(np.full(300, k, np.float32)),
    "a tensor": lambda k: scaled(tf.fill([3], k)),
    "a NumPy number": lambda k: scaled(np.float32(k)),
    "a list": lambda k: scaled([1, [k]]),
    "a long list": lambda k: scaled([k] * 1000),
    "a dict": lambda k: scaled({"a": (k, None), 2: b"c"}),
    "a set": lambda k: scaled({k, "a", "b"}),
    "a slice": lambda k: scaled((slice(k), ..., range(3), np.exp, np.dtype("int8"), tf.int8)),
    "a partial": lambda k: functools.partial(helper, k),
    "a partial's keyword": lambda k: functools.partial(keyword, k=k),
    "a captured function": lambda k: scaled(scaled(k)),
    "a captured partial": lambda k: scaled(functools.partial(max, k)),
    "a callable object": lambda k: Weighted((k, 2.0)),
    "an object with slots": lambda k: Slotted(k),
    "a bound method": lambda k: Weighted((k, 2.0)).inner,
    "a nested lambda": lambda k: lambda x: (lambda y: y * k)(x),
}


@pytest.mark.parametrize("make", LASTING.values(), ids=LASTING)
def test_captured_values_count(make) -> None:
    assert described(make(2)) == described(make(2))
    assert described(make(2)) != described(make(5))
    assert described(make(2))[1]


def test_descriptions_stay_short() -> None:
    for value in ([0.5] * 10_000, np.zeros(10_000), dict.fromkeys(range(10_000))):
        assert len(str(Captured().describe(scaled(value)))) < 1000


def test_code_counts_even_where_two_lambdas_share_a_line_of_source() -> None:
    first, second, third = (lambda x: x + 1), (lambda x: x - 1), (lambda x: x + 2)
    assert len({described(f)[0] for f in (first, second, third)}) == 3
    assert source_of(first) == source_of(second)
    deep = [lambda x: (lambda y: y + 1)(x), lambda x: (lambda y: y + 2)(x)]
    assert described(deep[0]) != described(deep[1])


def test_globals_and_helpers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    unit, help_ = described(of_unit), described(helped)
    monkeypatch.setitem(globals(), "UNIT", 4)
    assert described(of_unit) != unit and described(helped) == help_
    monkeypatch.setitem(globals(), "helper", lambda x: x + 2)
    assert described(helped) != help_
    assert described(of_unit)[1] and described(helped)[1]


def test_what_a_module_of_the_users_has_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("mine")
    module.inner = types.ModuleType("mine.inner")
    module.inner.factor = 2.0
    monkeypatch.setitem(globals(), "mine", module)
    f = eval("lambda x: x * mine.inner.factor", globals())
    before = described(f)
    assert before == described(f) and before[1]
    module.inner.factor = 3.0
    assert described(f) != before
    assert not described(eval("lambda x: g(mine)", globals()))[1]


def test_a_tf_function_counts_by_its_python_function() -> None:
    first, again, other = (tf.function(scaled(k)) for k in (2, 2, 3))
    assert described(first) == described(again) != described(other)
    assert "factor" in source_of(first)


def test_libraries_count_by_name_and_version() -> None:
    data = Captured().describe(lambda x: tf.math.exp(x))
    library = {"library": f"tensorflow {tf.__version__}", "path": "tensorflow"}
    assert data["captured"] == {"tf": library}
    reduce_mean = tf.reduce_mean
    captured = Captured().describe(lambda x: reduce_mean(x))["captured"]
    assert captured["reduce_mean"]["library"].startswith("tensorflow ")


@pytest.mark.parametrize("value", [object(), tf.Variable(1.0), iter([]), Weighted, [object()]])
def test_other_objects_are_not_lasting(value: object) -> None:
    assert not described(scaled(value))[1]
    assert described(scaled([open, np.exp, dict]))[1]  # known by their names


def test_recursion_ends() -> None:
    def countdown(n):
        return n and countdown(n - 1)

    endless: list[object] = []
    endless.append(endless)
    assert described(countdown)[1] and described(scaled(endless))[1]


def test_frozen_functions_keep_what_they_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [lambda x: x * k for k in range(3)]  # noqa: B023
    early = [frozen(lambda x: x * k) for k in range(3)]  # noqa: B023
    assert [f(1) for f in late] == [2, 2, 2] and [f(1) for f in early] == [0, 1, 2]
    unit = frozen(of_unit)
    monkeypatch.setitem(globals(), "UNIT", 0)
    assert unit("abcd") == "d" and of_unit("abcd") == "a"
    assert frozen(functools.partial(of_unit))("abcd") == "a"
    assert frozen(helped)(1) == 2 and frozen(max) is max

    def default(x, y=2, *, z=3):
        return [len(str(n)) for n in (x, y, z)]

    assert frozen(default)(1) == [1, 1, 1]


def test_source_text_is_kept_or_said_to_be_missing() -> None:
    assert source_of(helper) == "def helper(x):\n    return x + 1"
    assert source_of(functools.partial(helper, 1)) == source_of(helper)
    assert source_of(Weighted((1.0,))).startswith("@dataclass\nclass Weighted")
    assert source_of(Weighted((1.0,)).inner).startswith("def inner")
    assert source_of(eval("lambda x: x")) == NO_SOURCE and source_of(len) == NO_SOURCE

    def decorator(f):
        @functools.wraps(f)
        def outer(x):
            return f(x) * 2

        return outer

    assert source_of(decorator(helper)).startswith("@functools.wraps")
    assert described(decorator(helper)) != described(decorator(of_unit))


def test_descriptions_are_equal_in_every_process() -> None:
    code = (
        "from kerasviz.optvis.python_function import PythonFunction as P\n"
        "k = {'a', 'b', 'c'}\n"
        "print(P.of(lambda x: x in {'d', 'e', 'f'} or x in k).key)"
    )
    keys = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ended = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
        keys.add(ended.stdout)
    assert len(keys) == 1
