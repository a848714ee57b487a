"""Choose the precision of a network on this machine, for ``auto``."""

from __future__ import annotations

import json
import threading
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
from kerasviz.optvis.recipe import PRECISIONS

AUTO = "auto"
CHOICES = (AUTO, *PRECISIONS)

#: The largest share of float32's time for which a low precision is chosen. The gain must be worth
#: the rounding, and large enough for a second measurement to agree.
WORTH = 0.85
#: Images in one measured pass.
BATCH = 4
#: The sides of a measured image in pixels, where a network takes any.
PIXELS = 128
#: The smallest number of measured passes, of which the fastest counts.
PASSES = 5
#: The largest number of measured passes.
MOST = 25
#: Seconds after which ``PASSES`` are enough: a few short ones vary on a machine with other work.
ENOUGH = 0.6
#: Seconds of a pass too short to gain much or to measure well.
QUICK = 0.002
#: The number of choices that the cache keeps.
KEPT = 500
#: The low precision for which a processor or GPU has units, by the first word of their name.
_CANDIDATES = {
    "amx_bf16": "bfloat16",
    "avx512_bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "float16": "float16",
}


#: Threads measure one after the other, so that they agree.
_measuring = threading.Lock()


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision for a network's taps on a machine, and a short reason."""

    precision: str
    why: str


def choose(net: Network, taps: Sequence[str], among: Iterable[str] = ()) -> PrecisionChoice:
    """Choose the fastest precision for the optimization of units at ``taps``, if it is worth it.

    A forward and backward pass is measured once on each device and recorded in the cache folder, so
    that the same command chooses the same again. ``among`` are the precisions of existing pictures:
    if they have one in common, it is taken.
    """
    existing = set(among)
    if len(existing) == 1:
        return PrecisionChoice(existing.pop(), "as the pictures that are there")
    machine = environment()
    units = machine["fast units"]
    candidate = _CANDIDATES.get(units.split(" ")[0])
    if candidate is None:
        return PrecisionChoice("float32", f"no units for fewer bits on {machine['device']}")
    parts = sorted({part for name in taps for part in net.taps[name].parts})
    key = digest([net.identity.sha256, parts, machine])
    with _measuring:
        known = _read()
        if key not in known:
            known[key] = {
                "network": net.name,
                "taps": list(taps),
                **asdict(_measured(net, taps, candidate, units)),
            }
            _write(known)
    return PrecisionChoice(known[key]["precision"], known[key]["why"])


def choices_here() -> list[dict[str, Any]]:
    """Return the choices recorded on this machine: network, taps, precision and why."""
    return list(_read().values())


def _measured(net: Network, taps: Sequence[str], low: str, units: str) -> PrecisionChoice:
    net = net.focused(taps[:1])
    taps = [tap for tap in taps if net.focused([tap]) is net]  # of one of several images
    try:
        full = _pass(net, taps, "float32")
        if _seconds({"float32": full}, enough=0.0)["float32"] < QUICK:
            return PrecisionChoice("float32", f"a pass takes less than {QUICK * 1000:g} ms")
        seconds = _seconds({"float32": full, low: _pass(net, taps, low)})
    except ModelError as error:
        return PrecisionChoice("float32", f"no measurement: {error}")
    share = seconds[low] / seconds["float32"]
    why = f"{low} takes {share:.2f} of float32's time, measured with {units}"
    return PrecisionChoice(low if share <= WORTH else "float32", why)


def _pass(net: Network, taps: Sequence[str], precision: str) -> Callable[[], Any]:
    """Return a forward pass to ``taps`` with the gradient of the images, compiled when called."""
    sides = [side or PIXELS for side in net.fixed_size]
    if net.medium == "sound" and net.fixed_size[1] is None:  # a second, or what it was trained on
        sides[1] = net.trained_size[1] if net.trained_size else net.rate or PIXELS
    kernels = fast_kernels(precision)
    noise = np.random.default_rng(0).uniform(size=(BATCH, *sides, net.channels))
    images = tf.constant(noise, tf.float32)

    def gradient(images: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            activations = net.activations(images, taps, kernels=kernels)
            score = tf.add_n([tf.reduce_sum(activations[name]) for name in taps])
        return tape.gradient(score, images)

    compiled = tf.function(gradient, autograph=False)
    return lambda: compiled(images).numpy()


def _seconds(runs: Mapping[str, Callable[[], Any]], enough: float = ENOUGH) -> dict[str, float]:
    """Measure functions in turns and return the least time of each.

    The least, because other work on the machine can only make it longer.
    """
    for run in (*runs.values(), *runs.values()):  # the first calls trace and allocate memory
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
    return {name: min(taken) for name, taken in times.items()}


def _file() -> Path:
    return cache_folder() / "precision.json"


def _read() -> dict[str, dict[str, Any]]:
    with suppress(OSError, ValueError):
        recorded = json.loads(_file().read_text(encoding="utf-8"))
        if isinstance(recorded, dict):
            return recorded
    return {}


def _write(known: dict[str, dict[str, Any]]) -> None:
    latest = dict(list(known.items())[-KEPT:])
    with suppress(OSError):  # without a cache it is measured again
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_file(), json.dumps(latest, indent=1).encode())
