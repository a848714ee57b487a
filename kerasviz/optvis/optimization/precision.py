"""The precision of a network on this machine: what ``auto`` chooses, and why."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasviz.errors import ModelError
from kerasviz.io.files import cache_folder, digest, write_atomically
from kerasviz.network.network import Network
from kerasviz.optvis.environment import environment
from kerasviz.optvis.optimization.kernels import fast_kernels
from kerasviz.optvis.recipes import PRECISIONS

__all__ = ["AUTO", "CHOICES", "PrecisionChoice", "choices_here", "choose"]

AUTO = "auto"
CHOICES = (AUTO, *PRECISIONS)

#: A narrow type is chosen where it takes at most this share of the time of float32: what is gained
#: must be worth the rounding, and a second measurement must come out the same.
WORTH = 0.85
#: Images in one measured pass, and their pixels.
BATCH, PIXELS = 4, 128
#: The passes of which the fastest counts: so many, and up to so many while they have not taken so
#: many seconds in all. A few short ones tell little on a machine with other work.
PASSES, MOST, ENOUGH = 5, 25, 0.6
#: Seconds of a pass in which not much can be gained and little be measured.
QUICK = 0.002
#: The longest list of choices that is kept.
KEPT = 500


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision for a network's taps on a machine, and the reason in a few words."""

    precision: str
    why: str


def choose(net: Network, taps: Sequence[str], among: Iterable[str] = ()) -> PrecisionChoice:
    """The fastest precision for the optimization of units at ``taps``, if it is worth it.

    A forward and backward pass is measured once on each device and kept in the cache folder, so
    that the same command chooses the same again. ``among`` are the precisions of pictures that are
    there already: theirs is taken as it is, if they have one in common.
    """
    there = set(among)
    if len(there) == 1:
        return PrecisionChoice(there.pop(), "as the pictures that are there")
    here = environment()
    units = here["fast units"]
    candidate = _CANDIDATES.get(units.split(" ")[0])
    if candidate is None:
        return PrecisionChoice("float32", f"no units for fewer bits on {here['device']}")
    parts = sorted({part for name in taps for part in net.taps[name].parts})
    key = digest([net.identity.sha256, parts, here])
    known = _read()
    if key not in known:
        known[key] = {
            "network": net.name,
            "taps": list(taps),
            **asdict(_measured(net, taps, candidate, units)),
        }
        _write(known)
    return PrecisionChoice(known[key]["precision"], known[key]["why"])


#: The narrow type for which a processor or GPU has units, by the first word for them.
_CANDIDATES = {
    "amx_bf16": "bfloat16",
    "avx512_bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "float16": "float16",
}


def choices_here() -> list[dict[str, Any]]:
    """What was chosen on this machine so far: network, taps, precision and why."""
    return list(_read().values())


def _measured(net: Network, taps: Sequence[str], narrow: str, units: str) -> PrecisionChoice:
    try:
        wide = _pass(net, taps, "float32")
        if _seconds({"float32": wide}, enough=0.0)["float32"] < QUICK:
            return PrecisionChoice("float32", f"a pass takes less than {QUICK * 1000:g} ms")
        found = _seconds({"float32": wide, narrow: _pass(net, taps, narrow)})
    except ModelError as error:
        return PrecisionChoice("float32", f"no measurement: {error}")
    share = found[narrow] / found["float32"]
    words = f"{share:.2f} of float32's time, measured with {units}"
    return PrecisionChoice(narrow if share <= WORTH else "float32", f"{narrow} takes {words}")


def _pass(net: Network, taps: Sequence[str], precision: str) -> Callable[[], Any]:
    """A forward pass to ``taps`` and the gradient of the images, compiled when first called."""
    sides = [side or PIXELS for side in net.fixed_size]
    kernels = fast_kernels(precision)
    noise = np.random.default_rng(0).uniform(size=(BATCH, *sides, net.channels))
    images = tf.constant(noise, tf.float32)

    def gradient(images: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            found = net.activations(images, taps, kernels=kernels)
            score = tf.add_n([tf.reduce_sum(found[name]) for name in taps])
        return tape.gradient(score, images)

    compiled = tf.function(gradient, autograph=False)
    return lambda: compiled(images).numpy()


def _seconds(runs: Mapping[str, Callable[[], Any]], enough: float = ENOUGH) -> dict[str, float]:
    """The least time of each of some functions that are measured in turns.

    The least, because other work on the machine can only make it longer.
    """
    for run in (*runs.values(), *runs.values()):  # traces, and asks for memory
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    start = time.perf_counter()
    for number in range(MOST):
        if number >= PASSES and time.perf_counter() - start > enough:
            break
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return {name: min(found) for name, found in times.items()}


def _file() -> Path:
    return cache_folder() / "precision.json"


def _read() -> dict[str, dict[str, Any]]:
    with suppress(OSError, ValueError):
        found = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _write(known: dict[str, dict[str, Any]]) -> None:
    kept = dict(list(known.items())[-KEPT:])
    with suppress(OSError):  # without a cache it is measured again
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(), json.dumps(kept, indent=1).encode())
