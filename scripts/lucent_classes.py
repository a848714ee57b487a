"""Renders pictures of classes by lucent's defaults, in its own environment, for ``quality.py``.

    python lucent_classes.py '{"model": FILE, "tap": NAME, "parts": [...], "mean": [...],
        "bgr": true, "reference": FILE, "size": 160, "steps": 512,
        "pictures": [[CLASS, SEED, FILE], ...]}'

The weights are those of the ONNX file, computed by PyTorch (``onnx_in_torch.py``). What is written
are lines of JSON: the version and by how much the logits of the image in ``reference`` differ from
those beside it, as a share of the largest; then the seconds of the clock and of the processor that
each picture took. Files that exist are not made again, and appear only when they are whole.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx_in_torch
import torch
from peer_worker import without_torchvision
from PIL import Image

#: What lucent subtracts from images of 0 to 255 before a network of the name ``InceptionV1``.
SUBTRACTED = 117.0


class InceptionV1(onnx_in_torch.InceptionV1):
    """The network for the images that lucent gives it: RGB, less one number for all colours."""

    def __init__(self, task: dict[str, Any]):
        super().__init__(task["model"], task["parts"], task["tap"])
        mean = torch.tensor(task["mean"], dtype=torch.float32)
        self.mean, self.bgr = mean.reshape(1, -1, 1, 1), bool(task["bgr"])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        ordered = image.flip(1) if self.bgr else image
        return super().forward(ordered + SUBTRACTED - self.mean)


def differs(model: InceptionV1, reference: str) -> float:
    """By how much the logits of an image [1, H, W, 3] in [0, 1] differ, as a share."""
    with np.load(reference) as known:
        image, wanted = known["image"], known["logits"]
    given = torch.from_numpy(np.moveaxis(image, -1, 1).copy()) * 255 - SUBTRACTED
    with torch.no_grad():
        found = model(given).numpy()
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def render(model: InceptionV1, task: dict[str, Any], number: int, seed: int) -> np.ndarray:
    """One picture [H, W, 3] in [0, 1]."""
    from lucent.optvis import objectives, param, render

    for sow in (random.seed, np.random.seed, torch.manual_seed):
        sow(seed)
    images = render.render_vis(
        model,
        objectives.channel(task["tap"], number),
        param_f=lambda: param.image(task["size"]),
        thresholds=(task["steps"],),
        progress=False,
        show_image=False,
    )
    return np.asarray(images[-1][0])


def main() -> None:
    """Render what is missing; what libraries print goes to the standard error output."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    task = json.loads(sys.argv[1])
    without_torchvision()
    import_module("lucent.optvis.render")  # before time is measured
    model = InceptionV1(task).eval()
    hello = {"version": version("torch-lucent"), "differs": differs(model, task["reference"])}
    print(json.dumps(hello), file=output)
    for number, seed, name in task["pictures"]:
        if Path(name).exists():
            continue
        began = time.perf_counter(), time.process_time()
        image = render(model, task, number, seed)
        took = time.perf_counter() - began[0], time.process_time() - began[1]
        partial = Path(name).with_suffix(".partial.png")
        Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(partial)
        partial.replace(name)
        print(json.dumps({"seconds": took[0], "cpu": took[1]}), file=output)


if __name__ == "__main__":
    main()
