"""Pictures of classes by lucent, from the weights of an ONNX file, for ``quality.py``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_peers  # beside this file
import numpy as np

from kerasviz.network.network import Network

WORKER = Path(__file__).resolve().with_name("lucent_classes.py")


@dataclass(frozen=True)
class Lucent:
    """The library in its ``environment``, which is made with ``torch``, as pip is asked for it."""

    environment: Path
    torch: str
    steps: int
    size: int

    def render(
        self, net: Network, model: Path | str, pictures: Sequence[tuple[int, int, Path]]
    ) -> tuple[str, str]:
        """Render pictures, each a class, a seed and a file; those of files that exist are kept.

        Returns the library's name with its version, and the seconds of the clock and of the
        processor that a picture took, ``-`` if none was made. Raises :class:`RuntimeError` where it
        cannot be installed or run, or computes something else than the network.
        """
        known = bench_peers.contenders(self.torch)
        contender = next(each for each in known if each.name == "torch-lucent")
        for *_, file in pictures:
            file.parent.mkdir(parents=True, exist_ok=True)
        with bench_peers.environment_in(self.environment) as python:
            why = bench_peers.install(python, contender)
            if why:
                raise RuntimeError(why)
            return self._run(python, self._task(net, model, pictures))

    def _run(self, python: Path, task: dict[str, Any]) -> tuple[str, str]:
        command = [str(python), str(WORKER), json.dumps(task)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            hello = json.loads(process.stdout.readline() or "{}")
            if not hello.get("differs", np.inf) <= bench_peers.AGREE:
                process.terminate()
                raise RuntimeError(f"its logits differ: {hello}" if hello else "it did not start")
            paces = [json.loads(line) for line in process.stdout]
        if process.returncode:
            raise RuntimeError(f"it ended with {process.returncode}")
        means = [np.mean([each[key] for each in paces]) for key in ("seconds", "cpu") if paces]
        return f"lucent {hello['version']}", " / ".join(f"{mean:.2f}" for mean in means) or "-"

    def _task(
        self, net: Network, model: Path | str, pictures: Sequence[tuple[int, int, Path]]
    ) -> dict[str, Any]:
        """What the worker is told; an image lies beside its logits for comparison."""
        tap, spec = net.require_logits(), net.require_input_spec()
        image = np.random.default_rng(0).uniform(size=(1, self.size, self.size, 3))
        image = image.astype(np.float32)
        reference = pictures[0][-1].with_name("reference.npz")
        logits = np.asarray(net.activations(image, [tap.name])[tap.name])
        np.savez(reference, image=image, logits=logits)
        return {
            "model": str(model),
            "tap": "classes",
            "parts": list(tap.parts),
            "mean": list(spec.mean),
            "bgr": spec.channel_order == "bgr",
            "reference": str(reference),
            "size": self.size,
            "steps": self.steps,
            "pictures": [[number, seed, str(file)] for number, seed, file in pictures],
        }
