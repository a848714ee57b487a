"""Asking an export in a process in which kerasviz cannot be imported."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasviz.export.tf_serving import Exported, ExportSettings
from kerasviz.network.network import Network

ASK = """
import pickle, sys
sys.modules["kerasviz"] = None  # to import it is an error
import tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
answers = []
for name, inputs in pickle.load(open(sys.argv[2], "rb")):
    function = signatures[name]
    specs = function.structured_input_signature[1]
    given = {spec.name: tf.constant(inputs[spec.name], spec.dtype) for spec in specs.values()}
    answers.append({k: v.numpy() for k, v in function(**given).items()})
pickle.dump(answers, open(sys.argv[3], "wb"))
"""

Answers = list[dict[str, Any]]
Asked = tuple[str, Mapping[str, Any]]

#: (tap, unit, seed, steps): taps 0 to 2 in disorder, unequal steps, and rows that name nothing.
ROWS = (
    *((0, 1, 5, 20), (1, 2, 6, 4), (2, 0, 7, 9), (0, 3, 1, 1000), (2, 2, 3, 0), (7, 0, 0, 3)),
    *((0, 8, 2, 5), (0, 9, 8, 9), (0, -1, 0, 4), (1, 5, 3, 19), (-1, 0, 0, 3), (2, 0, -1, 3)),
)
GOOD = [0, 1, 2, 3, 4, 6, 9]


@dataclass(frozen=True)
class Served:
    """An export, with the network and the setting that it was made of."""

    net: Network
    setting: ExportSettings
    made: Exported

    @property
    def path(self) -> Path:
        return self.made.path


def ask(path: Path, requests: Sequence[Asked], folder: Path) -> Answers:
    """What signatures answer where kerasviz cannot be imported."""
    (folder / "requests").write_bytes(pickle.dumps(list(requests)))
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(path), "requests", "answers"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "WARNING" not in done.stderr.replace("WARNING: All log messages before absl", "")
    answers: Answers = pickle.loads((folder / "answers").read_bytes())
    return answers


def columns(rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Rows as the inputs of ``visualize``."""
    names = ("tap", "unit", "seed", "steps")
    return {n: np.array([row[k] for row in rows], np.int32) for k, n in enumerate(names)}
