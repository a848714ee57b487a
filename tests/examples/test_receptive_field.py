"""Receptive fields against interval arithmetic, and against what really changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from support import tiny, tokens

from kerasviz.examples import receptive_field as receptive_field_module
from kerasviz.examples.receptive_field import ReceptiveField, fields_at, receptive_field
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import PLAIN, Kernels, Port, Value

#: Kind, kernel, stride, dilation, padding of each layer; the rectifiers between are mostly shut.
LAYERS = [
    ("conv", 7, 2, 1, "SAME"),
    ("pool", 3, 2, 1, "SAME"),
    ("conv", 3, 1, 2, "VALID"),
    ("average", 2, 2, 1, "VALID"),
    ("conv", 3, 1, 1, "SAME"),
]


class Chain:
    """Layers one after the other; ``seen`` adds an average over the whole image."""

    inputs: Mapping[str, Port] = {"image": Port("image", tf.float32, (None, None, None, 3))}
    outputs: Sequence[str] = ["seen"]
    module_kinds: Mapping[str, str] = {}

    @property
    def values(self) -> Mapping[str, Value]:
        maps = (None, None, None, 4)
        names = [f"layer{i}" for i in range(len(LAYERS))]
        return {n: Value(n, "Conv2D", maps) for n in (*names, "seen")} | {
            "scores": Value("scores", "MatMul", (None, 4))
        }

    def compute(
        self,
        feeds: Mapping[str, Any],
        names: Sequence[str],
        *,
        channels_last: bool = True,
        kernels: Kernels = PLAIN,
    ) -> dict[str, Any]:
        made: dict[str, Any] = {}
        x = feeds["image"]
        for i, (kind, kernel, stride, dilation, padding) in enumerate(LAYERS):
            if kind == "conv":
                draw = np.random.default_rng(i)
                w = draw.normal(0, 0.3, (kernel, kernel, x.shape[-1], 4)).astype(np.float32)
                # As Keras does: not every CPU has gradients of Conv2D's own dilation.
                x = tf.nn.convolution(x, w, stride, padding, dilations=dilation)
                x = kernels.relu(x - 3.0)
            else:
                pooling = "MAX" if kind == "pool" else "AVG"
                x = tf.nn.pool(x, [kernel] * 2, pooling, [stride] * 2, padding)
            made[f"layer{i}"] = x
        made["seen"] = x + tf.reduce_mean(x, [1, 2], keepdims=True)
        made["scores"] = tf.reduce_mean(x, [1, 2])
        return {name: made[name] for name in names}


@pytest.fixture
def chain() -> Network:
    return Network(Chain(), Identity("chain", "", "zoo", "0" * 64), input_spec=preset("unit"))


def intervals(length: int, upto: int) -> list[tuple[int, int]]:
    """What the positions of layer ``upto`` see along one axis, layer by layer from the end."""
    lengths, before = [length], []
    for _, kernel, stride, dilation, padding in LAYERS[: upto + 1]:
        reach = (kernel - 1) * dilation + 1
        if padding == "SAME":
            out = -(-lengths[-1] // stride)
            before.append(max((out - 1) * stride + reach - lengths[-1], 0) // 2)
        else:
            out = (lengths[-1] - reach) // stride + 1
            before.append(0)
        lengths.append(out)
    found = []
    for y in range(lengths[-1]):
        low, high = y, y + 1
        for i in range(upto, -1, -1):
            _, kernel, stride, dilation, _ = LAYERS[i]
            low = low * stride - before[i]
            high = (high - 1) * stride - before[i] + (kernel - 1) * dilation + 1
            low, high = max(low, 0), min(high, lengths[i])
        found.append((low, high))
    return found


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_rows_and_columns_are_those_of_interval_arithmetic(chain: Network, layer: int) -> None:
    size = (61, 84)
    field = receptive_field(chain, f"layer{layer}", size)
    assert list(field.rows) == intervals(size[0], layer)
    assert list(field.columns) == intervals(size[1], layer)


class Changed(Chain):
    """A chain whose maps are changed before anything sees them."""

    def __init__(self, change: Callable[[Any], Any]):
        self.change = change

    def compute(self, *args: Any, **options: Any) -> dict[str, Any]:
        return {name: self.change(x) for name, x in super().compute(*args, **options).items()}


CHANGES: dict[str, Callable[[Any], Any]] = {
    "plain": lambda x: x,
    "reversed": lambda x: tf.reverse(x, [1, 2]),
    "rolled": lambda x: tf.roll(x, [5, 3], [1, 2]),
    "shuffled": lambda x: tf.concat([x[:, ::2], x[:, 1::2]], 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_lines_that_are_looked_at_together_see_what_they_see_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Identity("chain", "", "zoo", "0" * 64)
    net = Network(Changed(CHANGES[name]), identity, input_spec=preset("unit"))
    size, looked = (75, 84), list[int]()
    draw = receptive_field_module._Seen._draw

    def counted(seen: Any, groups: Any, seed: int) -> Any:
        looked.append(len(groups))
        return draw(seen, groups, seed)

    monkeypatch.setattr(receptive_field_module._Seen, "_draw", counted)
    for tap in ("layer0", "layer1") if name == "plain" else ("layer0",):
        looked.clear()
        together = receptive_field(net, tap, size)
        fewest = min(looked[1:])
        with monkeypatch.context() as alone:
            alone.setattr(receptive_field_module, "APART", 10**6)
            assert receptive_field(net, tap, size) == together
        if (tap, name) == ("layer0", "plain"):
            assert fewest < (len(together.rows) + len(together.columns)) / 4


def test_an_average_over_the_image_sees_all_of_it(chain: Network) -> None:
    field = receptive_field(chain, "seen", (40, 53))
    assert set(field.rows) == {(0, 40)}
    assert set(field.columns) == {(0, 53)}
    assert receptive_field(chain, "scores", (40, 53)) == ReceptiveField(
        (40, 53), ((0, 40),), ((0, 53),)
    )


def test_what_is_outside_changes_nothing_and_every_border_something() -> None:
    """Finite differences on the tiny network, where nothing is shut but unit 3 of conv1."""
    net, size = tiny.network(), (15, 12)
    field = receptive_field(net, "joined", size)
    image = np.random.default_rng(1).uniform(0, 1, (1, *size, 3)).astype(np.float32)
    usual = net.activations(image, ["joined_pre_relu"])["joined_pre_relu"].numpy()[0]
    seen = np.zeros((len(field.rows), size[0]), bool)
    for row in range(size[0]):
        other = image.copy()
        other[0, row] = 1 - other[0, row]
        changed = net.activations(other, ["joined_pre_relu"])["joined_pre_relu"].numpy()[0]
        seen[:, row] = (np.abs(changed - usual) > 1e-6).any((1, 2))
    found = [(int(np.argmax(s)), len(s) - int(np.argmax(s[::-1]))) for s in seen]
    assert list(field.rows) == found


def test_windows_hold_the_fields_in_squares_of_one_size_within_the_image(chain: Network) -> None:
    size = (61, 84)
    field = receptive_field(chain, "layer2", size)
    for y in range(len(field.rows)):
        for x in range(len(field.columns)):
            top, left, bottom, right = field.box(y, x)
            up, west, down, east = field.window(y, x)
            assert 0 <= up <= top < bottom <= down <= size[0]
            assert 0 <= west <= left < right <= east <= size[1]
            assert down - up == east - west == field.side
    middle = len(field.rows) // 2, len(field.columns) // 2
    assert field.window(*middle) == field.box(*middle)  # where nothing is cut off
    assert field.place(len(field.columns) + 2) == (1, 2)


def test_windows_are_smaller_only_where_the_image_is() -> None:
    field = ReceptiveField((20, 50), ((0, 20),), ((0, 30), (15, 45), (40, 50)))
    assert field.side == 30
    assert [field.window(0, x) for x in range(3)] == [
        (0, 0, 20, 30),
        (0, 15, 20, 45),
        (0, 20, 20, 50),
    ]


def test_json() -> None:
    field = ReceptiveField((20, 50), ((0, 20),), ((0, 30), (15, 45)))
    assert ReceptiveField.from_json(field.to_json()) == field


def test_a_token_sees_its_patch_until_tokens_are_mixed() -> None:
    net = tokens.network(2)
    size = (13, 22)  # 3 x 5 patches of 4 x 4 pixels
    for tap in ("tokens", "query"):
        field = receptive_field(net, tap, size)
        assert field.rows == ((0, 4), (4, 8), (8, 12))
        assert field.columns == tuple((4 * k, 4 * k + 4) for k in range(5))
        assert field.place(2 + 7) == (1, 2) and field.box(1, 2) == (4, 8, 8, 12)
        assert field.place(1) == (-1, 1)
        assert field.box(-1, 1) == field.window(-1, 1) == (0, 0, *size)
        assert ReceptiveField.from_json(field.to_json()) == field
    mixed = receptive_field(net, "block", size)
    assert set(mixed.rows) == {(0, 12)} and set(mixed.columns) == {(0, 20)}


def test_positions_of_a_row_without_a_map_see_the_image() -> None:
    field = receptive_field(tokens.detector(), "row", (9, 9))
    assert [field.place(k) for k in (0, 8)] == [(-1, 0), (-1, 8)]
    assert field.window(*field.place(8)) == (0, 0, 9, 9)
    assert "special" not in ReceptiveField((9, 9), ((0, 9),), ((0, 9),)).to_json()


def test_one_random_image_is_enough_where_all_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerasviz.examples.receptive_field.MOST_DRAWS", 1)
    field = receptive_field(tokens.network(1), "block", (12, 20))
    assert field.rows == ((0, 12),) * 3 and field.columns == ((0, 20),) * 5


def test_fields_of_single_positions_are_those_of_all(chain: Network) -> None:
    size = (61, 84)
    rows, columns = (intervals(length, 4) for length in size)
    points = [(0, 0), (1, 3), (len(rows) - 1, 2)]
    found = fields_at(chain, "layer4", size, points)
    assert [(box[::2], box[1::2]) for box in found] == [(rows[y], columns[x]) for y, x in points]
