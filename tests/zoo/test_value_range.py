from __future__ import annotations

import numpy as np
import pytest
from support.signals import matcher
from support.tiny import network

from kerasviz.errors import UsageError
from kerasviz.zoo.value_range import with_range


def net(channels=3, length=50):
    return matcher(np.ones((8, channels)), (length,))


def ends(found):
    spec = found.input_spec
    pairs = zip(spec.mean, spec.std, strict=True)
    return np.array([(-mean / std, (1 - mean) / std) for mean, std in pairs]).T


def signals():
    draw = np.random.default_rng(0).normal(size=(4, 70, 3)) * [1, 10, 100] + [0, 5, 0]
    return draw.astype(np.float32)


@pytest.mark.parametrize("given", ["-2,6", (-2, 6), [-2.0, 6.0]])
def test_two_numbers(given):
    assert with_range(net(), given).input_spec.range == (-2, 6)


def test_numbers_by_channel():
    assert np.allclose(ends(with_range(net(), "-1,1;0,5;-3,9")), [[-1, 0, -3], [1, 5, 9]])
    with pytest.raises(UsageError, match="2 pairs for 3 channels"):
        with_range(net(), "-1,1;0,5")


@pytest.mark.parametrize("kind", ["npy", "npz", "csv", "array"])
def test_the_range_of_data_by_channel(tmp_path, kind):
    data, path = signals(), tmp_path / f"some.{kind}"
    given = path
    if kind == "npy":
        np.save(path, data)
    elif kind == "npz":
        np.savez(path, signal=data, other=data[:1])
    elif kind == "csv":
        data = data[:1]
        np.savetxt(path, data[0], delimiter=",", header="a,b,c", comments="")
    else:
        given = data
    low, high = ends(with_range(net(), given))
    assert np.allclose(low, data.reshape(-1, 3).min(0), rtol=1e-4, atol=1e-3)
    assert np.allclose(high, data.reshape(-1, 3).max(0), rtol=1e-4, atol=1e-3)


def test_three_deviations(tmp_path):
    np.save(tmp_path / "some.npy", signals())
    low, high = ends(with_range(net(), f"{tmp_path}/some.npy,sd"))
    flat = signals().reshape(-1, 3).astype(float)
    assert np.allclose((low + high) / 2, flat.mean(0), rtol=1e-3, atol=0.01)
    assert np.allclose((high - low) / 6, flat.std(0), rtol=1e-3)


def test_constant_columns_stay_so():
    data = np.ones((5, 4), np.float32) * [0, 3, 1, 2] + np.arange(5)[:, None] * [1, 0, 1, 1]
    table = matcher(np.ones((4, 1)), (4,), axes="batch,time,channel")
    low, high = ends(with_range(net(4), data[None]))
    assert np.allclose(low, [0, 3, 1, 2], atol=1e-3) and np.allclose(high, [4, 3, 5, 6], atol=1e-3)
    assert table.channels == 1


@pytest.mark.parametrize(
    ("write", "wrong"),
    [
        (
            lambda p: np.save(p, np.full((4, 70, 3), np.nan)),
            "840 of its 840 numbers are not finite",
        ),
        (lambda p: np.save(p, np.ones((4, 70, 2))), "2 channels: input signal .* has 3"),
        (lambda p: np.save(p, np.ones((2, 4, 70, 3))), "4 axes: input signal"),
        (lambda p: np.save(p, np.ones((0, 70, 3))), "has no numbers"),
        (lambda p: p.write_bytes(b"nothing"), "has Python objects"),
        (lambda p: None, "some.npy"),
    ],
)
def test_bad_files_are_said_in_one_line(tmp_path, write, wrong):
    path = tmp_path / "some.npy"
    write(path)
    with pytest.raises(UsageError, match=wrong) as raised:
        with_range(net(), path)
    assert "\n" not in str(raised.value) and "some.npy" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a,b\n1,2\n3,4\n", "2 columns for 3 channels"),
        ("1,2,3\n1,2\n", "row 2 is not 3 numbers"),
        ("1,2,nan\n", "1 of its 3 numbers are not finite"),
        ("1,2,3\n4,,6\n", "row 2 is not 3 numbers"),
        ("a,b,c\n", "has no rows"),
    ],
)
def test_bad_tables_are_said_in_one_line(tmp_path, text, wrong):
    path = tmp_path / "some.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=wrong):
        with_range(net(), path)


def test_wrong_numbers_and_images():
    for given in ("3,1", "nan,1", (1, 1)):
        with pytest.raises(UsageError, match="expected a number and a larger one"):
            with_range(net(), given)
    with pytest.raises(UsageError, match="expected LOW,HIGH"):
        with_range(net(), "1,2,3")
    with pytest.raises(UsageError, match="takes images, no signals"):
        with_range(network(), np.ones((4, 8, 8, 3)))


def test_a_range_tells_signals_from_grey_images():
    likely = matcher(np.ones((8, 20)), (60,))
    assert likely.medium == "image"
    found = with_range(likely, (-1, 1))
    assert found.medium == "signal" and found.axes == "batch,time,channel"
    assert type(likely)(likely.program, likely.identity, rate=100).medium == "signal"


def test_tables_keep_the_quantiles_of_their_data(tmp_path):
    from support.signals import table

    from kerasviz.network.input_spec import InputSpec

    rows = np.random.default_rng(0).normal(size=(200, 4)) * [1, 2, 3, 4]
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header="a,b,c,d", comments="")
    net = with_range(table(4), tmp_path / "rows.csv")
    assert net.geometry == {"axes": "batch,feature"} and net.channels == 4
    expected = np.quantile(rows, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0).T
    assert np.allclose(net.input_spec.quantiles, expected, rtol=1e-4, atol=1e-4)
    assert InputSpec.from_json(net.input_spec.to_json()) == net.input_spec
    assert "quantiles" not in InputSpec().to_json()
