"""What tests of activation atlases share: networks in files, photos, workers in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import kerasviz
from kerasviz.network.network import Network
from support import analysed, analysed_tokens

#: The side of the images of the network of convolutions.
SIDE = 20
#: Few steps of small icons.
QUICK: dict[str, Any] = {"steps": 2, "precision": "float32", "batch": 8}


def conv_file(folder: Path) -> Path:
    """A network of two convolutions with six classes, for images of one size."""
    model = analysed.onnx_model()
    for dimension in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dimension.dim_value = SIDE
    path = folder / "two.onnx"
    onnx.save(model, path)
    return path


def networks(folder: Path) -> dict[str, tuple[Network, str]]:
    """Networks of convolutions and of tokens, from ONNX and Keras, each with a tap."""
    return {
        "onnx": (kerasviz.load(conv_file(folder), preprocess="unit"), "first"),
        "keras": (analysed.of_keras(pool=True), "second"),
        "onnx tokens": (analysed_tokens.of_onnx(folder), "block"),
        "keras tokens": (analysed_tokens.of_keras(), "tokens"),
    }


def write_photos(folder: Path, count: int) -> Path:
    """Photos of noise in a colour of their own."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(5)
    for k in range(count):
        noise = draw.integers(0, 120, (30, 26, 3)) + 45 * np.eye(3, dtype=int)[k % 3]
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{k:03d}.png")
    return folder


def workers_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process do the tasks of atlases, with the threads that it has."""

    def do(rounds: Any, tasks: Any, progress: Any) -> None:
        work = rounds._job().prepare()
        for task in tasks:
            progress.made += work(task.payload)["pictures"]

    monkeypatch.setattr("kerasviz.atlas.rounds.TaskRounds._round", do)
    monkeypatch.setattr("kerasviz.atlas.worker._set_threads", lambda threads: None)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of an atlas that do not depend on when they were made."""
    aside = {"runs", "claims"}
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.relative_to(folder).parts[0] not in aside
    }
