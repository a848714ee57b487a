"""Maps of the positions that units prefer: against loops, a known preference, and files."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image
from support.tiny import network as tiny
from support.tokens import network as tokens

import kerasviz
from kerasviz.cli import commands
from kerasviz.errors import UsageError
from kerasviz.network.input_spec import preset
from kerasviz.network.network import Identity, Network
from kerasviz.network.program import Port, Value
from kerasviz.optvis.objectives import objective as ask
from kerasviz.rendering.position_maps import PositionMap, find_positions, position_map, shifts_of

#: How much unit 0 counts at each position.
WEIGHT = np.random.default_rng(4).uniform(0.5, 2, (3, 5)).astype(np.float32)
IMAGE = np.random.default_rng(5).uniform(0, 1, (12, 20, 3)).astype(np.float32)


class PlacedProgram:
    """Patches of 4 x 4 pixels: unit 0 is their red times a weight of the place, 1 their red."""

    def __init__(self):
        self.inputs = {"image": Port("image", tf.float32, (None, 12, 20, 3))}
        self.outputs = ["placed"]
        self.module_kinds = {}
        self.values = {
            "placed": Value("placed", "Mul", (None, 3, 5, 2), inputs=("image",)),
            "flat": Value("flat", "Mean", (None, 2), inputs=("placed",)),
        }

    def compute(self, feeds, names, **_):
        red = tf.nn.avg_pool2d(feeds["image"][..., :1], 4, 4, "VALID")
        placed = tf.concat([red * WEIGHT[None, :, :, None], red], -1)
        made = {"placed": placed, "flat": tf.reduce_mean(placed, [1, 2])}
        return {name: made[name] for name in names}


def placed():
    identity = Identity("placed", "placed", "zoo", "f" * 64)
    return Network(PlacedProgram(), identity, input_spec=preset("unit"))


def in_loops(net, tap, unit, image, shifts, grid, special=0):
    """The means and the share of variance, one shift and one position after the other."""
    rows, columns = grid
    seen = np.zeros((len(shifts), rows, columns))
    for i, (y, x) in enumerate(shifts):
        moved = np.roll(np.roll(image, y * 4, 0), x * 4, 1)
        row = np.asarray(net.activations(moved[None], [tap])[tap])[0]
        seen[i] = row.reshape(-1, row.shape[-1])[special:, unit].reshape(grid)
    return seen.mean(0), seen.mean(0).var() / seen.var()


def test_a_map_agrees_with_loops_over_shifts():
    shifts = [(y, x) for y in range(3) for x in range(5)]
    for net, tap, special in ((placed(), "placed", 0), (tokens(2), "block", 2)):
        values, share, count = position_map(net, ask.channel(tap, 1), IMAGE)
        expected, of_variance = in_loops(net, tap, 1, IMAGE, shifts, (3, 5), special)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
        assert share == pytest.approx(of_variance, abs=1e-4) and count == 15


def test_a_known_preference_is_found_and_none_where_there_is_none():
    values, share, _ = position_map(placed(), ask.channel("placed", 0), IMAGE)
    np.testing.assert_allclose(values / values.mean(), WEIGHT / WEIGHT.mean(), rtol=1e-5)
    assert share > 0.3
    values, share, _ = position_map(placed(), ask.channel("placed", 1), IMAGE)
    assert np.ptp(values) < 1e-5 and share < 1e-6
    flat = np.full((12, 20, 3), 0.5, np.float32)
    assert position_map(placed(), ask.channel("placed", 0), flat)[1] == pytest.approx(1)
    assert position_map(placed(), ask.channel("placed", 1), flat)[1] == 0


def test_a_direction_weighs_units_and_a_position_of_a_target_changes_nothing():
    net = placed()
    first, second = (position_map(net, ask.channel("placed", k), IMAGE)[0] for k in (0, 1))
    both = position_map(net, ask.direction("placed", np.array([2.0, -1.0])), IMAGE)[0]
    np.testing.assert_allclose(both, 2 * first - second, atol=1e-5)
    np.testing.assert_array_equal(
        position_map(net, ask.neuron("placed", 0, (0, 0)), IMAGE)[0], first
    )


def test_shifts_are_all_or_drawn_the_same_each_time():
    assert sorted(map(tuple, shifts_of(2, 3, 6))) == [(y, x) for y in range(2) for x in range(3)]
    drawn = shifts_of(20, 30, 50)
    assert len(set(map(tuple, drawn))) == 50 and np.array_equal(drawn, shifts_of(20, 30, 50))
    assert drawn[:, 0].max() < 20 and drawn[:, 1].max() < 30
    few = position_map(placed(), ask.channel("placed", 0), IMAGE, most=4)
    expected, _ = in_loops(placed(), "placed", 0, IMAGE, shifts_of(3, 5, 4), (3, 5))
    np.testing.assert_allclose(few[0], expected, rtol=1e-5)


def test_a_target_gives_the_same_map_beside_others_and_its_picture():
    net = tokens(1)
    alone = find_positions(net, "block:3", size=(12, 20), steps=2)[0]
    beside = find_positions(net, ["block:2", "block:3"], size=(12, 20), steps=2)[1]
    assert alone.target == beside.target == "block:3"
    assert alone.values.shape == (3, 5)
    image = alone.to_pil()
    assert image.size == (2 * 224 + 4, 224 + 34)
    y, x = alone.best
    cell = image.crop((228, 0, 452, 224)).resize((5, 3), Image.Resampling.NEAREST)
    assert cell.getpixel((x, y)) == (253, 231, 37)
    assert cell.getpixel(alone.least[::-1]) == (68, 1, 84)
    assert Image.open(io.BytesIO(alone._repr_png_())).size == image.size


def test_a_map_of_equal_values_is_drawn():
    assert PositionMap("a:0", "a", np.ones((2, 2)), 0.0, 4).to_pil().size == (224, 258)


def test_the_command_writes_maps_and_continues(tmp_path, monkeypatch):
    monkeypatch.setattr("kerasviz.cli.positions.read_network", lambda *_: tokens(1))
    arguments = ["positions", "x", "block:2", "block:3", "--size", "12x20", "--steps", "2"]
    arguments += ["--out", str(tmp_path / "maps"), "--recipe", "vit"]
    first = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert first.exit_code == 0 and "wrote 2 maps" in first.output
    data = json.loads((tmp_path / "maps/positions.json").read_text())
    assert [each["target"] for each in data["maps"]] == ["block:2", "block:3"]
    assert np.array(data["maps"][0]["values"]).shape == (3, 5)
    assert data["network"]["sha256"] == f"{1:064x}"
    before = (tmp_path / "maps/block-3-positions.png").read_bytes()
    again = CliRunner().invoke(commands, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["maps"] == data["maps"]
    assert (tmp_path / "maps/block-3-positions.png").read_bytes() == before


@pytest.mark.parametrize(
    ("net", "target", "line"),
    [
        (tokens, "logit:1", "name a layer with a map of positions"),
        (tokens, "block", "units and directions of one layer"),
        (tokens, "block:1 + active:2", "units and directions of one layer"),
        (placed, "flat:1", "flat has no positions; name a layer with a map of positions"),
        (tiny, "joined:99", "99"),
    ],
)
def test_what_has_no_map_is_refused_before_anything_is_rendered(net, target, line, monkeypatch):
    monkeypatch.setattr("kerasviz.rendering.position_maps.render_requests", None)
    with pytest.raises(UsageError, match=line):
        kerasviz.find_positions(net(), target, size=(12, 20), steps=1)
    with pytest.raises(UsageError, match="shifts 1: expected a whole number of 2 or more"):
        kerasviz.find_positions(net(), "block:1", shifts=1)
