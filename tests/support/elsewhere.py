"""What a written network gives in a process in which kerasviz cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["elsewhere"]

LOAD = """
import json, sys
sys.modules["kerasviz"] = None  # to import it is an error
import numpy as np
x = np.load("x.npy")
if sys.argv[1].endswith(".keras"):
    import keras
    found = keras.saving.load_model(sys.argv[1]).predict(x, verbose=0)
else:
    import tensorflow as tf
    signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    found = signature(**{name: tf.constant(x)})
found = found if isinstance(found, dict) else {"": found}
np.savez("found.npz", **{str(k): np.asarray(v) for k, v in enumerate(found.values())})
print(json.dumps(list(found)))
"""


def elsewhere(folder: Path, path: Path, x: Any) -> dict[str, Any]:
    """The outputs of a file in ``folder`` for its only input; a single output is named ""."""
    np.save(folder / "x.npy", x)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, path.name], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    names = json.loads(done.stdout.splitlines()[-1])
    arrays = np.load(folder / "found.npz")
    return {name: arrays[str(k)] for k, name in enumerate(names)}
