"""The environment of a run: what can change the last bits of a picture."""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np
import PIL
import tensorflow as tf

from kerasviz._version import __version__

__all__ = ["differences", "environment"]


def environment() -> dict[str, str]:
    """Versions, device and threads, as plain text; recorded with every picture.

    >>> sorted(environment())[:3]
    ['device', 'fast units', 'keras']
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        device = ", ".join(str(d.get("device_name", "GPU")) for d in details)
    else:
        device = f"CPU {_processor()}"
    return {
        "kerasviz": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": str(_threads()),
        "fast units": _gpu_units(gpus) if gpus else _cpu_units(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "reproducible": "not promised on GPU" if gpus else "to the byte on this machine",
    }


def differences(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """What differs between two environments, one line each.

    >>> differences({"device": "A", "keras": "3"}, {"device": "B", "keras": "3"})
    ['device: recorded B, here A']
    """
    return [
        f"{key}: recorded {there.get(key, 'nothing')}, here {here.get(key, 'nothing')}"
        for key in sorted({*here, *there})
        if here.get(key) != there.get(key)
    ]


def _threads() -> int:
    """The threads of an operation: those that were set, by TensorFlow's variable, or all cores."""
    named = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return (
        tf.config.threading.get_intra_op_parallelism_threads()
        or (int(named) if named.isdecimal() else 0)
        or os.cpu_count()
        or 1
    )


def _gpu_units(gpus: list[Any]) -> str:
    """The narrow type that every GPU has tensor cores for, by its compute capability."""
    found = [tf.config.experimental.get_device_details(g).get("compute_capability") for g in gpus]
    if None in found:
        return "none"
    least = min(found)
    kind = "bfloat16" if least >= (8, 0) else "float16" if least >= (7, 0) else "none"
    return f"{kind} (compute capability {least[0]}.{least[1]})"


@functools.cache
def _cpu_units() -> str:
    """The best of the processor's units for products of few bits that oneDNN uses."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "none"
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    return next((unit for unit in ("amx_bf16", "avx512_bf16") if unit in flags), "none")


@functools.cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
