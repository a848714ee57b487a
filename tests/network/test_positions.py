"""Positions of taps: maps, tokens of a grid, rows, vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from support import tiny, tokens

from kerasviz.errors import UsageError
from kerasviz.network.network import Identity, Network
from kerasviz.network.positions import Positions, positions_of, special_tokens
from kerasviz.network.program import Port, Value

SIZE = (13, 22)  # 3 x 5 patches


class Described:
    """A program that is described only."""

    def __init__(self, *values: Value):
        self.inputs = {"image": Port("image", tf.float32, (None, 64, 64, 3))}
        self.values = {value.name: value for value in values}
        self.outputs = [values[-1].name]
        self.module_kinds: dict[str, str] = {}


def described(*values: tuple[str, tuple[int | None, ...], tuple[str, ...]]) -> Network:
    table = [Value(name, "Any", (None, *shape), inputs=inputs) for name, shape, inputs in values]
    return Network(Described(*table), Identity("x", "x", "onnx", ""))  # type: ignore[arg-type]


@pytest.mark.parametrize("special", [0, 1, 3])
def test_tokens_have_the_grid_of_the_patches(special: int) -> None:
    net = tokens.network(special)
    for tap in ("tokens", "query", "joined", "added", "active", "net.block"):
        assert positions_of(net, tap).free
        positions = positions_of(net, tap, SIZE)
        assert (positions.extent, positions.grid) == ((15 + special,), (3, 5))
        assert (positions.special, positions.map) == (special, (3, 5))
    assert positions_of(net, "rows", SIZE).special == 0
    assert special_tokens(net, "block") == special
    assert positions_of(net, "patches", SIZE).map == (3, 5)
    assert positions_of(net, "mean", SIZE) == Positions("mean", ())


def test_the_map_of_tokens_is_where_they_were_made() -> None:
    net = tokens.network(2)
    images = np.random.default_rng(0).uniform(0, 1, (3, *SIZE, 3)).astype(np.float32)
    made = net.activations(images, ["patches", "tokens"])
    positions = positions_of(net, "tokens", SIZE)
    assert np.array_equal(positions.on_map(made["tokens"]), made["patches"])
    rows = made["tokens"].numpy()
    for number in range(17):
        place = positions.place(number)
        assert (place is None) == (number < 2)
        if place is not None:
            assert np.array_equal(rows[:, number], made["patches"].numpy()[:, *place])
            assert positions.index(place) == (number,)
            assert positions.index((place[0] - 3, place[1] - 5)) == (number,)
        assert positions.index((number,)) == positions.index((number - 17,)) == (number,)
    assert positions.centre == positions.index((1, 2))


def test_shapes_alone_tell_where_they_are_fixed() -> None:
    net = described(
        ("patch", (7, 7, 96), ("image",)),
        ("flat", (49, 96), ("patch",)),
        ("joined", (50, 96), ("flat",)),
        ("keys", (4, 12, 50), ("joined",)),  # 4 x 12 = 48 would be two special tokens
        ("mixed", (50, 4, 24), ("keys", "joined")),
        ("merged", (50, 96), ("mixed",)),
        ("far", (50, 96), ("merged",)),
        ("words", (50, 96), ()),
    )
    assert positions_of(net, "joined") == Positions("joined", (50,), (7, 7))
    assert positions_of(net, "far") == Positions("far", (50,), (7, 7))
    assert positions_of(net, "words") == Positions("words", (50,))


def test_windows_of_patches_may_have_more_axes() -> None:
    net = described(("cut", (8, 6, 4, 4, 3), ("image",)), ("flat", (48, 48), ("cut",)))
    assert positions_of(net, "flat").grid == (8, 6)


def test_anchors_of_several_maps_are_a_row() -> None:
    net = described(
        ("fine", (4, 4, 8), ("image",)),
        ("coarse", (2, 2, 8), ("fine",)),
        ("a", (16, 8), ("fine",)),
        ("b", (4, 8), ("coarse",)),
        ("anchors", (20, 8), ("a", "b")),
    )
    assert positions_of(net, "a").grid == (4, 4)
    assert positions_of(net, "anchors") == Positions("anchors", (20,))


def test_pools_of_a_pyramid_are_a_row() -> None:
    net = described(
        ("one", (1, 1, 8), ("image",)),
        ("four", (2, 2, 8), ("image",)),
        ("all", (4, 4, 8), ("image",)),
        ("a", (1, 8), ("one",)),
        ("b", (4, 8), ("four",)),
        ("c", (16, 8), ("all",)),
        ("pyramid", (21, 8), ("a", "b", "c")),
    )
    assert positions_of(net, "pyramid").grid is None


def test_the_nearest_map_counts() -> None:
    net = described(
        ("early", (6, 8, 8), ("image",)),
        ("row", (48, 8), ("early",)),
        ("late", (8, 6, 8), ("row",)),
        ("again", (48, 8), ("late",)),
    )
    assert positions_of(net, "row").grid == (6, 8)
    assert positions_of(net, "again").grid == (8, 6)


def test_lines_are_no_map() -> None:
    net = described(("line", (1, 50, 8), ("image",)), ("row", (50, 8), ("line",)))
    assert positions_of(net, "row").grid is None


@pytest.mark.parametrize(
    ("positions", "position", "message"),
    [
        (Positions("n", (16,), (4, 4)), (2, 1), r"n has 16 tokens in a row; give n:3@9 for 2,1 of"),
        (Positions("n", (16,), (4, 4)), (-1, -1), "give n:3@15 for 3,3 of its 4x4 map"),
        (Positions("n", (16,), (4, 4)), (16,), "give n:3@T with T from 0 to 15"),
        (Positions("n", (17,), (4, 4)), (17,), "1 special and 4x4; give n:3@T .*, or n:3@y,x"),
        (Positions("n", (17,), (4, 4)), (4, 0), "give n:3@y,x with y from 0 to 3 and x"),
        (Positions("n", (9,)), (1, 1), "n has 9 positions in a row; give n:3@T with T from 0 to 8"),
        (Positions("n", (9,)), (-10,), "T from 0 to 8"),
        (Positions("n", (5, 7), size=(10, 14)), (5, 0), "n has 5x7 positions in images of 10x14"),
        (Positions("n", (5, 7)), (0, -8), "y from 0 to 4 and x from 0 to 6"),
        (Positions("n", (5, 7)), (3,), "give n:3@y,x"),
        (Positions("n", ()), (0,), "n has no positions; give n:3$"),
    ],
)
def test_positions_that_a_tap_does_not_have(
    positions: Positions, position: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        positions.index(position, 3)


def test_shapes_are_traced_once_for_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    net = tiny.network()
    assert positions_of(net, "joined", (13, 17)).extent == (6, 8)
    monkeypatch.setattr(net.program, "compute", None)
    assert positions_of(net, "joined", (13, 17)).map == (6, 8)
    with pytest.raises(TypeError):
        positions_of(net, "joined", (13, 18))
    other = replace(net, labels=())  # another network knows nothing of it
    with pytest.raises(TypeError):
        positions_of(other, "joined", (13, 17))
