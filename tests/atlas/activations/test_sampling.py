"""Sampling: the activations at the drawn positions, resumed ones too, on maps and tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.activation_atlases import conv_file, networks, write_photos

import kerasviz
from kerasviz.analysis.attribution import attribute
from kerasviz.atlas.activations import sampling as module
from kerasviz.atlas.activations.sampling import PositionSampling, sample_positions
from kerasviz.errors import UsageError
from kerasviz.examples.activation_samples import SampledTap
from kerasviz.examples.datasets import open_source, read_example
from kerasviz.network.positions import positions_of
from kerasviz.optvis.objectives.objective import logit
from kerasviz.rendering.sizes import usual_size


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = write_photos(tmp_path_factory.mktemp("photos") / "all", 7)
    (folder / "005.png").write_text("no picture")
    return open_source(str(folder))


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return networks(tmp_path_factory.mktemp("networks"))


def of(net, tap, count=2, seed=3, size=None):
    return PositionSampling(SampledTap(net, tap, size or usual_size(net), 3, seed=seed), count)


@pytest.mark.parametrize("name", ["onnx", "keras", "onnx tokens", "keras tokens"])
def test_samples_are_activations_at_their_positions(name, known, photos, tmp_path):
    net, tap = known[name]
    size = (14, 17) if name == "keras" else usual_size(net)
    sampling = of(net, tap, size=size)
    seen = []
    samples = sample_positions(sampling, photos, tmp_path, lambda *now: seen.append(now))
    assert seen[-1] == (7, 7) and len(samples) == 2 * 6
    assert samples.positions[:, 0].tolist() == [k for k in (0, 1, 2, 3, 4, 6) for _ in range(2)]
    height, width = sampling.map
    positions = positions_of(net, tap, size)
    for row in (0, 5, 11):
        photo, y, x = samples.positions[row]
        if name.endswith("tokens"):
            assert 0 <= y < height and 0 <= x < width
        else:
            assert 1 <= y < height - 1 and 1 <= x < width - 1
        image = read_example(photos.read(int(photo)), size, 3).astype(np.float32)[None] / 255
        on_map = positions.on_map(net.activations(image, [tap])[tap]).numpy()[0]
        np.testing.assert_allclose(samples.values[row], on_map[y, x], rtol=1e-4, atol=1e-5)
        (share,) = attribute(net, logit(2), image[0], [tap], steps=1)
        expected = share.by_position.ravel()[positions.special + y * width + x]
        np.testing.assert_allclose(samples.attributions[row, 2], expected, rtol=5e-3, atol=1e-4)
    assert samples.attributions.dtype == np.float16 and samples.values.dtype == np.float32


def test_what_was_sampled_before_the_end_is_continued(known, photos, tmp_path, monkeypatch):
    net, tap = known["onnx"]
    whole = sample_positions(of(net, tap), photos, tmp_path, lambda *_: None)
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(module, "EVERY", 0.0)

    class Killed(BaseException):
        pass

    def die(seen, _):
        if seen >= 3:
            raise Killed

    with pytest.raises(Killed):
        sample_positions(of(net, tap), photos, other, die)
    assert not (other / "samples.json").exists()
    seen = []
    again = sample_positions(of(net, tap), photos, other, lambda now, _: seen.append(now))
    assert seen == [6, 7]
    for name in ("values", "attributions", "positions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    assert {p.name for p in other.iterdir()} == {
        *("samples.json", "activations.npy", "attributions.npy", "positions.npy")
    }
    files = [p for p in tmp_path.iterdir() if p.is_file()]
    assert all((other / p.name).read_bytes() == p.read_bytes() for p in files)
    # finished samples are taken as they are, and no others
    seen.clear()
    sample_positions(of(net, tap), photos, other, lambda now, _: seen.append(now))
    assert not seen
    with pytest.raises(UsageError, match="has samples with other seed; give the same"):
        sample_positions(of(net, tap, seed=4), photos, other, lambda *_: None)


def test_positions_do_not_depend_on_other_photos(known):
    sampling = of(*known["onnx"], count=3)
    draws = [sampling.draw(k) for k in range(20)]
    assert all(len(set(draw.tolist())) == 3 for draw in draws)
    np.testing.assert_array_equal(sampling.draw(4), draws[4])
    assert len({tuple(draw) for draw in draws}) > 10
    assert set(np.concatenate(draws)) <= set(sampling.inner)


def test_more_positions_than_there_are(known):
    sampling = of(*known["onnx tokens"], count=50)
    assert sampling.each == 12 and sorted(sampling.draw(0)) == list(range(12))


def test_a_tap_without_positions(known):
    with pytest.raises(UsageError, match="logits has no positions, of which"):
        of(known["onnx"][0], "logits")


def test_a_tap_on_which_classes_do_not_depend(known, photos, tmp_path):
    net = known["onnx"][0]
    samples = sample_positions(of(net, "c1"), photos, tmp_path, lambda *_: None)
    assert samples.attributions is not None  # before the ReLU classes depend on it


def test_no_photo_can_be_read(known, tmp_path):
    folder = tmp_path / "none"
    folder.mkdir()
    (folder / "a.png").write_text("none")
    with pytest.raises(UsageError, match="none of 1 photos can be used"):
        sample_positions(of(*known["onnx"]), open_source(str(folder)), tmp_path, lambda *_: None)


def test_a_network_without_classes(photos, tmp_path, model_file: Path):
    net = kerasviz.load(model_file, preprocess="unit")
    sampling = of(net, "relu2", size=(12, 12))
    samples = sample_positions(sampling, photos, tmp_path, lambda *_: None)
    assert samples.attributions is None and samples.values.shape == (12, 5)


def test_an_operation_without_a_second_derivative(photos, tmp_path, monkeypatch):
    net = kerasviz.load(conv_file(tmp_path), preprocess="unit")

    def refuse(*_):
        raise LookupError("gradient registry has no entry for: Strange")

    monkeypatch.setattr(module, "attributed_positions", refuse)
    (tmp_path / "out").mkdir()
    samples = sample_positions(of(net, "first"), photos, tmp_path / "out", lambda *_: None)
    assert samples.attributions is None
    assert "no entry for: Strange" in (tmp_path / "out" / "samples.json").read_text()
