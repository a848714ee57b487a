"""Small model files for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest


def _save(path: Path, seed: int) -> Path:
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, None, 3)),
            layers.Conv2D(6, 3, strides=2, activation="relu", name="conv1"),
            layers.Conv2D(5, 3, activation="relu", name="conv2"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, name="logits"),
            layers.Softmax(name="prob"),
        ]
    )
    for i, weights in enumerate(model.weights):
        draw = keras.initializers.RandomNormal(stddev=0.4, seed=100 * seed + i)
        weights.assign(draw(weights.shape))
    model.save(path)
    return path


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras file: conv1 (6 units), conv2 (5), logits and prob (4); any size from 7 pixels on."""
    return _save(tmp_path_factory.mktemp("model") / "small.keras", 0)


@pytest.fixture(scope="session")
def other_model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same architecture with other weights."""
    return _save(tmp_path_factory.mktemp("other") / "other.keras", 1)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test works in an empty folder: nothing may be written beside what it names."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine must not add lines of progress to what a test expects."""
    monkeypatch.setattr("kerasviz.io.terminal.INTERVAL", float("inf"))
