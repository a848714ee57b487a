"""Find bytes that a network of file types calls a type, and say whether its magic bytes are there.

    python scripts/found_bytes.py magika/models/standard_v3_3 --out out/bytes

The folder is that of the wheel magika (Apache-2.0): model.onnx and config.min.json. A file of 2048
bytes is what the network sees of a whole file of that length: the first and the last 1024. The
probabilities are those that onnxruntime computes for the bytes that were written.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tensorflow as tf

import kerasviz
from kerasviz.network.network import Network
from kerasviz.optvis.objectives.packing import pack_objectives
from kerasviz.optvis.objectives.structure import structure_of
from kerasviz.optvis.objectives.targets import parse_target
from kerasviz.optvis.recipe import Recipe
from kerasviz.optvis.recipes import RECIPES
from kerasviz.optvis.tokens.find import find_tokens, scorer_of
from kerasviz.optvis.tokens.search import TokenSearch
from kerasviz.rendering.media.token_record import hexadecimal

LABELS = ("png", "python", "pdf", "gif", "zip", "elf", "jpeg", "html")
#: What files of a type begin with, or nearly always contain.
MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "png": (b"\x89PNG\r\n\x1a\n", b"\x89PNG", b"PNG", b"IHDR"),
    "pdf": (b"%PDF-", b"%PDF", b"PDF", b"%%EOF"),
    "gif": (b"GIF89a", b"GIF87a", b"GIF8", b"GIF"),
    "zip": (b"PK\x03\x04", b"PK"),
    "elf": (b"\x7fELF", b"ELF"),
    "jpeg": (b"\xff\xd8\xff", b"JFIF"),
    "python": (b"import ", b"def ", b"self"),
    "html": (b"<!DOCTYPE html", b"<html", b"<"),
}
#: The tap before the softmax, which the file has as several operations.
LOGITS = "jax2tf_get_logits_/pjit_get_logits_/MagikaV2/Dense_1/AddV2:0"
#: The bytes that the network sees of a file.
SEEN = 2048


def features(data: bytes) -> Any:
    """Return what magika's own program makes of a file of up to 4096 bytes, [2048]."""
    text = data.strip()
    head, tail = list(text[: SEEN // 2]), list(text[-SEEN // 2 :])
    padding = [256] * (SEEN // 2)
    return np.array((head + padding)[: SEEN // 2] + (padding + tail)[-SEEN // 2 :], np.int32)


def recipe_of(steps: int, probability: float) -> Recipe:
    """Return the search: the logarithm of a probability, until it is large enough."""
    search = TokenSearch(population=4, children=16, candidates=64, rows=64, restart=0)
    return RECIPES["words"].replace(
        steps=steps, size=(1, SEEN), rivals=1.0, cutoff=math.log(probability), search=search
    )


def search(net: Network, label: str, recipe: Recipe, seed: int) -> tuple[bytes, int, int]:
    """Return the bytes found, the steps taken and the sequences computed."""
    assert recipe.search is not None and recipe.cutoff is not None
    (target,) = parse_target(f"logit:{label}", net)
    structure = structure_of(target.objective, net, False)
    data = pack_objectives(structure, [target.objective], net, False, recipe.size)
    row = {name: tf.constant(array) for name, array in data.items()}
    scorer = scorer_of(net, structure, recipe)
    size = (recipe.steps, recipe.size[1])
    result = find_tokens(scorer, row, recipe.search, size, seed, cutoff=recipe.cutoff)
    return bytes(result.best.ids), len(result.history), result.evaluated


def main() -> None:
    """Search for each type, write the files, and let onnxruntime judge them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("labels", nargs="*", default=LABELS)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    path = options.folder / "model.onnx"
    labels = json.loads((options.folder / "config.min.json").read_text())["target_labels_space"]
    net = replace(kerasviz.load(path, labels=labels), logits=LOGITS)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (name,) = (entry.name for entry in session.get_inputs())
    good = 0
    for label in options.labels or LABELS:
        began = time.monotonic()
        data, steps, evaluated = search(net, label, recipe_of(options.steps, 0.98), options.seed)
        seen = features(data)
        (probabilities,) = session.run(None, {name: seen[None]})
        best = int(probabilities[0].argmax())
        share = float(probabilities[0][labels.index(label)])
        good += share > 0.9
        magic = [m for m in MAGIC.get(label, ()) if m in data]
        first = [m for m in MAGIC.get(label, ()) if data.startswith(m)]
        print(
            f"{label}: called {labels[best]}, {label} {share:.4f}; {steps} steps, {evaluated} "
            f"sequences, {time.monotonic() - began:.0f} s; in it {magic or 'no magic bytes'}, "
            f"at its start {first or 'none'}"
            f"{'' if np.array_equal(seen, list(data)) else '; blanks at its ends do not count'}"
        )
        print("\n".join(hexadecimal(data[:64])))
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / f"{label}.bin").write_bytes(data)
    print(f"{good} of {len(options.labels or LABELS)} above 0.9")


if __name__ == "__main__":
    main()
